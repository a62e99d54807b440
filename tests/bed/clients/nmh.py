# SPDX-License-Identifier: ISC
"""nmh's send, which leaves the login to its program "post".

Of its XOAUTH2, see login(): libsasl2 has no part in that.
"""
from .base import Attempt, Client, command_line, render

PROFILE = """\
Path: Mail
?credentials: file:@NETRC@
"""
COMMAND = """\
send -mts smtp -server @SMTPHOST@ -port @SMTP@ -tls -sasl -saslmech @MECHANISM@ \\
-user @USER@ draft
"""
DRAFT = """\
From: @SENDER@
To: @TO@
Subject: nmh

hi
"""


class Nmh(Client):
    name, service = "nmh send", "smtp"
    files = {"in a shell": COMMAND}
    module_settings = "first_step_ok = post"

    def login(self, mechanism):
        home = self.bed.subdir("nmh")
        values = self.values(mechanism, NETRC=home / "netrc")
        (home / "Mail").mkdir()
        (home / "netrc").write_text(
            f"machine {values['SMTPHOST']} login {self.site.user} "
            f"password {self.site.password or 'unused'}\n")
        (home / "netrc").chmod(0o600)
        (home / ".mh_profile").write_text(render(PROFILE, values))
        (home / "draft").write_text(render(DRAFT, values))
        argv = command_line(COMMAND, values)
        result = self.bed.run(
            [f"/usr/bin/mh/{argv[0]}", *argv[1:-1], home / argv[-1]],
            env=self.site.env(HOME=home), cwd=home)
        return Attempt(result.rc == 0, result.out + result.err)
