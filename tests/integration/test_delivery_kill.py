# SPDX-License-Identifier: ISC
"""A delivery that is killed between any two steps loses nothing, and delivers
nothing twice.

strace counts the system calls of a real delivery that change something, and
then kills one delivery after another with SIGKILL just before each of them.
"""
import concurrent.futures
import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from bed import BedTestCase
from bed.connector import Connector
from bed.helper import USER

CHANGES = ("openat", "mkdir", "mkdirat", "write", "pwrite64", "ftruncate",
           "fchown", "fchmod", "fsync", "fdatasync", "rename", "renameat",
           "renameat2", "unlink", "unlinkat", "sendmsg", "exit_group")
LONG = bool(os.environ.get("MAILTOKEN_LONG"))
MESSAGES = (
    b"From: a@example.test\nSubject: plain\n\nbody\n",
    b"From: b@example.test\nSubject: attachments\nMIME-Version: 1.0\n"
    b"Content-Type: multipart/mixed; boundary=b\n\n"
    b"--b\n\nsee below\n"
    b"--b\nContent-Type: application/pdf\n"
    b"Content-Disposition: attachment; filename=one.pdf\n\none\n"
    b"--b--\n",
    b"Content-Type: multipart/mixed; boundary=never\n\ndefective\n",
)


class Delivery:
    """A connector without a network: a mailbox that always has the same
    `count` messages, the real state, MIME worker and workspace."""

    def __init__(self, count):
        self.count = count
        self.dir = Path(tempfile.mkdtemp(prefix="kill-"))
        self.workspace, self.state = self.dir / "ws", self.dir / "state"
        self.workspace.mkdir()

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if kind is None:
            shutil.rmtree(self.dir)

    @property
    def inbox(self):
        return self.workspace / "agents/email/inbox"

    def command(self):
        """The arguments and the environment of one poll."""
        program = Path(os.environ["MAILTOKEN_BUILD"], "tests/deliver_program")
        return ([program, self.workspace, self.state, str(self.count)],
                {"PATH": os.environ["PATH"]})

    @staticmethod
    def delivered(output):
        """The handles that a poll says it delivered."""
        return output.split()

    def run(self, *tracer):
        """Recover and poll once."""
        argv, env = self.command()
        return subprocess.run(
            [*tracer, *argv], cwd=self.dir, env=env, check=False,
            stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=60)

    def kill_at(self, call, number):
        """Run until just before the given call; True if it came so far."""
        done = self.run("strace", "-qq", "-o", self.dir / "log",
                        "-e", f"trace={call}", "-e",
                        f"inject={call}:signal=KILL:when={number}")
        if done.returncode not in (0, -9):
            raise AssertionError(done.stderr)
        return done.returncode == -9

    def trace(self):
        """Run to the end; the lines of strace."""
        log = self.dir / "log"
        done = self.run("strace", "-qq", "-y", "-s", "0", "-o", log,
                        "-e", "trace=" + ",".join(CHANGES))
        if done.returncode:
            raise AssertionError(done.stderr)
        return log.read_text().splitlines()

    def check_visible(self):
        """Whatever an agent can see is complete, and its risk is known."""
        if not self.inbox.exists():
            return
        manifest = self.workspace / ".tri-onyx/risk-manifest.json"
        risks = json.loads(manifest.read_text()) if manifest.exists() else {}
        for directory in self.inbox.iterdir():
            message = json.loads((directory / "message.json").read_text())
            assert message["uid"] == directory.name, directory
            files = {a["filename"]: a["size"] for a in message["attachments"]}
            files["message.json"] = None
            if message["defects"]:
                files["raw.eml"] = None
            found = {f.name: f.stat().st_size for f in directory.iterdir()}
            assert found.keys() == files.keys(), (directory, found)
            for name, size in files.items():
                path = (directory / name).relative_to(self.workspace)
                risk = risks[str(path)]
                assert (risk["taint_level"], risk["agent"]) == (
                    "high", "email"), risk
                assert size is None or found[name] == size, directory / name

    def finish(self):
        """Run without disturbance: then everything is there, once."""
        done = self.run()
        if done.returncode:
            raise AssertionError(done.stderr)
        self.check_visible()
        wanted = [str(uid) for uid in range(1, self.count + 1)]
        found = sorted(d.name for d in self.inbox.iterdir())
        assert found == sorted(wanted), (self.dir, found)
        reported = self.delivered(done.stdout)
        assert len(set(reported)) == len(reported), reported
        staged = self.workspace.glob(".tri-onyx/email-tmp/*/*")
        assert not list(staged), self.dir
        last_uid = self.workspace / "agents/email/state/last_uid"
        assert last_uid.read_text() == str(self.count), self.dir
        again = self.run()
        assert again.returncode == 0, again
        assert self.delivered(again.stdout) == [], again


class RealDelivery(Delivery):
    """`mailtoken-connector poll --once` on a Dovecot with `count` messages."""

    def __init__(self, count, bed, mail):
        super().__init__(count)
        connector = Connector(bed, mail, WORKSPACE_DIR=self.workspace,
                              EMAIL_STATE_DIR=self.state)
        self.env = {k: str(v) for k, v in connector.env.items()}
        self.program = bed.program("mailtoken-connector")

    def command(self):
        return [self.program, "poll", "--once"], self.env

    @staticmethod
    def delivered(output):
        return json.loads(output)["delivered"]


def steps(delivery):
    """Each (call, n) before which an undisturbed delivery can be killed."""
    with delivery:
        lines = delivery.trace()
    seen, found = dict.fromkeys(CHANGES, 0), []
    for line in lines:
        call = line.partition("(")[0]
        if call not in seen:
            continue            # a signal
        seen[call] += 1
        if call != "openat" or "O_CREAT" in line:
            found.append((call, seen[call]))
    return found


def killed(delivery, *steps_to_kill_at):
    """How many of the steps were reached."""
    with delivery:
        reached = sum(delivery.kill_at(*step) for step in steps_to_kill_at)
        delivery.check_visible()
        delivery.finish()
    return reached


def for_all(make, cases):
    """killed() for each tuple of steps, with a new delivery from `make`."""
    reached = 0
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        jobs = {pool.submit(killed, make(), *case): case for case in cases}
        for job in concurrent.futures.as_completed(jobs):
            try:
                reached += job.result()
            except AssertionError as error:
                raise AssertionError(f"killed at {jobs[job]}: {error}") \
                    from error
    return reached


class KilledDelivery(unittest.TestCase):
    def test_kill_at_any_step_loses_nothing_and_repeats_nothing(self):
        def make():
            return Delivery(5 if LONG else 2)

        table = steps(make())
        self.assertGreater(len(table), 80)
        killed_at = for_all(make, [(step,) for step in table])
        self.assertEqual(killed_at, len(table))

    def test_kill_during_the_recovery_too(self):
        """Each first kill with a share of the second ones; each second one
        comes with some first one."""
        table = steps(Delivery(2))
        stride = 7 if LONG else 199
        for_all(lambda: Delivery(2), [
            (first, second)
            for i, first in enumerate(table)
            for j, second in enumerate(table) if (i + j) % stride == 0])


class KilledConnector(BedTestCase):
    def test_kill_of_the_connector_loses_nothing_and_repeats_nothing(self):
        mail = self.bed.dovecot()
        for message in MESSAGES:
            mail.deliver(USER, message)
        flags = mail.flags()

        def make():
            return RealDelivery(len(MESSAGES), self.bed, mail)

        table = steps(make())
        self.assertGreater(len(table), 80)
        table = table[::1 if LONG else 3]
        killed_at = for_all(make, [(step,) for step in table])
        self.assertGreater(killed_at, 0.9 * len(table))
        self.assertEqual(mail.flags(), flags)   # nothing is marked as read


class SyncedDelivery(unittest.TestCase):
    """What a kill cannot show, but a power failure would: each record is
    made after what it speaks of is on disk."""

    @classmethod
    def setUpClass(cls):
        with Delivery(2) as delivery:
            cls.lines = delivery.trace()

    def indices(self, pattern):
        found = [i for i, line in enumerate(self.lines)
                 if re.search(pattern, line)]
        self.assertTrue(found, pattern)
        return found

    def test_files_are_synced_before_they_are_recorded_as_staged(self):
        stage = r"email-tmp/[0-9a-f]{16}/[0-9a-f]{16}"
        renames = self.indices(r"^renameat2\(.*/inbox")
        recorded = [i for i in self.indices(r"^f\w*sync\(.*state\.db-wal>")
                    if i < renames[0]][-1]
        self.assertFalse([i for i in self.indices(r"^pwrite64\(.*-wal>")
                          if recorded < i < renames[0]])
        files = r"message\.json|attachment-[^>]*"
        for name in {re.search(f"{stage}/({files})", self.lines[i])[0]
                     for i in self.indices(rf"^fsync\(.*{stage}/({files})>")}:
            written = self.indices(rf"^write\(.*{re.escape(name)}>")[-1]
            synced = self.indices(rf"^fsync\(.*{re.escape(name)}>")[0]
            directory = self.indices(
                rf"^fsync\(.*{re.escape(name.rpartition('/')[0])}>")[-1]
            self.assertTrue(written < synced < directory < recorded, name)
        made = self.indices(rf"^mkdirat\(.*email-tmp/[0-9a-f]{{16}}>, ")[-1]
        listed = self.indices(r"^fsync\(.*email-tmp/[0-9a-f]{16}>")[-1]
        self.assertTrue(made < listed < recorded)

    def test_risk_is_on_disk_before_the_message_is_seen(self):
        manifest = r"risk-manifest\.json"
        renamed = self.indices(r"^renameat2\(.*/inbox")[0]
        synced = self.indices(rf"^fsync\(.*{manifest}>")[0]
        placed = self.indices(rf'^renameat\(.*"{manifest}"')[0]
        listed = [i for i in self.indices(r"^fsync\(.*/\.tri-onyx>")
                  if i > placed][0]
        self.assertTrue(synced < placed < listed < renamed)

    def test_names_are_synced_before_messages_are_recorded_as_done(self):
        renamed = self.indices(r"^renameat2\(.*/inbox")[-1]
        synced = self.indices(r"^fsync\(.*/agents/email/inbox>")[0]
        done = [i for i in self.indices(r"^pwrite64\(.*-wal>") if i > renamed]
        self.assertTrue(renamed < synced < done[0])

    def test_last_uid_follows_the_cursor(self):
        renamed = self.indices(r"^renameat2\(.*/inbox")[-1]
        recorded = [i for i in self.indices(r"^f\w*sync\(.*state\.db-wal>")
                    if i > renamed][0]
        told = self.indices(r'^renameat\(.*"last_uid"')[0]
        self.assertTrue(renamed < recorded < told)


if __name__ == "__main__":
    unittest.main()
