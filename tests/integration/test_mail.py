# SPDX-License-Identifier: ISC
"""connector/mail against real servers: Dovecot and oidc-provider."""
import email.utils
import itertools
import os
import time

from bed import BedTestCase
from integration.mailprobe import ALICE, BOB, PASSWORDS, TokenHelper, probe

PASSWORD_MECHANISMS = ("LOGIN", "PLAIN", "SCRAM-SHA-256")
OAUTH_MECHANISMS = ("XOAUTH2", "OAUTHBEARER")
MECHANISMS = PASSWORD_MECHANISMS + OAUTH_MECHANISMS
WITHOUT_SASL_IR = ("IMAP4rev1 LITERAL+ LOGIN-REFERRALS ID ENABLE IDLE "
                   "STARTTLS")


def message(number, body="Hello\n"):
    return (f"From: sender@example.test\nTo: {ALICE}\n"
            f"Subject: number {number}\n\n{body}").encode()


class MailTest(BedTestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.oidc = cls.bed.oidc()
        cls.sink = cls.bed.sink()
        cls.dovecot = cls.bed.dovecot(oidc=cls.oidc, sink=cls.sink)
        cls.modules = {"SASL_PATH": cls.bed.sasl_path(
            ("plain", "login", "scram"))}
        cls.token = cls.oidc.mint()["access_token"]
        cls.helper = TokenHelper(cls.bed, cls.token)
        cls.mail = cls.bed.dir / "mail"
        cls.mail.write_bytes(b"From: alice@example.test\r\n"
                             b"To: bob@example.test\r\n\r\n"
                             b".\r\n..two\r\n.\r\nlast\r\n")

    def login(self, kind, port, mechanism, *options, dovecot=None,
              helper=None, env=None, **settings):
        """Log in by `mechanism`, with the password or the token."""
        dovecot = dovecot or self.dovecot
        if mechanism in OAUTH_MECHANISMS:
            options += ("--socket", (helper or self.helper).path)
        else:
            settings.setdefault("password", PASSWORDS[ALICE])
        return probe(self.bed, kind, port, mechanism, *options,
                     host=dovecot.host, ca=dovecot.ca,
                     env=self.modules | (env or {}), **settings)

    def assert_login(self, outcome, mechanism):
        self.assertEqual(
            (outcome.status, outcome.login, outcome.mechanism, outcome.rc),
            ("OK", "done", mechanism, 0), outcome)

    # -- logging in --------------------------------------------------------

    def test_every_mechanism_logs_in_to_imap(self):
        ports = {"tls": self.dovecot.imaps_port,
                 "starttls": self.dovecot.imap_port}
        for mechanism, tls in itertools.product(MECHANISMS, ports):
            with self.subTest(mechanism=mechanism, tls=tls):
                self.assert_login(self.login("imap", ports[tls], mechanism,
                                             tls=tls), mechanism)

    def test_every_mechanism_logs_in_without_sasl_ir(self):
        dovecot = self.bed.dovecot(oidc=self.oidc,
                                   imap_capability=WITHOUT_SASL_IR)
        for mechanism in MECHANISMS:
            with self.subTest(mechanism=mechanism):
                outcome = self.login("imap", dovecot.imaps_port, mechanism,
                                     dovecot=dovecot)
                self.assert_login(outcome, mechanism)

    def test_every_mechanism_logs_in_to_submission(self):
        ports = {"tls": self.dovecot.submissions_port,
                 "starttls": self.dovecot.submission_port}
        for mechanism, tls in itertools.product(MECHANISMS, ports):
            with self.subTest(mechanism=mechanism, tls=tls):
                self.assert_login(self.login("smtp", ports[tls], mechanism,
                                             tls=tls), mechanism)

    def test_refused_credentials_are_reported_as_refused(self):
        wrong = TokenHelper(self.bed, "not-a-token-of-this-server")
        for kind, port in (("imap", self.dovecot.imaps_port),
                           ("smtp", self.dovecot.submissions_port)):
            for mechanism in MECHANISMS:
                with self.subTest(kind=kind, mechanism=mechanism):
                    settings = ({} if mechanism in OAUTH_MECHANISMS
                                else {"password": "wrong"})
                    outcome = self.login(kind, port, mechanism, helper=wrong,
                                         **settings)
                    self.assertEqual((outcome.status, outcome.login),
                                     ("NEEDS_LOGIN", "rejected"), outcome)
                    self.assertIn(f"localhost:{port}", outcome.text)
                    self.assertIn(ALICE, outcome.text)
                    self.assertNotIn("wrong", outcome.text)
                    self.assertNotIn(wrong.token, outcome.text)

    def test_error_challenge_is_in_the_sentence(self):
        wrong = TokenHelper(self.bed, "not-a-token-of-this-server")
        for mechanism, status in (("XOAUTH2", "401"),
                                  ("OAUTHBEARER", "invalid_token")):
            outcome = self.login("imap", self.dovecot.imaps_port, mechanism,
                                 helper=wrong)
            self.assertIn(f'"status":"{status}"', outcome.text)

    def test_authentication_service_down_is_not_a_refusal(self):
        for kind, port in (("imap", self.dovecot.imaps_port),
                           ("smtp", self.dovecot.submissions_port)):
            with self.subTest(kind=kind):
                # a token of its own: Dovecot must not have it in its cache
                helper = TokenHelper(self.bed,
                                     self.oidc.mint()["access_token"])
                self.oidc.fault("introspection", status=503, times=5)
                outcome = self.login(kind, port, "XOAUTH2", helper=helper)
                self.oidc.release()
                self.assertEqual((outcome.status, outcome.login),
                                 ("RETRY_LATER", "not-tried"), outcome)

    def test_no_common_mechanism_names_both_lists(self):
        dovecot = self.bed.dovecot(mechanisms="plain login")
        for kind, port in (("imap", dovecot.imaps_port),
                           ("smtp", dovecot.submissions_port)):
            outcome = probe(self.bed, kind, port, "XOAUTH2,OAUTHBEARER",
                            ca=dovecot.ca)
            self.assertEqual((outcome.status, outcome.login),
                             ("BAD_CONFIG", "not-tried"), outcome)
            self.assertRegex(outcome.text, "PLAIN LOGIN.*XOAUTH2 OAUTHBEARER")

    def test_missing_module_names_the_package(self):
        no_modules = {"SASL_PATH": self.bed.sasl_path(module=False)}
        for mechanism, package in (
                ("XOAUTH2", "libsasl2-modules-mailtoken"),
                ("PLAIN", "libsasl2-modules")):
            outcome = probe(self.bed, "imap", self.dovecot.imaps_port,
                            mechanism, password="x", env=no_modules)
            self.assertEqual(outcome.status, "BAD_CONFIG", outcome)
            self.assertIn(f"install {package}", outcome.text)

    def test_helper_decides_what_to_do_about_a_missing_token(self):
        for answer, status in (("none", "NO_ACCOUNT"),
                               ("login", "NEEDS_LOGIN"),
                               ("admin", "NEEDS_ADMIN"),
                               ("config", "BAD_CONFIG"),
                               ("later", "RETRY_LATER")):
            with self.subTest(answer=answer):
                helper = TokenHelper(self.bed, status=answer,
                                     text="as the helper says")
                outcome = self.login("imap", self.dovecot.imaps_port,
                                     "XOAUTH2", helper=helper)
                self.assertEqual((outcome.status, outcome.login),
                                 (status, "not-tried"), outcome)
                if answer != "none":
                    self.assertIn("as the helper says", outcome.text)

    def test_missing_helper_is_unreachable(self):
        outcome = probe(self.bed, "imap", self.dovecot.imaps_port, "XOAUTH2",
                        "--socket", self.bed.dir / "nothing",
                        env=self.modules)
        self.assertEqual((outcome.status, outcome.login, outcome.rc),
                         ("UNREACHABLE", "not-tried", 69), outcome)

    def test_helper_is_asked_for_this_service_and_host(self):
        helper = TokenHelper(self.bed, self.token)
        self.login("imap", self.dovecot.imaps_port, "XOAUTH2", helper=helper)
        self.login("smtp", self.dovecot.submissions_port, "OAUTHBEARER",
                   helper=helper)
        asked = [(fields["service"], fields["host"], fields["user"])
                 for verb, fields in helper.requests if verb == "get"]
        self.assertEqual(asked, [("imap", "localhost", ALICE),
                                 ("smtp", "localhost", ALICE)])

    def test_login_command_stands_in_for_a_mechanism(self):
        outcome = self.login("imap", self.dovecot.imaps_port, "CRAM-MD5",
                             "--login-command")
        self.assert_login(outcome, "LOGIN")
        outcome = self.login("imap", self.dovecot.imaps_port, "CRAM-MD5",
                             "--login-command", password="wrong")
        self.assertEqual((outcome.status, outcome.login),
                         ("NEEDS_LOGIN", "rejected"), outcome)

    def test_login_command_quotes_names_and_passwords(self):
        password = 'p" w\\ "'
        dovecot = self.bed.dovecot(users={ALICE: password})
        outcome = probe(self.bed, "imap", dovecot.imaps_port, "CRAM-MD5",
                        "--login-command", password=password, ca=dovecot.ca)
        self.assert_login(outcome, "LOGIN")

    def test_login_command_is_not_used_unasked(self):
        outcome = self.login("imap", self.dovecot.imaps_port, "CRAM-MD5")
        self.assertEqual(outcome.status, "BAD_CONFIG", outcome)

    def test_control_characters_never_reach_the_server(self):
        for options, user, password in (
                ((), "alice\r\n1 LOGOUT", "x"),
                (("--login-command",), ALICE, "a\r\n1 LOGOUT"),
                (("--authzid", "bob\n"), ALICE, "x")):
            outcome = self.login("imap", self.dovecot.imaps_port, "CRAM-MD5",
                                 *options, user=user, password=password)
            self.assertEqual((outcome.status, outcome.login),
                             ("BAD_CONFIG", "not-tried"), outcome)
            self.assertIn("control character", outcome.text)

    # -- TLS ---------------------------------------------------------------

    def test_certificate_must_fit(self):
        tls = self.bed.tls
        cases = {
            "for another name (it names: other.example.test, 192.0.2.1)":
                tls.cert(["other.example.test", "192.0.2.1"]),
            "is self-signed": tls.cert(self_signed=True),
            "has expired": tls.cert(expired=True),
        }
        for text, cert in cases.items():
            dovecot = self.bed.dovecot(cert=cert)
            for port, mode in ((dovecot.imaps_port, "tls"),
                               (dovecot.imap_port, "starttls"),
                               (dovecot.submissions_port, "tls"),
                               (dovecot.submission_port, "starttls")):
                with self.subTest(text=text, port=port, mode=mode):
                    kind = "imap" if port in (dovecot.imap_port,
                                              dovecot.imaps_port) else "smtp"
                    outcome = probe(self.bed, kind, port, "PLAIN", tls=mode,
                                    password=PASSWORDS[ALICE])
                    self.assertEqual((outcome.status, outcome.login),
                                     ("BAD_CONFIG", "not-tried"), outcome)
                    self.assertIn(text.replace("(", "").split(" it")[0],
                                  outcome.text.replace("(", ""))
                    self.assertIn(f"localhost:{port}", outcome.text)
            self.assertNotIn("client in", dovecot.log_text())

    def test_unknown_authority_is_not_trusted(self):
        other = self.bed.dovecot(cert=self.bed.tls.cert())
        stranger, _ = self.bed.tls.cert(self_signed=True)
        outcome = probe(self.bed, "imap", other.imaps_port, "PLAIN",
                        password="x", ca=stranger)
        self.assertEqual(outcome.status, "BAD_CONFIG", outcome)
        self.assertIn("authority that is not trusted", outcome.text)

    def test_self_signed_certificate_can_be_trusted_by_file(self):
        cert = self.bed.tls.cert(self_signed=True)
        dovecot = self.bed.dovecot(cert=cert, ca=cert[0])
        self.assert_login(
            self.login("imap", dovecot.imaps_port, "PLAIN", dovecot=dovecot),
            "PLAIN")

    def test_address_in_place_of_a_name_is_verified_too(self):
        good = self.bed.dovecot(address="127.0.0.2",
                                cert=self.bed.tls.cert(["127.0.0.2"]))
        self.assert_login(self.login("imap", good.imaps_port, "PLAIN",
                                     dovecot=good), "PLAIN")
        bad = self.bed.dovecot(address="127.0.0.2",
                               cert=self.bed.tls.cert(["127.0.0.3"]))
        outcome = self.login("imap", bad.imaps_port, "PLAIN", dovecot=bad)
        self.assertEqual(outcome.status, "BAD_CONFIG", outcome)
        self.assertIn("it names: 127.0.0.3", outcome.text)

    def test_missing_starttls_is_no_reason_to_go_on_in_clear(self):
        plain = self.bed.dovecot(ssl="no")
        for kind, port in (("imap", plain.imap_port),
                           ("smtp", plain.submission_port)):
            outcome = probe(self.bed, kind, port, "PLAIN", tls="starttls",
                            password=PASSWORDS[ALICE])
            self.assertEqual((outcome.status, outcome.login),
                             ("BAD_CONFIG", "not-tried"), outcome)
            self.assertIn("does not offer STARTTLS", outcome.text)

    def test_tls_on_a_starttls_port_is_explained(self):
        for kind, port in (("imap", self.dovecot.imap_port),
                           ("smtp", self.dovecot.submission_port)):
            outcome = probe(self.bed, kind, port, "PLAIN", password="x")
            self.assertEqual(outcome.status, "BAD_CONFIG", outcome)
            self.assertIn("port for STARTTLS", outcome.text)

    # -- reading -----------------------------------------------------------

    def read(self, dovecot, *options, **settings):
        return self.login("imap", dovecot.imaps_port, "PLAIN", "--list",
                          *options, dovecot=dovecot, **settings)

    def test_messages_are_listed_and_fetched_and_stay_unseen(self):
        dovecot = self.bed.dovecot()
        before = int(time.time())
        dovecot.deliver(ALICE, *(message(i) for i in range(5)))
        out = self.bed.subdir("out")
        outcome = self.read(dovecot, "--fetch", "--out", out)
        self.assertEqual(outcome.status, "OK", outcome)
        expected = [text.replace(b"\n", b"\r\n")
                    for text in dovecot.messages(ALICE)]
        uidvalidity, uidnext, exists = outcome.mailbox
        self.assertGreater(uidvalidity, 0)
        self.assertEqual((uidnext, exists), (6, 5))
        self.assertEqual(outcome.listed,
                         [(i + 1, len(m)) for i, m in enumerate(expected)])
        self.assertEqual([(uid, size) for uid, size, _ in outcome.fetched],
                         outcome.listed)
        for uid, _, date in outcome.fetched:
            self.assertEqual((out / str(uid)).read_bytes(), expected[uid - 1])
            self.assertLessEqual(before, date)
            self.assertLessEqual(date, time.time())
        self.assertEqual(dovecot.flags(ALICE), [""] * 5)

    def test_list_begins_at_the_first_uid(self):
        dovecot = self.bed.dovecot()
        dovecot.deliver(ALICE, *(message(i) for i in range(3)))
        for first, uids in ((1, [1, 2, 3]), (3, [3]), (4, []), (1000, [])):
            outcome = self.read(dovecot, "--first-uid", str(first))
            self.assertEqual([uid for uid, _ in outcome.listed], uids)

    def test_empty_mailbox_has_no_messages(self):
        outcome = self.read(self.bed.dovecot(), "--fetch")
        self.assertEqual((outcome.status, outcome.listed, outcome.fetched),
                         ("OK", [], []), outcome)

    def test_gaps_between_uids_do_no_harm(self):
        dovecot = self.bed.dovecot()
        dovecot.deliver(ALICE, *(message(i) for i in range(9)))
        dovecot.doveadm("expunge", "-u", ALICE, "mailbox", "INBOX", "uid",
                        "2,3,5,9")
        outcome = self.read(dovecot, "--fetch")
        self.assertEqual([uid for uid, *_ in outcome.fetched],
                         [1, 4, 6, 7, 8])

    def test_many_scattered_uids_need_several_commands(self):
        dovecot = self.bed.dovecot()
        count = 700
        dovecot.deliver(ALICE, *(message(i) for i in range(count)))
        dovecot.doveadm("expunge", "-u", ALICE, "mailbox", "INBOX", "uid",
                        ",".join(str(uid) for uid in range(2, count, 2)))
        outcome = self.read(dovecot, "--fetch")
        self.assertEqual(outcome.status, "OK", outcome)
        self.assertEqual([uid for uid, *_ in outcome.fetched],
                         [*range(1, count, 2), count])

    def test_missing_mailbox_is_named_as_the_reason(self):
        outcome = self.read(self.dovecot, "--mailbox", "Nowhere")
        self.assertEqual(outcome.status, "RETRY_LATER", outcome)
        self.assertIn("cannot open the mailbox", outcome.text)
        self.assertIn("Nowhere", outcome.text)

    def test_mailbox_name_cannot_hold_a_command(self):
        outcome = self.read(self.dovecot, "--mailbox", "x\r\n9 CREATE evil")
        self.assertEqual(outcome.status, "BAD_INPUT", outcome)
        self.assertNotIn("evil", self.dovecot.doveadm(
            "mailbox", "list", "-u", ALICE))

    def test_memory_does_not_grow_with_the_message(self):
        # A sanitizer keeps what was freed; here that would be every record.
        env = {"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "")
               + ":quarantine_size_mb=1"}
        dovecot = self.bed.dovecot()
        dovecot.deliver(ALICE, message(1))
        small = self.read(dovecot, "--fetch", env=env)
        line = "x" * 75 + "\n"
        dovecot.deliver(ALICE, message(2, line * (30_000_000 // len(line))))
        large = self.read(dovecot, "--fetch", env=env)
        self.assertGreater(large.fetched[1][1], 30_000_000)
        if "MAILPROBE_PREFIX" not in os.environ:    # its memory, not ours
            self.assertLess(large.peak_kb - small.peak_kb, 2000)

    def test_message_beyond_the_limit_is_not_taken(self):
        dovecot = self.bed.dovecot()
        dovecot.deliver(ALICE, message(1, "x" * 70 + "\n"))
        outcome = self.read(dovecot, "--fetch", "--max-bytes", "100")
        self.assertEqual((outcome.status, outcome.fetched),
                         ("RETRY_LATER", []), outcome)
        self.assertIn("larger than allowed", outcome.text)

    # -- sending -----------------------------------------------------------

    def send(self, *options, mechanism="PLAIN", **settings):
        return self.login("smtp", self.dovecot.submissions_port, mechanism,
                          "--send", self.mail, "--from", ALICE, *options,
                          **settings)

    def test_message_arrives_as_it_is(self):
        for mechanism in MECHANISMS:
            with self.subTest(mechanism=mechanism):
                count = len(self.sink.messages())
                outcome = self.send("--to", BOB, "--to", "c@example.test",
                                    mechanism=mechanism)
                self.assertEqual((outcome.status, outcome.result,
                                  outcome.code),
                                 ("OK", "accepted", 250), outcome)
                sent = self.sink.wait_messages(count + 1)[-1]
                self.assertEqual((sent.mail_from, sent.rcpt_to),
                                 (ALICE, [BOB, "c@example.test"]))
                # behind what Dovecot adds
                self.assertTrue(sent.data.endswith(self.mail.read_bytes()),
                                sent.data)

    def test_connection_takes_several_messages(self):
        count = len(self.sink.messages())
        outcome = self.send("--to", BOB, "--times", "3")
        self.assertEqual(outcome.status, "OK", outcome)
        self.assertEqual(len(self.sink.wait_messages(count + 3)), count + 3)

    def test_large_message_arrives_whole(self):
        mail = self.bed.dir / "large"
        mail.write_bytes(b"Subject: large\r\n\r\n" +
                         b".line\r\n" * 500_000)
        count = len(self.sink.messages())
        outcome = self.login("smtp", self.dovecot.submissions_port, "PLAIN",
                             "--send", mail, "--from", ALICE, "--to", BOB)
        self.assertEqual(outcome.result, "accepted", outcome)
        sent = self.sink.wait_messages(count + 1)[-1]
        self.assertTrue(sent.data.endswith(mail.read_bytes()))

    def test_addresses_cannot_hold_a_command(self):
        for sender, recipient in ((ALICE, "a@b>\r\nRCPT TO:<evil@x"),
                                  ("a@b> SIZE=1", BOB), (ALICE, "a b@c"),
                                  (ALICE, ""), (ALICE, "x" * 300)):
            outcome = self.login(
                "smtp", self.dovecot.submissions_port, "PLAIN", "--send",
                self.mail, "--from", sender, "--to", recipient)
            self.assertEqual((outcome.status, outcome.result, outcome.code),
                             ("BAD_INPUT", "deferred", 0), outcome)

    def test_message_with_bare_line_ends_is_not_sent(self):
        for bad in (b"a\nb\r\n", b"a\rb\r\n", b"a\r\n.\n\r\n", b"a\r\n\r",
                    b"nul\0\r\n"):
            mail = self.bed.dir / "bad"
            mail.write_bytes(b"Subject: x\r\n\r\n" + bad)
            outcome = self.login("smtp", self.dovecot.submissions_port,
                                 "PLAIN", "--send", mail, "--from", ALICE,
                                 "--to", BOB)
            self.assertEqual((outcome.status, outcome.result),
                             ("BAD_INPUT", "deferred"), outcome)

    def test_reply_of_the_next_server_decides(self):
        for at, code, status, result in (
                ("mail", 550, "REFUSED", "refused"),
                ("rcpt", 550, "REFUSED", "refused"),
                ("rcpt", 450, "RETRY_LATER", "deferred"),
                ("data", 451, "RETRY_LATER", "deferred"),
                ("dot", 554, "REFUSED", "refused"),
                ("dot", 452, "RETRY_LATER", "deferred")):
            with self.subTest(at=at, code=code):
                self.sink.fail(code, "5.0.0 as the sink says", at=at,
                               times=1)
                outcome = self.send("--to", BOB)
                self.assertEqual((outcome.status, outcome.result,
                                  outcome.code),
                                 (status, result, code), outcome)
                self.assertIn("as the sink says", outcome.reply)
                if at in ("mail", "rcpt"):
                    self.assertFalse(outcome.data)
