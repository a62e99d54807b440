# SPDX-License-Identifier: ISC
"""Deliveries that are disturbed, and what must be there in the end."""
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from bed import filecalls


class Delivery:
    """A connector without a network: a mailbox that always has the same
    `count` messages, the real state, MIME worker and workspace."""

    def __init__(self, count, directory=None):
        """In a new directory, or one that is there with a workspace, or will
        be."""
        self.count = count
        if directory:
            self.dir = directory
        else:
            self.dir = Path(tempfile.mkdtemp(prefix="delivery-"))
            (self.dir / "ws").mkdir()
        self.workspace, self.state = self.dir / "ws", self.dir / "state"

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

    def run(self, **env):
        """Recover and poll once; `env` is for filecalls.so."""
        argv, own = self.command()
        if env:
            env |= filecalls.environment(os.environ["MAILTOKEN_BUILD"],
                                         argv[0])
        return subprocess.run(
            argv, cwd=self.dir, env=own | env, check=False,
            stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=120)

    def kill_at(self, thread, number):
        """Run until just before that call of that thread that changes a file;
        True if it came so far."""
        done = self.run(FILECALLS_KILL=f"{thread}:{number}")
        if done.returncode not in (0, -9):
            raise AssertionError(done.stderr)
        return done.returncode == -9

    def record(self):
        """Run to the end: filecalls.read_calls() of it."""
        log = self.dir.with_suffix(".log")
        done = self.run(FILECALLS_LOG=str(log))
        if done.returncode:
            raise AssertionError(done.stderr)
        found = filecalls.read_calls(log)
        log.unlink()
        return found

    def handles(self):
        """The names of what an agent can see."""
        if not self.inbox.exists():
            return []
        return sorted(path.name for path in self.inbox.iterdir())

    def last_uid(self):
        """What the gateway is told."""
        path = self.workspace / "agents/email/state/last_uid"
        return int(path.read_text()) if path.exists() else 0

    def check_visible(self):
        """Whatever an agent can see is complete, and its risk is known."""
        manifest = self.workspace / ".tri-onyx/risk-manifest.json"
        risks = json.loads(manifest.read_text()) if manifest.exists() else {}
        for directory in map(self.inbox.joinpath, self.handles()):
            message = json.loads((directory / "message.json").read_text())
            assert message["uid"] == directory.name, directory
            files = {a["filename"]: a["size"] for a in message["attachments"]}
            files["message.json"] = None
            if message["defects"]:
                files["raw.eml"] = None
            found = {f.name: f.stat().st_size for f in directory.iterdir()}
            assert found.keys() == files.keys(), (directory, found)
            for name, size in files.items():
                path = directory / name
                risk = risks[str(path.relative_to(self.workspace))]
                assert (risk["taint_level"], risk["agent"]) == (
                    "high", "email"), risk
                assert size is None or found[name] == size, path

    def finish(self):
        """Run without disturbance: then everything is there, once."""
        done = self.run()
        if done.returncode:
            raise AssertionError(done.stderr)
        self.check_visible()
        wanted = [str(uid) for uid in range(1, self.count + 1)]
        assert self.handles() == sorted(wanted), (self.dir, self.handles())
        reported = self.delivered(done.stdout)
        assert len(set(reported)) == len(reported), reported
        staged = self.workspace.glob(".tri-onyx/email-tmp/*/*")
        assert not list(staged), self.dir
        assert self.last_uid() == self.count, self.dir
        again = self.run()
        assert again.returncode == 0, again
        assert self.delivered(again.stdout) == [], again
