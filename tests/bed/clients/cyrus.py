# SPDX-License-Identifier: ISC
"""The clients of Cyrus IMAP: imtest, smtptest and Cyrus::IMAP::Admin.

imtest and smtptest stay open for commands, so that the login's end is read
from what they print; their exit status says nothing.
"""
from .base import Attempt, Client, command_line, render

_DIR = "/usr/lib/cyrus/bin"


class _TestProgram(Client):
    end = "Authenticat(ed|ion failed)|^failure"

    def login(self, mechanism):
        argv = command_line(self.files["in a shell"], self.values(mechanism))
        process = self.bed.spawn([f"{_DIR}/{argv[0]}", *argv[1:]],
                                 env=self.site.env(), stdin=True)
        try:
            process.wait_output(self.end, "stdout")
        except AssertionError:
            if process.rc is None:
                raise
        process.stop()
        out = process.stdout_text()
        return Attempt("\nAuthenticated." in out, out + process.stderr_text())


class Imtest(_TestProgram):
    name, service = "imtest", "imap"
    files = {"in a shell": """\
imtest -t '' -m @MECHANISM@ -a @USER@ -u @USER@ \\
?-w '@SECRET@' \\
?-p @IMAP@ \\
@IMAPHOST@
"""}


class Smtptest(_TestProgram):
    name, service = "smtptest", "smtp"
    files = {"in a shell": """\
smtptest -t '' -m @MECHANISM@ -a @USER@ -u @USER@ \\
?-w '@SECRET@' \\
-p @SMTP@ @SMTPHOST@
"""}


CYRUS_ADMIN = """\
use Cyrus::IMAP::Admin;
my $imap = Cyrus::IMAP::Admin->new('@IMAPHOST@'@PORT@) or die 'cannot connect';
$imap->authenticate(-mechanism => '@MECHANISM@', -user => '@USER@',
?   -password => '@SECRET@',
    -tlskey => '') or die "the login failed\\n";
print join("\\n", map { $_->[0] } $imap->list('*')), "\\n";
"""


class CyrusAdmin(Client):
    name, service = "Cyrus::IMAP::Admin", "imap"
    files = {"in Perl": CYRUS_ADMIN}
    module_settings = "first_step_ok = perl"

    def login(self, mechanism):
        script = self.bed.subdir("perl") / "admin.pl"
        script.write_text(render(
            CYRUS_ADMIN, self.values(mechanism,
                                     PORT=f", {self.site.mail.imap_port}")))
        result = self.bed.run(["/usr/bin/perl", "-w", script],
                              env=self.site.env(), timeout=10)
        return Attempt(result.rc == 0 and "INBOX" in result.out,
                       result.out + result.err)
