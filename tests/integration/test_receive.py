# SPDX-License-Identifier: ISC
"""Receiving from a real Dovecot: what arrives, once, and under which name."""
from pathlib import Path

from bed import BedTestCase
from bed.connector import Connector
from bed.helper import USER

CORPUS = Path("/usr/lib/python3.11/test/test_email/data")


def message(subject, body=b"body\n"):
    return b"From: x@example.test\nSubject: " + subject + b"\n\n" + body


class ReceiveTest(BedTestCase):
    def setUp(self):
        self.mail = self.bed.dovecot()
        self.addCleanup(self.mail.stop)
        self.connector = Connector(self.bed, self.mail)

    def poll(self):
        """The handles that a poll delivers."""
        return self.connector.poll().json["delivered"]

    def subjects(self):
        return {handle: found["subject"]
                for handle, found in self.connector.messages().items()}

    def last_uid(self):
        path = self.connector.workspace / "agents/email/state/last_uid"
        return path.read_text()

    def test_mail_that_nobody_here_wrote_arrives_whole(self):
        files = sorted(CORPUS.glob("msg_*.txt"))
        self.assertGreater(len(files), 40)
        for file in files:
            self.mail.deliver(USER, file.read_bytes())
        flags = self.mail.flags()
        handles = [str(uid) for uid in range(1, len(files) + 1)]
        self.assertEqual(self.poll(), handles)
        found = self.connector.messages()
        self.assertEqual(found.keys(), set(handles))
        for handle, content in found.items():
            directory = self.connector.inbox / handle
            expected = {"message.json"} | {
                a["filename"] for a in content["attachments"]}
            if content["defects"]:
                expected.add("raw.eml")
            self.assertEqual({f.name for f in directory.iterdir()}, expected)
            self.assertEqual(content["imap_uid"], handle)
        self.assertEqual(self.poll(), [])
        self.assertEqual(self.mail.flags(), flags)

    def test_large_message_arrives_whole(self):
        self.mail.deliver(USER, message(b"small"))
        self.mail.deliver(USER, message(b"large", b"0123456789\n" * 600_000))
        self.mail.deliver(USER, message(b"small"))
        self.assertEqual(self.poll(), ["1", "2", "3"])
        self.assertGreater(
            self.connector.messages()["2"]["message_size"], 7_000_000)

    def test_mail_that_the_gateway_delivered_does_not_come_again(self):
        for subject in (b"one", b"two", b"three"):
            self.mail.deliver(USER, message(subject))
        state = self.connector.workspace / "agents/email/state"
        state.mkdir(parents=True)
        (state / "last_uid").write_text("2")
        self.assertEqual(self.poll(), ["3"])
        self.assertEqual(self.last_uid(), "3")

    def test_what_is_deleted_on_the_server_stays_here(self):
        self.mail.deliver(USER, message(b"one"))
        self.mail.deliver(USER, message(b"two"))
        self.assertEqual(self.poll(), ["1", "2"])
        self.mail.doveadm("expunge", "-u", USER, "mailbox", "INBOX", "all")
        self.assertEqual(self.poll(), [])
        self.assertEqual(self.connector.handles(), ["1", "2"])
        self.mail.deliver(USER, message(b"three"))
        self.assertEqual(self.poll(), ["3"])

    def test_directory_that_an_agent_removed_does_not_come_back(self):
        self.mail.deliver(USER, message(b"one"))
        self.assertEqual(self.poll(), ["1"])
        (self.connector.inbox / "1/message.json").unlink()
        (self.connector.inbox / "1").rmdir()
        self.assertEqual(self.poll(), [])
        self.assertEqual(self.connector.handles(), [])
