# SPDX-License-Identifier: ISC
"""nmh's send, which leaves the login to its program "post".

Its XOAUTH2 is its own code.
"""
from .base import Attempt, Client, command_line, render

PROFILE = """\
Path: Mail
?credentials: file:@NETRC@
"""
COMMAND = """\
send -mts smtp -server @SMTPHOST@ -port @SMTP@ -tls \\
-sasl -saslmech @MECHANISM@ -user @USER@ ./draft
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
        argv, home = self._command(mechanism)
        result = self.bed.run(argv, env=self.site.env(HOME=home), cwd=home)
        return Attempt(result.rc == 0, result.out + result.err)

    def traced(self, mechanism, *options):
        """(Attempt, whether it asked the token helper): strace(1) has it."""
        argv, home = self._command(mechanism)
        trace = home / "trace"
        result = self.bed.run(["/usr/bin/strace", "-f", "-e", "trace=connect",
                               "-o", trace, *argv, *options],
                              env=self.site.env(HOME=home), cwd=home)
        return (Attempt(result.rc == 0, result.out + result.err),
                str(self.site.socket) in trace.read_text())

    def _command(self, mechanism):
        """(argument list, home directory)"""
        home = self.bed.subdir("nmh")
        values = self.values(mechanism, NETRC=home / "netrc")
        (home / "Mail").mkdir()
        (home / "netrc").write_text(
            f"machine {values['SMTPHOST']} login {self.site.user} "
            f"password {self.site.password or 'unused'}\n")
        (home / "netrc").chmod(0o600)
        (home / ".mh_profile").write_text(render(PROFILE, values))
        (home / "draft").write_text(render(DRAFT, values))
        program, *args = command_line(COMMAND, values)
        return [f"/usr/bin/mh/{program}", *args], home
