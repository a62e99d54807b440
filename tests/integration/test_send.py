# SPDX-License-Identifier: ISC
"""Sending: from a draft to the server, and what is left when that fails."""
import base64
import email
import email.header
import email.policy
import email.utils
import json
import re
import signal
import sqlite3
import threading
import time
import unittest
from contextlib import closing

from bed import BedTestCase

ALICE, PASSWORD = "alice@example.test", "alice-pw"
DRAFT = {"to": "bob@example.test", "subject": "Hello", "body": "One line"}


class SendTestCase(BedTestCase):
    """Drives the program tests/sendprobe."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.probe = cls.bed.build_dir() / "tests" / "sendprobe"
        cls.env = {"SASL_PATH": cls.bed.sasl_path(["plain"], module=False),
                   "SENDPROBE_PASSWORD": PASSWORD}

    def setUp(self):
        self.state = self.bed.subdir("state")
        self.state.chmod(0o700)

    def argv(self, *args, port=None, **options):
        options = {"port": port or self.port, "state": self.state,
                   "user": ALICE, "ca": self.bed.tls.ca} | options
        argv = [self.probe]
        for name, value in options.items():
            argv += [f"--{name.replace('_', '-')}"]
            argv += [] if value is True else [value]
        return [*argv, *args]

    def send(self, draft=DRAFT, rc=0, env={}, **options):
        """Send a draft; returns the JSON line, with what stderr said."""
        result = self.bed.run(self.argv("-", **options), self.env | env,
                              json.dumps(draft)).check(rc)
        line, = result.out.splitlines()
        return json.loads(line) | {"log": result.err}

    def work(self, rc=0, **options):
        """Work the outbox once; returns what stderr said."""
        return self.bed.run(self.argv("--work", **options),
                            self.env).check(rc).err

    def entries(self):
        """(message_id, state, attempts, seconds until the next) of each."""
        with closing(sqlite3.connect(self.state / "state.db")) as db:
            return db.execute(
                "SELECT message_id, state, attempts, next_attempt - created"
                " FROM outbox ORDER BY id").fetchall()

    def states(self):
        return [state for _, state, _, _ in self.entries()]

    def hasten(self):
        """Make what waits for another attempt due."""
        with closing(sqlite3.connect(self.state / "state.db")) as db:
            db.execute("UPDATE outbox SET next_attempt = created"
                       " WHERE next_attempt IS NOT NULL")
            db.commit()


def parse(message):
    return email.message_from_bytes(message.data, policy=email.policy.default)


class RealServerTest(SendTestCase):
    """Dovecot's submission service, and the sink behind it."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.sink = cls.bed.sink()
        cls.dovecot = cls.bed.dovecot(sink=cls.sink)
        cls.port = cls.dovecot.submissions_port

    def deliver(self, **fields):
        """Send a draft and return it as it arrived."""
        before = len(self.sink.messages())
        reply = self.send(DRAFT | fields)
        self.assertEqual(reply["state"], "sent", reply)
        return self.sink.wait_messages(before + 1)[before]

    def test_draft_is_sent(self):
        before = len(self.sink.messages())
        reply = self.send()
        self.assertEqual((reply["state"], reply["detail"]), ("sent", "sent"))
        self.assertRegex(reply["message_id"],
                         r"^<[0-9a-f]{32}@example\.test>$")
        arrived = self.sink.messages()[before]
        self.assertEqual(arrived.mail_from, ALICE)
        self.assertEqual(arrived.rcpt_to, ["bob@example.test"])
        message = parse(arrived)
        self.assertEqual(message["message-id"], reply["message_id"])
        self.assertEqual(message["from"], ALICE)
        self.assertEqual(message["to"], "bob@example.test")
        self.assertEqual(message["subject"], "Hello")
        self.assertEqual(message.get_content(), "One line\r\n")
        self.assertEqual(message.get_content_type(), "text/plain")
        sent_at = email.utils.parsedate_to_datetime(message["date"])
        self.assertLess(abs(time.time() - sent_at.timestamp()), 60)
        self.assertRegex(reply["log"], re.escape(
            f"Email sent to bob@example.test "
            f"(message_id={reply['message_id']})"))
        self.assertEqual(self.states(), ["sent"])

    def test_starttls(self):
        reply = self.send(port=self.dovecot.submission_port, starttls=True)
        self.assertEqual(reply["state"], "sent", reply)

    def test_everybody_gets_it_once_and_nobody_sees_bcc(self):
        arrived = self.deliver(
            to=["Bob <bob@example.test>", "carol@example.test"],
            cc="Dave D <dave@example.test>, bob@EXAMPLE.test",
            bcc=["eve@example.test", "carol@example.test"])
        self.assertEqual(arrived.rcpt_to, [
            "bob@example.test", "carol@example.test", "dave@example.test",
            "eve@example.test"])
        message = parse(arrived)
        self.assertEqual(
            message["to"], "Bob <bob@example.test>, carol@example.test")
        self.assertEqual(
            message["cc"], "Dave D <dave@example.test>, bob@EXAMPLE.test")
        self.assertIsNone(message["bcc"])
        self.assertNotIn(b"eve", arrived.data)

    def test_reply_belongs_to_its_thread(self):
        message = parse(self.deliver(
            in_reply_to="<2@x.example>", references="<1@x.example>",
            reply_to="Team <team@example.test>"))
        self.assertEqual(message["in-reply-to"], "<2@x.example>")
        self.assertEqual(message["references"], "<1@x.example> <2@x.example>")
        self.assertEqual(message["reply-to"], "Team <team@example.test>")

    def test_subjects_arrive_as_they_were_written(self):
        for subject in (
                "Grüße aus Köln", "日本語の件名", "📧" * 60, "ASCII and ü",
                "a  b", "trailing ", "=?utf-8?Q?not_encoded?=", "x" * 1500,
                "word " * 300 + "end", "ä" * 1000, "\"quoted\", (or not)",
                "\u202eright to left", "e\u0301"):
            with self.subTest(subject=subject):
                arrived = self.deliver(subject=subject)
                self.assertEqual(parse(arrived)["subject"], subject)
                self.check_lines(arrived)

    def test_names_arrive_as_they_were_written(self):
        for name in ("Bob", "Jürgen Müller", "Person, A", "a \"b\" \\ c",
                     "日本" * 40, "x" * 250, "a.b", "Bob (Sales)", "A  B"):
            with self.subTest(name=name):
                quoted = re.sub(r'(["\\])', r"\\\1", name)
                arrived = self.deliver(to=f'"{quoted}" <bob@example.test>')
                message = email.message_from_bytes(arrived.data)
                got, address = email.utils.parseaddr(message["to"])
                # the default policy keeps spaces between encoded words
                got = email.header.make_header(
                    email.header.decode_header(got))
                self.assertEqual(str(got), name)
                self.assertEqual(address, "bob@example.test")
                self.check_lines(arrived)

    def test_bodies_arrive_as_they_were_written(self):
        for body in (
                "plain\n", "no line end", "\n", "\n\nempty\n\n\nlines\n\n",
                ".", ".\n", ".\n.\n..\n", "a\n.\nb\n.c\n", "From here\n",
                "trailing space \nand tab\t\n", "=3D = == =\n", "x" * 5000,
                "ü" * 5000, "Grüße\n" * 200, "日本語\n" * 200, "📧" * 999,
                "line\r\nends\rof\nall kinds\r\n", "tab\tand \x0c feed\n",
                "\x1b[0m\n", "MAIL FROM:<x@y.example>\r\n.\r\nQUIT\r\n",
                "y\n" * 20000):
            with self.subTest(body=body[:20]):
                arrived = self.deliver(body=body)
                expected = re.sub(r"\r\n|\r|\n", "\r\n", body)
                expected += "" if expected.endswith("\r\n") else "\r\n"
                got = parse(arrived).get_payload(decode=True)
                self.assertEqual(got.decode(), expected)
                self.check_lines(arrived)

    def check_lines(self, arrived):
        """RFC 5322 2.1.1, and nothing that is not ASCII on the wire."""
        self.assertTrue(arrived.data.isascii())
        lines = arrived.data.split(b"\r\n")
        self.assertEqual(lines.pop(), b"")
        for line in lines:
            self.assertLessEqual(len(line), 998)
            self.assertNotIn(b"\n", line)
            self.assertNotIn(b"\r", line)
        message = parse(arrived)
        self.assertEqual(message.defects, [])
        for value in message.values():
            self.assertEqual(value.defects, ())

    def test_no_draft_can_add_a_header_or_a_command(self):
        evil = "\r\nBcc: victim@example.test\r\nX-Evil: yes"
        before = len(self.sink.messages())
        for field in ("to", "cc", "bcc", "reply_to", "subject",
                      "in_reply_to", "references"):
            for value in ("x@example.test" + evil,
                          f"A{evil} <x@example.test>",
                          f"x@example.test>{evil}"):
                with self.subTest(field=field, value=value):
                    reply = self.send(DRAFT | {field: value}, rc=65)
                    self.assertEqual(reply["state"], "refused")
        self.assertEqual(len(self.sink.messages()), before)
        message = self.deliver(body="x" + evil)
        self.assertEqual(message.rcpt_to, ["bob@example.test"])
        self.assertNotIn("x-evil", parse(message))

    def test_refusal_for_now_keeps_the_message_queued(self):
        for at in ("mail", "rcpt", "data", "dot"):
            with self.subTest(at=at):
                self.setUp()
                self.sink.fail(451, "4.3.0 come again", at=at)
                reply = self.send(deadline_ms=2000)
                self.sink.fail(None, at=at)
                self.assertEqual(reply["state"], "queued", reply)
                self.assertEqual(reply["detail"], "queued")
                self.assertIn("4.3.0", reply["reason"])
                self.assertEqual(self.states(), ["queued"])
                before = len(self.sink.messages())
                self.hasten()
                self.assertIn("Email sent to", self.work())
                arrived, = self.sink.messages()[before:]
                self.assertEqual(parse(arrived)["message-id"],
                                 reply["message_id"])

    def test_refusal_for_good_ends_it(self):
        for at in ("mail", "rcpt", "data", "dot"):
            with self.subTest(at=at):
                self.setUp()
                self.sink.fail(550, "5.7.1 never", at=at)
                reply = self.send(rc=1)
                self.sink.fail(None, at=at)
                self.assertEqual(reply["state"], "refused", reply)
                self.assertRegex(reply["detail"],
                                 "^SMTP send failed: .*550 5.7.1 .*never")
                self.assertEqual(self.states(), ["failed"])
                before = len(self.sink.messages())
                self.hasten()
                self.work()
                self.assertEqual(len(self.sink.messages()), before)

    def test_send_tries_again_while_it_has_time(self):
        self.sink.fail(451, "4.3.0 come again", at="rcpt", times=1)
        reply = self.send(deadline_ms=20000)
        self.assertEqual(reply["state"], "sent", reply)
        (_, state, attempts, _), = self.entries()
        self.assertEqual((state, attempts), ("sent", 2))

    def test_wrong_password_is_said_at_once_and_nothing_is_lost(self):
        wrong = {"SENDPROBE_PASSWORD": "wrong"}
        reply = self.send(env=wrong, deadline_ms=60000)
        self.assertEqual(reply["state"], "queued")
        self.assertRegex(reply["reason"], "535 5.7.8")
        # neither waited for a better password nor counted as an attempt
        (_, state, attempts, _), = self.entries()
        self.assertEqual((state, attempts), ("queued", 0))
        result = self.bed.run(self.argv("--work"), self.env | wrong)
        self.assertRegex(result.check(77).err, "failed: .*535 5.7.8")
        self.assertIn("Email sent to", self.work())


class Submission:
    """A submission server that does, at one place, what a test says.

    `at` maps "greeting", "auth", "mail", "rcpt", "data", "dot" (all but the
    answer) or "answered" (to the dot) to a function of the connection; the
    reply that it returns, if any, is sent instead of the usual one.
    """

    def __init__(self, bed, implicit_tls=True, mechanisms="PLAIN"):
        self.at, self.received, self.accepted = {}, [], []
        self._mechanisms = mechanisms
        self._server = bed.scripted_server(self._script, bed.tls.cert(),
                                           implicit_tls)
        self.port = self._server.port

    def count(self):
        """Connections so far."""
        return self._server.count

    def _answer(self, conn, place, usual):
        reply = self.at[place](conn) if place in self.at else None
        conn.send((reply or usual) + "\r\n")
        return not reply

    def _script(self, conn):
        self._answer(conn, "greeting", "220 test")
        while True:
            verb = conn.readline()[:4].upper()
            if verb == "EHLO":
                conn.send("250-test\r\n250-STARTTLS\r\n"
                          f"250 AUTH {self._mechanisms}\r\n")
            elif verb == "STAR":
                conn.send("220 go on\r\n")
                conn.starttls()
            elif verb == "AUTH":
                self._answer(conn, "auth", "235 2.7.0 ok")
            elif verb in ("MAIL", "RCPT", "RSET"):
                self._answer(conn, verb.lower(), "250 2.1.0 ok")
            elif verb == "DATA":
                if self._answer(conn, "data", "354 go on"):
                    self._take(conn)
            elif verb == "QUIT":
                conn.send("221 2.0.0 bye\r\n")
                return
            else:
                conn.send("250 2.0.0 ok\r\n")

    def _take(self, conn):
        message_id = email.message_from_bytes(conn.read_dot())["message-id"]
        self.received.append(message_id)
        if self._answer(conn, "dot", "250 2.0.0 ok"):
            self.accepted.append(message_id)
            if "answered" in self.at:
                self.at["answered"](conn)


def cut(_conn):
    raise EOFError


def reset(conn):
    conn.rst()
    raise EOFError


class Hold:
    """A place where the server waits until the test lets it go."""

    def __init__(self, then=lambda conn: None):
        self._reached, self._released = threading.Event(), threading.Event()
        self._then = then

    def __call__(self, conn):
        self._reached.set()
        assert self._released.wait(90)
        return self._then(conn)

    def wait(self):
        assert self._reached.wait(30)

    def release(self):
        self._released.set()


class FailingServerTest(SendTestCase):
    """What a real server does on a bad day."""

    def setUp(self):
        super().setUp()
        self.server = Submission(self.bed)
        self.port = self.server.port

    def start(self, *args, **options):
        return self.bed.spawn(self.argv(*args, **options), self.env,
                              stdin=True)

    def start_send(self, **options):
        sender = self.start("-", **options)
        sender.send(json.dumps(DRAFT))
        sender.close_stdin()
        return sender

    def check_sent_once(self, message_id):
        self.assertEqual(self.server.accepted, [message_id])
        self.assertEqual(self.states(), ["sent"])

    def test_connection_lost_before_the_dot_is_no_more_than_a_delay(self):
        for place in ("greeting", "auth", "mail", "rcpt", "data"):
            for how in (cut, reset):
                with self.subTest(place=place, how=how):
                    self.setUp()
                    self.server.at = {place: how}
                    reply = self.send(deadline_ms=2000)
                    self.assertEqual(reply["state"], "queued", reply)
                    self.assertTrue(reply["reason"])
                    self.assertEqual(self.states(), ["queued"])
                    self.server.at = {}
                    self.hasten()
                    self.work()
                    self.check_sent_once(reply["message_id"])

    def test_lost_answer_is_uncertain_and_the_same_message_goes_again(self):
        for how in (cut, reset):
            with self.subTest(how=how):
                self.setUp()
                self.server.at = {"dot": how}
                reply = self.send(deadline_ms=2000)
                self.assertEqual(reply["state"], "uncertain", reply)
                self.assertIn("may or may not", reply["detail"])
                self.assertEqual(self.states(), ["uncertain"])
                self.server.at = {}
                self.hasten()
                self.work()
                self.assertEqual(self.server.received,
                                 2 * [reply["message_id"]])
                self.check_sent_once(reply["message_id"])

    def test_lost_answer_on_a_used_connection_is_uncertain_too(self):
        for how in (cut, reset):
            with self.subTest(how=how):
                self.setUp()
                for _ in range(2):
                    self.send(deadline_ms=0)
                answers = [how, lambda conn: None]
                self.server.at = {"dot": lambda conn: answers.pop()(conn)}
                self.work(hold=True)
                self.assertEqual(self.states(), ["sent", "uncertain"])
                self.assertEqual(len(self.server.received), 2)

    def test_uncertain_message_is_held_if_so_ordered(self):
        self.server.at = {"dot": cut}
        reply = self.send(hold=True, deadline_ms=20000)
        self.assertEqual(reply["state"], "uncertain", reply)
        self.assertIn("kept, and not sent again", reply["log"])
        self.server.at = {}
        self.hasten()
        self.work(hold=True)
        self.assertEqual(self.server.received, [reply["message_id"]])
        self.assertEqual(self.states(), ["uncertain"])

    def test_refused_repetition_leaves_it_uncertain(self):
        self.server.at = {"dot": cut}
        reply = self.send(deadline_ms=2000)
        self.server.at = {"dot": lambda conn: "554 5.6.0 seen before"}
        self.hasten()
        self.assertIn("kept, and not sent again", self.work())
        self.assertEqual(self.states(), ["uncertain"])
        self.server.at = {}
        self.hasten()
        self.work()
        self.assertEqual(self.server.received, 2 * [reply["message_id"]])

    def test_answer_after_the_deadline_is_still_an_answer(self):
        held = Hold()
        self.server.at = {"dot": held}
        sender = self.start_send(deadline_ms=3000)
        held.wait()
        time.sleep(3)  # the deadline has to pass: no event tells
        held.release()
        self.assertEqual(sender.wait(), 0)
        self.assertEqual(json.loads(sender.stdout_text())["state"], "sent")

    def test_server_that_says_goodbye_is_called_again(self):
        self.send(deadline_ms=0)
        self.send(deadline_ms=0)
        replies = ["421 4.3.2 shutting down"]

        def goodbye(_conn):
            return replies.pop() if replies else None

        self.server.at = {"mail": goodbye}
        self.assertIn("4.3.2", self.work())
        self.assertEqual(self.states(), ["queued", "sent"])
        self.assertEqual(self.server.count(), 2)

    def test_server_that_is_away_costs_no_attempt(self):
        reply = self.send(port=self.bed.port(), deadline_ms=2000)
        self.assertEqual(reply["state"], "queued")
        self.assertRegex(reply["reason"], "cannot connect|refused")
        self.assertEqual([entry[1:3] for entry in self.entries()],
                         [("queued", 0)])

    def test_several_messages_share_a_connection(self):
        for _ in range(3):
            self.send(deadline_ms=0)
        self.work()
        self.assertEqual(len(self.server.accepted), 3)
        self.assertEqual(self.server.count(), 1)

    def test_server_that_ends_after_each_message_delays_none(self):
        for how in (cut, reset):
            with self.subTest(how=how):
                self.setUp()
                for _ in range(3):
                    self.send(deadline_ms=0)
                self.server.at = {"answered": how}
                self.work()
                self.assertEqual([entry[1:3] for entry in self.entries()],
                                 3 * [("sent", 1)])
                self.assertEqual(len(self.server.received), 3)
                self.assertEqual(self.server.count(), 3)

    def test_refused_reset_refuses_no_message(self):
        for reply in ("503 5.5.1 bad sequence", "421 4.4.2 idle too long",
                      "554 5.7.0 too many errors"):
            with self.subTest(reply=reply):
                self.setUp()
                for _ in range(2):
                    self.send(deadline_ms=0)
                replies = ["451 4.2.2 mailbox full"]
                self.server.at = {
                    "rcpt": lambda conn: replies.pop() if replies else None,
                    "rset": lambda conn: reply}
                self.work()
                self.assertEqual([entry[1:3] for entry in self.entries()],
                                 [("queued", 1), ("sent", 1)])
                self.assertEqual(self.server.count(), 2)

    def execute(self, sql):
        with closing(sqlite3.connect(self.state / "state.db")) as db:
            db.execute(sql)
            db.commit()

    def test_answer_that_cannot_be_written_down_is_not_forgotten(self):
        self.server.at = {"dot": lambda conn: self.execute(
            "CREATE TRIGGER full BEFORE UPDATE ON outbox"
            " WHEN new.state = 'sent' AND old.state = 'attempting'"
            " BEGIN SELECT RAISE(ABORT, 'no room'); END")}
        sender = self.start_send()
        sender.wait_output("is not written down yet")
        self.assertEqual(self.states(), ["attempting"])
        self.server.at = {}
        self.execute("DROP TRIGGER full")
        self.assertEqual(sender.wait(), 0)
        reply = json.loads(sender.stdout_text())
        self.assertEqual(reply["state"], "sent")
        self.check_sent_once(reply["message_id"])
        self.assertEqual(len(self.server.received), 1)

    def test_one_bad_recipient_holds_nobody_else_up(self):
        self.send(deadline_ms=0)
        self.send(deadline_ms=0)
        replies = ["451 4.2.2 mailbox full"]
        self.server.at = {
            "rcpt": lambda conn: replies.pop() if replies else None}
        self.work()
        self.assertEqual(self.states(), ["queued", "sent"])

    def test_kill_at_any_step_loses_nothing(self):
        for place, after in (
                ("greeting", "queued"), ("auth", "queued"),
                ("mail", "queued"), ("rcpt", "queued"), ("data", "queued"),
                ("dot", "attempting")):
            with self.subTest(place=place):
                self.setUp()
                held = Hold(then=cut)
                self.server.at = {place: held}
                sender = self.start_send()
                held.wait()
                (message_id, state, _, _), = self.entries()
                self.assertEqual(state, after)
                sender.kill()
                held.release()
                self.server.at = {}
                self.hasten()
                log = self.work()
                self.assertEqual("perhaps sent" in log, place == "dot", log)
                if self.states() != ["sent"]:
                    self.hasten()
                    self.work()
                self.check_sent_once(message_id)
                copies = 2 if place == "dot" else 1
                self.assertEqual(self.server.received, copies * [message_id])

    def test_kill_after_the_answer_repeats_the_same_message_at_most(self):
        done = threading.Event()
        self.server.at = {"answered": lambda conn: done.set()}
        sender = self.start_send()
        self.assertTrue(done.wait(30))
        sender.kill()
        for _ in range(2):
            self.hasten()
            self.work()
        self.assertEqual(self.states(), ["sent"])
        self.assertEqual(len(set(self.server.accepted)), 1)

    def test_kill_before_the_message_is_queued_leaves_nothing(self):
        sender = self.start("-")
        sender.send(json.dumps(DRAFT))
        sender.kill()
        self.work()
        self.assertEqual(self.entries(), [])

    def test_two_senders_send_it_once(self):
        held = Hold()
        self.server.at = {"dot": held}
        first = self.start_send()
        held.wait()
        second = self.bed.run(self.argv("--work", deadline_ms=300), self.env)
        self.assertRegex(second.check(75).err, "another process is sending")
        third = self.start_send()
        wait = self.bed.wait_until
        wait(lambda: len(self.entries()) == 2, what="the second message")
        held.release()
        self.assertEqual(first.wait(), 0)
        self.assertEqual(third.wait(), 0)
        self.assertEqual(len(self.server.received), 2)
        self.assertEqual(len(set(self.server.accepted)), 2)
        self.assertEqual(self.states(), ["sent", "sent"])

    def test_many_senders_at_once_send_each_message_once(self):
        senders = [self.start_send() for _ in range(8)]
        for sender in senders:
            self.assertEqual(sender.wait(), 0, sender.tail())
        sent = {json.loads(sender.stdout_text())["message_id"]
                for sender in senders}
        self.assertEqual(len(sent), 8)
        self.assertEqual(sorted(self.server.received), sorted(sent))
        self.assertEqual(self.states(), 8 * ["sent"])


    def test_request_that_comes_again_is_the_same_message(self):
        first = self.send(request_id="r1")
        self.assertEqual(self.send(request_id="r1"),
                         first | {"log": ""})
        other = self.send(DRAFT | {"subject": "Other"}, rc=1,
                          request_id="r1")
        self.assertEqual(
            (other["state"], other["detail"]),
            ("refused", "request_id was used for another message"))
        self.assertNotIn("message_id", other)
        second = self.send(request_id="r2")
        self.assertEqual(self.server.accepted,
                         [first["message_id"], second["message_id"]])

    def test_request_after_a_lost_answer_makes_no_second_message(self):
        self.server.at = {"dot": cut}
        first = self.send(request_id="r1", hold=True)
        self.server.at = {}
        again = self.send(request_id="r1", hold=True)
        self.assertEqual((again["state"], again["message_id"]),
                         ("uncertain", first["message_id"]))
        self.assertEqual(self.server.received, [first["message_id"]])

    def test_requests_at_the_same_time_are_one_message(self):
        senders = [self.start_send(request_id="r1") for _ in range(8)]
        for sender in senders:
            self.assertEqual(sender.wait(), 0, sender.tail())
        message_id, = {json.loads(sender.stdout_text())["message_id"]
                       for sender in senders}
        self.check_sent_once(message_id)


class NothingQueuedTest(SendTestCase):
    """What ends before there is a message."""

    port = 9  # nobody gets that far

    def test_draft_at_fault_is_unusable_input(self):
        reply = self.send({"subject": "s", "body": "b"}, rc=65)
        self.assertEqual(
            (reply["state"], reply["detail"]),
            ("refused", "missing required field: to"))
        self.assertNotIn("message_id", reply)
        self.assertEqual(self.entries(), [])

    def test_missing_file_is_named_as_the_contract_says(self):
        result = self.bed.run(self.argv("/nowhere/draft.json"), self.env)
        self.assertEqual(json.loads(result.check(65).out)["detail"],
                         "cannot read draft: :enoent")

    def test_draft_is_checked_before_the_settings(self):
        argv = self.argv("-")
        at = argv.index("--state")
        del argv[at:at + 2]
        draft = json.dumps(DRAFT | {"to": "nobody"})
        result = self.bed.run(argv, self.env, draft).check(65)
        self.assertEqual(json.loads(result.out)["detail"],
                         "invalid email address: nobody")
        result = self.bed.run(argv, self.env, json.dumps(DRAFT)).check(78)
        self.assertEqual(
            json.loads(result.out),
            {"type": "send_email_response", "success": False,
             "state": "not_queued", "detail":
             "email not configured (TRI_ONYX_IMAP_HOST not set)"})

    def test_author_must_be_an_address(self):
        for author in ("alice", "a@example.test, b@example.test", ""):
            with self.subTest(author=author):
                reply = self.send(rc=78, **{"from": author})
                self.assertEqual(reply["state"], "not_queued")
                self.assertIn("TRI_ONYX_EMAIL_FROM", reply["detail"])
        self.assertEqual(self.entries(), [])



class ProgramTest(BedTestCase):
    """mailtoken-connector send, set up by its environment."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.sink = cls.bed.sink()
        cls.dovecot = cls.bed.dovecot(sink=cls.sink)
        cls.sasl_path = cls.bed.sasl_path(["plain", "scram"])

    def setUp(self):
        self.state = self.bed.subdir("state")
        self.state.chmod(0o700)

    def environment(self, **env):
        return {"SASL_PATH": self.sasl_path,
                "TRI_ONYX_WORKSPACE_DIR": self.bed.subdir("work"),
                "TRI_ONYX_EMAIL_STATE_DIR": self.state,
                "TRI_ONYX_TLS_CA_FILE": self.dovecot.ca,
                "TRI_ONYX_IMAP_HOST": self.dovecot.host,
                "TRI_ONYX_IMAP_PORT": self.dovecot.imaps_port,
                "TRI_ONYX_IMAP_USERNAME": ALICE,
                "TRI_ONYX_IMAP_PASSWORD": PASSWORD,
                "TRI_ONYX_SMTP_PORT": self.dovecot.submission_port} | env

    def connector(self, *args, input="", **env):
        return self.bed.run(
            [self.bed.program("mailtoken-connector"), *args],
            self.environment(**env), input)

    def send(self, path, draft=DRAFT, rc=0, **env):
        result = self.connector("send", path, input=json.dumps(draft), **env)
        result.check(rc)
        line, = result.out.splitlines()
        return json.loads(line), result.err

    def test_draft_from_a_file_and_from_standard_input(self):
        draft = self.bed.subdir("drafts") / "a.json"
        draft.write_text(json.dumps(DRAFT))
        for path in (draft, "-"):
            with self.subTest(path=path):
                before = len(self.sink.messages())
                reply, log = self.send(path)
                self.assertEqual(reply["state"], "sent")
                self.assertIn("Email sent to bob@example.test", log)
                message = parse(self.sink.messages()[before])
                self.assertEqual(message["message-id"], reply["message_id"])

    def test_author_can_differ_from_the_login(self):
        before = len(self.sink.messages())
        self.send("-", TRI_ONYX_EMAIL_FROM="Team A <team@other.test>")
        arrived = self.sink.messages()[before]
        self.assertEqual(arrived.mail_from, "team@other.test")
        self.assertEqual(parse(arrived)["from"], "Team A <team@other.test>")

    def test_exit_codes(self):
        reply, _ = self.send("/nowhere", rc=65)
        self.assertEqual(reply["detail"], "cannot read draft: :enoent")
        reply, _ = self.send("-", DRAFT | {"to": ""}, rc=65)
        self.assertEqual(reply["detail"], "empty required field: to")
        self.assertEqual(
            self.connector("send", "-", TRI_ONYX_IMAP_HOST="").rc, 78)
        self.sink.fail(550, "5.1.1 nobody", at="rcpt", times=1)
        reply, log = self.send("-", rc=1)
        self.assertEqual(reply["state"], "refused")
        self.assertIn("5.1.1", log)

    def test_wrong_password_leaves_it_for_the_next_poll(self):
        before = len(self.sink.messages())
        reply, log = self.send("-", TRI_ONYX_IMAP_PASSWORD="wrong")
        self.assertEqual(reply["state"], "queued")
        self.assertIn("535", reply["reason"])
        self.assertRegex(log, f"{reply['message_id']} stays queued.*535")
        result = self.connector("poll", "--once").check()
        self.assertIn("Email sent to bob@example.test", result.err)
        message, = self.sink.messages()[before:]
        self.assertEqual(parse(message)["message-id"], reply["message_id"])

    def test_service_ends_soon_whatever_the_server_does(self):
        for _ in range(2):
            self.send("-", TRI_ONYX_IMAP_PASSWORD="wrong")
        server, held = Submission(self.bed, implicit_tls=False), Hold()
        server.at = {"mail": held}
        service = self.bed.spawn(
            [self.bed.program("mailtoken-connector"), "run"],
            self.environment(TRI_ONYX_SMTP_PORT=server.port))
        held.wait()
        service.signal(signal.SIGTERM)
        self.assertEqual(service.wait(), 0)
        held.release()
        # one of the two connections may not have come so far
        self.assertIn(server.count(), (1, 2))
        self.assertEqual(server.received, [])


if __name__ == "__main__":
    unittest.main()
