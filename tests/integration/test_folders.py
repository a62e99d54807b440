# SPDX-License-Identifier: ISC
"""Moving mail and making folders, on a real Dovecot: on the server and in the
workspace, or in neither."""
import json
import os
import re
import unittest

from bed import BedTestCase
from bed.connector import Connector
from bed.helper import USER

# What Dovecot offers, less some of it; it obeys by what it offers to nobody,
# but a client does.
ALL = "IMAP4rev1 SASL-IR LITERAL+ UIDPLUS MOVE SPECIAL-USE UNSELECT"
WITHOUT_MOVE = ALL.replace(" MOVE", "")
WITHOUT_BOTH = WITHOUT_MOVE.replace(" UIDPLUS", "")


def message(number, body=b"body\n"):
    return (b"From: x@example.test\nSubject: number %d\n"
            b"Message-ID: <number-%d@example.test>\n\n" % (number, number)
            + body)


class FoldersTest(BedTestCase):
    """One Dovecot, one connector that follows what MAILBOXES says."""

    MAILBOXES = "INBOX"

    def setUp(self):
        self.begin()

    def begin(self, **dovecot):
        self.mail = self.bed.dovecot(**dovecot)
        self.addCleanup(self.mail.stop)
        self.connector = Connector(
            self.bed, self.mail, EMAIL_MAILBOXES=self.MAILBOXES)
        self.agent = self.connector.workspace / "agents/email"

    def receive(self, count=1):
        for number in range(1, count + 1):
            self.mail.deliver(USER, message(number))
        return self.connector.poll().json["delivered"]

    def run_json(self, *args, rc=0):
        result = self.connector.run(*args).check(rc)
        return json.loads(result.out) | {"log": result.err}

    def move(self, uid, source, target, rc=0):
        return self.run_json("move", uid, source, target, rc=rc)

    def place(self, uid, mailbox):
        """(UIDVALIDITY, number of messages) as the server says."""
        status = self.mail.doveadm(
            "mailbox", "status", "-u", USER, "uidvalidity messages", mailbox)
        return [int(n) for n in re.findall(r"=(\d+)", status)]

    def subjects(self, mailbox):
        """UID -> Subject, as the server has them."""
        out = self.mail.doveadm("-f", "tab", "fetch", "-u", USER,
                                "uid hdr.subject", "mailbox", mailbox, "all")
        return dict(line.split("\t") for line in out.splitlines()[1:])

    def handles(self, folder):
        path = self.agent / folder
        return sorted(os.listdir(path)) if path.exists() else []

    def read(self, folder, handle):
        return json.loads((self.agent / folder / handle /
                           "message.json").read_text())

    def risks(self):
        return json.loads((self.connector.workspace /
                           ".tri-onyx/risk-manifest.json").read_text())

    def check_moved(self, answer, folder, mailbox, number):
        """The answer, the server, the directory and the manifest agree."""
        handle, uid = answer["uid"], answer["imap_uid"]
        self.assertEqual(answer["detail"], "moved")
        self.assertEqual(self.subjects(mailbox)[uid], f"number {number}")
        content = self.read(folder, handle)
        self.assertEqual(
            (content["uid"], content["imap_uid"], content["uidvalidity"],
             content["subject"]),
            (handle, uid, answer["uidvalidity"], f"number {number}"))
        for file in (self.agent / folder / handle).iterdir():
            path = str(file.relative_to(self.connector.workspace))
            self.assertEqual(self.risks()[path]["taint_level"], "high")
        staged = self.connector.workspace.glob(".tri-onyx/email-tmp/*/*")
        self.assertEqual(list(staged), [])


class Moving(FoldersTest):
    def test_directory_follows_the_message(self):
        self.assertEqual(self.receive(3), ["1", "2", "3"])
        answer = self.move("2", "inbox", "archive")
        self.check_moved(answer, "archive", "archive", 2)
        self.assertIn("Email 2 moved from inbox to archive", answer["log"])
        self.assertEqual(answer["uid"], "2")
        self.assertEqual(answer["imap_uid"], "1")
        self.assertEqual(self.handles("inbox"), ["1", "3"])
        self.assertEqual(list(self.subjects("INBOX")), ["1", "3"])
        self.assertEqual(self.connector.poll().json["delivered"], [])

    def test_handle_serves_for_the_next_move(self):
        self.receive(2)
        self.move("1", "inbox", "one")
        answer = self.move("1", "one", "two")
        self.check_moved(answer, "two", "two", 1)
        self.assertEqual(self.handles("one"), [])
        self.check_moved(self.move("1", "two", "INBOX"), "inbox", "INBOX", 1)
        self.assertEqual(self.handles("inbox"), ["1", "2"])
        self.assertEqual(self.connector.poll().json["delivered"], [])

    def test_same_request_again_is_no_second_move(self):
        self.receive(1)
        first = self.move("1", "inbox", "archive")
        again = self.move("1", "inbox", "archive")
        del first["log"], again["log"]
        self.assertEqual(again, first)
        self.assertEqual(len(self.subjects("archive")), 1)

    def test_name_in_the_target_belongs_to_somebody(self):
        self.receive(3)
        (self.agent / "archive/1").mkdir(parents=True)
        (self.agent / "archive/1/own").write_text("mine")
        answer = self.move("1", "inbox", "archive")
        validity, uid = answer["uidvalidity"], answer["imap_uid"]
        self.assertEqual(answer["uid"], f"{validity}-{uid}")
        self.check_moved(answer, "archive", "archive", 1)
        self.assertEqual((self.agent / "archive/1/own").read_text(), "mine")

    def test_create_folder(self):
        answer = self.run_json("create-folder", "receipts")
        self.assertEqual(answer["detail"], "created")
        self.assertIn("Email folder created: receipts", answer["log"])
        self.assertIn("receipts", self.mail.doveadm(
            "mailbox", "list", "-u", USER))
        self.assertEqual(self.handles("receipts"), [])
        self.assertTrue((self.agent / "receipts").is_dir())
        self.run_json("create-folder", "receipts")
        self.run_json("create-folder", "inBox")


if __name__ == "__main__":
    unittest.main()
