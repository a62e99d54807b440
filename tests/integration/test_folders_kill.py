# SPDX-License-Identifier: ISC
"""A move that is killed, or cut off from its server, between any two steps: the
message is in one mailbox and its directory in one folder, nothing is delivered
twice, and the handle serves."""
import json
import os
import re
import socket
import subprocess
import threading
import unittest

from bed import filecalls
from bed.helper import USER
from bed.process import wait_until
from bed.scripted import shut
from integration.test_folders import WITHOUT_BOTH, FoldersTest, message

LONG = bool(os.environ.get("MAILTOKEN_LONG"))


class FollowedTest(FoldersTest):
    MAILBOXES = "INBOX,Saved=saved"
    SETTINGS = {}

    def begin(self, **dovecot):
        super().begin(**dovecot)
        self.mail.doveadm("mailbox", "create", "-u", USER, "Saved")
        self.number = 0

    def next(self):
        """One more message; its handle."""
        self.number += 1
        self.mail.deliver(USER, message(self.number))
        return self.connector.poll().json["delivered"][0]

    def where(self, number):
        """The (folder, handle)s that have the message."""
        return [(folder, handle) for folder in ("inbox", "saved", "other")
                for handle in self.handles(folder)
                if self.read(folder, handle)["subject"] == f"number {number}"]

    def check_whole(self, number, handle, removed=True):
        """The message is once on the server, once in the workspace, at the
        same place, and can be moved on from there, be it by its old name."""
        names = {"inbox": "INBOX", "saved": "Saved", "other": "other"}
        self.assertLessEqual(len(self.where(number)), 1)
        answer = self.move(handle, "inbox", "other")
        self.check_moved(answer, "other", "other", number)
        for mailbox in names.values():
            count = list(self.subjects(mailbox).values()).count(
                f"number {number}")
            if mailbox == "other":
                self.assertEqual(count, 1)
            elif removed:
                self.assertEqual(count, 0, mailbox)
        self.assertEqual(self.connector.poll().json["delivered"], [])
        self.assertEqual(len(self.where(number)), 1)


class Killed(FollowedTest):
    def run_watched(self, *args, **env):
        program = self.bed.program("mailtoken-connector")
        preload = filecalls.environment(os.environ["MAILTOKEN_BUILD"], program)
        return subprocess.run(
            [program, *args], env={k: str(v) for k, v in (
                self.connector.env | preload | env).items()},
            cwd=self.connector.dir, check=False, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=120)

    def steps(self):
        log = self.bed.dir / "calls"
        done = self.run_watched("move", self.next(), "inbox", "saved",
                                FILECALLS_LOG=str(log))
        self.assertEqual(done.returncode, 0, done.stderr)
        return filecalls.read_calls(log)[1]

    def check_all(self, removed=True):
        steps = self.steps()
        self.assertGreater(len(steps), 40)
        reached = 0
        for i, (thread, number) in enumerate(steps):
            if not LONG and i % 3:
                continue
            handle = self.next()
            done = self.run_watched("move", handle, "inbox", "saved",
                                    FILECALLS_KILL=f"{thread}:{number}")
            self.assertIn(done.returncode, (0, -9), done.stderr)
            reached += done.returncode == -9
            with self.subTest(step=(thread, number)):
                if i % 2:
                    self.assertEqual(
                        self.connector.poll().json["delivered"], [])
                    self.assertEqual(len(self.where(self.number)), 1)
                self.check_whole(self.number, handle, removed)
        self.assertGreater(reached, 0.9 * len(steps) / (1 if LONG else 3))

    def test_kill_at_any_step(self):
        self.check_all()


class KilledWithoutUidplus(Killed):
    def begin(self):
        super().begin(imap_capability=WITHOUT_BOTH)

    def test_kill_at_any_step(self):
        self.check_all(removed=False)


if __name__ == "__main__":
    unittest.main()
