#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Fails when the documents and the sources do not say the same.

Settings, sub-commands, options and requests are those of the tables in the
sources, all of them and no others; files that are named exist; manuals are
installed and refer to each other; the README installs what the build needs.
"""
import re
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "documents"))
import document  # noqa: E402

DAEMON, COMMAND = "plugin/helper/daemon", "plugin/helper/command"


def find(pattern, text):
    """The set of what `pattern` matches; to match nothing is a mistake."""
    found = set(re.findall(pattern, text, re.M))
    if not found:
        raise SystemExit(f"nothing matches {pattern}: the text has another "
                         "shape than check_documents.py expects")
    return found


def items(manual, macro):
    """The names in the list items of a manual, ".It MACRO a , b = ..."."""
    return {name for line in find(rf"^\.It {macro} (.+)", manual)
            for name in line.split(" = ")[0].split(" , ")}


def section(manual, title):
    return manual.split(f"\n.Sh {title}\n")[1].split("\n.Sh ")[0]


class Check:
    def __init__(self, root):
        self.root, self.wrong, self.count = root, [], 0

    def read(self, path):
        return (self.root / path).read_text(encoding="utf-8")

    def fail_unless(self, good, sentence):
        self.count += 1
        if not good:
            self.wrong.append(sentence)

    def same(self, source, known, document, documented):
        for name in sorted(known | documented):
            self.fail_unless(name in documented,
                             f"{name}: in {source}, not in {document}")
            self.fail_unless(name in known,
                             f"{name}: in {document}, not in {source}")

    # -- what the programs know ----------------------------------------------

    def connector_variables(self):
        source, manual = "connector/config_table.c", "docs/man/mailtoken-connector.8"
        text = self.read(source)
        known = find(r'^    \{"(TRI_ONYX_\w+)", ', text)
        documented = items(section(self.read(manual), "ENVIRONMENT"), "Ev")
        self.same(source, known, manual,
                  {name for name in documented if name.startswith("TRI_")})
        files = find(r'^    \{"\w+", "(\w+_FILE)"', text)
        for name in find(r"\bTRI_ONYX_[A-Z0-9_]+\b(?!\*)",
                         self.read("README.md")):
            self.fail_unless(name in known | files,
                             f"{name}: in README.md, not in {source}")

    def helper_settings(self):
        config = self.read(f"{DAEMON}/config.c")
        provider = self.read(f"{DAEMON}/provider.c")
        known = (find(r'^    \{"(\w+)",\s+offsetof', config)
                 | find(r'strcmp\(line->name, "(\w+)"\)', config)
                 | find(r"^    SETTING\((\w+),", provider)
                 | {f"{service}_host" for service
                    in find(r'^    HOST\("(\w+)"', provider)})
        manual = "docs/man/mailtoken.conf.5"
        text = self.read(manual)
        self.same(DAEMON, known, manual, items(text, "Ic"))
        examples = {manual: section(text, "EXAMPLES"),
                    "README.md": self.read("README.md")}
        for document, example in examples.items():
            for name in find(r"^(?:    # |    |)(\w+) = ", example):
                self.fail_unless(name in known,
                                 f"{name}: in {document}, not in {DAEMON}")

    def module_settings(self):
        source = "plugin/tokensock/module_settings.c"
        text = self.read(source)
        known = find(r'^    \{"(\w+)", set_', text)
        told = find(r"\(known: ([^)]*)\)", re.sub(r'"\s+"', "", text)).pop()
        self.same(source, known, "its own message", set(told.split(", ")))
        manual = "docs/man/libmailtoken.7"
        self.same(source, known, manual,
                  items(section(self.read(manual), "SETTINGS"), "Ic"))

    def options(self, manual, source, ):
        """Of getopt_long(3), and those that are compared one by one."""
        text = "".join(path.read_text(encoding="utf-8") for path
                       in self.root.glob(source))
        known = set(re.findall(r'\{"([a-z-]+)", \w+_argument,', text)
                    + re.findall(r'strcmp\([^"]*"--([a-z-]+)"\)', text))
        documented = find(r"(?:Fl|\||,) -([a-z-]+)", self.read(manual))
        self.same(source, known, manual, documented)

    def commands(self, manual, source, pattern):
        documented = find(r"^\.It (?:Xo\n\.)?Cm ([a-z-]+)",
                          section(self.read(manual), "DESCRIPTION"))
        self.same(source, find(pattern, self.read(source)), manual, documented)

    def requests(self):
        source, document = f"{DAEMON}/requests.c", "docs/protocol.md"
        text, listed = self.read(document), r"^- `([a-z-]+)` \("
        verb = r'^    \{"([a-z-]+)", request_'
        self.same(source, find(verb, self.read(source)),
                  document, find(listed, text))
        self.same(source, find(verb + r"\w+, ADMIN\}", self.read(source)),
                  f"{document}, administration", find(
                      listed, text.split("## Requests of administration")[1]))

    def message_keys(self):
        source = "connector/delivery/message_json.c"
        document = "docs/message-json.md"
        self.same(source,
                  find(r'(?:add_?\w*\(\s*\w+,\s+| = )"([a-z0-9_-]+)"',
                       self.read(source)) | {"bounce", "calendar",
                                             "recipients", "attendees"},
                  document, find(r"^\| `([a-z0-9_-]+)` \|",
                                 self.read(document)))

    # -- what is there -------------------------------------------------------

    def exists(self, name, *places):
        return any(any(self.root.glob(f"{place}{name}"))
                   for place in places or ("",))

    def architecture(self):
        """Paths with a folder, and names of sources, which the picture puts
        beneath a line with their folder."""
        document = "docs/architecture.md"
        for name in find(r"(?<![\w./(<{])((?:[a-z*_]+/)+(?:[\w*-]+(?:\.\w+)*)?"
                         r"|[\w*]+\.(?:c|h|py))(?![\w/])", self.read(document)):
            self.fail_unless(
                self.exists(name.rstrip("/"), "", "plugin/", "connector/",
                            "connector/mail/", "docs/"),
                f"{name}: in {document}, but not there")

    def links(self):
        for path in self.root / "README.md", *self.root.glob("docs/**/*.md"):
            text = path.read_text(encoding="utf-8")
            for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
                self.fail_unless(
                    (path.parent / target).exists(),
                    f"{path.relative_to(self.root)}: no {target}")

    def blocks(self):
        """Each says what becomes of it, and who proves it."""
        for path in document.documents(self.root):
            name = path.relative_to(self.root)
            for step in document.read(path):
                place = f"{name}:{step.line}"
                self.fail_unless(step.kind, f"{place}: a block without a mark, "
                                 "see tests/documents/document.py")
                if step.kind == "needs":
                    self.fail_unless(step.argument in document.NEEDS,
                                     f"{place}: needs {step.argument}?")
                if step.kind == "tested by":
                    self.fail_unless((self.root / step.argument).exists(),
                                     f"{place}: there is no {step.argument}")

    def manuals(self):
        ours = {path.name for path in self.root.glob("docs/man/*")}
        builds = "".join(path.read_text() for path
                         in self.root.glob("plugin/**/CMakeLists.txt"))
        builds += self.read("connector/CMakeLists.txt")
        readme = self.read("README.md")
        for name in sorted(ours):
            stem, number = name.rsplit(".", 1)
            self.fail_unless(f"docs/man/{name}" in builds,
                             f"docs/man/{name} is not installed")
            self.fail_unless(f"{stem}({number})" in readme,
                             f"{stem}({number}): not in README.md")
            text = self.read(f"docs/man/{name}")
            for xref in re.findall(r"^\.Xr (\S*mailtoken\S* \d)", text, re.M):
                self.fail_unless(xref.replace(" ", ".") in ours,
                                 f"docs/man/{name}: there is no {xref}")

    def packages(self):
        listed = set(self.read("tests/packages.txt").split())
        command = max(find(r"apt install ((?:\\\n|.)*)",
                           self.read("README.md")), key=len)
        named = set(command.replace("\\\n", " ").split())
        for name in sorted(named):
            self.fail_unless(name in listed,
                             f"{name}: in README.md, not in packages.txt")
        # what only tests are built with
        tested = {"libcmocka-dev", "libclang-rt-dev", "libkf5imap-dev"}
        for name in sorted(listed - tested):
            self.fail_unless(not name.endswith("-dev") or name in named,
                             f"{name}: in packages.txt, not in README.md")

    def run(self):
        self.connector_variables()
        self.helper_settings()
        self.module_settings()
        self.commands("docs/man/mailtoken.1", f"{COMMAND}/main.c",
                      r"&cmd_(\w+)")
        self.commands("docs/man/mailtoken-connector.8", "connector/main.c",
                      r'^    \{"([\w-]+)", "[^"]*",\s+"')
        self.options("docs/man/mailtoken.1", f"{COMMAND}/*.[ch]")
        self.options("docs/man/mailtokend.8", f"{DAEMON}/options.c")
        self.options("docs/man/mailtoken-connector.8", "connector/main.c")
        self.requests()
        self.message_keys()
        self.architecture()
        self.links()
        self.blocks()
        self.manuals()
        self.packages()


def main():
    check = Check(Path(sys.argv[1]))
    check.run()
    print(*check.wrong, f"{check.count} statements, {len(check.wrong)} are "
          "wrong", sep="\n")
    return 1 if check.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
