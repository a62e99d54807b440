# SPDX-License-Identifier: ISC
"""libmailtoken.so in real mail programs: mbsync, imtest, smtptest, Postfix."""
import os
import re
import tempfile
import unittest

from bed import Bed, BedTestCase
from bed.clients import MECHANISMS, Imtest, Mbsync, Site, Smtptest
from bed.tokensock import Mailtokend, account

ALICE, BOB = "alice@example.test", "bob@example.test"


class ModuleTest(BedTestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.oidc = cls.bed.oidc()
        cls.sink = cls.bed.sink()
        cls.mail = cls.bed.dovecot(oidc=cls.oidc, sink=cls.sink,
                                   mechanisms="plain login xoauth2 oauthbearer")
        cls.mail.deliver(ALICE, b"Subject: for alice\n\nhi\n")

    def setUp(self):
        self.oidc.release()
        self.oidc.clear_log()

    def helper(self, user=ALICE, logged_in=True, jail=None,
               imap_host="localhost"):
        """A mailtokend with one account, which Postfix may use too.

        With `jail`, a chroot, it listens there as well.
        """
        helper = Mailtokend(self.bed, account(
            self.oidc, user=user, imap_host=imap_host, smtp_host="localhost",
            allow="uid:postfix"), start=False)
        if jail:
            socket = jail / "run/mailtoken/socket"
            socket.parent.mkdir(parents=True)
            helper.start("--socket", socket)
            helper.process.wait_output(f"listening on {socket}")
            socket.chmod(0o666)
        else:
            helper.start()
        self.addCleanup(lambda: helper.process and helper.stop())
        if logged_in:
            self.seed(helper, self.oidc.mint(user)["refresh_token"])
        return helper

    def seed(self, helper, refresh_token):
        with tempfile.TemporaryFile(dir=self.bed.dir) as f:
            f.write(refresh_token.encode())
            f.seek(0)
            helper.call("seed", fd=f.fileno(), account="alice").expect()

    def refreshes(self):
        return [entry for entry in self.oidc.log()
                if entry["form"].get("grant_type") == "refresh_token"]

    def env(self, helper=None, extra=("plain", "login")):
        env = {"SASL_PATH": self.bed.sasl_path(extra=extra),
               "HOME": self.bed.dir, "USER": "somebody"}
        if helper:
            env["MAILTOKEN_SOCKET"] = helper.socket
        return env

    def logins(self, mail=None):
        """Names of the mechanisms of all logins up to now."""
        return re.findall(r"Login: .*method=([^,]+)",
                          (mail or self.mail).log_text())

    def attempts(self, mail=None):
        """Number of requests that Dovecot's authentication has seen."""
        return len(re.findall(r"auth: Debug: client in: AUTH",
                              (mail or self.mail).log_text()))

    # -- mbsync ------------------------------------------------------------

    def mbsync(self, env, mechanisms=None, password=None, mail=None):
        """One run: (Result, messages that it fetched)."""
        return Mbsync(Site(self.bed, mail or self.mail, ALICE, None,
                           password or "", environment=env)).run(mechanisms)

    def check_fetched(self, env, expected, **options):
        """A run that fetches alice's message, having used `expected`."""
        result, messages = self.mbsync(env, **options)
        result.check()
        self.assertEqual(len(messages), 1)
        self.assertIn(b"Subject: for alice", messages[0])
        self.assertNotIn("mailtoken", result.err)
        self.assertEqual(self.logins(options.get("mail"))[-1], expected)

    def test_mbsync_fetches_without_passcmd(self):
        helper = self.helper()
        for mechanism in MECHANISMS:
            self.check_fetched(self.env(helper), mechanism,
                               mechanisms=mechanism)
        # of all that the server offers, passwords among them
        self.check_fetched(self.env(helper), "OAUTHBEARER")
        # one token served them all
        self.assertEqual(len(self.refreshes()), 1)

    def test_mbsync_fetches_without_initial_response(self):
        mail = self.bed.dovecot(oidc=self.oidc, imap_capability="IMAP4rev1")
        mail.deliver(ALICE, b"Subject: for alice\n\nhi\n")
        for mechanism in MECHANISMS:
            self.check_fetched(self.env(self.helper()), mechanism,
                               mechanisms=mechanism, mail=mail)

    def test_mbsync_with_a_password_is_untouched(self):
        for extra in ("plain", "login"), ("login", "plain"):
            self.check_fetched(self.env(extra=extra), "PLAIN",
                               password="alice-pw", mechanisms="PLAIN LOGIN")

    def test_mbsync_without_account_goes_on_to_its_password(self):
        helper = self.helper(imap_host="elsewhere.example")
        for mechanisms in None, "XOAUTH2 LOGIN":
            self.check_fetched(self.env(helper), "PLAIN",  # as Dovecot says
                               password="alice-pw", mechanisms=mechanisms)

    def test_mbsync_with_a_password_beside_a_token_must_name_it(self):
        helper = self.helper(BOB)   # at the same server
        result, _ = self.mbsync(self.env(helper), password="alice-pw")
        self.assertIn(f"no account for imap at localhost as {ALICE}",
                      result.err)
        self.assertIn("exclude XOAUTH2 and OAUTHBEARER", result.err)
        self.check_fetched(self.env(helper), "PLAIN",
                           password="alice-pw", mechanisms="PLAIN LOGIN")

    def test_mbsync_does_not_fall_back_when_the_helper_is_down(self):
        helper = self.helper()
        helper.stop()
        before = self.attempts()
        result, messages = self.mbsync(self.env(helper), password="alice-pw")
        self.assertNotEqual(result.rc, 0)
        self.assertEqual(messages, [])
        self.assertIn(f"cannot reach the token helper at {helper.socket}",
                      result.err)
        self.assertEqual(self.attempts(), before)

    def test_mbsync_reports_a_refused_token_and_the_next_run_works(self):
        for mechanism in MECHANISMS:
            helper = self.helper()
            self.check_fetched(self.env(helper), mechanism,
                               mechanisms=mechanism)
            self.oidc.expire(ALICE)     # which the helper cannot know
            before = len(self.refreshes())
            result, messages = self.mbsync(self.env(helper), mechanism)
            self.assertEqual((result.rc, messages), (1, []))
            self.assertIn("AUTHENTICATIONFAILED", result.err)
            self.check_fetched(self.env(helper), mechanism,
                               mechanisms=mechanism)
            self.assertEqual(len(self.refreshes()), before + 1)

    def test_mbsync_prints_what_to_do_when_nobody_is_logged_in(self):
        result, _ = self.mbsync(self.env(self.helper(logged_in=False)))
        self.assertEqual(result.rc, 1)
        self.assertIn("mailtoken: run 'mailtoken login alice'", result.err)

    # -- Cyrus' test programs ----------------------------------------------

    def cyrus(self, program, mechanism):
        """One login; what the program printed."""
        site = Site(self.bed, self.mail, ALICE, self.helper().socket)
        attempt = program(site).login(mechanism)
        self.assertTrue(attempt.ok, attempt.text)
        return attempt.text

    def test_imtest_logs_in(self):
        for mechanism in MECHANISMS:
            self.cyrus(Imtest, mechanism)

    def test_smtptest_logs_in_with_a_long_token(self):
        self.oidc.config(at_size=2000)  # smtptest has room for 3 KB
        self.addCleanup(self.oidc.config, at_size=0)
        for mechanism in MECHANISMS:
            self.assertRegex(self.cyrus(Smtptest, mechanism),
                             rf"C: AUTH {mechanism}\n")

    # -- Postfix -----------------------------------------------------------

    def postfix(self, chroot=True, socket=None, mechanism=""):
        """A Postfix whose smtp(8) looks for the helper at `socket`."""
        env = {"SASL_PATH": self.bed.sasl_path(extra=("plain", "login"))}
        if socket:
            env["MAILTOKEN_SOCKET"] = socket
        return self.bed.postfix(
            relay_port=self.mail.submission_port, ca=self.mail.ca, user=ALICE,
            chroot=chroot, mechanism_filter=mechanism, env=env)

    def postfix_in_jail(self, mechanism="", **options):
        """(Postfix, helper), in a chroot that has nothing but the socket."""
        postfix = self.postfix(socket="/run/mailtoken/socket",
                               mechanism=mechanism)
        self.addCleanup(postfix.stop)
        return postfix, self.helper(jail=postfix.spool, **options)

    def send(self, postfix):
        postfix.submit(ALICE, "z@dest.test", b"Subject: pf\r\n\r\nhi\r\n")

    def check_deferred(self, postfix, text, code):
        """A message waits, and the log says why in the module's words."""
        self.send(postfix)
        postfix.wait_log("warning: SASL authentication failure: "
                         f"mailtoken: {text}")
        postfix.wait_log(f"status=deferred .*{re.escape(code)}")

    def test_postfix_in_its_chroot_sends_with_a_token_of_4_kb(self):
        self.oidc.config(at_size=4096)
        self.addCleanup(self.oidc.config, at_size=0)
        for mechanism in MECHANISMS:
            postfix, helper = self.postfix_in_jail(mechanism.lower())
            before = len(self.sink.messages())
            self.send(postfix)
            postfix.wait_log("status=sent")
            self.assertEqual(len(self.sink.messages()), before + 1)
            self.assertEqual(self.logins()[-1], mechanism)

    def test_postfix_with_a_password_is_untouched(self):
        postfix = self.postfix()
        self.addCleanup(postfix.stop)
        self.send(postfix)
        postfix.wait_log("status=sent")
        self.assertNotIn("mailtoken", postfix.log_text())
        self.assertIn(self.logins()[-1], ("PLAIN", "LOGIN"))

    def test_postfix_says_who_has_to_do_what(self):
        denied = '{"error": "access_denied"}'
        unknown = '{"error": "invalid_client"}'
        cases = [
            (503, "{}", "account alice: ",
             "remote authentication server unavailable"),
            (400, denied, "account alice: .*policy refuses",
             "authorization failure"),
            (401, unknown, "account alice: .*client_id",
             "error when parsing configuration file"),
        ]
        for status, body, text, code in cases:
            self.oidc.fault(times=100, status=status, body=body)
            postfix, _ = self.postfix_in_jail()
            self.check_deferred(postfix, text, code)
            self.oidc.release()

    def test_postfix_says_how_to_log_in(self):
        postfix, _ = self.postfix_in_jail(logged_in=False)
        self.check_deferred(
            postfix, "run 'mailtoken login alice'",
            "passphrase expired, has to be reset")

    def test_postfix_without_helper_defers(self):
        postfix, helper = self.postfix_in_jail()
        helper.stop()
        self.check_deferred(
            postfix,
            f"no token for smtp at localhost as {ALICE}: "
            "cannot reach the token helper at /run/mailtoken/socket",
            "remote authentication server unavailable")

    def test_postfix_without_account_defers_unless_told_to_use_a_password(
            self):
        postfix, _ = self.postfix_in_jail(user=BOB)
        self.check_deferred(
            postfix, f"no account for smtp at localhost as {ALICE}: "
            ".*exclude XOAUTH2 and OAUTHBEARER", "no mechanism available")
        # as libmailtoken(7) has it
        postfix, _ = self.postfix_in_jail(
            "!xoauth2, !oauthbearer, static:rest", user=BOB)
        self.send(postfix)
        postfix.wait_log("status=sent")

    def test_postfix_logs_the_answer_of_the_server_and_not_the_token(self):
        postfix, helper = self.postfix_in_jail()
        answer = helper.call("get", account="alice").expect()
        self.oidc.expire(ALICE)
        self.send(postfix)
        postfix.wait_log("status=deferred .*535 5.7.8")
        self.assertNotIn(answer["token"], postfix.log_text())
        self.send(postfix)      # with a new token
        postfix.wait_log("status=sent")
        self.assertEqual(len(self.refreshes()), 2)


class ModuleFileTest(unittest.TestCase):
    module = Bed.build_dir() / "sasl2/libmailtoken.so"

    def read(self, *args):
        with Bed() as bed:
            return bed.run(args + (self.module,), env=os.environ).check().out

    def test_one_symbol_is_exported(self):
        symbols = self.read("/usr/bin/nm", "-D", "--defined-only")
        self.assertEqual([line.split()[-1] for line in symbols.splitlines()],
                         ["sasl_client_plug_init"])

    def test_libc_is_the_only_library(self):
        needed = re.findall(r"NEEDED.*\[(.*)\]",
                            self.read("/usr/bin/readelf", "-d"))
        self.assertEqual(needed, ["libc.so.6"])


if __name__ == "__main__":
    unittest.main()
