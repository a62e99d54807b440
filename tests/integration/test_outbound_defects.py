# SPDX-License-Identifier: ISC
"""What the gateway's own connector got wrong in sending and moving, tried on
this one: each defect through the socket, and where it can be had there, through
the command.

The numbers are those of the gateway's list of defects; each has a test method
that is named after it.
"""
import hashlib
import json
import os
import threading
import unittest

from bed import BedTestCase
from bed.frames import Frames
from bed.mailhost import NOBODY, SERVER
from bed.smtp_proxy import once, silence
from bed.clock import fast_clock
from integration.outbound import FACTOR, Account, parse

# What is no uid, whoever reads it.
NO_UIDS = ("1:*", "*", "1,2", "1 2", " 1", "1 ", "", "-1", "+1", "0x1", "1.0",
           "1-2-3-4", "1-", "-", "--", "٣", "1\n", "1\r\nX1 DELETE Archive",
           "1 Archive\r\nX1 DELETE Archive", "1\0", "../1", "1/../2", "1/.",
           ".", "..", "/", "~", "$1", "%31", "9" * 400)
# What is no folder.
NO_FOLDERS = ("x\n", "x\r", "x\r\nX1 DELETE Archive", "x\0", "../x", "..", ".",
              "a/b", "/a", "a.b", "a\\b", "a b", "a\tb", "a*", "a%", "{3}", "ä",
              "&AOQ-", "\"a\"", "", " ", "a" * 5000)


class DefectTestCase(BedTestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.host = cls.bed.mail_host()
        cls.names = iter(range(100000))

    def setUp(self):
        self.begin()

    def begin(self, filing=NOBODY, copy="append", **settings):
        """A new account and the directory of its agent."""
        self.account = Account(self.host, self.bed, f"d{next(self.names)}",
                               filing, copy, **settings)
        self.connector = self.account.connector
        self.agent = self.connector.workspace / "agents/email"
        self.drafts = self.agent / "drafts"
        self.drafts.mkdir(parents=True)

    def serve(self, factor=None):
        """Start `run`; time goes `factor` times as fast for it."""
        self.service = self.account.serve(self.connector.env | (
            fast_clock(factor) if factor else {}))
        self.addCleanup(self.service.stop)
        self.assertIsNone(self.service.rc, self.service.tail())

    def ask(self, type, **fields):
        reply = self.account.ask(type, **fields)
        self.assertIsNotNone(reply, self.service.tail())
        return reply

    def assertRefused(self, reply, detail="."):
        self.assertIs(reply.get("success", False), False, reply)
        self.assertRegex(reply["detail"], detail)

    def command(self, *args, input=""):
        """A command: its exit status and its JSON."""
        result = self.connector.run(*args, input=input)
        return result.rc, json.loads(result.out) if result.out else None

    def deliver(self, count):
        """Mail for INBOX, published; its handles."""
        self.host.dovecot.deliver(self.account.user, *(
            f"From: x@example.test\nSubject: number {n}\n\nbody\n".encode()
            for n in range(count)))
        self.connector.poll()
        handles = self.connector.handles()
        self.assertEqual(len(handles), count)
        return handles

    def mailboxes(self):
        return sorted(self.host.dovecot.doveadm(
            "mailbox", "list", "-u", self.account.user).split("\n"))

    def subjects(self, mailbox="INBOX"):
        return sorted(parse(message)["subject"] for message in
                      self.host.dovecot.messages(self.account.user, mailbox))

    def tree(self):
        """All that is in the workspace of agents."""
        return sorted(str(path) for path in self.agent.parent.rglob("*"))

    def draft_file(self, name="a.json", **fields):
        path = self.drafts / name
        path.write_text(json.dumps(self.account.draft(**fields)))
        return path


class Moving(DefectTestCase):
    def test_19_no_uid_is_more_than_one_message(self):
        self.deliver(3)
        before = self.mailboxes(), self.subjects(), self.tree()
        self.serve()
        for uid in NO_UIDS:
            with self.subTest(uid=uid):
                self.assertRefused(self.ask(
                    "move_email", uid=uid, source_folder="inbox",
                    dest_folder="Archive"))
        for uid in (None, 1, 1.5, True, ["1"], {"uid": "1"}):
            with self.subTest(uid=uid):
                self.assertRefused(self.ask(
                    "move_email", uid=uid, source_folder="inbox",
                    dest_folder="Archive"))
        self.service.stop()
        for uid in NO_UIDS:
            if "\0" in uid or uid.startswith("-"):
                continue
            with self.subTest(command=uid):
                rc, _ = self.command("move", uid, "inbox", "Archive")
                self.assertIn(rc, (1, 64, 65, 67))
        self.assertEqual(before,
                         (self.mailboxes(), self.subjects(), self.tree()))

    def test_19_no_folder_is_more_than_a_name(self):
        handle, = self.deliver(1)
        before = self.mailboxes(), self.subjects(), self.tree()
        self.serve()
        for name in NO_FOLDERS:
            with self.subTest(name=name):
                self.assertRefused(
                    self.ask("create_folder", folder_name=name),
                    "folder.name")
                for source, target in (("inbox", name), (name, "Archive")):
                    self.assertRefused(self.ask(
                        "move_email", uid=handle, source_folder=source,
                        dest_folder=target))
        self.service.stop()
        for name in NO_FOLDERS:
            if "\0" in name:
                continue
            with self.subTest(command=name):
                rc, _ = self.command("create-folder", name)
                self.assertIn(rc, (64, 65))
                rc, _ = self.command("move", handle, "inbox", name)
                self.assertIn(rc, (64, 65))
        self.assertEqual(before,
                         (self.mailboxes(), self.subjects(), self.tree()))

    def test_20_handle_follows_the_message(self):
        first, second = self.deliver(2)
        self.serve()
        reply = self.ask("move_email", uid=first, source_folder="inbox",
                         dest_folder="Archive")
        self.assertEqual((reply["success"], reply["detail"]), (True, "moved"))
        moved = reply["uid"]
        self.assertTrue((self.agent / "Archive" / moved /
                         "message.json").exists())
        # who asks again is told the same, and the old handle means the same
        # message, wherever that is, and no other
        again = self.ask("move_email", uid=first, source_folder="inbox",
                         dest_folder="Archive")
        self.assertEqual(again["uid"], moved)
        for uid, source, target in ((moved, "Archive", "inbox"),
                                    (first, "inbox", "Other")):
            reply = self.ask("move_email", uid=uid, source_folder=source,
                             dest_folder=target)
            self.assertTrue(reply["success"], reply)
            path = self.agent / target / reply["uid"] / "message.json"
            self.assertEqual(json.loads(path.read_text())["subject"],
                             "number 0")
            self.assertNotEqual((target, reply["uid"]), ("inbox", second))
        self.assertEqual(self.subjects(), ["number 1"])
        self.assertEqual(self.subjects("Archive"), [])
        self.assertEqual(self.subjects("Other"), ["number 0"])

    def test_20_message_that_is_gone_was_not_moved(self):
        handle, _ = self.deliver(2)
        self.host.dovecot.doveadm("expunge", "-u", self.account.user,
                                  "mailbox", "INBOX", "subject", "number 0")
        self.assertEqual(self.subjects(), ["number 1"])
        rc, reply = self.command("move", handle, "inbox", "Archive")
        self.assertNotEqual(rc, 0)
        self.assertRefused(reply)
        self.assertEqual(self.subjects("Archive"), [])
        self.assertTrue((self.agent / "inbox" / handle).exists())

    def test_23_mail_that_others_marked_stays(self):
        handles = self.deliver(3)
        dovecot, user = self.host.dovecot, self.account.user
        dovecot.doveadm("flags", "add", "-u", user, "\\Deleted", "mailbox",
                        "INBOX", "subject", "number 2")
        rc, reply = self.command("move", handles[0], "inbox", "Archive")
        self.assertEqual((rc, reply["success"]), (0, True))
        self.assertEqual(self.subjects(), ["number 1", "number 2"])
        self.assertEqual(self.subjects("Archive"), ["number 0"])


class Approval(DefectTestCase):
    """21: what is sent is what was approved, and lies where it should."""

    def escapes(self):
        """name -> draft_path of what must not be read; each would be sent
        if it were."""
        other = self.agent.parent / "email2" / "drafts"
        other.mkdir(parents=True)
        draft = json.dumps(self.account.draft(subject="stolen"))
        (other / "a.json").write_text(draft)
        outside = self.connector.dir / "outside.json"
        outside.write_text(draft)
        os.symlink(outside, self.drafts / "link.json")
        os.symlink(other, self.drafts / "directory")
        os.symlink("link.json", self.drafts / "chain.json")
        os.mkfifo(self.drafts / "fifo.json")
        (self.drafts / "directory.json").mkdir()
        self.draft_file("own.json", subject="stolen")
        return {
            "above": "../email2/drafts/a.json",
            "above, as the agent sees it":
                "/workspace/agents/email/../email2/drafts/a.json",
            "another agent's": "/workspace/agents/email2/drafts/a.json",
            "another agent's, by prefix": "/workspace/agents/email2",
            "absolute": str(outside),
            "there and back": "drafts/../drafts/own.json",
            "by a link": "drafts/link.json",
            "by two links": "drafts/chain.json",
            "through a linked directory": "drafts/directory/a.json",
            "through /proc": "/proc/self/cwd/drafts/own.json",
            "a FIFO": "drafts/fifo.json",
            "a directory": "drafts/directory.json",
            "a device": "/dev/zero",
            "nothing": "",
            "a NUL": "drafts/own.json\0.json",
            "beneath a file": "drafts/own.json/a.json",
            "too long": "drafts/" + "x/" * 3000 + "a.json",
        }

    def test_21_no_path_leads_out(self):
        self.begin(EMAIL_ALLOW_DRAFT_PATH="true")
        escapes = self.escapes()
        self.serve()
        for name, path in escapes.items():
            for type in ("send_email", "save_draft"):
                with self.subTest(name=name, type=type):
                    self.assertRefused(self.ask(type, draft_path=path))
        for name in ("above", "by a link", "through a linked directory"):
            reply = self.ask("send_email", draft_path=escapes[name])
            self.assertEqual(reply["detail"], "path traversal rejected")
        self.assertEqual(self.account.entries(), [])

    def test_21_attachments_cannot_lead_out_either(self):
        self.begin(EMAIL_ALLOW_DRAFT_PATH="true")
        escapes = self.escapes()
        self.serve()
        digest = hashlib.sha256(
            (self.connector.dir / "outside.json").read_bytes()).hexdigest()
        for name, path in escapes.items():
            attachment = {"path": path, "sha256": digest}
            with self.subTest(name=name):
                self.assertRefused(self.ask(
                    "send_email",
                    draft=self.account.draft(attachments=[attachment])))
                self.draft_file(attachments=[attachment])
                self.assertRefused(self.ask("send_email",
                                            draft_path="drafts/a.json"))
        self.assertEqual(self.account.entries(), [])

    def test_21_path_without_a_digest_is_refused(self):
        self.draft_file()
        self.serve()
        self.assertRefused(
            self.ask("send_email", draft_path="drafts/a.json"), "sha256")
        self.assertEqual(self.account.entries(), [])
        # nobody approves a draft that is only filed
        self.assertTrue(self.ask("save_draft",
                                 draft_path="drafts/a.json")["success"])

    def test_21_changed_draft_is_not_sent(self):
        path = self.draft_file()
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        self.serve()
        self.draft_file(to="victim@example.test")
        self.assertRefused(self.ask(
            "send_email", draft_path="drafts/a.json", draft_sha256=digest),
            "changed")
        for wrong in ("", "0" * 64, digest[:63], digest + "0", 1, None):
            with self.subTest(digest=wrong):
                self.assertRefused(self.ask(
                    "send_email", draft_path="drafts/a.json",
                    draft_sha256=wrong))
        self.assertEqual(self.account.entries(), [])

    def test_21_changed_attachment_is_not_sent(self):
        (self.drafts / "x.txt").write_text("approved")
        good = hashlib.sha256(b"approved").hexdigest()
        draft = self.account.draft(attachments=[
            {"path": "drafts/x.txt", "sha256": good}])
        self.serve()
        (self.drafts / "x.txt").write_text("exchanged")
        self.assertRefused(self.ask("send_email", draft=draft))
        unpinned = self.account.draft(attachments=[{"path": "drafts/x.txt"}])
        self.assertRefused(self.ask("send_email", draft=unpinned), "sha256")
        self.assertEqual(self.account.entries(), [])

    def test_21_draft_that_changes_all_the_time(self):
        """Whatever is sent under a digest has that digest."""
        good = json.dumps(self.account.draft(subject="approved"))
        evil = json.dumps(self.account.draft(subject="exchanged"))
        digest = hashlib.sha256(good.encode()).hexdigest()
        path, stop = self.drafts / "a.json", threading.Event()
        other, link = self.drafts / "b", self.drafts / "c"
        path.write_text(good)

        def exchange():
            while not stop.is_set():
                for text in (evil, good):
                    path.write_text(text)       # in place
                    other.write_text(text)      # by renaming
                    os.replace(other, path)
                link.unlink(missing_ok=True)
                os.symlink("/etc/passwd", link)
                os.replace(link, path)
                other.write_text(good)
                os.replace(other, path)

        self.serve()
        attacker = threading.Thread(target=exchange)
        attacker.start()
        try:
            replies = [self.ask("send_email", draft_path="drafts/a.json",
                                draft_sha256=digest, request_id=f"r{n}")
                       for n in range(200)]
        finally:
            stop.set()
            attacker.join()
        sent = [reply for reply in replies if reply["success"]]
        self.account.finish()
        self.account.settle()
        subjects = {parse(m)["subject"] for m in self.account.arrived()}
        self.assertLessEqual(subjects, {"approved"})
        self.assertEqual(len(self.account.arrived()), len(sent))
        self.assertLess(len(sent), len(replies))     # the attack took place


class Requests(DefectTestCase):
    def test_22_request_that_is_repeated_is_one_message(self):
        """The gateway gives up after a minute, its agent asks again."""
        self.account.proxy.at = {"dotted": once(silence)}
        self.serve(FACTOR)
        request = {"request_id": "r1", "draft": self.account.draft()}
        first = self.ask("send_email", **request)
        self.assertEqual(first["success"], True)
        self.assertIn(first["state"], ("queued", "uncertain"))
        for _ in range(5):
            again = self.ask("send_email", **request)
            self.assertEqual(again["message_id"], first["message_id"])
        self.assertEqual(len(self.account.entries()), 1)

    def test_22_name_of_another_message(self):
        self.serve()
        first = self.ask("send_email", request_id="r1",
                         draft=self.account.draft())
        self.assertEqual(first["detail"], "sent")
        self.assertRefused(
            self.ask("send_email", request_id="r1",
                     draft=self.account.draft(subject="another")),
            "request_id was used for another message")
        self.assertEqual(len(self.account.entries()), 1)

    def test_24_to_26_nothing_a_draft_says_becomes_a_header(self):
        """How each field is encoded is the unit tests' matter."""
        self.serve()
        evil = "\r\nBcc: victim@example.test\r\nX-Evil: yes"
        for field in ("to", "cc", "bcc", "reply_to", "subject", "in_reply_to",
                      "references"):
            with self.subTest(field=field):
                self.assertRefused(self.ask(
                    "send_email",
                    draft=self.account.draft(**{field: "a@b.test" + evil})))
        reply = self.ask("send_email", draft=self.account.draft(
            to=["Bob \u00fc <" + self.account.recipient + ">"],
            cc=["c1@example.test", "c2@example.test"],
            bcc="secret@example.test", subject="Gr\u00fc\u00dfe",
            body="\u00fc\n.\n" + evil, references="<1@x.test> <2@x.test>"))
        self.assertEqual(reply["detail"], "sent")
        self.account.settle()
        message = parse(self.account.arrived()[0])
        self.assertEqual(message["subject"], "Gr\u00fc\u00dfe")
        self.assertEqual(message["references"], "<1@x.test> <2@x.test>")
        self.assertNotIn("bcc", message)
        self.assertNotIn("x-evil", message)
        self.assertNotIn(b"secret@", self.account.arrived()[0])

    def test_27_every_request_is_answered(self):
        self.serve()
        drafts = ([], "x", 1, None, True, {}, {"to": {}}, [[[]]],
                  self.account.draft(body=["a"]),
                  self.account.draft(subject={"a": 1}),
                  self.account.draft(to=[1]), self.account.draft(to={}),
                  self.account.draft(cc=1), self.account.draft(what="?"))
        for draft in drafts:
            for type in ("send_email", "save_draft"):
                with self.subTest(draft=draft, type=type):
                    self.assertRefused(self.ask(type, draft=draft))
            with self.subTest(file=draft):
                (self.drafts / "x.json").write_text(json.dumps(draft))
                rc, reply = self.command("send", self.drafts / "x.json")
                self.assertEqual(rc, 65)
                self.assertRefused(reply)
        with Frames(self.account.socket) as frames:
            for line in (b"\n", b"{}\n", b"[]\n", b"nonsense\n", b"\xff\n",
                         b'{"type":1}\n', b'{"type":"what"}\n',
                         b'{"type":"send_email_request"}\n'):
                with self.subTest(line=line):
                    frames.write(line)
                    self.assertRefused(frames.read())
        self.assertTrue(self.ask("send_email",
                                 draft=self.account.draft())["success"])

    def test_28_server_that_files_sent_mail_is_left_alone(self):
        self.begin(SERVER, "server")
        self.serve()
        self.assertEqual(self.ask("send_email", draft=self.account.draft())[
            "detail"], "sent")
        self.account.settle()
        self.account.finish()
        self.assertEqual(len(self.account.in_sent()), 1)

    def test_28_draft_is_marked_as_one(self):
        self.serve()
        reply = self.ask("save_draft", draft=self.account.draft())
        self.assertEqual(reply["detail"], "draft saved to IMAP Drafts")
        flags, = self.host.dovecot.flags(self.account.user, "Drafts")
        self.assertIn("D", flags)


if __name__ == "__main__":
    unittest.main()
