# SPDX-License-Identifier: ISC
"""A program on stock libetpan, such as claws-mail: tests/tools/etpanlogin.c."""
from .base import Attempt, Client


class _Etpan(Client):
    def login(self, mechanism):
        mail = self.site.mail
        port = {"imap": mail.imap_port, "smtp": mail.submission_port}
        result = self.bed.run(
            [self.bed.build_dir() / "tests/etpanlogin", self.service,
             mail.host, port[self.service], mechanism, self.site.user],
            env=self.site.env(), input=self.site.password)
        return Attempt(result.rc == 0, result.out + result.err)


class EtpanImap(_Etpan):
    name, service = "libetpan, IMAP", "imap"


class EtpanSmtp(_Etpan):
    name, service = "libetpan, SMTP", "smtp"
