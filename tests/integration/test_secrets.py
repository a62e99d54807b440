# SPDX-License-Identifier: ISC
"""Secrets stay where they belong (docs/architecture.md)."""
import os
from pathlib import Path

from bed import BedTestCase, wait_until
from bed.connector import Connector
from bed.helper import PASSWORD, USER
from bed.tokensock import TokenSocket

MESSAGE = b"From: x@example.test\nSubject: hello\n\nbody\n"


def descendants(pid):
    """pid -> name of all processes beneath `pid`."""
    found = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            children = (task / "children").read_text().split()
        except FileNotFoundError:
            continue  # that thread has ended
        for child in children:
            name = Path(f"/proc/{child}/comm").read_text().strip()
            found |= {int(child): name} | descendants(child)
    return found


def memory_of_start(pid):
    """What ps(1) would show of a process."""
    return b"".join(Path(f"/proc/{pid}/{name}").read_bytes()
                    for name in ("cmdline", "environ"))


class SecretsTest(BedTestCase):
    def setUp(self):
        self.oidc = self.bed.oidc(flavor="ms", rotate="1")
        self.mail = self.bed.dovecot(oidc=self.oidc, sink=self.bed.sink())
        self.addCleanup(self.mail.stop)
        self.addCleanup(self.oidc.stop)

    def start(self, *args, **kwargs):
        """A connector that has delivered a message, and its children."""
        connector = Connector(self.bed, self.mail, *args, **kwargs)
        self.mail.deliver(USER, MESSAGE)
        run = connector.start()
        connector.wait_handles(1, run)
        self.addCleanup(run.stop)
        return connector, run

    def assert_nowhere(self, secrets, connector, run):
        """In no process's start memory, no output, no file that others
        read."""
        pids = [run.pid, *descendants(run.pid)]
        texts = {f"process {pid}": memory_of_start(pid) for pid in pids}
        texts["output"] = (run.stdout_text() + run.stderr_text()).encode()
        for file in connector.workspace.rglob("*"):
            if file.is_file():
                texts[str(file)] = file.read_bytes()
        for place, text in texts.items():
            for secret in secrets:
                self.assertNotIn(secret.encode(), text, place)

    def test_seed_and_tokens_are_in_the_private_store_only(self):
        seed = self.oidc.mint(USER)["refresh_token"]
        connector, run = self.start(seed, self.oidc,
                                    OAUTH2_CLIENT_SECRET="")
        self.assertIn("mailtokend", descendants(run.pid).values())
        used = [entry["form"].get("refresh_token")
                for entry in self.oidc.log()]
        with TokenSocket(connector.state / "helper/socket") as helper:
            token = helper.call("get", service="imap",
                                host="localhost").expect()["token"]
        self.assert_nowhere(set(filter(None, used)) | {seed, token},
                            connector, run)

    def test_password_leaves_the_environment(self):
        connector, run = self.start()
        self.assert_nowhere({PASSWORD}, connector, run)

    def test_client_secret_reaches_the_token_endpoint_only(self):
        seed = self.oidc.mint(USER, client_id="desktop-secret")
        connector, run = self.start(
            seed["refresh_token"], self.oidc,
            OAUTH2_CLIENT_ID="desktop-secret",
            OAUTH2_CLIENT_SECRET="desktop-secret-value")
        self.assertEqual(self.oidc.log()[-1]["form"]["client_secret"],
                         "desktop-secret-value")
        self.assert_nowhere({"desktop-secret-value"}, connector, run)

    def test_secret_from_a_file_is_as_good(self):
        connector = Connector(self.bed, self.mail, IMAP_PASSWORD="")
        file = connector.dir / "password"
        file.write_text(PASSWORD + "\n")
        connector.env["TRI_ONYX_IMAP_PASSWORD_FILE"] = file
        self.assertTrue(connector.poll().json["success"])

    def test_processes_leave_no_core(self):
        seed = self.oidc.mint(USER)["refresh_token"]
        _, run = self.start(seed, self.oidc)
        for pid in (run.pid, *descendants(run.pid)):
            limits = Path(f"/proc/{pid}/limits").read_text()
            self.assertRegex(limits, r"Max core file size\s+0\s")

    def test_store_is_for_its_owner_alone(self):
        seed = self.oidc.mint(USER)["refresh_token"]
        connector, _ = self.start(seed, self.oidc)
        files = [*connector.state.rglob("*")]
        self.assertGreater(len(files), 3)
        for file in [connector.state, *files]:
            self.assertEqual(file.stat().st_mode & 0o077, 0, file)

    def test_private_helper_ends_with_its_connector(self):
        seed = self.oidc.mint(USER)["refresh_token"]
        _, run = self.start(seed, self.oidc)
        helper = next(pid for pid, name in descendants(run.pid).items()
                      if name == "mailtokend")
        run.kill()
        wait_until(lambda: not os.path.exists(f"/proc/{helper}/cwd") or
                   "Z" in Path(f"/proc/{helper}/stat").read_text(),
                   what="the end of the private helper")
