# SPDX-License-Identifier: ISC
"""One process with many accounts, most of them at servers that misbehave."""
import json
import re
import signal
import socket
import time

from bed import BedTestCase, wait_until
from bed.connector import Connector
from bed.helper import PASSWORD, USER

from .test_accounts import OTHER, OTHERS_PASSWORD, message
from .test_mail_faults import until_closed

HOUR_MS = 3600000
DEAD = 50           # servers of each kind
SLOW = 150          # seconds: what is given up takes up to 60
LOSSES_MAX = 8
MORE_KIB = 96 * 1024
CAPABILITIES = "IMAP4rev1 IDLE SASL-IR AUTH=PLAIN"


# -- what a good server does, up to some point -------------------------------

def greet(conn, capabilities=CAPABILITIES):
    conn.send(f"* OK [CAPABILITY {capabilities}] ready\r\n")


def log_in(conn):
    greet(conn)
    conn.expect(r"1 AUTHENTICATE PLAIN \S+")
    conn.send(f"1 OK [CAPABILITY {CAPABILITIES}] in\r\n")


def answer(conn):
    """Reads a command, but for LOGOUT; returns its tag and verb."""
    tag, verb, *_ = conn.readline().split() + [""]
    if verb == "LOGOUT":
        raise EOFError
    return tag, verb


def examine(conn, exists=0):
    tag, verb = answer(conn)
    assert verb == "EXAMINE", verb
    conn.send(f"* {exists} EXISTS\r\n* OK [UIDVALIDITY 7] ok\r\n"
              f"{tag} OK [READ-ONLY] done\r\n")


def to_list(conn):
    """Up to the command that lists what is new; returns its tag."""
    log_in(conn)
    examine(conn, 1)
    return answer(conn)[0]


def to_fetch(conn):
    """Up to the command that fetches a message; returns its tag."""
    tag = to_list(conn)
    conn.send(f"* 1 FETCH (UID 5 RFC822.SIZE 10)\r\n{tag} OK listed\r\n")
    return answer(conn)[0]


def idle(conn):
    """Up to the next IDLE of an empty mailbox; returns its tag."""
    while True:
        tag, verb = answer(conn)
        if verb == "IDLE":
            conn.send("+ idling\r\n")
            return tag
        conn.send("* 0 EXISTS\r\n* OK [UIDVALIDITY 7] ok\r\n" * (
            verb == "EXAMINE") + f"{tag} OK done\r\n")


def to_idle(conn):
    log_in(conn)
    return idle(conn)


# -- and what a bad one does then --------------------------------------------

def pour(data):
    def script(conn):
        while True:
            conn.send(data)
    return script


def drip(conn):
    while True:
        conn.send("*")
        time.sleep(1)       # this is the fault itself


def say(text, then=until_closed):
    def script(conn):
        conn.send(text)
        then(conn)
    return script


def close(conn):
    conn.close()


def after(begin, then):
    def script(conn):
        begin(conn)
        then(conn)
    return script


BYE = say("* BYE [UNAVAILABLE] not today\r\n", close)
LINE = pour(b"x" * 65536)
UNTAGGED = pour(b"* 1 RECENT\r\n" * 5000)
HUGE = "* 1 FETCH (UID 5 BODY[] {4294967296}\r\n"
NESTED = "* 1 FETCH (UID 5 BODYSTRUCTURE " + "(" * 60000 + "\r\n"
CLOSED = "closed the connection|broke: Connection reset"

# name: (script, what the log and `status` say, settings).  All of them are
# failures of a visit.
VISITS = {
    "line-greeting": (LINE, "sent a line without end", {}),
    "line-list": (after(to_list, LINE), "sent a line without end", {}),
    "flood-greeting": (after(greet, UNTAGGED), "more than belongs", {}),
    "flood-list": (after(to_list, UNTAGGED), "more than belongs", {}),
    "flood-fetch": (after(to_fetch, UNTAGGED), "more than belongs", {}),
    "nested": (after(to_fetch, say(NESTED)), "nested too deeply", {}),
    "huge-list": (after(to_list, say(HUGE, pour(b"x" * 65536))),
                  "data that nobody asked for", {}),
    "injected": (None, "injected", {"imap_host": "0.0.0.0"}),
    "preauth": (say("* PREAUTH [CAPABILITY IMAP4rev1] hello\r\n"),
                "greets with PREAUTH.* not accepted", {}),
    "bye-greeting": (BYE, "not today", {}),
    "bye-login": (after(greet, BYE), "not today", {}),
    "bye-examine": (after(log_in, BYE), "not today", {}),
    "bye-list": (after(to_list, BYE), "not today", {}),
    "bye-fetch": (after(to_fetch, BYE), "not today", {}),
    "dropped": (close, CLOSED, {}),
    "dropped-in": (after(log_in, close), CLOSED, {}),
    "no-tls": (say("220 smtp.example.test hello\r\n"), "TLS",
               {"imap_ssl": "true"}),
    "broken-tls": (say(b"\x16\x03\x03\x00\x04\x02\0\xff\xff", close), "TLS|"
                   + CLOSED, {"imap_ssl": "true"}),
    "drip-greeting": (drip, "did not (finish|answer) in time", {}),
    "drip-login": (after(greet, drip), "did not (finish|answer) in time", {}),
    "drip-fetch": (after(to_fetch, drip), "did not (finish|answer) in time",
                   {}),
}
EACH_SECOND = {"imap_poll_interval": 1000}
# The same of idle sessions that break.
SESSIONS = {
    "line-idle": (after(to_idle, LINE), "sent a line without end", {}),
    "flood-idle": (after(to_idle, UNTAGGED), "more than belongs", {}),
    "huge-idle": (after(to_idle, say(HUGE, pour(b"x" * 65536))),
                  "a line without end|more than belongs|"
                  "a literal over several lines", {}),
    "garbage-idle": (after(to_idle, say("\1\2\3 what?\r\n")),
                     "something that is no IMAP", {}),
    "bye-idle": (after(to_idle, BYE), "not today", {}),
    "dropped-idle": (after(to_idle, close), CLOSED, {}),
    "drip-idle": (after(to_idle, drip), "did not (finish|answer) in time",
                  EACH_SECOND),
    "done": (after(to_idle, until_closed),
             "did not (finish|answer) in time", EACH_SECOND),
    "news-dropped": (after(to_idle, say("* 1 EXISTS\r\n", lambda conn: (
        conn.expect("DONE"), conn.close()))), CLOSED, {}),
}


def to_idle_for_ever(conn):
    to_idle(conn)
    until_closed(conn)


def strange(conn):
    """Unknown words wherever they may stand, and nothing wrong."""
    words = ("* X-VENDOR (a (b\r\n* OK [X-NEW (\\]x)] x\r\n\r\n"
             "* 7 X-COUNT\r\n* ESEARCH (TAG \"4\")\r\n")
    greet(conn)
    tag, _ = answer(conn)
    conn.send(f"{words}{tag} OK [CAPABILITY {CAPABILITIES}] in\r\n")
    while True:
        tag, verb = answer(conn)
        conn.send(words + "* 0 EXISTS\r\n* OK [UIDVALIDITY 7] ok\r\n" * (
            verb == "EXAMINE"))
        if verb == "IDLE":
            conn.send(f"+ idling\r\n{words}")
            conn.expect("DONE")
        conn.send(f"{tag} OK done\r\n")


def eager(conn):
    """News without end, of a mailbox where nothing is."""
    log_in(conn)
    while True:
        tag = idle(conn)
        conn.send("* 1 EXISTS\r\n")
        conn.expect("DONE")
        conn.send(f"{tag} OK done\r\n")


def kib(process, field):
    with open(f"/proc/{process.pid}/status") as status:
        return int(re.search(rf"{field}:\s+(\d+)", status.read())[1])


class HostileTest(BedTestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.mail = cls.bed.dovecot()

    def setUp(self):
        self.accounts = self.bed.subdir("accounts.d")
        self.password = self.accounts / "password"
        self.password.write_text(OTHERS_PASSWORD)
        self.password.chmod(0o600)
        self.connector = Connector(
            self.bed, self.mail, EMAIL_ACCOUNTS_DIR=self.accounts,
            IMAP_POLL_INTERVAL=HOUR_MS)
        self.servers = {}

    def write(self, name, port, **settings):
        settings = {"imap_host": "localhost", "imap_port": port,
                    "imap_username": OTHER, "email_agent": name,
                    "imap_password_file": self.password} | settings
        (self.accounts / f"{name}.conf").write_text("".join(
            f"{key} = {value}\n" for key, value in settings.items()))

    def serve(self, name, script, **settings):
        """An account at a server of this kind."""
        self.servers[name] = self.bed.scripted_server(
            script, self.bed.tls.cert(), implicit=False)
        self.write(name, self.servers[name].port,
                   **{"imap_ssl": "false"} | settings)

    def injected(self, conn):
        greet(conn, "IMAP4rev1 STARTTLS AUTH=PLAIN")
        conn.expect("1 STARTTLS")
        conn.send("1 OK go\r\n* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n")
        conn.starttls()
        until_closed(conn)

    def start(self, *before):
        """`run` that listens for the good account; `before` starts it."""
        run = self.bed.spawn(
            [*before, self.bed.program("mailtoken-connector"), "run"],
            self.connector.env)
        self.addCleanup(run.stop)
        wait_until(lambda: self.status().get(USER, {}).get("state")
                   == "listening", what="the good account")
        return run

    def status(self):
        result = self.connector.run("status")
        if result.rc:           # it does not listen yet
            return {}
        return {a["account"]: a for a in json.loads(result.out)["accounts"]}

    def said(self, run, name):
        """What the log says of an account."""
        return [line for line in run.stderr_text().splitlines()
                if f"(account {name}, " in line
                or f" {name}: the session is over" in line]

    def deliver_until(self, condition, run, what):
        """Mail goes on arriving, pushed, until the condition holds."""
        end = time.monotonic() + SLOW
        while not condition():
            self.assertLess(time.monotonic(), end, f"{what}\n{run.tail(60)}")
            self.mail.deliver(USER, message("hello"))
            self.delivered += 1
            self.connector.wait_handles(self.delivered, run)
            time.sleep(0.5)     # this much mail is enough

    def stop(self, run):
        run.signal(signal.SIGTERM)
        self.assertEqual(run.wait(20), 0, run.tail())

    def test_bad_servers_harm_nobody_else(self):
        self.delivered = 0
        bad = VISITS | SESSIONS
        run = self.start()
        before = kib(run, "VmRSS")
        for name, (script, _, settings) in bad.items():
            self.serve(name, script or self.injected, **settings)
        self.serve("strange", strange, **EACH_SECOND)
        self.serve("eager", eager)
        proxy = self.bed.proxy(self.mail.imaps_port)
        self.write("silent", proxy.port, **EACH_SECOND)
        run.signal(signal.SIGHUP)
        wait_until(lambda: self.status().get("silent", {}).get("state")
                   == "listening", 60, "the account behind the proxy")
        closed = proxy.fall_silent()
        self.mail.deliver(OTHER, message("behind the silence"))

        missing = dict(bad)

        def all_were_named():
            for name in [name for name, (_, text, _) in missing.items()
                         if re.search(text, "\n".join(self.said(run, name)))]:
                del missing[name]
            return not missing
        self.deliver_until(all_were_named, run, missing)
        self.deliver_until(lambda: all(c.is_set() for c in closed), run,
                           "the end of the silent connection")
        inbox = self.connector.workspace / "agents/silent/inbox"
        self.deliver_until(lambda: list(inbox.glob("*/message.json")), run,
                           "the mail behind the silence")
        self.check_status(run)
        self.check_log(run)
        self.check_connections(run)
        if not self.bed.is_sanitized("mailtoken-connector"):
            self.assertLess(kib(run, "VmHWM") - before, MORE_KIB)
        self.stop(run)

    def test_more_accounts_than_a_shell_lets_open_files(self):
        count = 60
        server = self.bed.scripted_server(to_idle_for_ever)
        for n in range(count):
            self.write(f"a{n}", server.port, imap_ssl="false",
                       imap_username=f"user{n}")
        run = self.start("/usr/bin/prlimit", "--nofile=50:4096")
        wait_until(lambda: sum(
            account["state"] == "listening"
            for account in self.status().values()) == count + 1, 60,
            "all of them")
        self.assertNotIn("failed", run.stderr_text())
        self.stop(run)

    def listener(self, backlog):
        """A port that the kernel answers, and nobody else."""
        listener = socket.create_server(("127.0.0.1", 0), backlog=backlog)
        self.addCleanup(listener.close)
        return listener.getsockname()

    def black_hole(self):
        """A port where no SYN is answered: its queue is full."""
        address = self.listener(0)
        for _ in range(2):
            peer = socket.socket()
            self.addCleanup(peer.close)
            peer.setblocking(False)
            peer.connect_ex(address)
        return address[1]

    def test_dead_servers_delay_nobody_however_many_they_are(self):
        dead = [f"dead{n}" for n in range(2 * DEAD)]
        for n, name in enumerate(dead):
            self.write(name, self.listener(10)[1] if n % 2
                       else self.black_hole(), imap_ssl=(
                           "true" if n % 4 == 1 else "false"))
        # the last by its name, at a server that nobody has entered yet
        self.write("zz", self.bed.proxy(self.mail.imaps_port).port)
        run = self.start()
        wait_until(lambda: self.status().get("zz", {}).get("state")
                   == "listening", what="the good account behind the dead")
        self.mail.deliver(OTHER, message("hello"))
        inbox = self.connector.workspace / "agents/zz/inbox"
        wait_until(lambda: list(inbox.glob("*/message.json")),
                   what="its mail")
        # they are given up, all of them, and say why
        wait_until(lambda: sum(account["failures"] > 0 for account
                               in self.status().values()) == len(dead),
                   what="the dead to be named")
        status = self.status()
        for name in dead:
            self.assertRegex(status[name]["last_error"],
                             "did not answer in time|cannot connect to .*: "
                             "Connection timed out")
        for name in USER, "zz":
            self.assertEqual(self.said(run, name), [])
        self.stop(run)

    def check_status(self, run):
        status = self.status()
        self.assertNotIn("last_error", status[USER])
        self.assertNotIn("last_error", status["strange"])
        for name, (_, text, _) in VISITS.items():
            with self.subTest(account=name):
                self.assertRegex(status[name]["last_error"], text)
                self.assertGreater(status[name]["failures"], 0)
        for name, (_, text, _) in SESSIONS.items():
            with self.subTest(account=name):
                self.assertRegex(status[name]["last_loss"], text)

    def check_log(self, run):
        """Each failure is one line, with the one reason; whoever is good is
        in none."""
        for name, (_, text, _) in (VISITS | SESSIONS).items():
            with self.subTest(account=name):
                for line in self.said(run, name):
                    self.assertRegex(line, text)
        for name in USER, "strange", "eager":
            self.assertEqual(self.said(run, name), [])

    def check_connections(self, run):
        """No storm of logins: a failure is followed by a pause, that grows."""
        for name in VISITS:
            with self.subTest(account=name):
                pauses = [int(re.search(r"next try in (\d+) s", line)[1])
                          for line in self.said(run, name)]
                for n, pause in enumerate(pauses):
                    self.assertGreaterEqual(pause, min(5 << n, 3600) * 7 // 8)
        for name, server in self.servers.items():
            with self.subTest(account=name):
                lines = len(self.said(run, name))
                self.assertLessEqual(server.count, lines + 1)
                # twice as long a pause each time: 20 minutes for so many
                self.assertLessEqual(lines, LOSSES_MAX)
