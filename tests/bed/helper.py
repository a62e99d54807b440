# SPDX-License-Identifier: ISC
"""A running mailtokend with one account, and logins by `mailtoken`."""
import os

from .process import wait_until

USER, PASSWORD = "alice@example.test", "alice-pw"

_ACCOUNT = """\
[account {name}]
provider = microsoft
authorization_endpoint = {authorization}
token_endpoint = {token}
client_id = native
user = {user}
imap_host = localhost
smtp_host = localhost
{more}
"""


class Helper:
    """mailtokend for the account `name` at an Oidc of flavor "ms".

    socket, state   where it listens and keeps its store
    """

    def __init__(self, bed, oidc, name="work", user=USER, more="permit = get"):
        self.bed, self.oidc, self.name, self.user = bed, oidc, name, user
        self.dir = bed.subdir("mailtokend")
        self.socket, self.state = self.dir / "socket", self.dir / "state"
        self.conf = self.dir / "mailtoken.conf"
        self.conf.write_text(_ACCOUNT.format(
            name=name, user=user, more=more, token=oidc.url("token"),
            authorization=oidc.url("authorization")))
        os.chmod(self.conf, 0o600)
        self.start()

    def start(self):
        self.process = self.bed.spawn(
            [self.bed.program("mailtokend"), "--config", self.conf,
             "--state-dir", self.state, "--socket", self.socket])
        wait_until(self._listens, what=f"mailtokend\n{self.dir}")

    def stop(self):
        self.process.stop()

    def command(self, *args, timeout=30):
        """Run `mailtoken` against it."""
        return self.bed.run([self.bed.program("mailtoken"), "--socket",
                             self.socket, *args], timeout=timeout)

    def login(self, *options, password=PASSWORD):
        """`mailtoken login`, with a script in place of the person."""
        command = self.bed.spawn(
            [self.bed.program("mailtoken"), "--socket", self.socket, "login",
             "--no-browser", *options, self.name],
            env={"PATH": "/usr/bin:/bin", "HOME": self.dir})
        url = command.wait_output(r"^\s*(http\S+)", stream="stdout")[1]
        self.oidc.login(url, self.user, password)
        if command.wait() != 0:
            raise AssertionError(command.tail())
        return url

    def _listens(self):
        if self.process.rc is not None:
            raise AssertionError(self.process.tail())
        return self.socket.exists()
