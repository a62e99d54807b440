# SPDX-License-Identifier: ISC
"""What the tests of the packages share."""
import re

from bed import BedTestCase
from bed.box import Box
from bed.tokensock import account

ALICE = "alice@example.test"
CA = "/etc/ssl/bed.pem"


def packages(bed):
    """The packages that packages.build made, without debug symbols."""
    return sorted(path for path in (bed.build_dir() / "packages").glob("*.deb")
                  if "-dbgsym" not in path.name)


class BoxTestCase(BedTestCase):
    """With servers, and boxes that reach them."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.oidc = cls.bed.oidc()
        cls.sink = cls.bed.sink()
        cls.mail = cls.bed.dovecot(oidc=cls.oidc, sink=cls.sink)

    @classmethod
    def new_box(cls, **options):
        """A box that trusts the servers, and has the user anna."""
        box = Box(cls.bed, packages(cls.bed), **options)
        box.write(CA, cls.mail.ca.read_text())
        box.sh("useradd --create-home anna")
        return box

    def account(self, name="work", **settings):
        return account(self.oidc, name, ALICE, **{
            "smtp_host": "localhost", "redirect_host": "localhost"} | settings)

    def seed(self, box, name="work", user=None):
        """Log in, as with a refresh token from elsewhere."""
        result = box.run(
            "mailtoken", "login", name, "--refresh-token-file", "-", user=user,
            input=self.oidc.mint(ALICE)["refresh_token"])
        self.assertEqual(result.rc, 0, result)

    def mbsync(self, box, user):
        """mbsync's whole login, by what libsasl2 chooses: a Result."""
        box.write("/tmp/mbsyncrc", f"""
IMAPStore far
Host localhost
Port {self.mail.imaps_port}
User {ALICE}
PassCmd "echo unused"
SSLType IMAPS
CertificateFile {CA}
AuthMechs XOAUTH2 OAUTHBEARER PLAIN

MaildirStore near
Path /tmp/mail-{user}/
Inbox /tmp/mail-{user}/INBOX

Channel c
Far :far:
Near :near:
Create Near
SyncState *
""")
        box.sh(f"mkdir -p /tmp/mail-{user}; chown {user} /tmp/mail-{user}")
        return box.run("mbsync", "-c", "/tmp/mbsyncrc", "c", user=user,
                       HOME=f"/home/{user}")

    def login_methods(self):
        return re.findall(r"Login: .*method=([^,]+)", self.mail.log_text())
