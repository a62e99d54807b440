# SPDX-License-Identifier: ISC
"""Does what README.md and docs/ say, line by line, as somebody who has just
installed the packages: on a machine of its own, where the names of providers and
mail servers lead to the servers of the bed, at their usual ports.

Needs a network namespace of its own (CMakeLists.txt).
"""
import json
import re
import subprocess
import unittest
from pathlib import Path

from bed import BedTestCase
from bed.box import PACKAGES, Box
from bed.process import wait_until
from bed.proxy import Proxy
from documents.document import commands, documents, read
from packages.common import packages

ROOT = Path(__file__).parents[2]
PERSON, PASSWORD = "you@example.com", "your-pw"
USERS = {name: PASSWORD for name in (
    PERSON, "office@example.com", "service@example.com")}
MICROSOFT = {"flavor": "ms", "names": ["login.microsoftonline.com"]}
GOOGLE = {"flavor": "google",
          "names": ["accounts.google.com", "oauth2.googleapis.com"]}
GENERIC = {"flavor": "generic", "names": ["login.example.com"]}
CLIENTS = {"00000000-0000-0000-0000-000000000000": None, "mailtoken": None,
           "0123456789-abc.apps.googleusercontent.com": "google-secret"}
APPLICATION = {"00000000-0000-0000-0000-000000000000": "app-secret"}
MAIL = ["imap.example.com", "smtp.example.com", "outlook.office365.com",
        "smtp.office365.com", "smtp-mail.outlook.com", "imap.gmail.com",
        "smtp.gmail.com"]
ACCOUNT = f"""[account work]
discovery = https://login.example.com
scope = openid email offline_access
client_id = mailtoken
user = {PERSON}
imap_host = imap.example.com
smtp_host = smtp.example.com
"""


class Reader:
    """Follows a document on the machine, which was new a moment ago."""

    def __init__(self, bed, box, provider, clients=CLIENTS):
        self.bed, self.box = bed, box
        self.oidc = bed.oidc(users=USERS, clients=clients, rotate="keep",
                             **provider)
        _name_servers(bed, box, provider["names"] + MAIL)
        self.mail = bed.dovecot(
            oidc=self.oidc, sink=bed.sink(), users=USERS,
            cert=bed.tls.cert(["localhost", *MAIL]))
        self._ports = [Proxy(port, target) for port, target in (
            (443, self.oidc.port), (993, self.mail.imaps_port),
            (587, self.mail.submission_port))]
        self._shells, self._answered = {}, set()

    def file(self, name, text):
        """Write a file with an editor, and mind who may read it."""
        user = "you" if name.startswith("~/") else None
        self.box.sh(f"mkdir -p $(dirname {name})", user)
        path = self.box.sh(f"echo {name}", user).strip()
        self.box.write(path, text, 0o600 if user else 0o644)
        self.box.sh(f"chown {user or 'root'}: {path}")
        if name.endswith("/mailtoken.conf"):
            self.box.sh("mailtokend --check", user)

    def prepend(self, name, text):
        self.file(name, text + "\n" + self.box.sh(f"cat {name}"))

    def type(self, command, user=None):
        """Type a command; returns (exit status, what it showed)."""
        if user not in self._shells:
            self._shells[user] = Shell(self.bed, self.box, user)
        shell = self._shells[user]
        status = shell.type(command, self._log_in)
        if command.rstrip().endswith("&"):
            self.box.wait_sh("test -S /run/user/$(id -u)/mailtoken/socket",
                             user=user)
        return status, shell.shown

    def _log_in(self, shown):
        """What the person does who sees the address of the login page."""
        for url in re.findall(r"^https://\S+response_type=code\S*$", shown,
                              re.M):
            if url not in self._answered:
                self._answered.add(url)
                self.oidc.login(url, PERSON, PASSWORD)

    def close(self):
        for shell in self._shells.values():
            shell.close()
        for port in self._ports:
            port.stop()
        self.mail.stop()
        self.oidc.stop()


class Shell:
    """A user's shell, which stays."""

    def __init__(self, bed, box, user):
        argv = box.argv(["sh", "-c", "cd; exec sh"], user)
        runtime = "/run/user/" + box.sh("id -u", user).strip()
        self._process = bed.spawn(
            argv, {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
                   "HOME": f"/home/{user}" if user else "/root"}
            | ({"XDG_RUNTIME_DIR": runtime} if user else {}), stdin=True)
        self._count = 0
        self.shown = ""     # by the last command, of both streams

    def type(self, command, look):
        """Returns its exit status; `look` is called with what it has shown so
        far, again and again."""
        begin = self._text_lengths()
        self._count += 1
        mark = f"status {self._count} "
        self._process.send(f"{{ {command}}} </dev/null\necho \"{mark}$?\"\n")

        def ended():
            out = self._process.stdout_text()[begin[0]:]
            self.shown = out + self._process.stderr_text()[begin[1]:]
            look(self.shown)
            if self._process.rc is not None:
                raise AssertionError(f"the shell ended\n{self.shown}")
            return f"\n{mark}" in f"\n{out}"

        wait_until(ended, 120, command)
        return int(self.shown.rpartition(mark)[2].split()[0])

    def _text_lengths(self):
        return (len(self._process.stdout_text()),
                len(self._process.stderr_text()))

    def close(self):
        self._process.kill_session()


def _name_servers(bed, box, names):
    """There, and here, for the servers of the bed, which look for each other
    by name."""
    text = "".join(f"127.0.0.1 {name}\n" for name in ["localhost", *names])
    path = bed.subdir("names") / "hosts"
    path.write_text(text)
    subprocess.run(["mount", "--bind", path, "/etc/hosts"], check=True)
    box.write("/etc/hosts", text)


# Whose servers there are; further clients of them.
SCENARIOS = {
    "readme": (MICROSOFT,),
    "microsoft": (MICROSOFT,),
    "microsoft-shared": (MICROSOFT,),
    "microsoft-app": (MICROSOFT, APPLICATION),
    "outlook": (MICROSOFT,),
    "google": (GOOGLE,),
    "generic": (GENERIC,),
    "generic-endpoints": (GENERIC,),
    "from-sasl-xoauth2": (MICROSOFT,),
    "from-mutt-oauth2": (GENERIC,),
    "operation": (GENERIC,),
    "moving": (GENERIC,),
    "key": (GENERIC,),
    "service": (GENERIC,),
}
# Makes the machine as new.
RESET = """
systemctl stop 'mailtoken*' || :
! id you 2>/dev/null || { loginctl disable-linger you
    systemctl stop user@$(id -u you); userdel --force --remove you 2>/dev/null; }
rm -rf /etc/mailtoken/*.* /etc/mailtoken/accounts.d/* /etc/mailtoken/key
rm -rf /etc/mailtoken-connector/*.conf /var/lib/mailtoken-connector/* /srv/*
rm -rf /etc/tokens /var/lib/mailtoken/* /root/* /root/.config
useradd --create-home you
loginctl enable-linger you
# it counts starts, and nobody else begins anew every two seconds
systemctl reset-failed
systemctl start mailtokend.path
"""


class DocumentTest(BedTestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.box = Box(cls.bed, packages(cls.bed))
        cls.box.install()
        cls.box.sh("cat >>/etc/ssl/certs/ca-certificates.crt <<end\n"
                   + cls.bed.tls.ca.read_text() + "\nend\n")

    def follow(self, name, steps):
        self.box.sh(RESET)
        self.box.wait_sh("test -d /run/user/$(id -u you)")
        reader = Reader(self.bed, self.box, *SCENARIOS[name])
        self.addCleanup(reader.close)
        prepare = getattr(self, f"prepare_{name.replace('-', '_')}", None)
        if prepare:
            prepare(reader)
        for step in steps:
            self.do(reader, step)

    def do(self, reader, step):
        if step.kind == "file":
            reader.file(step.argument, step.text)
        elif step.kind == "prepend":
            reader.prepend(step.argument, step.text)
        elif step.kind == "run":
            user = None if step.argument == "root" else "you"
            for command in commands(step.text):
                status, shown = reader.type(command, user)
                self.assertEqual(status, 0, f"{step.line}: {command}{shown}")

    # -- what the reader has from before --------------------------------------

    def prepare_microsoft_app(self, reader):
        reader.oidc.config(username="service@example.com")
        self.box.write("/etc/mailtoken/service.secret", "app-secret\n", 0o640)
        self.box.sh("chgrp _mailtoken /etc/mailtoken/service.secret")

    def prepare_google(self, reader):
        reader.file("~/.config/mailtoken/google.secret", "google-secret\n")

    def token_file(self, reader, client_id):
        """What other programs keep."""
        tokens = reader.oidc.mint(sub=PERSON, client_id=client_id)
        return json.dumps({"refresh_token": tokens["refresh_token"]})

    def prepare_from_sasl_xoauth2(self, reader):
        self.box.sh("useradd --system postfix")
        self.addCleanup(self.box.sh, "userdel postfix")
        reader.file(f"/etc/tokens/{PERSON}", self.token_file(
            reader, "00000000-0000-0000-0000-000000000000"))

    def prepare_from_mutt_oauth2(self, reader):
        reader.file("~/.config/mailtoken/mailtoken.conf",
                    ACCOUNT + "permit = get\n")
        reader.file("~/tokens", self.token_file(reader, "mailtoken"))
        self.box.sh(f"""cd
            gpg --batch --passphrase '' --quick-generate-key {PERSON}
            gpg --batch --output .mutt-token --recipient {PERSON} \
                --encrypt tokens""", "you", HOME="/home/you")

    def prepare_operation(self, reader):
        """The system has an account."""
        reader.file("/etc/mailtoken/mailtoken.conf", ACCOUNT)
        self.box.wait_sh("test -S /run/mailtoken/socket")
        status, shown = reader.type("mailtoken login work\n")
        self.assertEqual(status, 0, shown)

    prepare_key = prepare_moving = prepare_operation

    def prepare_service(self, reader):
        reader.file("/etc/mailtoken/mailtoken.conf",
                    ACCOUNT + "allow = uid:_mailtoken-connector\n")
        self.box.wait_sh("test -S /run/mailtoken/socket")


def _scenarios():
    """(document, scenario, its steps)"""
    for path in documents(ROOT):
        name, steps = None, []
        for step in [*read(path), None]:
            if step is None or step.kind == "scenario":
                if name:
                    yield path.relative_to(ROOT), name, steps
                name, steps = step and step.argument, []
            else:
                steps.append(step)


def _add_tests():
    for path, name, steps in _scenarios():
        def test(self, name=name, steps=steps):
            self.follow(name, steps)
        test.__doc__ = f"{path}: {name}"
        setattr(DocumentTest, f"test_{name.replace('-', '_')}", test)


_add_tests()


if __name__ == "__main__":
    unittest.main()
