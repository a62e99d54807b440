# SPDX-License-Identifier: ISC
"""A move that is killed, or cut off from its server, between any two steps: the
message is in one mailbox and its directory in one folder, nothing is delivered
twice, and the handle serves."""
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
        self.check_nothing_is_staged()


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
            if not LONG and i % 5:
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
        self.assertGreater(reached, 0.9 * len(steps) / (1 if LONG else 5))

    def test_kill_at_any_step(self):
        self.check_all()


class KilledWithoutUidplus(Killed):
    """COPY and STORE: two steps at the server."""

    def begin(self):
        super().begin(imap_capability=WITHOUT_BOTH)

    def test_kill_at_any_step(self):
        self.check_all(removed=False)


class Hold:
    """Stands between the connector and a server without TLS.  From the command
    that `pattern` matches on, nothing of its connection gets through to the
    server, or, with answers=True, back; until let_go(), or never again after
    cut()."""

    def __init__(self, port, target, pattern, answers=True):
        self.port = port
        self._target, self._pattern, self._answers = target, pattern, answers
        self.held, self._free = threading.Event(), threading.Event()
        self._lines, self._cut = [], False
        self._socket = socket.create_server(("127.0.0.1", port), backlog=128)
        threading.Thread(target=self._accept, daemon=True).start()

    def let_go(self):
        self._free.set()

    def cut(self):
        """End the connection that is held, and hold no other."""
        self._cut = True
        self._free.set()

    def stop(self):
        self.cut()
        for sock in (self._socket, *self._lines):
            shut(sock)

    def _accept(self):
        while True:
            try:
                client, _ = self._socket.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                return
            self._lines += [client, server]
            held = threading.Event()
            for args in ((client, server, held), (server, client, held)):
                threading.Thread(target=self._forward, daemon=True,
                                 args=(*args, args[0] is client)).start()

    def _forward(self, source, sink, held, is_client):
        try:
            while data := source.recv(65536):
                hit = is_client and not self.held.is_set() and \
                    self._pattern.search(data)
                if hit and not self._answers:
                    self.held.set()
                    self._wait(source, sink)
                if hit and self._answers:
                    held.set()
                    sink.sendall(data)
                    continue
                if not is_client and held.is_set() and \
                        not self.held.is_set():
                    self.held.set()     # it has been done
                    self._wait(source, sink)
                sink.sendall(data)
        except OSError:
            pass
        # a server that hears of it may leave undone what it was asked for
        if not self.held.is_set() or self._cut:
            shut(source)
            shut(sink)

    def _wait(self, source, sink):
        self._free.wait()
        if self._cut:
            shut(source)
            shut(sink)


class HeldUp(FollowedTest):
    """The server's answer to the move, or the command, is on its way."""

    def begin(self, **dovecot):
        super().begin(ssl="no", **dovecot)

    def setUp(self):
        super().setUp()
        self.connector.env |= {
            "TRI_ONYX_IMAP_SSL": "false",
            "TRI_ONYX_IMAP_PORT": str(self.mail.imap_port)}

    def moving(self, pattern, answers=True):
        """(number, handle, hold, running) of a move that is held up."""
        handle = self.next()
        hold = Hold(self.bed.port(), self.mail.imap_port, pattern, answers)
        self.addCleanup(hold.stop)
        env = self.connector.env | {"TRI_ONYX_IMAP_PORT": str(hold.port)}
        running = self.bed.spawn(
            [self.bed.program("mailtoken-connector"), "move", handle, "inbox",
             "saved"], env)
        wait_until(lambda: hold.held.is_set() or running.rc is not None,
                   what="the move")
        self.assertIsNone(running.rc, running.tail())
        return handle, hold, running

    def poll(self):
        return self.connector.poll().json["delivered"]

    def deliver_beside_it(self, number):
        self.mail.doveadm("save", "-u", USER, "-m", "Saved",
                          input=message(number).decode())

    def test_poll_of_the_target_meanwhile(self):
        for _ in range(2):
            handle, hold, running = self.moving(re.compile(rb"UID MOVE"))
            self.assertIn(f"number {self.number}",
                          self.subjects("Saved").values())
            self.deliver_beside_it(100 + self.number)
            self.assertEqual(len(self.poll()), 1)   # that, and only that
            self.assertEqual(self.poll(), [])
            hold.let_go()
            self.assertEqual(running.wait(), 0)
            self.assertEqual(self.poll(), [])
            self.check_whole(self.number, handle)

    def test_second_request_meanwhile(self):
        handle, hold, running = self.moving(re.compile(rb"UID MOVE"))
        answer = self.move(handle, "inbox", "other", rc=75)
        self.assertIn("is being moved already", answer["detail"])
        hold.let_go()
        self.assertEqual(running.wait(), 0)
        self.check_whole(self.number, handle)

    def test_answer_is_lost(self):
        """It is found out on another connection, in the same call."""
        handle, hold, running = self.moving(re.compile(rb"UID MOVE"))
        hold.cut()
        self.assertEqual(running.wait(), 0, running.tail())
        self.assertEqual(self.where(self.number)[0][0], "saved")
        self.assertEqual(self.poll(), [])
        self.check_whole(self.number, handle)

    def test_command_is_lost(self):
        handle, hold, running = self.moving(
            re.compile(rb"UID MOVE"), answers=False)
        hold.cut()
        self.assertEqual(running.wait(), 75)
        self.assertEqual(self.where(self.number), [("inbox", handle)])
        self.assertEqual(self.poll(), [])
        self.check_whole(self.number, handle)

    def test_kill_while_the_answer_is_under_way(self):
        handle, hold, running = self.moving(re.compile(rb"UID MOVE"))
        running.kill()
        self.deliver_beside_it(100)
        self.assertEqual(len(self.poll()), 1)
        self.assertEqual(self.where(self.number)[0][0], "saved")
        self.check_whole(self.number, handle)

    def test_server_completes_the_move_after_the_crash(self):
        """What was not there when it was looked for comes later, and is known
        as what was to be moved."""
        handle, hold, running = self.moving(
            re.compile(rb"UID MOVE"), answers=False)
        running.kill()
        self.assertEqual(self.poll(), [])
        self.assertEqual(self.where(self.number), [("inbox", handle)])
        hold.let_go()
        wait_until(lambda: f"number {self.number}" in
                   self.subjects("Saved").values(), what="the move")
        self.assertEqual(self.poll(), [])
        self.assertEqual(self.where(self.number)[0][0], "saved")
        self.check_whole(self.number, handle)


class HeldUpWithoutUidplus(HeldUp):
    """COPY is held up."""

    def begin(self):
        super().begin(imap_capability=WITHOUT_BOTH)

    def moving(self, pattern, answers=True):
        return super().moving(re.compile(rb"UID COPY"), answers)

    def check_whole(self, number, handle):
        super().check_whole(number, handle, removed=False)


if __name__ == "__main__":
    unittest.main()
