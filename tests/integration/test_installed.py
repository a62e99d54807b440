# SPDX-License-Identifier: ISC
"""The module where it is installed for all: who sees it, and who does not.

On a machine of its own (bed/machine.py): nothing names the module's directory,
its settings or the helper's socket; they are where libsasl2, the module and
mailtokend expect them.
"""
import itertools
import re
import unittest

from bed import BedTestCase
from bed.machine import Machine, SystemHelper, installed_modules
from bed.tokensock import account

ALICE, BOB = "alice@example.test", "bob@example.test"
NOBODY = 65534
CYRUS = "/usr/lib/cyrus/bin"
ORDERS = (("mailtoken", "plain", "login"), ("plain", "mailtoken", "login"),
          ("login", "plain", "mailtoken"))


class InstalledTest(BedTestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.oidc = cls.bed.oidc()
        cls.sink = cls.bed.sink()
        cls.mail = cls.bed.dovecot(oidc=cls.oidc, sink=cls.sink,
                                   mechanisms="plain login xoauth2 oauthbearer")
        for user in ALICE, BOB:
            cls.mail.deliver(user, b"Subject: one\n\nhi\n")

    def machine(self, order=ORDERS[0], **options):
        machine = Machine(self.bed, installed_modules(self.bed, *order),
                          **options)
        self.addCleanup(machine.stop)
        return machine

    def helper(self, machine, *more, **settings):
        """With the account alice, logged in."""
        config = "".join(f"{line}\n" for line in more) + account(
            self.oidc, smtp_host="localhost", **settings)
        helper = SystemHelper(self.bed, machine, config).start()
        self.addCleanup(lambda: helper.process.stop())
        helper.login(self.oidc, "alice").expect()
        return helper

    def logins(self):
        return re.findall(r"Login: .*method=([^,]+)", self.mail.log_text())

    # -- the programs, for an ordinary user with bob's password --------------

    def mbsync(self, machine):
        home = self.bed.subdir("mbsync")
        config = home / "mbsyncrc"
        config.write_text(f"""
IMAPStore far
Host {self.mail.host}
Port {self.mail.imaps_port}
User {BOB}
PassCmd "echo bob-pw"
SSLType IMAPS
CertificateFile {self.mail.ca}

MaildirStore near
Path {home}/mail/
Inbox {home}/mail/INBOX

Channel c
Far :far:
Near :near:
Create Near
SyncState *
""")
        (home / "mail").mkdir()
        (home / "mail").chmod(0o777)
        result = self.bed.run(machine.argv(
            ["/usr/bin/mbsync", "-c", config, "c"], NOBODY), {"HOME": home})
        return result.rc == 0, result.out + result.err

    def imtest(self, machine):
        process = self.bed.spawn(machine.argv(
            [f"{CYRUS}/imtest", "-s", "-a", BOB, "-u", BOB, "-w", "bob-pw",
             "-p", self.mail.imaps_port, "localhost"], NOBODY), stdin=True)
        process.wait_output("^(Authenticat|Authenticated|failure)", "stdout")
        process.close_stdin()
        process.wait()
        text = process.stdout_text() + process.stderr_text()
        return "\nAuthenticated." in text, text

    def postfix(self, machine, user=BOB, secret="bob-pw", chroot=False,
                helper=None):
        postfix = self.bed.postfix(
            relay_port=self.mail.submission_port, ca=self.mail.ca, user=user,
            secret=secret, chroot=chroot, machine=machine)
        self.addCleanup(postfix.stop)
        if helper:
            helper(postfix)
        postfix.submit(user, "z@dest.test", b"Subject: pf\r\n\r\nhi\r\n")
        found = postfix.wait_log("status=(sent|deferred)")
        return found[1] == "sent", postfix.log_text()

    # -- who has no account --------------------------------------------------

    def test_users_without_an_account_notice_nothing(self):
        programs = self.mbsync, self.imtest, self.postfix
        for order, active in itertools.product(ORDERS, (False, True)):
            machine = self.machine(order)
            if active:      # with an account, but of somebody else
                self.helper(machine)
            for program in programs:
                with self.subTest(order=order, active=active,
                                  program=program.__name__):
                    before = len(self.logins())
                    works, text = program(machine)
                    self.assertTrue(works, text)
                    self.assertNotIn("mailtoken", text)
                    self.assertIn(self.logins()[before:][0],
                                  ("PLAIN", "LOGIN"))

    def test_module_in_the_directory_is_the_one_that_is_loaded(self):
        """What the test above would not show if it were not there."""
        for order in ORDERS:
            machine = self.machine(
                order, settings="pass_through = imtest\n")
            works, text = self.imtest(machine)
            self.assertFalse(works)
            self.assertIn("no mechanism available", text)

    # -- who has one ---------------------------------------------------------

    def test_chrooted_postfix_in_the_group_sends_with_a_token(self):
        machine = self.machine(settings="offer = smtp\n",
                               members=["postfix"])

        def start(postfix):
            inside = postfix.spool / "run/mailtoken/socket"
            self.helper(machine, "socket = /run/mailtoken/socket",
                        f"socket = {inside}", allow="uid:postfix")
            self.assertEqual(inside.stat().st_mode & 0o777, 0o660)
        works, text = self.postfix(machine, ALICE, "unused", True, start)
        self.assertTrue(works, text)
        self.assertEqual(self.logins()[-1], "OAUTHBEARER")

    def test_postfix_with_accounts_of_both_kinds_needs_two_transports(self):
        other = self.bed.dovecot(oidc=self.oidc, sink=self.sink,
                                 mechanisms="plain login xoauth2 oauthbearer")
        machine = self.machine(settings="offer = smtp\n", members=["postfix"])
        self.helper(machine, allow="uid:postfix")
        for apart in False, True:
            password = f"[localhost]:{other.submission_port}"
            postfix = self.bed.postfix(
                relay_port=self.mail.submission_port, ca=self.mail.ca,
                machine=machine, password_maps=(
                    f"inline:{{ {{[localhost]:{self.mail.submission_port} = "
                    f"{ALICE}:unused}} {{{password} = {BOB}:bob-pw}} }}"),
                # as libmailtoken(7) has it
                services="smtp-pw  unix  -  -  n  -  -  smtp\n"
                "    -o smtp_sasl_mechanism_filter="
                "!xoauth2,!oauthbearer,static:rest",
                settings={"transport_maps": "inline:{ {password.test = "
                          f"{'smtp-pw' if apart else 'smtp'}:{password}}} }}"})
            self.addCleanup(postfix.stop)
            for sender, to in (ALICE, "z@token.test"), (BOB,
                                                        "z@password.test"):
                postfix.submit(sender, to, b"Subject: pf\r\n\r\nhi\r\n")
            postfix.wait_log("to=<z@token.test>.*status=sent")
            postfix.wait_log("to=<z@password.test>.*status="
                             + ("sent" if apart else "deferred"))
            if not apart:
                self.assertIn("exclude XOAUTH2 and OAUTHBEARER",
                              postfix.log_text())
        self.assertIn(re.findall(r"method=([^,]+)", other.log_text())[-1],
                      ("PLAIN", "LOGIN"))

    def test_postfix_outside_of_the_group_is_told_so(self):
        machine = self.machine(settings="offer = smtp\n")
        works, text = self.postfix(
            machine, ALICE, "alice-pw",
            helper=lambda postfix: self.helper(machine, allow="uid:postfix"))
        self.assertFalse(works)
        self.assertIn(f"no token for smtp at localhost as {ALICE}: cannot "
                      "reach the token helper at /run/mailtoken/socket: "
                      "Permission denied", text)


if __name__ == "__main__":
    unittest.main()
