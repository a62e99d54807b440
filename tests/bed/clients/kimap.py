# SPDX-License-Identifier: ISC
"""KMail's IMAP library, KIMAP: tests/tools/kimaplogin.cpp."""
from .base import Attempt, Client


class Kimap(Client):
    """It has no OAUTHBEARER.  It insists on a password, which KMail fills with
    a token of its own; the module does not use it."""
    name, service, mechanisms = "KMail's KIMAP", "imap", ("XOAUTH2",)

    def login(self, mechanism):
        mail = self.site.mail
        result = self.bed.run(
            [self.bed.build_dir() / "tests/kimaplogin", mail.host,
             mail.imaps_port, self.site.user],
            env=self.site.env(XDG_RUNTIME_DIR=self.bed.subdir("runtime")),
            input=self.site.password)
        return Attempt(result.rc == 0, result.out + result.err)
