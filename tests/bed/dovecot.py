# SPDX-License-Identifier: ISC
"""Dovecot: IMAP, submission and LMTP, with passwords and OAuth2.

Works as root and as a plain user.
"""
import grp
import os
import pwd
import re
import shutil
import smtplib
from base64 import b64encode
from pathlib import Path

from .oidc import USERS
from .process import wait_match, wait_until
from .template import fill

_HERE = Path(__file__).parent
_PATH = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
_CRLF = re.compile(rb"(?<!\r)\n")


class Dovecot:
    """A running instance for the users of oidc.USERS.

    host                "localhost", or the address
    imap_port, submission_port      STARTTLS offered
    imaps_port, submissions_port    TLS at once
    lmtp_port           delivery, no authentication
    ca                  certificate to verify the server with

    oidc            whose tokens are good; None: none are
    mechanisms      what is offered
    sink            where submitted mail goes; without it none is taken
    cert            (certificate, key), if not bed.tls.cert()
    ca              certificate that `ca` shall name, with an own `cert`
    ssl             "yes", "no" or "required" (no login in clear)
    address         Dovecot calls a connection secure when both ends have one
                    address; "127.0.0.2" shows what it offers to others
    imap_capability replaces the list before login, e.g. to hide SASL-IR
    validation      "introspect" or "jwt" (oidc: at_format="jwt")
    scope           scope a token must have
    users           {name: password}
    token_as_password   PLAIN and LOGIN take a token, too
    extra           text for the end of dovecot.conf
    """

    def __init__(self, bed, oidc=None, sink=None, cert=None, ca=None,
                 mechanisms="plain login xoauth2 oauthbearer scram-sha-256",
                 ssl="yes", address="127.0.0.1", imap_capability=None,
                 validation="introspect", scope="", users=USERS, extra="",
                 token_as_password=False):
        self._bed, self._address = bed, address
        self.host = "localhost" if address == "127.0.0.1" else address
        self.dir = bed.subdir("dovecot")
        self.imap_port, self.imaps_port = bed.port(), bed.port()
        self.submission_port, self.submissions_port = bed.port(), bed.port()
        self.lmtp_port = bed.port()
        self.ca = ca or bed.tls.ca
        cert, key = cert or bed.tls.cert([self.host, address])
        self._write_users(users)
        self._make_directories()
        self._write_oauth2(oidc, validation, scope)
        user, group, login = _accounts()
        if imap_capability:
            extra += f"\nimap_capability = {imap_capability}\n"
        if token_as_password:
            extra += _passdb("plain login", self.dir / "oauth2.conf")
        self.conf = self.dir / "dovecot.conf"
        self.conf.write_text(fill(_HERE / "dovecot.conf.in", {
            "DIR": self.dir, "USER": user, "GROUP": group, "LOGIN": login,
            "MECHANISMS": mechanisms, "SSL": ssl, "ADDRESS": address,
            "CERT": cert, "KEY": key,
            "IMAP": self.imap_port, "IMAPS": self.imaps_port,
            "SUBMISSION": self.submission_port,
            "SUBMISSIONS": self.submissions_port, "LMTP": self.lmtp_port,
            "SINK": sink.port if sink else bed.port(), "EXTRA": extra}))
        self.start()
        bed.on_exit(self.stop)

    def start(self):
        """Start it (again): same ports, same mail."""
        shutil.rmtree(self.dir / "run", ignore_errors=True)
        self._master = self._bed.spawn(
            ["/usr/sbin/dovecot", "-F", "-c", self.conf], env=_PATH)
        wait_until(self._ready, what=f"Dovecot's start\n{self.dir}")

    def stop(self):
        """Stop it, and all its connections, at once."""
        # On SIGTERM it sleeps for a second.
        self._master.kill_session()

    def deliver(self, user, *messages, sender="sender@example.test"):
        """Deliver messages (bytes) to INBOX by LMTP.

        A bare LF becomes CRLF; nothing else changes, but Dovecot adds
        Return-Path, Delivered-To and Received.
        """
        with smtplib.LMTP(self._address, self.lmtp_port) as lmtp:
            for message in messages:
                lmtp.sendmail(sender, [user], _CRLF.sub(b"\r\n", message))

    def messages(self, user="alice@example.test", mailbox="INBOX"):
        """The messages of a mailbox as the server keeps them, by age."""
        return [path.read_bytes() for path in self._files(user, mailbox)]

    def flags(self, user="alice@example.test", mailbox="INBOX"):
        """For each of messages(), its Maildir flags: "", "S" (seen)..."""
        return [path.name.partition(":2,")[2]
                for path in self._files(user, mailbox)]

    def doveadm(self, *args, input=""):
        """Run doveadm(1) on this instance; returns its output."""
        return self._bed.run(["/usr/bin/doveadm", "-c", self.conf, *args],
                             env=_PATH, input=input).check().out

    def kick(self, user="alice@example.test"):
        """End the sessions of the user, as a server may do at any time."""
        result = self._bed.run(
            ["/usr/bin/doveadm", "-c", self.conf, "kick", user], env=_PATH)
        if result.rc != 68:         # there was none
            result.check()

    def reset_uidvalidity(self, user="alice@example.test", mailbox="INBOX",
                          value=None):
        """Give the mailbox another UIDVALIDITY; returns it."""
        status = self.doveadm("mailbox", "status", "-u", user, "uidvalidity",
                              mailbox)
        value = value or int(status.rpartition("uidvalidity=")[2]) + 1
        self.doveadm("mailbox", "update", "-u", user, "--uid-validity",
                     str(value), mailbox)
        return value

    def log_text(self):
        """Its log; at debug level, so with tokens in it."""
        return (self.dir / "dovecot.log").read_text(errors="replace")

    def wait_log(self, pattern, timeout=20):
        """Wait until the log has `pattern`; return the match."""
        return wait_match(pattern, self.log_text, timeout, self.log_text)

    def _ready(self):
        if self._master.rc is not None:
            raise AssertionError(f"{self._master.tail()}\n{self.log_text()}")
        return (self.dir / "run/master.pid").exists()

    def _make_directories(self):
        for name in ("state", "mail"):
            (self.dir / name).mkdir()
        if os.getuid() == 0:
            user = pwd.getpwnam("dovecot")
            os.chown(self.dir / "mail", user.pw_uid, user.pw_gid)

    def _write_users(self, users):
        (self.dir / "users").write_text("".join(
            f"{name}:{{PLAIN.b64}}{b64encode(password.encode()).decode()}\n"
            for name, password in users.items()))

    def _write_oauth2(self, oidc, validation, scope):
        issuer = oidc.issuer if oidc else "http://localhost"
        lines = ["username_attribute = username",
                 "openid_configuration_url = "
                 f"{issuer}/.well-known/openid-configuration"]
        if scope:
            lines += [f"scope = {scope}"]
        if oidc and validation == "introspect":
            lines += _introspection(oidc)
        else:
            keys = oidc.keys if oidc else self.dir / "no-keys"
            lines += ["introspection_mode = local", f"issuers = {issuer}",
                      f"local_validation_key_dict = fs:posix:prefix={keys}/"]
        (self.dir / "oauth2.conf").write_text("\n".join(lines) + "\n")

    def _files(self, user, mailbox):
        home = self.dir / "mail" / user
        if mailbox != "INBOX":
            home = home / f".{mailbox}"
        files = [*home.glob("new/*"), *home.glob("cur/*")]
        return sorted(files, key=lambda path: _arrival(path.name))


def _introspection(oidc):
    url = oidc.url("introspection").replace(
        "//", "//mailserver:introspect-secret@", 1)
    lines = ["introspection_mode = post", f"introspection_url = {url}",
             "active_attribute = active", "active_value = true",
             "timeout_msecs = 3000", "max_idle_time_msecs = 1",
             "max_pipelined_requests = 1", "max_parallel_connections = 10"]
    if oidc.ca:
        lines += [f"tls_ca_cert_file = {oidc.ca}"]
    return lines


def _passdb(mechanisms, oauth2):
    return (f"\npassdb {{\n  driver = oauth2\n  mechanisms = {mechanisms}\n"
            f"  args = {oauth2}\n}}\n")


def _arrival(name):
    """Seconds and microseconds in a name of Dovecot's Maildir."""
    seconds, rest = name.split(".", 1)
    return int(seconds), int(re.match(r"M(\d+)", rest).group(1))


def _accounts():
    """The mail user, its group, and the user of login processes."""
    if os.getuid() == 0:
        return "dovecot", "dovecot", "dovenull"
    user = pwd.getpwuid(os.getuid()).pw_name
    return user, grp.getgrgid(os.getgid()).gr_name, user
