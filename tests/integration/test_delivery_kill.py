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

CHANGES = ("openat", "mkdir", "mkdirat", "write", "pwrite64", "ftruncate",
           "fchown", "fchmod", "fsync", "fdatasync", "rename", "renameat",
           "renameat2", "unlink", "unlinkat", "sendmsg", "exit_group")
LONG = bool(os.environ.get("MAILTOKEN_LONG"))


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

    def run(self, *tracer):
        """Recover and poll once; what was reported, and how it ended."""
        done = subprocess.run(
            [*tracer, _program(), self.workspace, self.state,
             str(self.count)], cwd=self.dir, env={"PATH": os.environ["PATH"]},
            stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=60, check=False)
        return done

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
        """Whatever an agent can see is complete."""
        if not self.inbox.exists():
            return
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
        assert len(set(done.stdout.split())) == len(done.stdout.split())
        staged = self.workspace.glob(".tri-onyx/email-tmp/*/*")
        assert not list(staged), self.dir
        last_uid = self.workspace / "agents/email/state/last_uid"
        assert last_uid.read_text() == str(self.count), self.dir
        again = self.run()
        assert (again.returncode, again.stdout) == (0, ""), again


def _program():
    return Path(os.environ["MAILTOKEN_BUILD"], "tests/deliver_program")


def steps(count):
    """Each (call, n) before which an undisturbed delivery can be killed."""
    with Delivery(count) as delivery:
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


def killed_once(count, step):
    with Delivery(count) as delivery:
        assert delivery.kill_at(*step), f"{step} was not reached"
        delivery.check_visible()
        delivery.finish()


def killed_twice(count, first, second):
    with Delivery(count) as delivery:
        delivery.kill_at(*first)
        delivery.kill_at(*second)
        delivery.check_visible()
        delivery.finish()


def for_all(function, cases):
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        jobs = {pool.submit(function, *case): case for case in cases}
        for job in concurrent.futures.as_completed(jobs):
            try:
                job.result()
            except AssertionError as error:
                raise AssertionError(f"killed at {jobs[job]}: {error}") \
                    from error
    return len(jobs)


class KilledDelivery(unittest.TestCase):
    def test_kill_at_any_step_loses_nothing_and_repeats_nothing(self):
        count = 5 if LONG else 2
        table = steps(count)
        self.assertGreater(len(table), 80)
        for_all(killed_once, [(count, step) for step in table])

    def test_kill_during_the_recovery_too(self):
        """Each first kill with a share of the second ones; each second one
        comes with some first one."""
        table = steps(2)
        stride = 7 if LONG else 101
        cases = [(2, first, second)
                 for i, first in enumerate(table)
                 for j, second in enumerate(table)
                 if (i + j) % stride == 0]
        for_all(killed_twice, cases)


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
