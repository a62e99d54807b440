# SPDX-License-Identifier: ISC
"""`mailtoken test`: a login at the account's own mail servers."""
import os
import unittest

from bed import BedTestCase
from bed.exchange import exchange_imap, exchange_smtp
from bed.tokensock import Mailtokend, account

USER, BOB = "alice@example.test", "bob@example.test"
ENDED = ("imap", "smtp")


class ProbeTestCase(BedTestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.oidc = cls.bed.oidc(at_size=2000)
        cls.sink = cls.bed.sink()
        cls.mail = cls.bed.dovecot(oidc=cls.oidc, sink=cls.sink)

    def setUp(self):
        self.oidc.clear_log()

    def helper(self, login=True, **settings):
        helper = Mailtokend(self.bed, account(self.oidc, **{
            "smtp_host": "localhost"} | settings))
        self.addCleanup(lambda: helper.process and helper.process.stop())
        if login:
            helper.login(self.oidc, "alice").expect()
        return helper

    def run_test(self, helper, imap=None, smtp=None, ca=True, mail=None,
                 more=()):
        """The command's result, by default for both of Dovecot's servers."""
        mail = mail or self.mail
        ca_file = ["--ca-file", mail.ca] if ca else []
        result = self.bed.run(
            [self.bed.program("mailtoken"), "--socket", helper.socket, "test",
             "alice", "--imap", imap or f"{mail.imaps_port},tls", "--smtp",
             smtp or f"{mail.submission_port},starttls", *ca_file,
             *more],
            {"HOME": helper.dir}, timeout=60)
        token = helper.call("get", account="alice").get("token", "no token")
        self.assertNotIn(token, result.out + result.err)
        self.lines = dict(zip(ENDED, result.out.splitlines()))
        return result

    def assertLines(self, result, rc, imap=None, smtp=None):
        self.assertEqual(result.rc, rc, result)
        for name, text in ("imap", imap), ("smtp", smtp):
            if text is not None:
                self.assertRegex(self.lines[name],
                                 f"^{name} localhost:[0-9]+: {text}", result)
        if rc:
            self.assertRegex(result.err, "^mailtoken: alice: .* of . servers "
                             "failed the test")


class DovecotTest(ProbeTestCase):
    def test_good_account_is_let_in_everywhere(self):
        helper = self.helper()
        for imap, smtp in ((None, None), (f"{self.mail.imap_port},starttls",
                                          f"{self.mail.submissions_port},tls")):
            result = self.run_test(helper, imap, smtp)
            words = (rf"logged in as {USER} by OAUTHBEARER \(TLS1\.3; offers "
                     "PLAIN LOGIN XOAUTH2 OAUTHBEARER SCRAM-SHA-256")
            self.assertLines(result, 0, words, words)
            self.assertEqual((result.err, len(result.out.splitlines())),
                             ("", 2))

    def test_server_with_xoauth2_alone_is_logged_in_to_by_it(self):
        mail = self.bed.dovecot(oidc=self.oidc, sink=self.sink,
                                mechanisms="plain xoauth2")
        self.addCleanup(mail.stop)
        words = "logged in as .* by XOAUTH2"
        self.assertLines(self.run_test(self.helper(), mail=mail), 0, words,
                         words)

    def test_other_persons_mailbox_is_refused_with_a_remedy(self):
        helper = self.helper(user=BOB)
        words = (f"refused the token of {BOB} by OAUTHBEARER: .*; the token "
                 f"is new, so whoever logged in is not {BOB} .*; run "
                 f"'mailtoken login alice' as {BOB}")
        self.assertLines(self.run_test(helper), 77, words, words)
        self.assertIn("[AUTHENTICATIONFAILED]", self.lines["imap"])
        self.assertIn("535 5.7.8", self.lines["smtp"])
        # one refresh for the refusal, and no loop
        self.assertEqual(helper.status("alice")["serial"], "2")
        self.run_test(helper)
        self.assertEqual(helper.status("alice")["serial"], "2")

    def test_expired_token_is_replaced_once(self):
        helper = self.helper()
        self.oidc.expire()
        self.assertLines(self.run_test(helper), 0, "logged in", "logged in")
        self.assertEqual(helper.status("alice")["serial"], "2")

    def test_refused_token_whose_login_has_ended_says_so(self):
        helper = self.helper()
        self.oidc.revoke()
        self.oidc.expire()
        words = "not tried: .*run 'mailtoken login alice'"
        self.assertLines(self.run_test(helper), 77, words, words)

    def test_without_a_login_nothing_is_tried(self):
        helper = self.helper(login=False)
        words = "not tried: .*nobody has logged in yet"
        self.assertLines(self.run_test(helper), 77, words, words)

    def test_untrusted_certificate_never_sees_the_token(self):
        helper = self.helper()
        alone = self.bed.dovecot(
            oidc=self.oidc, cert=self.bed.tls.cert(self_signed=True))
        self.addCleanup(alone.stop)
        wrong = self.bed.dovecot(
            oidc=self.oidc, cert=self.bed.tls.cert(["other.test"]))
        self.addCleanup(wrong.stop)
        words = "its certificate is not good: .*; the token was not sent"
        for mail, ca in (self.mail, False), (alone, True), (wrong, True):
            result = self.run_test(helper, mail=mail, ca=ca)
            self.assertLines(result, 78, words, words)
        self.assertEqual(self.oidc.log("introspection"), [])

    def test_server_without_tls_never_sees_the_token(self):
        mail = self.bed.dovecot(oidc=self.oidc, ssl="no")
        self.addCleanup(mail.stop)
        result = self.run_test(self.helper(), mail=mail,
                               imap=f"{mail.imap_port},starttls")
        words = "offers no STARTTLS on this port; the token was not sent"
        self.assertLines(result, 78, words, words)
        self.assertEqual(self.oidc.log("introspection"), [])

    def test_server_without_the_mechanisms_is_no_place_for_a_token(self):
        mail = self.bed.dovecot(mechanisms="plain login")
        self.addCleanup(mail.stop)
        words = ("takes no token: neither XOAUTH2 nor OAUTHBEARER is offered "
                 r"\(.*offers PLAIN LOGIN\)")
        self.assertLines(self.run_test(self.helper(), mail=mail), 1, words,
                         words)

    def test_port_without_a_server_is_passing(self):
        words = "cannot be reached: .*[Rr]efused|cannot be reached: .*connect"
        port = self.bed.port()
        self.assertLines(self.run_test(self.helper(), imap=f"{port},tls"), 75,
                         words, "logged in")

    def test_server_that_cannot_check_tokens_is_passing(self):
        self.oidc.fault(endpoint="introspection", status=503, times=9)
        self.addCleanup(self.oidc.release)
        words = "refused .*; try again later"
        helper = self.helper()
        self.assertLines(self.run_test(helper), 75, words, words)
        self.assertEqual(helper.status("alice")["serial"], "1")

    def test_account_without_servers_is_a_matter_of_settings(self):
        helper = self.helper(imap_host=None, smtp_host=None)
        result = self.run_test(helper)
        self.assertEqual((result.rc, result.out), (78, ""), result)
        self.assertIn("names no imap_host and no smtp_host", result.err)

    def test_one_server_is_enough(self):
        helper = self.helper(smtp_host=None)
        self.assertLines(self.run_test(helper), 0, "logged in")
        self.assertEqual(list(self.lines), ["imap"])


class ScriptedTest(ProbeTestCase):
    def test_smtp_auth_that_is_off_is_not_the_tokens_fault(self):
        helper = self.helper()
        words = ("535 5.7.139 Authentication unsuccessful, SmtpClient"
                 "Authentication is disabled for the Mailbox.")
        result = self.run_test(helper, smtp=exchange_smtp(self, words))
        self.assertLines(
            result, 77, "logged in", f'refused .*by XOAUTH2: "{words}" '
            r"\(TLS1.3; offers LOGIN XOAUTH2\); SMTP AUTH is switched off; "
            f".*Set-CASMailbox -Identity {USER} "
            r"-SmtpClientAuthenticationDisabled \$false")
        self.assertEqual(helper.status("alice")["serial"], "1")

    def test_shared_mailbox_of_microsoft_has_its_remedy(self):
        helper = self.helper(provider="microsoft", tenant="t",
                             resend_scope="no")
        result = self.run_test(
            helper, exchange_imap(self, "NO AUTHENTICATE failed."),
            exchange_smtp(self, "535 5.7.3 Authentication unsuccessful"))
        words = f"refused .*Add-MailboxPermission -Identity {USER} -User WHO"
        self.assertLines(result, 77, words, words)
        self.assertIn('"NO AUTHENTICATE failed."', self.lines["imap"])

    def test_application_that_exchange_does_not_know_has_its_remedy(self):
        secret = self.bed.subdir("secret") / "secret"
        secret.write_text("service-secret")
        secret.chmod(0o600)
        helper = self.helper(login=False, provider="microsoft", tenant="t",
                             client_id="service", scope="mail",
                             grant="client_credentials",
                             client_secret_file=secret)
        result = self.run_test(
            helper, exchange_imap(self, "NO AUTHENTICATE failed."),
            exchange_smtp(self, "430 4.2.0 STOREDRV; Cannot open mailbox"))
        self.assertLines(
            result, 77, "refused .*New-ServicePrincipal -AppId CLIENT-ID",
            f"refused .*may not open the mailbox; .*-Identity {USER} -User "
            "OBJECT-ID")

    def test_words_of_a_server_cannot_drive_the_terminal(self):
        result = self.run_test(self.helper(),
                               exchange_imap(self, "NO \x1b[2J\x07"))
        self.assertLines(result, 77, r'refused .*"NO \?\[2J\?" '
                         r"\(.*offers XOAUTH2 \?\[J\)")

    def test_silent_and_endless_servers_are_given_up(self):
        def fill(conn):
            while True:
                conn.send("* OK " + "x" * 8000)
        for say in (lambda conn: conn.readline()), fill:
            server = self.bed.scripted_server(say, self.bed.tls.cert())
            self.addCleanup(server.stop)
            result = self.run_test(self.helper(), f"{server.port},tls",
                                   more=["--timeout", "1"])
            self.assertLines(result, 75, "cannot be reached", "logged in")

    def test_connection_that_breaks_is_passing(self):
        def leave(conn):
            conn.rst()
            raise EOFError
        result = self.run_test(self.helper(), exchange_imap(self, "", leave))
        self.assertLines(result, 75, "cannot be reached", "logged in")


if __name__ == "__main__":
    unittest.main()
