# SPDX-License-Identifier: ISC
"""What a watched IMAP connection costs: memory at rest, and after news.

The connections are TLS, logged in, in IDLE, all in one process and one thread.
Beside them stand connections of the transport alone: TCP and TLS, no IMAP.
The server is a small one of our own: Dovecot needs a process for each.
"""
import asyncio
import ssl
import subprocess
import sys
from pathlib import Path

from bed import Bed

from .samples import print_table

SESSIONS, MANY, FEW = 1000, 10000, 20
TARGET = 40         # KiB
CAPABILITIES = (    # as many as Dovecot has
    "IMAP4rev1 IDLE NOTIFY " + " ".join(f"X-ABLE-{i}" for i in range(40)))


async def serve(port, cert):
    """The server: says of a message to all when a line comes on stdin."""
    idle = []

    async def talk(reader, writer):
        def say(text):
            writer.write(text.encode() + b"\r\n")

        say("* OK hello")
        try:
            while line := (await reader.readline()).decode():
                tag, verb, *_ = line.split()
                if verb == "EXAMINE":
                    say("* 1 EXISTS\r\n* OK [UIDVALIDITY 1] x")
                if verb == "CAPABILITY":
                    say(f"* CAPABILITY {CAPABILITIES}")
                if verb == "IDLE":
                    say("+ idling")
                    idle.append(writer)
                elif verb == "LOGIN":
                    say(f"{tag} OK [CAPABILITY {CAPABILITIES}] in")
                else:
                    say(f"{tag} OK done")
        except OSError:
            pass

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*cert)
    await asyncio.start_server(talk, "127.0.0.1", port, ssl=context,
                               backlog=1000)
    print("ready", flush=True)
    loop = asyncio.get_running_loop()
    while await loop.run_in_executor(None, sys.stdin.readline):
        for writer in idle:
            writer.write(b"* 2 EXISTS\r\n")
        idle.clear()


def measure(bed, server, kind, count):
    """(KiB and milliseconds per connection, KiB after news or None)"""
    process = bed.spawn([bed.build_dir() / "tests/idle_bench", server.port,
                         bed.tls.ca, kind, str(count)],
                        stdout=subprocess.PIPE)

    def numbers():
        line = process.popen.stdout.readline()
        if not line:
            raise AssertionError(process.tail())
        return map(float, line.split())

    kib, ms = numbers()
    after = None
    if kind == "idle":
        server.send("tell\n")
        _, after = numbers()
    process.wait()
    return kib, ms, after


def main(quick, many=False):
    count = FEW if quick else MANY if many else SESSIONS
    with Bed() as bed:
        port = bed.port()
        server = bed.spawn([sys.executable, "-m", "bench.idle", str(port),
                            *bed.tls.cert()], cwd=Path(__file__).parent.parent,
                           stdin=True)
        server.port = str(port)
        server.wait_output("ready", stream="stdout")
        bare = measure(bed, server, "net", count)
        idle = measure(bed, server, "idle", count)
    print(f"\n{count} TLS connections to one address, in one process\n")
    print_table(
        ["", "KiB each", "ratio", "after news", "ms to open", "target KiB"],
        [["transport alone", f"{bare[0]:.1f}", "1.00", "", f"{bare[1]:.2f}",
          ""],
         ["in IDLE", f"{idle[0]:.1f}", f"{idle[0] / max(bare[0], 0.1):.2f}",
          f"{idle[2]:.1f}", f"{idle[1]:.2f}", str(TARGET)]])


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), sys.argv[2:4]))
