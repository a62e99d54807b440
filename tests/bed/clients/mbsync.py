# SPDX-License-Identifier: ISC
"""mbsync, of the package isync."""
from .base import Attempt, Client, render

MBSYNCRC = """\
IMAPStore far
Host @IMAPHOST@
?Port @IMAPS@
User @USER@
?PassCmd "echo @SECRET@"
SSLType IMAPS
?CertificateFile @CA@
AuthMechs @MECHANISM@

MaildirStore near
Path @DIR@/
Inbox @DIR@/INBOX

Channel mail
Far :far:
Near :near:
Pattern INBOX
Create Near
SyncState *
"""


class Mbsync(Client):
    name, service = "mbsync", "imap"
    files = {"~/.mbsyncrc": MBSYNCRC}

    def run(self, mechanisms):
        """Result of a run, and the messages that it fetched; None lets it
        choose among all that the server offers."""
        home = self.bed.subdir("mbsync")
        config, mail = home / "mbsyncrc", home / "mail"
        config.write_text(render(MBSYNCRC, self.values(mechanisms, DIR=mail)))
        mail.mkdir()
        result = self.bed.run(["/usr/bin/mbsync", "-c", config, "mail"],
                              env=self.site.env())
        return result, [path.read_bytes() for path in mail.glob("INBOX/*/*")
                        if path.is_file()]

    def login(self, mechanism):
        result, messages = self.run(mechanism)
        return Attempt(result.rc == 0 and bool(messages),
                       result.out + result.err)
