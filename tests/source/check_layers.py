#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Fails when an #include points against the architecture.

    base <- tokensock <- { sasl, helper, connector }
    connector: main > service > {control, inbound, outbound}
                    > {delivery, handon, mail, mime, state} > net

A unit may include its own layer and those that it is allowed to see. Only the
units named in LIBRARY_USERS may include a library's headers.
"""
import os
import re
import sys

# layer -> layers that it may include, besides itself
MAY_SEE = {
    "plugin/base": set(),
    "plugin/tokensock": {"plugin/base"},
    "plugin/sasl": {"plugin/base", "plugin/tokensock"},
    "plugin/helper/hooks": {"plugin/base", "plugin/tokensock"},
    "plugin/helper/daemon": {"plugin/base", "plugin/tokensock",
                             "plugin/helper/hooks"},
    "plugin/helper/command": {"plugin/base", "plugin/tokensock"},
    "plugin/helper/probe": {"plugin/base", "plugin/tokensock"},
    "connector/net": {"plugin/base"},
    "connector/mail": {"plugin/base", "connector/net"},
    "connector/mime": {"plugin/base"},
    "connector/state": {"plugin/base"},
    "connector/delivery": {"plugin/base", "connector/mime",
                           "connector/net"},
    "connector/handon": {"plugin/base", "connector/net",
                         "connector/state"},
    "connector/inbound": {"plugin/base", "connector/delivery",
                          "connector/mail", "connector/mime",
                          "connector/state"},
    "connector/outbound": {"plugin/base", "connector/delivery",
                           "connector/mail", "connector/state"},
    "connector": None,  # main, service, control, config: see everything in it
}

LIBRARY_USERS = {
    r"^curl/": r"^(plugin/helper/(daemon/oauth_http\.|probe/)"
               r"|connector/handon/http_post\.)",
    r"^sqlite3\.h": r"^connector/state/",
    r"^libetpan/": r"^connector/mail/",
    r"^gmime/": r"^connector/mime/",
    r"^libical/": r"^connector/mime/mime_calendar\.",
    r"^ytnef\.h": r"^connector/mime/mime_tnef_props\.",
    r"^(json-c|json)": r"^(plugin/helper/daemon/|connector/)",
    r"^uv\.h": r"^(plugin/helper/daemon/|connector/)",
    r"^gnutls/": r"^(plugin/helper/daemon/|connector/(net|mail|mime|inbound|delivery|handon|outbound)/)",
    r"^wslay/": r"^connector/handon/ws\.",
    r"^sodium": r"^plugin/helper/daemon/(key_slots|seal)\.",
    r"^sasl/": r"^(plugin/sasl/|connector/mail/)",
    r"^seccomp\.h": r"^(plugin/helper/daemon/|connector/mime/)",
}

# who may include "base/log.h": programs' own files only
LOG_USERS = re.compile(r"^(plugin/helper/|connector/|plugin/base/log\.)")

INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]')


def layer_of(path):
    """The longest known layer that the file at `path` lies in."""
    found = [l for l in MAY_SEE if path.startswith(l + "/")]
    return max(found, key=len) if found else None


def resolve(root, source, name):
    """The project's file that a quoted include means, or None."""
    beside = os.path.normpath(os.path.join(os.path.dirname(source), name))
    for candidate in (beside, "plugin/" + name, "plugin/helper/" + name,
                      "connector/" + name):
        if os.path.exists(os.path.join(root, candidate)):
            return os.path.normpath(candidate)
    return None


def check_own(source, target):
    mine, theirs = layer_of(source), layer_of(target)
    if mine == theirs:
        return None
    if mine == "connector":
        if theirs.startswith(("connector", "plugin/base", "plugin/tokensock")):
            return None
    elif theirs in MAY_SEE[mine]:
        return None
    return f"{source} includes {target}: {mine} must not know {theirs}"


def check_library(source, name):
    for pattern, users in LIBRARY_USERS.items():
        if re.match(pattern, name) and not re.match(users, source):
            return f"{source} includes <{name}>, which only {users} may"
    return None


def check_file(root, source):
    with open(os.path.join(root, source), encoding="utf-8") as f:
        for line in f:
            match = INCLUDE.match(line)
            if not match:
                continue
            kind, name = match.groups()
            if kind == "<":
                yield check_library(source, name)
                continue
            target = resolve(root, source, name)
            if target is None:
                yield f"{source} includes \"{name}\", which does not exist"
            elif target == "plugin/base/log.h" and \
                    not LOG_USERS.match(source):
                yield f"{source} logs; libraries return errors"
            else:
                yield check_own(source, target)


def sources(root):
    for top in ("plugin", "connector"):
        for folder, _, names in os.walk(os.path.join(root, top)):
            for name in sorted(names):
                if name.endswith((".c", ".h")):
                    yield os.path.relpath(os.path.join(folder, name), root)


def main():
    root = sys.argv[1]
    wrong, count = [], 0
    for source in sources(root):
        count += 1
        if layer_of(source) is None:
            wrong.append(f"{source} lies in no known layer")
            continue
        wrong += [w for w in check_file(root, source) if w]
    print(*wrong, sep="\n")
    print(f"{count} files, {len(wrong)} arrows point the wrong way")
    return 1 if wrong or not count else 0


if __name__ == "__main__":
    sys.exit(main())
