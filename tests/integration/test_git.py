# SPDX-License-Identifier: ISC
"""git-credential-mailtoken, run by git itself."""
import time

from bed import BedTestCase
from bed.tokensock import Mailtokend, account

ALICE = "alice@example.test"
PATH = "/usr/bin:/bin"
PATCH = b"""From 0123456789012345678901234567890123456789 Mon Sep 17 00:00:00 2001
From: alice@example.test
Subject: [PATCH] a patch for git

---
"""


class GitTest(BedTestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.oidc = cls.bed.oidc()
        cls.program = cls.bed.program("git-credential-mailtoken")

    def setUp(self):
        self.oidc.clear_log()
        self.addCleanup(self.oidc.release)

    def helper(self, log_in=True, **settings):
        """A mailtokend with an account for smtp at localhost."""
        helper = Mailtokend(self.bed, account(self.oidc, **{
            "permit": "git-credential", "smtp_host": "localhost",
            "imap_host": "imap.example.test"} | settings))
        self.addCleanup(lambda: helper.process and helper.stop())
        if log_in:
            helper.login(self.oidc, "alice").expect()
        return helper

    def git(self, helper, *args, input="", settings="", program=None):
        """Run git, whose only credential helper is ours unless `settings`
        name another, for it to ask first."""
        home = self.bed.subdir("home")
        (home / ".gitconfig").write_text(
            settings + f"[user]\n\tname = Alice\n\temail = {ALICE}\n"
            "[credential]\n"
            f"\thelper = {self.program} --socket {helper.socket}\n")
        return self.bed.run(
            ["/usr/bin/git", *args],
            {"HOME": home, "PATH": PATH, "GIT_TERMINAL_PROMPT": "0"},
            input=input, cwd=home)

    def fill(self, helper, host="localhost:587", **attributes):
        """What `git credential fill` finds: (Result, attributes)."""
        asked = {"protocol": "smtp", "host": host} | attributes
        result = self.git(helper, "credential", "fill", input="".join(
            f"{name}={value}\n" for name, value in asked.items()))
        return result, dict(line.split("=", 1)
                            for line in result.out.splitlines())

    def ask(self, helper, operation, input):
        return self.bed.run([self.program, "--socket", helper.socket,
                             operation], {"HOME": self.bed.dir}, input=input)

    def active(self, token):
        _, reply = self.oidc.request(
            "introspection", {"token": token},
            ("mailserver", "introspect-secret"))
        return reply["active"]

    # -- get -----------------------------------------------------------------

    def test_fill_finds_name_and_token(self):
        helper = self.helper()
        for protocol, host in (("smtp", "localhost:587"),
                               ("smtps", "LOCALHOST"),
                               ("imap", "imap.example.test"),
                               ("imaps", "imap.example.test:993")):
            result, found = self.fill(helper, host, protocol=protocol)
            result.check()
            self.assertEqual(found["username"], ALICE)
            self.assertTrue(self.active(found["password"]))
            self.assertEqual(result.err, "")
        self.assertIn("service=imap host=imap.example.test serial=1 "
                      "for=git-credential", helper.log())
        self.assertNotIn(found["password"], helper.log())

    def test_get_says_when_the_token_expires(self):
        helper = self.helper()
        result = self.ask(helper, "get", "protocol=smtp\nhost=localhost\n\n")
        found = dict(line.split("=", 1)
                     for line in result.check().out.splitlines())
        self.assertEqual(list(found),
                         ["username", "password", "password_expiry_utc"])
        left = int(found["password_expiry_utc"]) - time.time()
        ttl = self.oidc.config()["at_ttl"]
        self.assertTrue(ttl - 60 < left <= ttl + 1, left)

    def test_user_name_chooses_the_account(self):
        helper = self.helper()
        result, found = self.fill(helper, username="alice")     # its name
        self.assertEqual(result.check() and found["username"], ALICE)
        result, found = self.fill(helper, username="bob@example.test")
        self.assertNotEqual(result.rc, 0)   # git wants to ask a person
        self.assertNotIn("mailtoken", result.err)

    def test_two_accounts_that_fit_are_said(self):
        helper = self.helper()
        helper.write(helper.config_file.read_text() + account(
            self.oidc, "bob", "bob@example.test", smtp_host="localhost",
            permit="git-credential"))
        helper.reload()
        result, found = self.fill(helper)
        self.assertEqual(found, {})
        self.assertIn("git-credential-mailtoken: accounts alice and bob both "
                      "fit smtp at localhost", result.err)
        result, found = self.fill(helper, username=ALICE)
        self.assertEqual(result.check() and found["username"], ALICE)

    def test_nothing_of_ours_leaves_git_to_its_other_helpers(self):
        helper = self.helper()
        other = ("[credential]\n\thelper = \"!f() { cat > /dev/null; echo "
                 "username=other; echo password=secret; }; f\"\n")
        for protocol, host in (("https", "localhost"), ("smtp", "elsewhere"),
                               ("pop3", "localhost")):
            asked = f"protocol={protocol}\nhost={host}\n\n"
            result = self.ask(helper, "get", asked)
            self.assertEqual((result.rc, result.out, result.err), (0, "", ""))
            # asked first, ours does not keep git from the other
            home_helper = f"[credential]\n\thelper = {self.program} " \
                          f"--socket {helper.socket}\n"
            result = self.git(helper, "credential", "fill", input=asked,
                              settings=home_helper + other)
            self.assertIn("password=secret", result.check().out)
            self.assertEqual(result.err, "")

    def test_failures_are_said_and_print_nothing(self):
        cases = [(dict(log_in=False), 77, "run 'mailtoken login alice'"),
                 (dict(permit="get"), 78, "'permit = git-credential'")]
        asked = "protocol=smtp\nhost=localhost\n"
        for options, code, text in cases:
            helper = self.helper(**options)
            result = self.ask(helper, "get", asked)
            self.assertEqual((result.rc, result.out), (code, ""))
            self.assertRegex(
                result.err, f"^git-credential-mailtoken: [^\n]*{text}[^\n]*\n$")
            result, _ = self.fill(helper)
            self.assertIn(text, result.err)
        helper.stop()
        result = self.ask(helper, "get", asked)
        self.assertEqual((result.rc, result.out), (69, ""))
        self.assertIn("is mailtokend running", result.err)

    def test_what_is_no_request_of_git_is_refused(self):
        helper = self.helper(log_in=False)
        for asked in ("nonsense\n\n", "protocol=smtp\0\n\n",
                      "protocol=smtp\nhost=" + "x" * 65536):
            result = self.ask(helper, "get", asked)
            self.assertEqual((result.rc, result.out), (65, ""))
            self.assertRegex(result.err, "^git-credential-mailtoken: git ")
        self.assertEqual(self.ask(helper, "get", "").rc, 0)
        self.assertEqual(self.ask(helper, "no-such", "x").rc, 0)
        result = self.bed.run([self.program], {})
        self.assertEqual((result.rc, result.out), (64, ""))

    # -- erase and store -----------------------------------------------------

    def settle(self, helper, how, found):
        """git says that what it was given is good, or not."""
        self.git(helper, "credential", how, input="protocol=smtp\n"
                 "host=localhost:587\n" + "".join(
                     f"{name}={found[name]}\n"
                     for name in ("username", "password"))).check()

    def test_approve_keeps_and_reject_renews_the_token(self):
        helper = self.helper()
        _, first = self.fill(helper)
        self.settle(helper, "approve", first)
        self.assertEqual(self.fill(helper)[1], first)
        self.settle(helper, "reject", first)
        _, second = self.fill(helper)
        self.assertNotEqual(second["password"], first["password"])
        self.assertTrue(self.active(second["password"]))

    def test_reject_of_another_password_keeps_the_token(self):
        helper = self.helper()
        _, first = self.fill(helper)
        for other in (first | {"password": "no-token-of-ours"},
                      first | {"password": first["password"] + "x"}):
            self.settle(helper, "reject", other)
        self.ask(helper, "erase", "protocol=smtp\nhost=localhost\n").check()
        self.assertEqual(self.fill(helper)[1], first)
        self.assertNotIn("rejected", helper.log())

    def test_reject_is_silent_where_there_is_nothing_to_reject(self):
        helper = self.helper(log_in=False)
        asked = "protocol=smtp\nhost=localhost\npassword=x\n"
        for each in asked, asked.replace("localhost", "elsewhere"):
            result = self.ask(helper, "erase", each)
            self.assertEqual((result.rc, result.out, result.err), (0, "", ""))
        helper.stop()
        result = self.ask(helper, "erase", asked)
        self.assertEqual((result.rc, result.out, result.err), (0, "", ""))

    # -- git send-email ------------------------------------------------------

    def send_email(self, helper, mail):
        patch = self.bed.subdir("patch") / "0001.patch"
        patch.write_bytes(PATCH)
        return self.git(
            helper, "-c", "sendemail.smtpServer=localhost", "-c",
            f"sendemail.smtpServerPort={mail.submission_port}", "-c",
            "sendemail.smtpEncryption=tls", "-c",
            f"sendemail.smtpSSLCertPath={mail.ca}", "-c",
            f"sendemail.smtpUser={ALICE}", "-c", "sendemail.smtpAuth=PLAIN",
            "send-email", f"--from={ALICE}", "--to=z@dest.test",
            "--suppress-cc=all", "--confirm=never", patch)

    def test_send_email_sends_and_goes_on_after_a_refused_token(self):
        sink = self.bed.sink()
        mail = self.bed.dovecot(oidc=self.oidc, sink=sink,
                                token_as_password=True)
        helper = self.helper()
        self.send_email(helper, mail).check()
        self.assertEqual(len(sink.messages()), 1)
        self.assertIn("method=PLAIN", mail.log_text())
        self.oidc.expire(ALICE)     # which the helper cannot know
        self.assertNotEqual(self.send_email(helper, mail).rc, 0)
        self.send_email(helper, mail).check()   # git has told it
        self.assertEqual(len(sink.messages()), 2)


if __name__ == "__main__":
    import unittest
    unittest.main()
