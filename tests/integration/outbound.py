# SPDX-License-Identifier: ISC
"""An account that sends, and what came of its messages."""
import email
import email.policy
import json
import sqlite3
from contextlib import closing

from bed import filecalls, wait_until
from bed.clock import fast_clock
from bed.connector import Connector
from bed.frames import Frames
from bed.imap_proxy import ImapProxy
from bed.mailhost import LATE, NOBODY, PASSWORD, REPLACED, SERVER

# Who files the copy: what the submission server does (bed.mailhost), and
# TRI_ONYX_EMAIL_SENT_COPY.
FILERS = {
    "server": (SERVER, "server"),
    "server, other Message-ID": (REPLACED, "server"),
    "server, late": (LATE, "server"),
    "we": (NOBODY, "append"),
    "nobody": (NOBODY, "none"),
}
FACTOR = 20     # the minute for which `send` waits takes three seconds
ROUNDS = 12     # in which a message must have come to its end


class Account:
    """mailtoken-connector with one user of a MailHost, sending through a proxy
    of its own.

    filing      what its submission server does about Sent (bed.mailhost)
    copy        TRI_ONYX_EMAIL_SENT_COPY
    policy      TRI_ONYX_SMTP_UNCERTAIN
    name        unique in the MailHost
    """

    def __init__(self, host, bed, name, filing=NOBODY, copy="none",
                 policy="retry", **settings):
        self._mail, self._late, self.filing = host.dovecot, host.late, filing
        self._holds = policy == "hold"
        self.user = f"{filing}-{name}@example.test"
        self.recipient = f"to-{name}@example.test"
        self.proxy = host.submission(filing)
        self.imap = ImapProxy(bed, host.dovecot.imap_port)
        self.connector = Connector(
            bed, host.dovecot, **{
                "IMAP_USERNAME": self.user, "IMAP_PASSWORD": PASSWORD,
                "SMTP_PORT": self.proxy.port, "SMTP_UNCERTAIN": policy,
                "IMAP_PORT": self.imap.port,
                "EMAIL_SENT_COPY": copy} | settings)
        self._state = self.connector.state / "state.db"
        self.socket = self.connector.state / "control"

    def close(self):
        """It is looked at no more: its proxies go."""
        self.proxy.stop()
        self.imap.stop()

    def draft(self, **fields):
        return {"to": self.recipient, "subject": f"for {self.recipient}",
                "body": "a body\n"} | fields

    def send(self, factor=FACTOR, *options, timeout=60, **fields):
        """`send` to its end, in fast time: a Result with .json."""
        env = self.connector.env | (fast_clock(factor) if factor else {})
        return self._run_send(env, self.draft(**fields), *options,
                              timeout=timeout)

    def _run_send(self, env, draft, *options, timeout=60):
        bed = self.connector.bed
        result = bed.run(
            [bed.program("mailtoken-connector"), "send", *options, "-"], env,
            json.dumps(draft), timeout)
        result.json = json.loads(result.out) if result.out else None
        return result

    def work(self):
        """Work once on all that is left, as if its time had come: a Result."""
        self.hasten()
        return self.connector.run("poll", "--once")

    def finish(self):
        """work() until nothing is left to do; returns what stderr said."""
        log = ""
        for _ in range(ROUNDS):
            if not self.open_entries():
                return log
            log += self.work().err
        raise AssertionError(f"no end after {ROUNDS} rounds\n{log}")

    # -- disturbed ---------------------------------------------------------

    def steps(self):
        """How many calls of an undisturbed `send` change files or use the
        network."""
        log = self.connector.dir / "calls"
        self._send_disturbed(FILECALLS_LOG=log).check()
        return len(filecalls.read_calls(log)[0])

    def send_until(self, step, *options):
        """`send`, killed just before that call; True if it came so far."""
        return _is_killed(self._send_disturbed(
            None, *options, FILECALLS_KILL=f"-1:{step}"))

    def send_full(self, step):
        """`send`, in fast time, on a disk that is full from that call on."""
        return self._send_disturbed(FACTOR, FILECALLS_FULL=f"-1:{step}")

    def work_until(self, step):
        """work(), killed just before that call; True if it came so far."""
        self.hasten()
        bed = self.connector.bed
        return _is_killed(bed.run(
            [bed.program("mailtoken-connector"), "poll", "--once"],
            self.disturbed(FILECALLS_KILL=f"-1:{step}")))

    def disturbed(self, factor=None, **env):
        """The environment for the connector behind filecalls.so."""
        bed = self.connector.bed
        preload = filecalls.environment(
            bed.build_dir(), bed.program("mailtoken-connector"))
        if factor:
            clock = fast_clock(factor)
            preload["LD_PRELOAD"] += f":{clock.pop('LD_PRELOAD')}"
            preload |= clock
        return self.connector.env | preload | env | {"FILECALLS_NETWORK": "1"}

    def _send_disturbed(self, factor=None, *options, **env):
        return self._run_send(self.disturbed(factor, **env), self.draft(),
                              *options)

    # -- the service -------------------------------------------------------

    def serve(self, env=None):
        """Start `run`: a Process that takes requests, or has ended."""
        bed = self.connector.bed
        service = bed.spawn([bed.program("mailtoken-connector"), "run"],
                            env or self.connector.env)
        wait_until(lambda: service.rc is not None or self._answers(),
                   what="the socket")
        return service

    def _answers(self):
        try:
            Frames(self.socket).close()
            return True
        except OSError:
            return False

    def ask(self, type, **fields):
        """The reply of `run` to one request; None if it ends without one."""
        try:
            with Frames(self.socket) as frames:
                return frames.ask(f"{type}_request", **fields)
        except (OSError, EOFError):
            return None

    def is_settled(self):
        """Whether there is a message, and nothing is left to do with any."""
        return self.entries() and not self.open_entries()

    # -- the state ---------------------------------------------------------

    def query(self, text):
        if not self._state.exists():
            return []
        with closing(sqlite3.connect(self._state, timeout=30)) as db:
            db.row_factory = sqlite3.Row
            found = [dict(row) for row in db.execute(text)]
            db.commit()
            return found

    def entries(self):
        """The outbox, oldest first."""
        return self.query("SELECT * FROM outbox ORDER BY id")

    def open_entries(self):
        """Those that will be worked on again: the message, or its copy."""
        return [entry for entry in self.entries() if self._is_open(entry)]

    def _is_open(self, entry):
        if entry["state"] == "uncertain":
            return bool(entry["next_look"] or
                        entry["next_attempt"] and not self._holds)
        return bool(entry["next_attempt"] or entry["next_copy"])

    def hasten(self):
        """Make due what waits, also what was queued in fast time."""
        for what in ("attempt", "look", "copy"):
            self.query(f"UPDATE outbox SET next_{what} = created - 3600"
                       f" WHERE next_{what} IS NOT NULL")

    # -- the servers -------------------------------------------------------

    def arrived(self):
        """What the recipient has."""
        return self._mail.messages(self.recipient)

    def in_sent(self, mailbox="Sent"):
        """What the sender has in Sent."""
        return self._mail.messages(self.user, mailbox)

    def settle(self):
        """Wait until the server has delivered all that it accepted, and filed
        it in Sent if it does."""
        count = len(self.proxy.accepted)
        if self.filing == LATE:
            self._late.file(self.user)
        wait_until(lambda: len(self.arrived()) >= count,
                   what=f"{count} messages for {self.recipient}")
        if self.filing != NOBODY:
            wait_until(lambda: len(self.in_sent()) >= count,
                       what=f"{count} copies in Sent of {self.user}")


def _is_killed(result):
    if result.rc not in (0, -9):
        raise AssertionError(str(result))
    return result.rc == -9


def parse(message):
    return email.message_from_bytes(message, policy=email.policy.default)


def message_ids(messages):
    """The Message-IDs, as the sender gave them."""
    return [parse(message)["message-id"].replace("<of-the-server.", "<")
            .partition("@")[0] for message in messages]
