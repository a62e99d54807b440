# SPDX-License-Identifier: ISC
"""What every mail program has in common: a configuration and a login.

A configuration is a template.  Its lines are those that a person would write,
which docs/clients.md shows; @NAME@ stands for a value, and where that is None
the line is left out.  A line that begins with "?" is for the tests alone, whose
servers have ports and a certificate authority of their own.
"""
import re
import shlex
from dataclasses import dataclass

_NAME = re.compile(r"@([A-Z]+)@")
MECHANISMS = "XOAUTH2", "OAUTHBEARER"
# What docs/clients.md has in place of the tests' values.
EXAMPLE = {
    "USER": "you@example.com", "QUOTED": "you%40example.com",
    "MECHANISM": "XOAUTH2", "MECH": "xoauth2",
    "IMAPHOST": "imap.example.com", "SMTPHOST": "smtp.example.com",
    "SMTP": 587, "PORT": "", "TLS": "",
    "CA": "/etc/ssl/certs/ca-certificates.crt",
    "COMMAND": "mailtoken get work", "GITHELPER": "mailtoken",
    "ARGUMENTS": ("mailtoken", "get", "work"), "HOME": "~", "DIR": "~/Mail"}


def render(template, values=None):
    """The text for the values of a test, or, without, for the document."""
    document = values is None
    values = EXAMPLE if document else values
    lines = []
    for line in template.splitlines():
        if line.startswith("?") and document:
            continue
        if not any(values[name] is None for name in _NAME.findall(line)):
            lines.append(_NAME.sub(lambda match: str(values[match[1]]),
                                   line.removeprefix("?")))
    return "\n".join(lines) + "\n"


def command_line(template, values):
    """A template that is a shell's command, as an argument list."""
    return shlex.split(render(template, values).replace("\\\n", " "))


def settings(template, values):
    """A template of lines "name = value", as a dict."""
    return dict(re.split(r" *= *", line, maxsplit=1) for line
                in render(template, values).splitlines()
                if line and not line.startswith("#"))


@dataclass
class Attempt:
    """How one login went.

    ok          the program says that it went well
    text        what the person sees: the output, or the log
    """
    ok: bool
    text: str


@dataclass
class Site:
    """Where programs log in, and who asks for the tokens.

    mail        a Dovecot
    user        the login name
    socket      the token helper's
    module      path of the libmailtoken.so, if not the one to be installed
    environment of the program, in place of what env() makes
    password    what the person has configured besides; "" is nothing
    """
    bed: object
    mail: object
    user: str
    socket: object
    password: str = ""
    module: object = True
    environment: dict = None

    def env(self, **more):
        """Of a program that a person starts: no secret, and little else.
        What it logs by syslog(3) goes to its standard error."""
        env = self.environment or self.bed.client_env(
            module=self.module, MAILTOKEN_SOCKET=self.socket, USER="somebody",
            LANG="C.UTF-8", SSL_CERT_FILE=self.mail.ca)
        env = env | more
        preload = self.bed.build_dir() / "tests/libshowsyslog.so"
        env["LD_PRELOAD"] = f"{env.get('LD_PRELOAD', '')} {preload}".strip()
        return env


class Client:
    """A mail program.

    name        as the table has it
    service     "imap" or "smtp"
    mechanisms  those that it can do
    files       {name: template}, as docs/clients.md shows them; the name is
                a file's, or says where the lines are typed
    account     for `mailtoken get`, if it asks in this way
    module_settings
                what it needs in the module's settings file
    """
    name = service = None
    mechanisms = MECHANISMS
    files = {}
    module_settings = ""
    account = None

    def __init__(self, site):
        self.site, self.bed = site, site.bed

    def helper_socket(self, mechanism):
        """Where the token helper must listen for this program."""
        return self.site.socket

    def values(self, mechanism, **more):
        """For the templates."""
        site = self.site
        return {"USER": site.user, "MECHANISM": mechanism,
                "IMAPHOST": site.mail.host, "SMTPHOST": site.mail.host,
                "IMAP": site.mail.imap_port, "IMAPS": site.mail.imaps_port,
                "SMTP": site.mail.submission_port, "CA": site.mail.ca,
                "SECRET": site.password or None,
                "SENDER": site.user, "TO": "friend@dest.test"} | more

    def login(self, mechanism):
        """One login, with a message where that is what it is for."""
        raise NotImplementedError

def message(subject="hi"):
    return f"Subject: {subject}\n\nhi\n"
