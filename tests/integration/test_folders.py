# SPDX-License-Identifier: ISC
"""Moving mail and making folders, on a real Dovecot: on the server and in the
workspace, or in neither."""
import json
import os
import re
import sqlite3
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

    def check_nothing_is_staged(self):
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
        self.check_nothing_is_staged()
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

    def test_message_that_is_gone_is_not_moved(self):
        self.receive(2)
        self.mail.doveadm("expunge", "-u", USER, "mailbox", "INBOX", "uid",
                          "1")
        answer = self.move("1", "inbox", "archive", rc=1)
        self.assertEqual(
            answer["detail"], "IMAP MOVE/COPY failed: the message is not in "
            "INBOX any more")
        self.assertEqual(self.handles("inbox"), ["1", "2"])
        self.assertEqual(self.handles("archive"), [])

    def test_uid_that_is_another_message_now(self):
        """A server that gives a UID a second time has nobody's mail moved in
        the place of what had it; here the state is mistaken."""
        self.receive(2)
        with sqlite3.connect(self.connector.state / "state.db") as state:
            for old, new in (1, 9), (2, 1), (9, 2):
                state.execute("UPDATE message SET uid = ? WHERE uid = ?",
                              (new, old))
        state.close()
        answer = self.move("1", "inbox", "archive", rc=1)
        self.assertIn("the message is not in INBOX any more",
                      answer["detail"])
        self.assertEqual(len(self.subjects("INBOX")), 2)
        self.assertEqual(self.handles("inbox"), ["1", "2"])

    def test_mailbox_that_was_numbered_anew(self):
        self.receive(3)
        self.mail.doveadm("expunge", "-u", USER, "mailbox", "INBOX", "uid",
                          "1")
        self.mail.reset_uidvalidity()
        self.mail.deliver(USER, message(4))
        answer = self.move("2", "inbox", "archive")
        self.check_moved(answer, "archive", "archive", 2)
        self.assertEqual(sorted(self.subjects("INBOX").values()),
                         ["number 3", "number 4"])
        # what is left is known again, and what was moved is not delivered
        self.assertEqual(len(self.connector.poll().json["delivered"]), 1)
        self.assertEqual(self.connector.poll().json["delivered"], [])

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


class WithoutMove(Moving):
    """COPY, STORE, UID EXPUNGE."""

    def begin(self):
        super().begin(imap_capability=WITHOUT_MOVE)


class WithoutUidplus(FoldersTest):
    """Nobody tells where the message is, and it stays behind as deleted."""

    def begin(self):
        super().begin(imap_capability=WITHOUT_BOTH)

    def test_message_is_found_in_the_target(self):
        self.receive(3)
        answer = self.move("2", "inbox", "archive")
        self.check_moved(answer, "archive", "archive", 2)
        self.assertEqual(answer["imap_uid"], "1")
        # nothing of others is expunged
        self.assertEqual(list(self.subjects("INBOX")), ["1", "2", "3"])
        self.assertEqual(
            [sorted(f) for f in self.mail.flags()], [[], ["T"], []])
        self.check_moved(self.move("2", "archive", "two"), "two", "two", 2)

    def test_copy_that_was_there_before_is_another_one(self):
        self.receive(1)
        self.mail.doveadm("mailbox", "create", "-u", USER, "archive")
        self.mail.doveadm("copy", "-u", USER, "archive", "mailbox", "INBOX",
                          "uid", "1")
        self.assertEqual(
            self.move("1", "inbox", "archive")["imap_uid"], "2")

    def test_message_without_an_id_is_known_by_date_and_size(self):
        self.mail.deliver(USER, b"Subject: number 1\n\nbody\n")
        self.connector.poll()
        self.check_moved(
            self.move("1", "inbox", "archive"), "archive", "archive", 1)


class FollowedTarget(FoldersTest):
    """The target is polled, too."""

    MAILBOXES = "INBOX,Saved=saved"

    def begin(self, **dovecot):
        super().begin(**dovecot)
        self.mail.doveadm("mailbox", "create", "-u", USER, "Saved")

    def test_what_was_moved_is_not_delivered_again(self):
        self.receive(2)
        answer = self.move("1", "inbox", "saved")
        self.check_moved(answer, "saved", "Saved", 1)
        self.assertEqual(self.connector.poll().json["delivered"], [])
        self.check_moved(self.move("2", "inbox", "saved"), "saved", "Saved", 2)
        self.assertEqual(self.connector.poll().json["delivered"], [])
        self.assertEqual(self.handles("saved"), ["1", "2"])

    def test_target_that_was_never_polled(self):
        connector = self.connector
        connector.env["TRI_ONYX_EMAIL_MAILBOXES"] = "INBOX"
        self.receive(1)
        self.move("1", "inbox", "Saved")
        self.assertEqual(self.handles("Saved"), ["1"])
        connector.env["TRI_ONYX_EMAIL_MAILBOXES"] = "INBOX,Saved"
        self.assertEqual(connector.poll().json["delivered"], [])

    def test_target_that_was_numbered_anew(self):
        self.receive(2)
        self.move("1", "inbox", "saved")
        self.mail.reset_uidvalidity(mailbox="Saved")
        self.assertEqual(self.connector.poll().json["delivered"], [])
        self.check_moved(
            self.move("1", "saved", "other"), "other", "other", 1)

    def test_mail_beside_it_is_delivered(self):
        self.receive(1)
        self.mail.doveadm("save", "-u", USER, "-m", "Saved",
                          input=message(7).decode())
        self.assertEqual(self.connector.poll().json["delivered"], ["saved/1"])
        answer = self.move("1", "inbox", "saved")
        self.assertEqual(answer["uid"], f"{answer['uidvalidity']}-2")
        self.mail.doveadm("save", "-u", USER, "-m", "Saved",
                          input=message(8).decode())
        self.assertEqual(self.connector.poll().json["delivered"], ["saved/3"])


class FollowedWithoutUidplus(FollowedTarget):
    def begin(self):
        super().begin(imap_capability=WITHOUT_BOTH)


class Refusals(FoldersTest):
    """Nothing of what is asked gets to the server or leaves a folder."""

    def setUp(self):
        super().setUp()
        self.receive(3)

    def check_nothing_happened(self):
        self.assertEqual(len(self.subjects("INBOX")), 3)
        self.assertEqual(self.handles("inbox"), ["1", "2", "3"])
        self.assertEqual(self.handles("archive"), [])

    def test_handles_that_are_none(self):
        for uid in ("1:*", "*", "1,2", "", "1-", "1--2", "1-2-3-4",
                    "1\r\nX1 DELETE INBOX", "1\n", "../inbox/1", "1/", "1 ",
                    "x", "1" * 50, "\u0661"):
            with self.subTest(uid=uid):
                answer = self.move(uid, "inbox", "archive", rc=65)
                self.assertIn("uid must be the name", answer["detail"])
        self.check_nothing_happened()

    def test_folders_that_are_none(self):
        traversal = "folder name must not contain path traversal: "
        separators = "folder name must not contain path separators: "
        letters = "folder name must be alphanumeric with " \
            "hyphens/underscores: "
        for name, detail in (
                ("..", traversal), ("a/../b", traversal), ("a..b", traversal),
                ("a/b", separators), ("/", separators), ("/etc", separators),
                ("", letters), (".", letters), ("x y", letters),
                ("*", letters), ("\u00e4", letters), ("a\\b", letters)):
            with self.subTest(name=name):
                for args in (("1", name, "archive"), ("1", "inbox", name)):
                    self.assertEqual(self.move(*args, rc=65)["detail"],
                                     detail + name)
                self.assertEqual(
                    self.run_json("create-folder", name, rc=65)["detail"],
                    detail + name)
        for name in ("x\n", "x\r\nX1 DELETE INBOX"):
            self.assertIn(letters, self.move("1", "inbox", name,
                                             rc=65)["detail"])
        for name in ("drafts", "State", "a" * 65):
            self.assertIn("folder name must not be", self.run_json(
                "create-folder", name, rc=65)["detail"])
        self.check_nothing_happened()

    def test_directory_that_is_not_there(self):
        for uid, folder in (("9", "inbox"), ("1", "nowhere"), ("9-1", "INBOX")):
            path = self.agent / folder.replace("INBOX", "inbox") / uid
            self.assertEqual(
                self.move(uid, folder, "archive", rc=65)["detail"],
                f"source email directory not found: {path}")
        self.check_nothing_happened()

    def test_directory_that_nobody_delivered(self):
        (self.agent / "inbox/77").mkdir()
        self.assertIn("not delivered by this program", self.move(
            "77", "inbox", "archive", rc=65)["detail"])

    def test_message_that_is_not_published_yet(self):
        """It is waited for, as its directory is seen a moment before; here
        in vain."""
        state = sqlite3.connect(self.connector.state / "state.db")
        state.execute("UPDATE message SET staged = 'x' WHERE uid = 1")
        state.commit()
        answer = self.move("1", "inbox", "archive", rc=75)
        self.assertEqual(answer["detail"],
                         "email 1 in inbox is only just being delivered")
        self.check_nothing_happened()
        state.execute("UPDATE message SET staged = NULL")
        state.commit()
        state.close()
        self.check_moved(self.move("1", "inbox", "archive"), "archive",
                         "archive", 1)

    def test_symbolic_link_in_place_of_anything(self):
        outside = self.bed.subdir("outside")
        (outside / "1").mkdir()
        (outside / "1/secret").write_text("secret")
        inbox = self.agent / "inbox"
        (inbox / "1").rename(self.agent / "kept")
        (inbox / "1").symlink_to(outside / "1")
        self.assertIn("source email directory not found", self.move(
            "1", "inbox", "archive", rc=65)["detail"])
        (self.agent / "link").symlink_to(outside)
        self.assertIn("filesystem move failed: link in the workspace",
                      self.move("2", "inbox", "link", rc=78)["detail"].replace(
                          "agents/email/", ""))
        self.assertIn("source email directory not found", self.move(
            "2", "link", "archive", rc=65)["detail"])
        self.assertEqual(sorted(os.listdir(outside)), ["1"])
        self.assertEqual(sorted(os.listdir(outside / "1")), ["secret"])
        self.assertEqual(len(self.subjects("INBOX")), 3)

    def test_what_agents_put_into_a_directory_stays_in_it(self):
        outside = self.bed.subdir("outside")
        victim = outside / "victim"
        victim.write_text("mine")
        box = self.agent / "inbox/1"
        (box / "message.json").unlink()
        (box / "message.json").symlink_to(victim)
        (box / "sub/sub").mkdir(parents=True)
        (box / "sub/sub/note").write_text("x")
        (box / "sub/up").symlink_to("/")
        (box / ".hidden").write_text("x")
        os.mkfifo(box / "pipe")
        os.link(victim, box / "hard")
        os.mkdir(os.fsencode(box) + b"/\xff")
        answer = self.move("1", "inbox", "archive")
        self.assertEqual(victim.read_text(), "mine")
        here = "agents/email/archive/" + answer["uid"]
        listed = {p for p in self.risks() if p.startswith(here)}
        self.assertEqual(listed, {f"{here}/{name}" for name in (
            "message.json", "sub/sub/note", "sub/up", ".hidden", "pipe",
            "hard")})
        box = self.agent / "inbox/2"
        (box / "message.json").unlink()
        os.mkfifo(box / "message.json")
        self.move("2", "inbox", "archive")


if __name__ == "__main__":
    unittest.main()
