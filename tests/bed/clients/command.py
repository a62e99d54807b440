# SPDX-License-Identifier: ISC
"""Programs that do not log in by libsasl2, and take the token from a command.

What they call is `mailtoken get`, or git-credential-mailtoken; the account
permits both.
"""
import contextlib
import os
import pty
import re
import select
import shutil
import urllib.parse
from pathlib import Path

from .base import Attempt, Client, message, render

MUTTRC = """\
set imap_user = "@USER@"
set folder = "imaps://@IMAPHOST@/"
?set folder = "imaps://@IMAPHOST@:@IMAPS@/"
set spoolfile = "+INBOX"
set imap_authenticators = "@MECH@"
set imap_oauth_refresh_command = "@COMMAND@"

set from = "@USER@"
set smtp_url = "smtp://@QUOTED@@@SMTPHOST@:@SMTP@/"
set smtp_authenticators = "@MECH@"
set smtp_oauth_refresh_command = "@COMMAND@"

set ssl_starttls = yes
set ssl_force_tls = yes
?set ssl_ca_certificates_file = "@CA@"
?set copy = no
"""


_CONTROL = re.compile(r"\x1b(\[[0-9;?]*[a-zA-Z]|.)|\r")


class CommandClient(Client):
    """`account` is the name for `mailtoken get`."""
    account = "alice"

    def values(self, mechanism, **more):
        command = (f"{self.bed.program('mailtoken')} --socket "
                   f"{self.site.socket} get {self.account}")
        helper = (f"{self.bed.program('git-credential-mailtoken')} --socket "
                  f"{self.site.socket}")
        return super().values(
            mechanism, COMMAND=command, GITHELPER=helper,
            MECH=mechanism.lower(),
            QUOTED=urllib.parse.quote(self.site.user), **more)

    def home(self, mechanism, **more):
        """A new home directory, with the files in it."""
        home = self.bed.subdir("home")
        values = self.values(mechanism, HOME=home, **more)
        for name, template in self.files.items():
            if name.startswith("~/"):
                path = home / name.removeprefix("~/")
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(render(template, values))
                path.chmod(0o600)
        return home

    def run(self, argv, home, input=""):
        return self.bed.run(argv, cwd=home, input=input,
                            env=self.site.env(HOME=home, TMPDIR=home))


class _Mutt(CommandClient):
    program = None

    def argv(self, home, *args):
        rc = home / next(iter(self.files)).removeprefix("~/")
        return [f"/usr/bin/{self.program}", "-n", "-F", str(rc), *args]


class _MuttImap(_Mutt):
    service = "imap"

    def login(self, mechanism):
        # With -z it ends at once when the folder is empty or cannot be opened.
        home = self.home(mechanism)
        argv = self.argv(home, "-z", "-e",
                         "set wait_key = no quit = yes sleep_time = 0")
        text = self.on_terminal(argv, home, f"|cat >{home}/message\nq")
        return Attempt((home / "message").exists(), text)

    def on_terminal(self, argv, home, keys):
        """Run a program and press keys; returns what it showed."""
        ours, its = pty.openpty()
        os.write(ours, keys.encode())
        process = self.bed.spawn(argv, cwd=home, stdin=its, stdout=its,
                                 env=self.site.env(HOME=home, TMPDIR=home,
                                                   TERM="vt100"))
        os.close(its)
        shown = b""
        # It ends with an error, when nobody else has the terminal open.
        with contextlib.suppress(OSError):
            while select.select([ours], [], [], 30)[0]:
                shown += os.read(ours, 4096)
        os.close(ours)
        process.stop()
        return _CONTROL.sub("", shown.decode(errors="replace")
                            ) + process.stderr_text()


class _MuttSmtp(_Mutt):
    service = "smtp"

    def login(self, mechanism):
        home = self.home(mechanism)
        result = self.run(self.argv(home, "-s", "hi", "friend@dest.test"),
                          home, input="hi\n")
        return Attempt(result.rc == 0, result.out + result.err)


class MuttImap(_MuttImap):
    name, program, files = "mutt, IMAP", "mutt", {"~/.muttrc": MUTTRC}


class MuttSmtp(_MuttSmtp):
    name, program, files = "mutt, SMTP", "mutt", {"~/.muttrc": MUTTRC}


class NeomuttImap(_MuttImap):
    name, program, files = "neomutt, IMAP", "neomutt", {"~/.muttrc": MUTTRC}


class NeomuttSmtp(_MuttSmtp):
    name, program, files = "neomutt, SMTP", "neomutt", {"~/.muttrc": MUTTRC}


class Msmtp(CommandClient):
    name, service = "msmtp", "smtp"
    files = {"~/.msmtprc": """\
account work
host @SMTPHOST@
port @SMTP@
tls on
?tls_trust_file @CA@
auth @MECH@
user @USER@
passwordeval @COMMAND@
from @USER@
"""}

    def login(self, mechanism):
        home = self.home(mechanism)
        result = self.run(["/usr/bin/msmtp", "-C", home / ".msmtprc", "-a",
                           "work", "friend@dest.test"], home, message())
        return Attempt(result.rc == 0, result.out + result.err)


class Getmail(CommandClient):
    name, service, mechanisms = "getmail6", "imap", ("XOAUTH2",)
    files = {"~/.config/getmail/getmailrc": """\
[retriever]
type = SimpleIMAPSSLRetriever
server = @IMAPHOST@
?port = @IMAPS@
ca_certs = @CA@
username = @USER@
use_xoauth2 = true
password_command = @ARGUMENTS@

[destination]
type = Maildir
path = @HOME@/Mail/
?user = nobody
"""}

    def values(self, mechanism, **more):
        values = super().values(mechanism, **more)
        return values | {"ARGUMENTS": tuple(values["COMMAND"].split())}

    def login(self, mechanism):
        home = self.home(mechanism)
        for name in "cur", "new", "tmp":
            (home / "Mail" / name).mkdir(parents=True)
            shutil.chown(home / "Mail" / name, "nobody")
        result = self.run(["/usr/bin/getmail", "--getmaildir",
                           home / ".config/getmail"], home)
        return Attempt(result.rc == 0 and any((home / "Mail/new").iterdir()),
                       result.out + result.err)


    @staticmethod
    def source():
        """The text of the installed program, which is in Python."""
        return "".join(path.read_text() for path in
                       Path("/usr/lib/python3/dist-packages/getmailcore")
                       .glob("*.py"))


class GitSendEmail(CommandClient):
    name, service = "git send-email", "smtp"
    files = {"~/.gitconfig": """\
?[user]
?   name = Test
?   email = @USER@
[sendemail]
    from = @USER@
    smtpServer = @SMTPHOST@
    smtpServerPort = @SMTP@
    smtpEncryption = tls
    smtpUser = @USER@
    smtpAuth = @MECHANISM@
?   smtpSSLCertPath = @CA@
[credential "smtp://@SMTPHOST@:@SMTP@"]
    helper = @GITHELPER@
"""}

    def login(self, mechanism):
        home = self.home(mechanism)
        patch = home / "1.patch"
        patch.write_text(f"From: {self.site.user}\nSubject: hi\n\nhi\n")
        result = self.run(["/usr/bin/git", "send-email", "--to",
                           "friend@dest.test", "--confirm=never", patch],
                          home)
        return Attempt(result.rc == 0, result.out + result.err)


class GitThroughMsmtp(GitSendEmail):
    name = "git send-email, msmtp"
    files = Msmtp.files | {"~/.gitconfig": """\
?[user]
?   name = Test
?   email = @USER@
[sendemail]
    from = @USER@
    sendmailCmd = msmtp -a work
"""}


COMMAND = (MuttImap, MuttSmtp, NeomuttImap, NeomuttSmtp, Msmtp, Getmail,
           GitSendEmail, GitThroughMsmtp)
