# SPDX-License-Identifier: ISC
"""A program that crashes leaves no core, and one would hold no secret."""
import contextlib
import os
import resource
import signal
import unittest
from pathlib import Path

from bed import BedTestCase, wait_until
from bed.connector import Connector
from bed.helper import PASSWORD, USER
from bed.process import alive
from bed.sealed import read_record, store_key
from bed.tokensock import Mailtokend, account
from integration.test_secrets import descendants

UNLIMITED = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)


def dumped_memory(pid):
    """All that would be in a core: what is written, and not marked as to be
    left out (proc(5), VmFlags)."""
    found, place = b"", None
    with open(f"/proc/{pid}/smaps") as maps, \
            open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            word, *rest = line.split()
            if "-" in word and rest[0].startswith("rw"):
                place = [int(text, 16) for text in word.split("-")]
            elif word == "VmFlags:" and place:
                if "dd" not in rest:
                    memory.seek(place[0])
                    found += memory.read(place[1] - place[0])
                place = None
    return found


class CoreTest(BedTestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.oidc = cls.bed.oidc(flavor="ms", rotate="1")
        cls.mail = cls.bed.dovecot(oidc=cls.oidc, sink=cls.bed.sink())

    def connector(self, *auth):
        """One that has delivered a message: (Connector, Process)."""
        connector = Connector(self.bed, self.mail, *auth)
        self.mail.deliver(USER, b"From: x@example.test\n\nbody\n")
        run = connector.start()
        self.addCleanup(run.stop)
        connector.wait_handles(1, run)
        return connector, run

    def crash(self, pid, end):
        """Have it abort, with leave to write a core if we may give that, and
        wait for `end`; whether there is one in the directory it was in."""
        directory = Path(os.readlink(f"/proc/{pid}/cwd"))
        before = set(directory.glob("core*"))
        with contextlib.suppress(PermissionError):
            resource.prlimit(pid, resource.RLIMIT_CORE, UNLIMITED)
        os.kill(pid, signal.SIGABRT)
        end()
        cores = set(directory.glob("core*")) - before
        for core in cores:
            core.unlink()
        return bool(cores)

    def test_crash_leaves_no_core(self):
        control = self.bed.spawn(["sleep", "1000"],
                                 {"PATH": os.environ["PATH"]},
                                 cwd=self.bed.subdir("core"))
        if not self.crash(control.pid, control.wait):
            pattern = Path("/proc/sys/kernel/core_pattern").read_text()
            self.skipTest("the kernel writes cores elsewhere: " + pattern)
        seed = self.oidc.mint(USER)["refresh_token"]
        _, run = self.connector(seed, self.oidc)
        programs = descendants(run.pid) | {run.pid: "mailtoken-connector"}
        self.assertGreaterEqual(len(programs), 2)
        for pid, name in sorted(programs.items(), reverse=True):
            self.assertFalse(self.crash(pid, lambda pid=pid: wait_until(
                lambda: not alive(pid), what="its end")), name)

    def test_core_of_the_helper_would_hold_no_secret(self):
        if self.bed.is_sanitized("mailtokend"):
            return  # its heap keeps what was released
        secret = self.bed.subdir("secret") / "secret"
        secret.write_text("desktop-secret-value")
        secret.chmod(0o600)
        helper = Mailtokend(self.bed, account(
            self.oidc, client_id="desktop-secret", client_secret_file=secret,
            scope="mail offline_access"))
        self.addCleanup(helper.stop)
        self.oidc.clear_log()
        helper.login(self.oidc, "alice").expect()
        helper.call("refresh", account="alice").expect()
        token = helper.call("get", account="alice").expect()["token"]
        own = (helper.state / "key").read_bytes()
        forms = [entry["form"] for entry in self.oidc.log()]
        secrets = {form[name].encode() for form in forms for name in
                   ("code", "code_verifier", "refresh_token") if name in form}
        secrets |= {token.encode(), b"desktop-secret-value", own,
                    store_key(helper.state, own), read_record(
                        helper.state, "alice")["refresh_token"].encode()}
        self.assertEqual(len(secrets), 8)
        core = dumped_memory(helper.process.pid)
        self.assertIn(b"alice@example.test", core)     # it is looked at
        for secret in secrets:
            self.assertNotIn(secret, core)

    def test_core_of_the_connector_would_hold_no_secret(self):
        if self.bed.is_sanitized("mailtokend"):
            return  # its heap keeps what was released
        seed = self.oidc.mint(USER)["refresh_token"]
        for auth, secrets in (((), {PASSWORD}), ((seed, self.oidc), {seed})):
            self.oidc.clear_log()
            connector, run = self.connector(*auth)
            secrets |= {entry["form"]["refresh_token"] for entry in
                        self.oidc.log() if "refresh_token" in entry["form"]}
            for pid in (run.pid, *descendants(run.pid)):
                core = dumped_memory(pid)
                for secret in secrets:
                    self.assertNotIn(secret.encode(), core, pid)
            self.assertIn(str(connector.workspace).encode(),
                          dumped_memory(run.pid))
            run.stop()


if __name__ == "__main__":
    unittest.main()
