# SPDX-License-Identifier: ISC
"""What `mailtoken-connector run` costs by the number of its accounts.

All are at one server that is a small one of our own, as Dovecot needs a
process for each: TLS, a login, an empty mailbox and IDLE.  Messages come to one
of the mailboxes.  Memory, threads and descriptors are those at rest, "ticks"
the CPU's in that time; "s back" is how long it takes until all listen again
when the server has ended all sessions, and "logins/s" the most in a second of
that.  At last a tenth of the accounts are at servers, one each, that accept
connections and say nothing.
"""
import asyncio
import base64
import os
import re
import socket
import ssl
import sys
import time
from pathlib import Path

from bed import Bed, wait_until

from .samples import print_table, spread

COUNTS, MANY, FEW = (1, 100, 1000), (5000,), (1, 20)
WINDOW = 15         # seconds of watching it do nothing
TRIPS = 20          # messages
GAP = 0.4           # between them: those that follow closely are gathered
WAIT = 900
CAPABILITIES = (    # as many as Dovecot has
    "IMAP4rev1 SASL-IR IDLE AUTH=PLAIN "
    + " ".join(f"X-ABLE-{i}" for i in range(40)))
MESSAGE = b"From: a@example.test\r\nSubject: hello\r\n\r\nbody\r\n"


# -- the server --------------------------------------------------------------

class Server:
    """Lines on stdin: "mail" puts a message into the last mailbox and prints
    when; "drop" ends all sessions; "count" prints sessions in IDLE, logins and
    the most logins in a second."""

    def __init__(self, last):
        self.last, self.messages = last, 0
        self.idle, self.writers, self.logins = {}, set(), []

    async def talk(self, reader, writer):
        self.writers.add(writer)
        try:
            await self.session(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self.writers.discard(writer)
            self.idle.pop(writer, None)
            writer.close()

    async def session(self, reader, writer):
        def say(text):
            writer.write(text.encode() + b"\r\n")

        def mailbox():
            return self.messages if user == self.last else 0

        say(f"* OK [CAPABILITY {CAPABILITIES}] hello")
        user = tag = None
        while line := (await reader.readline()).decode():
            if line == "DONE\r\n":
                self.idle.pop(writer, None)
                say(f"{tag} OK done")
                continue
            tag, verb, *rest = line.split()
            if verb == "AUTHENTICATE":
                user = _user_of(rest[1])
                self.logins.append(time.monotonic())
                say(f"{tag} OK [CAPABILITY {CAPABILITIES}] in")
                continue
            if verb == "EXAMINE":
                say(f"* {mailbox()} EXISTS\r\n* OK [UIDVALIDITY 1] x")
            if verb == "UID":
                _fetch(writer, rest, mailbox())
            if verb == "IDLE":
                self.idle[writer] = user
                say("+ idling")
            else:
                say(f"{tag} OK done")

    def do(self, command):
        if command == "mail":
            self.messages += 1
            print(f"mail {time.time()}", flush=True)
            for writer, user in self.idle.items():
                if user == self.last:
                    writer.write(b"* %d EXISTS\r\n" % self.messages)
        elif command == "drop":
            self.logins.clear()
            for writer in list(self.writers):
                writer.transport.abort()
            print("dropped", flush=True)
        elif command == "count":
            print(f"count {len(self.idle)} {len(self.logins)} "
                  f"{_busiest(self.logins)}", flush=True)


def _user_of(initial):
    return base64.b64decode(initial).split(b"\0")[1].decode()


def _busiest(times):
    """The most of them in any second."""
    first = most = 0
    for n, at in enumerate(times):
        while at - times[first] > 1:
            first += 1
        most = max(most, n - first + 1)
    return most


def _fetch(writer, words, messages):
    """UID FETCH of what is asked for."""
    items = " ".join(words[2:])
    for uid in _uids(words[1], messages):
        parts = [b"UID %d" % uid]
        if "INTERNALDATE" in items:
            parts.append(b'INTERNALDATE "01-Feb-2026 03:04:05 +0100"')
        if "RFC822.SIZE" in items:
            parts.append(b"RFC822.SIZE %d" % len(MESSAGE))
        if "MESSAGE-ID" in items.upper():
            parts.append(b"BODY[HEADER.FIELDS (MESSAGE-ID)] {2}\r\n\r\n")
        if "BODY.PEEK[]" in items:
            parts.append(b"BODY[] {%d}\r\n%b" % (len(MESSAGE), MESSAGE))
        writer.write(b"* %d FETCH (%b)\r\n" % (uid, b" ".join(parts)))


def _uids(text, last):
    """The UIDs in a set, of those that there are: 1 to `last`."""
    wanted = set()
    for part in text.split(","):
        first, _, end = part.partition(":")
        end = last if end == "*" else int(end or first)
        wanted.update(range(int(first), min(end, last) + 1))
    return sorted(wanted)


async def serve(port, last, cert):
    server = Server(last)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*cert)
    listener = await asyncio.start_server(
        server.talk, "127.0.0.1", port, ssl=context, backlog=4096)
    print("ready", flush=True)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        server.do(line.strip())
    listener.close()


# -- the connector -----------------------------------------------------------

def read(path):
    return Path(path).read_text()


def number(text, field):
    return int(re.search(rf"^{field}:\s+(\d+)", text, re.M)[1])


class Sample:
    """A `run` with `count` accounts, `dead` of them at silent servers."""

    def __init__(self, bed, count, dead=0):
        self.bed, self.count, self.dead = bed, count, dead
        self.dir = bed.subdir("follow")
        self.port, self.read_so_far = bed.port(), 0
        self.server = bed.spawn(
            [sys.executable, "-m", "bench.follow", str(self.port),
             f"user{count - 1}", *bed.tls.cert()],
            cwd=Path(__file__).parent.parent, stdin=True)
        self.server.wait_output("ready", stream="stdout")
        self.write_accounts()
        self.env = bed.client_env(("plain",), TRI_ONYX_WORKSPACE_DIR=(
            self.dir / "workspace"), TRI_ONYX_EMAIL_STATE_DIR=(
            self.dir / "state"), TRI_ONYX_EMAIL_ACCOUNTS_DIR=(
            self.dir / "accounts"), TRI_ONYX_TLS_CA_FILE=bed.tls.ca,
            TRI_ONYX_IMAP_POLL_INTERVAL=3600000)
        (self.dir / "workspace").mkdir()

    def write_accounts(self):
        accounts = self.dir / "accounts"
        accounts.mkdir()
        password = self.dir / "password"
        password.write_text("secret")
        password.chmod(0o600)
        # a silent server each, spread over all of them
        silent = [socket.create_server(("127.0.0.1", self.bed.port()))
                  for _ in range(self.dead)]
        for listener in silent:
            self.bed.on_exit(listener.close)
        step = self.count // self.dead if self.dead else 0
        for n in range(self.count):
            port = self.port
            if step and n % step == 0 and n // step < self.dead:
                port = silent[n // step].getsockname()[1]
            (accounts / f"a{n:05}.conf").write_text(
                f"imap_host = localhost\nimap_port = {port}\n"
                f"imap_username = user{n}\nemail_agent = agent{n}\n"
                f"imap_password_file = {password}\n")

    def ask(self, command, pattern):
        self.server.send(command + "\n")

        def answered():
            return re.search(pattern,
                             self.server.stdout_text()[self.read_so_far:])
        match = wait_until(answered)
        self.read_so_far += match.end()
        return match

    def listening(self):
        return int(self.ask("count", r"count (\d+) (\d+) (\d+)\n")[1])

    def wait_listening(self):
        """Seconds until all that can listen do."""
        begin = time.monotonic()

        def all_of_them():
            if self.run.rc is not None:
                raise AssertionError(self.run.tail())
            time.sleep(0.02)        # the server has other things to do
            return self.listening() == self.count - self.dead
        wait_until(all_of_them, WAIT, f"{self.count} accounts")
        return time.monotonic() - begin

    def start(self):
        self.run = self.bed.spawn(
            [self.bed.program("mailtoken-connector"), "run"], self.env)
        self.seconds = self.wait_listening()

    def measure_rest(self, window):
        # threads that have nothing to do end
        wait_until(lambda: number(read(f"/proc/{self.run.pid}/status"),
                                  "Threads") <= 4, 60, "the threads' end")
        before = self.ticks()
        time.sleep(window)          # this is what is measured
        self.idle_ticks = self.ticks() - before
        status = read(f"/proc/{self.run.pid}/status")
        self.kib = number(status, "RssAnon")
        self.threads = number(status, "Threads")
        self.descriptors = len(os.listdir(f"/proc/{self.run.pid}/fd"))

    def ticks(self):
        fields = read(f"/proc/{self.run.pid}/stat").rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])

    def measure_trips(self, trips):
        """Milliseconds from a message's arrival to its directory."""
        inbox = self.dir / f"workspace/agents/agent{self.count - 1}/inbox"
        self.ms = []
        for n in range(1, trips + 1):
            at = float(self.ask("mail", r"mail (\S+)\n")[1])
            there = wait_until(lambda: (inbox / str(n)).exists() and (
                inbox / str(n)), 60, f"message {n}")
            self.ms.append((there.stat().st_ctime - at) * 1000)
            wait_until(lambda: self.listening() == self.count - self.dead)
            time.sleep(GAP)

    def measure_return(self):
        self.ask("drop", "dropped\n")
        self.back = self.wait_listening()
        _, self.logins, self.busiest = map(int, self.ask(
            "count", r"count (\d+) (\d+) (\d+)\n").groups())

    def stop(self):
        self.run.stop(60)
        if self.run.rc != 0:
            raise AssertionError(self.run.tail())
        self.server.close_stdin()
        self.server.stop()


def measure(bed, count, trips, window):
    sample = Sample(bed, count)
    sample.start()
    sample.measure_rest(window)
    sample.measure_trips(trips)
    sample.measure_return()
    sample.stop()
    return sample


def main(quick, many=False):
    counts = FEW if quick else COUNTS + MANY if many else COUNTS
    trips, window = (2, 1) if quick else (TRIPS, WINDOW)
    with Bed() as bed:
        samples = [measure(bed, count, trips, window) for count in counts]
        mixed = Sample(bed, counts[1], counts[1] // 10)
        mixed.start()
        mixed.stop()
    print(f"\n`run` by accounts at one server; {trips} messages, {window} s "
          "of rest\n")
    base = samples[0].kib
    print_table(
        ["accounts", "s to listen", "KiB", "each", "threads", "descriptors",
         "ticks", "message ms", "s back", "logins/s"],
        [[str(s.count), f"{s.seconds:.1f}", str(s.kib),
          f"{(s.kib - base) / (s.count - 1):.1f}" if s.count > 1 else "",
          str(s.threads), str(s.descriptors), str(s.idle_ticks),
          spread(s.ms), f"{s.back:.1f}", str(s.busiest)] for s in samples])
    print(f"\n{mixed.count} accounts, {mixed.dead} of them at silent servers: "
          f"{mixed.seconds:.1f} s until the others listen\n")


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), sys.argv[2], sys.argv[3:5]))
