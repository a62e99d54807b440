# SPDX-License-Identifier: ISC
"""Saving drafts in the server's Drafts: whole, flagged, and once."""
import email
import email.policy
import json
import os
import re
import socket
import subprocess
import unittest

from bed import BedTestCase, filecalls
from bed.connector import Connector
from bed.helper import USER
from bed.process import wait_until
from integration.test_folders_kill import Hold

DRAFT = {"to": "bob@example.test", "subject": "a subject", "body": "a body\n"}


LONG = bool(os.environ.get("MAILTOKEN_LONG"))


class SaveDraftTest(BedTestCase):
    def setUp(self):
        self.mail = self.bed.dovecot(ssl="no")
        self.addCleanup(self.mail.stop)
        self.connector = Connector(self.bed, self.mail)
        self.connector.env |= {"TRI_ONYX_IMAP_SSL": "false",
                               "TRI_ONYX_SMTP_SSL": "false",
                               "TRI_ONYX_IMAP_PORT": str(self.mail.imap_port)}

    def save(self, rc=0, **draft):
        result = self.connector.run("save-draft", "-", input=json.dumps(
            DRAFT | draft)).check(rc)
        return json.loads(result.out) | {"log": result.err}

    def drafts(self, mailbox="Drafts"):
        return [email.message_from_bytes(m, policy=email.policy.default)
                for m in self.mail.messages(mailbox=mailbox)]


class Saving(SaveDraftTest):
    def test_draft_is_whole_and_flagged(self):
        answer = self.save(cc="c@example.test", subject="Gr\u00fc\u00dfe")
        self.assertEqual(answer["detail"], "draft saved to IMAP Drafts")
        self.assertIn("Email appended to IMAP Drafts", answer["log"])
        (draft,) = self.drafts()
        self.assertEqual(draft["Message-ID"], answer["message_id"])
        self.assertEqual((draft["To"], draft["Cc"], draft["Subject"]), (
            "bob@example.test", "c@example.test", "Gr\u00fc\u00dfe"))
        self.assertEqual(draft.get_content(), "a body\n")
        self.assertEqual([sorted(f) for f in self.mail.flags(
            mailbox="Drafts")], [["D", "S"]])

    def test_mailbox_of_the_settings(self):
        self.connector.env["TRI_ONYX_EMAIL_DRAFTS_MAILBOX"] = "Entw\u00fcrfe"
        self.assertEqual(self.save()["mailbox"], "Entw\u00fcrfe")
        self.assertIn("Entw\u00fcrfe", self.mail.doveadm(
            "mailbox", "list", "-u", USER))

    def test_bad_draft_is_refused_before_the_server_is_asked(self):
        self.mail.stop()
        self.assertEqual(self.save(rc=65, to="")["detail"],
                         "empty required field: to")

    def held(self, pattern, answers):
        hold = Hold(self.bed.port(), self.mail.imap_port,
                    re.compile(pattern), answers)
        self.addCleanup(hold.stop)
        env = self.connector.env | {"TRI_ONYX_IMAP_PORT": str(hold.port)}
        path = self.connector.dir / "draft.json"
        path.write_text(json.dumps(DRAFT))
        running = self.bed.spawn(
            [self.bed.program("mailtoken-connector"), "save-draft", path], env)
        wait_until(lambda: hold.held.is_set() or running.rc is not None,
                   what="APPEND")
        return hold, running

    def test_command_is_lost(self):
        hold, running = self.held(rb"APPEND", answers=False)
        hold.cut()
        self.assertEqual(running.wait(), 75)
        self.assertEqual(self.drafts(), [])

    def test_answer_is_lost(self):
        """It is found, on another connection, in the same call."""
        hold, running = self.held(rb"a body", answers=True)
        hold.cut()
        self.assertEqual(running.wait(), 0, running.tail())
        self.assertEqual(len(self.drafts()), 1)


class Killed(SaveDraftTest):
    def run_watched(self, request_id, **env):
        program = self.bed.program("mailtoken-connector")
        env = self.connector.env | env | filecalls.environment(
            os.environ["MAILTOKEN_BUILD"], program)
        return subprocess.run(
            [program, "save-draft", "--request-id", request_id, "-"],
            env={k: str(v) for k, v in env.items()}, input=json.dumps(DRAFT),
            cwd=self.connector.dir, check=False, capture_output=True,
            text=True, timeout=120)

    def test_kill_at_any_step_and_ask_again(self):
        log = self.bed.dir / "calls"
        done = self.run_watched("r", FILECALLS_LOG=str(log))
        self.assertEqual(done.returncode, 0, done.stderr)
        steps = filecalls.read_calls(log)[1]
        self.assertGreater(len(steps), 10)
        for i, (thread, number) in enumerate(steps):
            if i % 2 and not LONG:
                continue
            request = f"r{i}"
            self.assertIn(self.run_watched(
                request, FILECALLS_KILL=f"{thread}:{number}").returncode,
                (0, -9))
            before = len(self.drafts())
            with self.subTest(step=(thread, number)):
                done = self.run_watched(request)
                self.assertEqual(done.returncode, 0, done.stderr)
                ids = [d["Message-ID"] for d in self.drafts()]
                self.assertIn(json.loads(done.stdout)["message_id"], ids)
                self.assertEqual(len(set(ids)), len(ids))
                self.assertLessEqual(len(ids), before + 1)
        self.assertEqual(len(self.drafts()), 1 + len(
            steps[::1 if LONG else 2]))


class RequestsTest(SaveDraftTest):
    """By the socket of `run`, with names."""

    def ask(self, request_id, **draft):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(self.connector.state / "control"))
            sock.sendall(json.dumps({
                "type": "save_draft_request", "request_id": request_id,
                "draft": DRAFT | draft}).encode() + b"\n")
            return json.loads(sock.makefile().readline())

    def start(self):
        running = self.connector.start()
        wait_until((self.connector.state / "control").exists, what="run")
        self.addCleanup(running.stop)
        return running

    def test_same_request_is_one_draft(self):
        running = self.start()
        first = self.ask("r1")
        self.assertTrue(first["success"], first)
        self.assertEqual(self.ask("r1"), first)
        running.kill()
        (self.connector.state / "control").unlink(missing_ok=True)
        self.start()
        self.assertEqual(self.ask("r1"), first)
        self.assertEqual(len(self.drafts()), 1)
        self.assertEqual(self.ask("r1", subject="other")["detail"],
                         "request_id was used for another message")
        self.assertTrue(self.ask("r2")["success"])
        self.assertEqual(len(self.drafts()), 2)


if __name__ == "__main__":
    unittest.main()
