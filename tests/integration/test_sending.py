# SPDX-License-Identifier: ISC
"""Sending by the connector itself: its sender, the copies in Sent, and what
they decide."""
import email
import json
import sqlite3
import unittest
from contextlib import closing

from bed import BedTestCase
from integration.test_send import DRAFT, Hold, Submission, cut

ALICE, PASSWORD = "alice@example.test", "alice-pw"


class SendingTestCase(BedTestCase):
    """The connector, a Dovecot for IMAP, and a submission server."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.sink = cls.bed.sink()
        cls.dovecot = cls.bed.dovecot(sink=cls.sink)
        cls.sasl_path = cls.bed.sasl_path(["plain", "scram"])

    def setUp(self):
        self.state = self.bed.subdir("state")
        self.state.chmod(0o700)
        self.settings = {
            "SASL_PATH": self.sasl_path,
            "TRI_ONYX_WORKSPACE_DIR": self.bed.subdir("work"),
            "TRI_ONYX_EMAIL_STATE_DIR": self.state,
            "TRI_ONYX_TLS_CA_FILE": self.dovecot.ca,
            "TRI_ONYX_IMAP_HOST": self.dovecot.host,
            "TRI_ONYX_IMAP_PORT": self.dovecot.imaps_port,
            "TRI_ONYX_IMAP_USERNAME": ALICE,
            "TRI_ONYX_IMAP_PASSWORD": PASSWORD,
            "TRI_ONYX_SMTP_PORT": self.dovecot.submission_port}
        for mailbox in self.dovecot.doveadm(
                "mailbox", "list", "-u", ALICE).split("\n"):
            if mailbox and mailbox != "INBOX":
                self.dovecot.doveadm("mailbox", "delete", "-u", ALICE,
                                     mailbox)

    def argv(self, *args):
        return [self.bed.program("mailtoken-connector"), *args]

    def connector(self, *args, input="", timeout=90, **env):
        return self.bed.run(self.argv(*args), self.settings | env, input,
                            timeout=timeout)

    def start(self, *args, draft=None, **env):
        process = self.bed.spawn(self.argv(*args), self.settings | env,
                                 stdin=True)
        if draft:
            process.send(json.dumps(draft))
        process.close_stdin()
        return process

    def send(self, draft=DRAFT, rc=0, **env):
        result = self.connector("send", "-", input=json.dumps(draft),
                                **env).check(rc)
        line, = result.out.splitlines()
        return json.loads(line) | {"log": result.err}

    def query(self, sql):
        with closing(sqlite3.connect(self.state / "state.db")) as db:
            rows = db.execute(sql).fetchall()
            db.commit()
            return rows

    def column(self, name):
        return [row for row, in self.query(
            f"SELECT {name} FROM outbox ORDER BY id")]

    def hasten(self, name):
        """Make what waits due: next_attempt, next_look or next_copy."""
        self.query(f"UPDATE outbox SET {name} = created"
                   f" WHERE {name} IS NOT NULL")

    def sent(self, mailbox="Sent"):
        return [email.message_from_bytes(m)["message-id"]
                for m in self.dovecot.messages(mailbox=mailbox)]

    def wait_states(self, *expected):
        self.bed.wait_until(lambda: self.column("state") == [*expected],
                            what=f"{expected}")


class CopyTest(SendingTestCase):
    """The copy in Sent where it is ours to make."""

    def test_copy_is_filed_once_and_as_it_was_sent(self):
        before = len(self.sink.messages())
        reply = self.send()
        self.assertEqual(reply["state"], "sent", reply)
        self.connector("poll", "--once").check()
        arrived, = self.sink.messages()[before:]
        copy, = self.dovecot.messages(mailbox="Sent")
        self.assertEqual(email.message_from_bytes(copy)["message-id"],
                         reply["message_id"])
        # Dovecot's submission service adds fields of its own
        self.assertIn(copy.replace(b"\r\n", b"\n").strip(),
                      arrived.data.replace(b"\r\n", b"\n"))
        self.assertEqual(self.dovecot.flags(mailbox="Sent"), ["S"])
        self.assertEqual(self.column("copy"), ["done"])

    def test_settings_say_where_and_whether(self):
        self.send(TRI_ONYX_EMAIL_SENT_MAILBOX="Gesendet ü")
        self.assertEqual(len(self.sent("Gesendet &APw-")), 1)
        for rule in ("none", "server"):
            self.send(TRI_ONYX_EMAIL_SENT_COPY=rule)
        self.assertEqual(self.sent(), [])
        self.assertEqual(self.column("copy"), ["done", "none", "none"])

    def test_copy_waits_for_a_server_that_is_away(self):
        before = len(self.sink.messages())
        reply = self.send(TRI_ONYX_IMAP_PORT=self.bed.port())
        self.assertEqual(reply["state"], "sent", reply)
        self.assertIn("Looking in Sent failed", reply["log"])
        self.assertEqual(self.column("copy"), ["pending"])
        self.connector("poll", "--once").check()
        self.assertEqual(self.sent(), [reply["message_id"]])
        self.assertEqual(self.column("copy"), ["done"])
        self.assertEqual(len(self.sink.messages()), before + 1)

    def test_copy_that_is_there_is_not_made_again(self):
        reply = self.send()
        # as if the answer to APPEND had been lost
        self.query("UPDATE outbox SET copy = 'pending', next_copy = created")
        self.connector("poll", "--once").check()
        self.assertEqual(self.column("copy"), ["done"])
        self.assertEqual(self.sent(), [reply["message_id"]])


class UncertainTest(SendingTestCase):
    """Where the server files sent mail, its copy decides."""

    def setUp(self):
        super().setUp()
        self.server = Submission(self.bed, implicit_tls=False)
        self.settings |= {"TRI_ONYX_SMTP_PORT": self.server.port,
                          "TRI_ONYX_EMAIL_SENT_COPY": "server"}

    def lose_answer(self):
        """Send a message whose answer is lost; returns its Message-ID."""
        self.server.at = {"dot": cut}
        sender = self.start("send", "-", draft=DRAFT)
        self.bed.wait_until(lambda: (self.state / "state.db").exists() and
                            self.query("SELECT 1 FROM sqlite_master WHERE"
                                       " name = 'outbox_bytes'") and
                            self.column("state") == ["uncertain"],
                            what="the lost answer")
        sender.kill()
        self.server.at = {}
        return self.column("message_id")[0]

    def file(self, message_id):
        """Do what a server does that files what it accepts."""
        message, = self.query("SELECT bytes FROM outbox_bytes")
        self.dovecot.doveadm("mailbox", "create", "-u", ALICE, "Sent")
        self.dovecot.doveadm("save", "-u", ALICE, "-m", "Sent",
                             input=message[0].decode())
        self.assertEqual(self.sent(), [message_id])

    def test_message_in_sent_was_sent(self):
        message_id = self.lose_answer()
        self.file(message_id)
        self.hasten("next_look")
        log = self.connector("poll", "--once").check().err
        self.assertIn("Email sent to bob@example.test", log)
        self.assertEqual(self.column("state"), ["sent"])
        self.assertEqual(self.server.received, [message_id])
        self.assertEqual(self.sent(), [message_id])

    def test_message_that_is_not_there_goes_again_after_three_looks(self):
        message_id = self.lose_answer()
        for looks in range(1, 4):
            self.assertEqual(self.server.received, [message_id])
            self.hasten("next_look")
            self.connector("poll", "--once").check()
            self.assertEqual(self.column("looks"), [looks])
        self.connector("poll", "--once").check()
        self.assertEqual(self.column("state"), ["sent"])
        self.assertEqual(self.server.received, 2 * [message_id])

    def test_nothing_goes_again_while_imap_cannot_be_asked(self):
        message_id = self.lose_answer()
        self.hasten("next_look")
        self.hasten("next_attempt")
        away = {"TRI_ONYX_IMAP_PORT": self.bed.port()}
        log = self.connector("poll", "--once", **away).err
        self.assertIn("Looking in Sent failed", log)
        self.assertEqual(self.column("state"), ["uncertain"])
        self.assertEqual(self.column("looks"), [0])
        self.assertEqual(self.server.received, [message_id])


    def test_look_without_an_answer_is_no_look(self):
        message_id = self.lose_answer()
        asked = []

        def answers_nothing(conn):
            """An IMAP server that lets in, and knows nothing just now."""
            conn.send("* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR] hi\r\n")
            while True:
                tag, command, *_ = conn.readline().split(" ")
                if command == "AUTHENTICATE":
                    conn.send(f"{tag} OK [CAPABILITY IMAP4rev1] in\r\n")
                    continue
                asked.append(command)
                conn.send(f"{tag} NO [UNAVAILABLE] not now\r\n")

        server = self.bed.scripted_server(
            answers_nothing, self.bed.tls.cert(), True)
        for name in ("next_look", "next_attempt"):
            self.hasten(name)
        log = self.connector("poll", "--once",
                             TRI_ONYX_IMAP_PORT=server.port).err
        self.assertIn("LIST", asked)
        self.assertIn("Looking in Sent failed", log)
        self.assertEqual(self.column("state"), ["uncertain"])
        self.assertEqual(self.column("looks"), [0])
        self.assertEqual(self.server.received, [message_id])


class SenderTest(SendingTestCase):
    """The sender of a running connector, and of several processes."""

    def setUp(self):
        super().setUp()
        self.server = Submission(self.bed, implicit_tls=False)
        self.settings |= {"TRI_ONYX_SMTP_PORT": self.server.port,
                          "TRI_ONYX_EMAIL_SENT_COPY": "none"}

    def run_connector(self, **env):
        service = self.start("run", **env)
        self.bed.wait_until((self.state / "control").exists,
                            what="the control socket")
        return service

    def test_running_connector_sends_what_a_command_queues(self):
        service = self.run_connector()
        # from the first look at the outbox on, it has the sender's lock
        reply = self.send()
        self.assertEqual(reply["state"], "sent", reply)
        self.assertEqual(self.server.accepted, [reply["message_id"]])
        service.wait_output("Email sent to bob@example.test")
        self.assertNotIn("Email sent", reply["log"])

    def test_server_that_owes_an_answer_delays_no_other_message(self):
        held, self.waiting = Hold(), []

        def first_waits(conn):
            if not self.waiting:
                self.waiting.append(conn)
                held(conn)

        self.server.at = {"dot": first_waits}
        service = self.run_connector()
        slow = self.start("send", "-", draft=DRAFT)
        held.wait()
        reply = self.send()
        self.assertEqual(reply["state"], "sent", reply)
        self.assertEqual(self.column("state"), ["attempting", "sent"])
        held.release()
        self.assertEqual(slow.wait(), 0)
        self.assertEqual(json.loads(slow.stdout_text())["state"], "sent")
        service.signal(15)
        self.assertEqual(service.wait(), 0)

    def test_login_that_is_over_is_no_fault_of_the_message(self):
        for place in ("mail", "rcpt", "data"):
            for code in ("530 5.7.57 not authenticated",
                         "535 5.7.3 expired", "454 4.7.0 expired"):
                with self.subTest(place=place, code=code):
                    self.setUp()
                    replies = [code]
                    self.server.at = {
                        place: lambda conn: replies.pop() if replies
                        else None}
                    reply = self.send()
                    self.assertEqual(reply["state"], "sent", reply)
                    self.assertEqual(self.server.count(), 2)
                    self.assertEqual(self.column("attempts"), [1])
                    self.assertEqual(len(self.server.received), 1)

    def test_login_that_is_refused_for_ever_refuses_no_message(self):
        self.server.at = {"mail": lambda conn: "530 5.7.0 log in first"}
        process = self.start("send", "-", draft=DRAFT)
        self.bed.wait_until(lambda: self.server.count() >= 2,
                            what="another login")
        self.bed.wait_until(lambda: self.column("claimed") == [0],
                            what="the end of the attempt")
        process.kill()
        self.assertEqual(self.column("state"), ["queued"])
        self.assertIn("5.7.0", self.column("reply")[0])

    def test_mail_of_an_account_that_is_gone_is_said(self):
        sender = self.start("send", "-", draft=DRAFT,
                            TRI_ONYX_SMTP_PORT=self.bed.port())
        sender.wait_output("SMTP send failed")
        sender.kill()
        service = self.run_connector(TRI_ONYX_IMAP_USERNAME="bob")
        service.wait_output("1 message in the outbox of account " + ALICE)
        self.assertEqual(self.column("state"), ["queued"])
        service.signal(15)
        service.wait()
        again = self.run_connector()
        self.wait_states("sent")
        again.signal(15)
        self.assertEqual(again.wait(), 0)
        self.assertNotIn("does not exist", again.stderr_text())

    def test_killed_sender_is_followed_by_the_next(self):
        held = Hold(then=cut)
        self.server.at = {"rcpt": held}
        service = self.run_connector()
        waiting = self.start("send", "-", draft=DRAFT)
        held.wait()
        self.assertEqual(self.column("claimed"), [1])
        service.kill()
        self.server.at = {}
        held.release()
        # the command notices, and takes over
        self.assertEqual(waiting.wait(60), 0)
        self.assertEqual(json.loads(waiting.stdout_text())["state"], "sent")
        self.assertEqual(len(self.server.received), 1)


if __name__ == "__main__":
    unittest.main()
