# SPDX-License-Identifier: ISC
"""Watched IMAP connections: Dovecot, and a server that says it all at once."""
import re
import threading

from bed import BedTestCase
from bed.process import wait_match
from integration.mailprobe import ALICE, PASSWORDS

SUMMER = "\u00e9t\u00e9"
MESSAGE = b"From: sender@example.test\nSubject: news\n\nHello\n"
BAD_INPUT, RETRY_LATER = 3, 6      # base/status.h


class Watch:
    """A watchprobe; what it prints is read in order."""

    def __init__(self, bed, host, port, ca):
        self._read = 0
        self._process = bed.spawn(
            [bed.build_dir() / "tests/watchprobe", host, str(port), ca,
             ALICE], {"WATCHPROBE_PASSWORD": PASSWORDS[ALICE]}, stdin=True)
        self.expect(r"mailbox \d+ \d+ \d+")

    def expect(self, pattern):
        """The match of the next line for which there is one; lines before it
        are over."""
        found = wait_match(
            rf"^{pattern}$", lambda: self._process.stdout_text()[self._read:],
            20, self._process.tail, lambda: self._process.rc is not None)
        self._read += found.end()
        return found

    def ask(self, line, *expected):
        """Send a line, and expect these lines before it is done."""
        self._process.send(line + "\n")
        found = [self.expect(pattern) for pattern in expected]
        self.expect(re.escape(f"done {line}"))
        return found

    def fail(self, line, status):
        self._process.send(line + "\n")
        return self.expect(rf"failed {status}: (.*)")[1]

    def lines(self):
        """What was printed and not expected so far."""
        return self._process.stdout_text()[self._read:].split("\n")

    def finish(self):
        self._process.close_stdin()
        assert self._process.wait() == 0, self._process.tail()


class DovecotWatch(BedTestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.dovecot = cls.bed.dovecot()
        for name in ("Work", SUMMER):
            cls.dovecot.doveadm("mailbox", "create", "-u", ALICE, name)

    def watch(self):
        return Watch(self.bed, self.dovecot.host, self.dovecot.imaps_port,
                     self.dovecot.ca)

    def save(self, mailbox):
        self.dovecot.doveadm("save", "-u", ALICE, "-m", mailbox,
                             input=MESSAGE.decode())

    def test_idle_sees_a_delivery(self):
        watch = self.watch()
        watch.ask("begin idle", "offered notify", "watching idle")
        for _ in range(2):
            self.dovecot.deliver(ALICE, MESSAGE)
            watch.expect("news selected")
        watch.ask("end", "covered 0")
        watch.ask("begin idle")
        self.dovecot.deliver(ALICE, MESSAGE)
        watch.expect("news selected")
        watch.finish()

    def test_notify_sees_a_delivery_to_any_mailbox(self):
        watch = self.watch()
        watch.ask(f"begin notify Work\t{SUMMER}\tnone", "offered notify",
                  "watching notify", "news 0")
        self.save("Work")
        watch.expect("news 0")
        self.dovecot.deliver(ALICE, MESSAGE)
        watch.expect("news selected")
        # not those outside ASCII: to be asked for
        watch.ask("end", "covered 1")
        watch.finish()

    def test_notify_begun_again_tells_what_was_missed(self):
        watch = self.watch()
        watch.ask("begin notify Work", "news 0")
        watch.ask("end")
        watch.ask("begin notify Work", "watching notify")
        self.assertNotIn("news 0", watch.lines())
        watch.ask("end")
        watch.ask("examine Work", r"mailbox \d+ \d+ \d+")
        self.save("Work")
        watch.ask("examine INBOX")
        watch.ask("begin notify Work", "watching notify", "news 0")
        watch.finish()

    def test_notify_takes_as_many_mailboxes_as_one_line(self):
        watch = self.watch()
        watch.ask("begin notify Work\t" + "\t".join(
            f"{i:02}" + "x" * 60 for i in range(63)),
            "watching notify", "news 0")
        watch.ask("end", "covered 1")
        watch.finish()

    def test_connection_goes_on_behind_a_watch(self):
        watch = self.watch()
        watch.ask("begin idle")
        watch.ask("end")
        self.dovecot.deliver(ALICE, MESSAGE)
        watch.ask("noop", "news selected")
        watch.ask("examine INBOX", r"mailbox \d+ \d+ \d+")
        watch.ask("noop")
        self.assertNotIn("news selected", watch.lines())
        watch.finish()

    def test_status_of_mailboxes_with_any_name(self):
        watch = self.watch()
        for name in (SUMMER, "&AOk-t&AOk-"):
            self.save(SUMMER)
            count = len(self.dovecot.messages(ALICE, "&AOk-t&AOk-"))
            found, = watch.ask(f"status {name}", r"mailbox (\d+) (\d+) (\d+)")
            self.assertEqual((int(found[2]), int(found[3])),
                             (count + 1, count))
            watch.ask(f"examine {name}", rf"mailbox \d+ \d+ {count}")
            watch.ask("examine INBOX")
        self.assertIn("exist", watch.fail("status nowhere", BAD_INPUT))
        watch.ask("noop")
        watch.finish()

    def test_end_of_the_server_is_noticed(self):
        dovecot = self.bed.dovecot()
        watch = Watch(self.bed, dovecot.host, dovecot.imaps_port, dovecot.ca)
        watch.ask("begin idle")
        dovecot.stop()
        watch.expect(rf"failed {RETRY_LATER}: .*")
        watch.finish()


class ScriptedWatch(BedTestCase):
    def watch(self, script):
        def whole(conn):
            conn.send("* OK [CAPABILITY IMAP4rev1] hello\r\n")
            conn.expect("1 LOGIN .*")
            conn.send("1 OK [CAPABILITY IMAP4rev1 IDLE NOTIFY] in\r\n")
            conn.expect('2 EXAMINE "INBOX"')
            conn.send("* 1 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n2 OK\r\n")
            script(conn)
            while conn.readline() != "LOGOUT":
                pass

        server = self.bed.scripted_server(whole, self.bed.tls.cert())
        return Watch(self.bed, "localhost", server.port, self.bed.tls.ca)

    def test_news_in_the_tls_record_of_the_agreement(self):
        """No descriptor shows them any more."""
        def script(conn):
            conn.expect("3 IDLE")
            conn.send("+ idling\r\n* 2 EXISTS\r\n"
                      + "* OK padding\r\n" * 900 + "* STAT")

        watch = self.watch(script)
        watch.ask("begin idle", "watching idle", "news selected")
        watch.finish()

    def test_line_over_several_tls_records(self):
        def script(conn):
            conn.expect("3 IDLE")
            conn.send("+ idling\r\n")
            begun.wait()
            for byte in "* 2 EXISTS\r\n":
                conn.send(byte)

        begun = threading.Event()
        watch = self.watch(script)
        watch.ask("begin idle")
        begun.set()
        watch.expect("news selected")
        watch.finish()

    def test_farewell_is_news(self):
        def script(conn):
            conn.expect("3 IDLE")
            conn.send("+ idling\r\n")
            begun.wait()
            conn.send("* BYE Session expired\r\n")
            conn.close()

        begun = threading.Event()
        watch = self.watch(script)
        watch.ask("begin idle")
        begun.set()
        watch.expect("news bye Session expired")
        watch.expect(rf"failed {RETRY_LATER}: .*")
        watch.finish()
