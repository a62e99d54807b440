# SPDX-License-Identifier: ISC
"""Postfix's smtp(8), in the queue directory as its chroot and outside."""
import itertools

from .base import Attempt, Client, render, settings

MAIN_CF = """\
relayhost = [@SMTPHOST@]:@SMTP@
smtp_tls_security_level = secure
?smtp_tls_secure_cert_match = nexthop
?smtp_tls_CAfile = @CA@
smtp_sasl_auth_enable = yes
smtp_sasl_password_maps = texthash:$config_directory/sasl_passwd
?smtp_sasl_mechanism_filter = @MECHANISM@
smtp_sasl_security_options = noplaintext, noanonymous
smtp_sasl_tls_security_options = noanonymous
?# A message that failed waits, and disturbs no other.
?minimal_backoff_time = 1000s
?queue_run_delay = 1000s
?default_destination_concurrency_failed_cohort_limit = 0
"""
# The name counts, the password is not used.
SASL_PASSWD = "[@SMTPHOST@]:@SMTP@ @USER@:unused\n"


class _Postfix(Client):
    service = "smtp"
    module_settings = "offer = smtp"
    files = {"/etc/postfix/main.cf": MAIN_CF,
             "/etc/postfix/sasl_passwd": SASL_PASSWD}

    def __init__(self, site):
        super().__init__(site)
        self._running, self._numbers = {}, itertools.count(1)

    def instance(self, mechanism):
        """The Postfix for a mechanism, running."""
        if mechanism not in self._running:
            self._running[mechanism] = self.start(mechanism)
        return self._running[mechanism]

    def start(self, mechanism, chroot=False, **env):
        mail = self.site.mail
        values = self.values(mechanism.lower())
        postfix = self.bed.postfix(
            relay_port=mail.submission_port, ca=mail.ca, user=self.site.user,
            secret=self.site.password or "unused", chroot=chroot,
            env={"SASL_PATH": self.site.env()["SASL_PATH"]} | env,
            settings=settings(MAIN_CF, values))
        if not self.site.password:
            assert ((postfix.etc / "sasl_passwd").read_text()
                    == render(SASL_PASSWD, values))
        return postfix

    def login(self, mechanism):
        postfix = self.instance(mechanism)
        before = len(postfix.log_text())
        to = f"friend-{next(self._numbers)}@dest.test"
        postfix.submit(self.site.user, to, b"Subject: hi\r\n\r\nhi\r\n")
        status = postfix.wait_log(rf"to=<{to}>.* status=(\w+)")[1]
        return Attempt(status == "sent", postfix.log_text()[before:])


class PostfixChroot(_Postfix):
    """The helper listens on a second socket, in the queue directory."""
    name = "Postfix smtp, chroot"
    module_settings = "offer = smtp"

    def start(self, mechanism):
        postfix = super().start(mechanism, chroot=True)
        (postfix.spool / "run/mailtoken").mkdir(parents=True)
        return postfix

    def helper_socket(self, mechanism):
        return self.instance(mechanism).spool / "run/mailtoken/socket"


class PostfixNoChroot(_Postfix):
    name = "Postfix smtp, no chroot"

    def start(self, mechanism):
        return super().start(mechanism, MAILTOKEN_SOCKET=self.site.socket)
