# SPDX-License-Identifier: ISC
"""What the SASL module costs: unused, and with a helper that has a token.

Beside it stand no module at all, Debian's PLAIN, and the bare socket: connect,
one request, a reply with a token of as many bytes, close.  An exchange is
libsasl2's work and such a trip, so its yardstick is a program that logs in by
PLAIN and makes the trip itself: the same work, in the same rhythm.
"""
import os
import subprocess
import tempfile

from bed import Bed
from bed.tokensock import Mailtokend, account

from .samples import Worker, in_turn, print_table, ratio, spread

TOKEN_BYTES = 2000
LOADS = 101         # fresh processes of each kind
ROUNDS = 101        # samples of each kind of exchange
CALLS = 50          # exchanges in a sample
TARGET = "1.3"
BARE = "PLAIN and request"
NONE, PLAIN, UNUSED = "no module", "Debian's PLAIN", "module, unused"


def bench(bed, name):
    return bed.build_dir() / "tests" / name


# -- what loading costs ------------------------------------------------------

def load(bed, directory):
    """A fresh process: (microseconds, KiB, mapped files)."""
    out = subprocess.run([bench(bed, "sasl_bench"), "init", directory],
                         env={}, stdout=subprocess.PIPE, check=True).stdout
    nanoseconds, kib, files = map(int, out.split())
    return nanoseconds / 1000, kib, files


def measure_loading(bed, rounds):
    os.sync()       # pages of a file that was just built count as dirty
    directories = {
        NONE: bed.sasl_path(module=False),
        PLAIN: bed.sasl_path(extra=["plain"], module=False),
        UNUSED: bed.sasl_path()}
    samples = in_turn(rounds, {
        name: lambda directory=directory: load(bed, directory)
        for name, directory in directories.items()})
    plain = list(zip(*samples[PLAIN]))
    rows = []
    for name, values in samples.items():
        us, kib, files = zip(*values)
        rows.append([name, spread(us), ratio(us, plain[0]), spread(kib),
                     ratio(kib, plain[1]), spread(files),
                     "1.0" if name == UNUSED else ""])
    print(f"\nsasl_client_init, {rounds} fresh processes each; ratios to "
          "Debian's PLAIN\n")
    print_table(["", "µs", "ratio", "private KiB", "ratio", "files mapped",
                 "target"], rows)


# -- what an exchange costs --------------------------------------------------

def start_helper(bed, oidc):
    """A mailtokend that has a token already."""
    helper = Mailtokend(bed, account(oidc))
    with tempfile.TemporaryFile(dir=bed.dir) as f:
        f.write(oidc.mint()["refresh_token"].encode())
        f.seek(0)
        helper.call("seed", fd=f.fileno(), account="alice").expect()
    token = helper.call("get", account="alice").expect()["token"]
    assert len(token) == TOKEN_BYTES
    return helper.socket


def start_stub(bed):
    """A server that does nothing but answer."""
    socket = bed.dir / "stub"
    process = bed.spawn([bench(bed, "token_bench"), "serve", socket,
                         str(TOKEN_BYTES)], stdin=True)
    process.wait_output("listening", stream="stdout")
    return socket


def workers(bed, name, socket):
    """{row: Worker} of what speaks to the server `name` at `socket`."""
    login = [bench(bed, "sasl_bench"), "login", bed.sasl_path(), "XOAUTH2"]
    plain = plain_login(bed)
    trip = [bench(bed, "token_bench"), "trip", socket]
    env = {"MAILTOKEN_SOCKET": socket}
    return {
        f"{name}: one request": Worker(bed, trip),
        f"{name}: {BARE}": Worker(bed, [*plain, "called", socket]),
        f"{name}: module": Worker(bed, [*login, "called"], env),
        f"{name}: {BARE}, prompted": Worker(bed, [*plain, "prompted", socket]),
        f"{name}: module, prompted": Worker(bed, [*login, "prompted"], env)}


def plain_login(bed):
    return [bench(bed, "sasl_bench"), "login",
            bed.sasl_path(extra=["plain"], module=False), "PLAIN"]


def measure_exchanges(bed, rounds, calls):
    oidc = bed.oidc(at_size=TOKEN_BYTES)
    servers = {"mailtokend": start_helper(bed, oidc),
               "stub": start_stub(bed)}
    plain = plain_login(bed)
    everyone = {PLAIN: Worker(bed, [*plain, "called"]),
                f"{PLAIN}, prompted": Worker(bed, [*plain, "prompted"])}
    for name, socket in servers.items():
        everyone |= workers(bed, name, socket)
    for worker in everyone.values():
        worker.sample(calls)        # warm up
    samples = in_turn(rounds, {
        name: lambda worker=worker: worker.sample(calls)
        for name, worker in everyone.items()})
    rows = []
    for name, us in samples.items():
        server, _, what = name.partition(": ")
        base = samples.get(f"{server}: one request")
        row = [name, spread(us), ratio(us, base) if base else "", "", ""]
        if what.startswith("module"):
            yardstick = what.replace("module", f"{server}: {BARE}")
            row[3:] = [ratio(us, samples[yardstick]), TARGET]
        rows.append(row)
    print(f"\nexchanges with a token of {TOKEN_BYTES} bytes, {rounds} samples "
          f"of {calls} each; ratios to one\nrequest on a connection of its "
          f"own to the same server, and to {BARE}\n")
    print_table(["", "µs", "ratio", "to yardstick", "target"], rows)


def main(quick):
    """With `quick`, only as much as shows that it works."""
    with Bed() as bed:
        measure_loading(bed, 3 if quick else LOADS)
        measure_exchanges(bed, 3 if quick else ROUNDS, 5 if quick else CALLS)
