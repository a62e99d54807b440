# SPDX-License-Identifier: ISC
"""What receiving costs: a whole mailbox from Dovecot over TLS, by our
connector (taken apart, and durable), by mbsync with its default (durable),
and by a program that reads one long FETCH and drops it.

All three in turn, again and again; with the server next door, and with a round
trip of 50 ms.  What was received stays until the end: ext4 is slow to make
files where many have just been removed.
"""
import resource
import socket
import ssl
import time

from bed import Bed
from bed.connector import Connector
from bed.delay import DelayProxy
from bed.helper import PASSWORD, USER

from .mailbox import fill
from .samples import in_turn, print_table, ratio, spread

WAY_MS = 25
REPLY_BYTES = 4096      # the longest line that ends an answer
TIMEOUT = 900
TARGET, AIM = "2.5", "5"
OURS, MBSYNC, RAW = "connector, durable", "mbsync, durable", "raw stream"


class Client:
    """Receives `count` messages from `port`, from nothing, when called:
    messages per second."""

    def __init__(self, bed, mail, port, count):
        self.bed, self.mail, self.port, self.count = bed, mail, port, count

    def __call__(self):
        self.prepare()
        begin = time.monotonic()
        self.receive()
        seconds = time.monotonic() - begin
        self.check()
        return self.count / seconds


class Ours(Client):
    def prepare(self):
        self.connector = Connector(self.bed, self.mail, IMAP_PORT=self.port)

    def receive(self):
        self.result = self.connector.run("poll", "--once", timeout=TIMEOUT)

    def check(self):
        self.result.check(0)
        assert len(self.connector.handles()) == self.count


class Mbsync(Client):
    CONFIG = """\
IMAPAccount a
Host localhost
Port {port}
User {user}
Pass {password}
AuthMechs PLAIN
SSLType IMAPS
CertificateFile {ca}

IMAPStore far
Account a

MaildirStore near
Path {dir}/
Inbox {dir}/inbox

Channel c
Far :far:
Near :near:
Patterns INBOX
Sync PullNew
Create Near
SyncState *
"""

    def prepare(self):
        self.dir = self.bed.subdir("mbsync")
        (self.dir / "rc").write_text(self.CONFIG.format(
            port=self.port, user=USER, password=PASSWORD, ca=self.mail.ca,
            dir=self.dir))

    def receive(self):
        self.result = self.bed.run(
            ["/usr/bin/mbsync", "-c", self.dir / "rc", "c"],
            self.bed.client_env(module=False, extra=["plain"]),
            timeout=TIMEOUT)

    def check(self):
        self.result.check(0)
        found = [*self.dir.glob("inbox/new/*"), *self.dir.glob("inbox/cur/*")]
        assert len(found) == self.count, len(found)


class Raw(Client):
    def prepare(self):
        self.found = 0

    def receive(self):
        context = ssl.create_default_context(cafile=self.mail.ca)
        with socket.create_connection(
                ("localhost", self.port), TIMEOUT) as plain, \
                context.wrap_socket(plain, server_hostname="localhost") as tls:
            tls.recv(65536)
            for line in (f'a LOGIN {USER} "{PASSWORD}"', "a EXAMINE INBOX",
                         "a UID FETCH 1:* BODY.PEEK[]"):
                tls.sendall(f"{line}\r\n".encode())
                self.read_reply(tls)

    def read_reply(self, tls):
        end = b""
        while b"\r\na OK " not in end and not end.startswith(b"a OK "):
            data = tls.recv(1 << 20)
            assert data, end
            self.found += data.count(b" FETCH (UID ")
            end = (end + data)[-REPLY_BYTES:]

    def check(self):
        # an announcement may be cut in two
        assert self.found > 0.98 * self.count, self.found


def measure(bed, mail, count, rounds, way_ms):
    port = DelayProxy(bed, mail.imaps_port, way_ms).port if way_ms \
        else mail.imaps_port
    clients = {OURS: Ours, MBSYNC: Mbsync, RAW: Raw}
    takers = {name: kind(bed, mail, port, count)
              for name, kind in clients.items()}
    takers[RAW]()       # the server's indexes and caches, filled
    rates = in_turn(rounds, takers)
    rows = [[name, spread(rate), ratio(rate, rates[MBSYNC]),
             ratio(rate, rates[RAW]),
             f"{TARGET}, aim {AIM}" if name == OURS else ""]
            for name, rate in rates.items()]
    print(f"\n{count} messages, round trip "
          f"{2 * way_ms} ms, {rounds} runs each\n")
    print_table(["", "messages/s", "of mbsync", "of raw", "target (mbsync)"],
                rows)


def main(quick):
    """With `quick`, only as much as shows that it works."""
    count, rounds = (100, 1) if quick else (3000, 3)
    with Bed() as bed:
        mail = bed.dovecot()
        size = fill(mail, USER, count)
        print(f"{count} messages, {size / count / 1000:.1f} kB on average")
        for way_ms in (0, WAY_MS):
            measure(bed, mail, count, rounds, way_ms)
    kib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    print(f"\nlargest child: {kib / 1024:.0f} MiB\n")
