# SPDX-License-Identifier: ISC
"""A mailtokend with one account, driven by `mailtoken` as a person would."""
from .tokensock import Mailtokend, account

USER, PASSWORD = "alice@example.test", "alice-pw"


class Helper(Mailtokend):
    """mailtokend for the account `name` at an Oidc of flavor "ms"."""

    def __init__(self, bed, oidc, name="work", user=USER):
        self.oidc, self.name, self.user = oidc, name, user
        super().__init__(bed, account(
            oidc, name, user, provider="microsoft", scope=None,
            smtp_host="localhost"))

    def log_in(self, *options, password=PASSWORD):
        """`mailtoken login`, with a script in place of the person; returns
        the address that it printed."""
        command = self.bed.spawn(
            [self.bed.program("mailtoken"), "--socket", self.socket, "login",
             "--no-browser", *options, self.name],
            env={"PATH": "/usr/bin:/bin", "HOME": self.dir})
        url = command.wait_output(r"^\s*(http\S+)", stream="stdout")[1]
        self.oidc.login(url, self.user, password)
        if command.wait() != 0:
            raise AssertionError(command.tail())
        return url
