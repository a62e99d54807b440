# SPDX-License-Identifier: ISC
"""connector/mail against servers that misbehave."""
import base64
import re
import ssl
import threading
import warnings

from bed import BedTestCase
from integration.mailprobe import ALICE, BOB, TokenHelper, probe

CAPABILITIES = "IMAP4rev1 SASL-IR AUTH=PLAIN"
PLENTY = 60         # seconds: ends by itself long before, or never


def b64(text):
    return base64.b64encode(text.encode()).decode()


def until_closed(conn):
    """Wait in silence for the client to go, or to say good-bye."""
    while not re.search("LOGOUT|QUIT", conn.readline()):
        pass


# -- what a well-behaved server does, up to some point -----------------------

def greet(conn, capabilities=CAPABILITIES):
    conn.send(f"* OK [CAPABILITY {capabilities}] ready\r\n")


def log_in(conn):
    greet(conn)
    conn.expect(r"1 AUTHENTICATE PLAIN \S+")
    conn.send(f"1 OK [CAPABILITY {CAPABILITIES}] in\r\n")


def examine(conn, exists=1):
    log_in(conn)
    conn.expect('2 EXAMINE "INBOX"')
    conn.send(f"* {exists} EXISTS\r\n* OK [UIDVALIDITY 7] ok\r\n"
              "* OK [UIDNEXT 900] ok\r\n2 OK [READ-ONLY] done\r\n")


def list_messages(conn, *uids):
    """Up to the command that fetches the messages; returns its set."""
    examine(conn, len(uids))
    conn.expect(r"3 UID FETCH 1:\* \(UID RFC822.SIZE\)")
    for number, uid in enumerate(uids, 1):
        conn.send(f"* {number} FETCH (UID {uid} RFC822.SIZE 10)\r\n")
    conn.send("3 OK listed\r\n")
    return conn.expect(r"4 UID FETCH (\S+) "
                       r"\(UID INTERNALDATE BODY\.PEEK\[\]\)")[1]


def ehlo(conn, *extensions):
    conn.send("220 scripted\r\n")
    conn.expect(r"EHLO \S+")
    lines = ["scripted", *extensions]
    conn.send("".join(f"250-{line}\r\n" for line in lines[:-1])
              + f"250 {lines[-1]}\r\n")


def log_in_smtp(conn):
    ehlo(conn, "SIZE 100000000", "AUTH PLAIN")
    conn.expect(r"AUTH PLAIN \S+")
    conn.send("235 in\r\n")


def take_envelope(conn):
    log_in_smtp(conn)
    conn.expect(r"MAIL FROM:<\S+>.*")
    conn.send("250 ok\r\n")
    conn.expect(r"RCPT TO:<\S+>")
    conn.send("250 ok\r\n")
    conn.expect("DATA")
    conn.send("354 go\r\n")


class FaultTest(BedTestCase):
    def serve(self, script, tls=None, implicit=True):
        return self.bed.scripted_server(script, tls, implicit)

    def imap(self, script, *options, mechanisms="PLAIN", password="secret",
             tls="none", cert=None, **settings):
        server = self.serve(script, cert, tls == "tls")
        return probe(self.bed, "imap", server.port, mechanisms, *options,
                     tls=tls, password=password, timeout=PLENTY, **settings)

    def smtp(self, script, *options, mechanisms="PLAIN", password="secret",
             tls="none", cert=None, **settings):
        server = self.serve(script, cert, tls == "tls")
        return probe(self.bed, "smtp", server.port, mechanisms, *options,
                     tls=tls, password=password, timeout=PLENTY, **settings)

    def assert_failed(self, outcome, status, text, login="not-tried"):
        self.assertEqual((outcome.status, outcome.login), (status, login),
                         outcome)
        self.assertRegex(outcome.text, text)
        self.assertNotIn("secret", outcome.text + outcome.stderr)


class TlsFaults(FaultTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cert = cls.bed.tls.cert()

    def test_tls_1_1_is_refused(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.load_cert_chain(*self.cert)

        def script(conn):
            context.wrap_socket(conn.socket, server_side=True)

        server = self.serve(script)
        outcome = probe(self.bed, "imap", server.port, "PLAIN", password="x")
        self.assert_failed(outcome, "BAD_CONFIG", "TLS 1.2")

    def test_bytes_injected_behind_starttls_are_refused(self):
        def imap(conn):
            greet(conn, "IMAP4rev1 STARTTLS AUTH=PLAIN")
            conn.expect("1 STARTTLS")
            conn.send("1 OK go\r\n* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n")
            conn.starttls()
            until_closed(conn)

        def smtp(conn):
            ehlo(conn, "STARTTLS")
            conn.expect("STARTTLS")
            conn.send("220 go\r\n250 AUTH PLAIN\r\n")
            conn.starttls()
            until_closed(conn)

        for outcome in (self.imap(imap, tls="starttls", cert=self.cert),
                        self.smtp(smtp, tls="starttls", cert=self.cert)):
            self.assert_failed(outcome, "RETRY_LATER", "injected")

    def test_capabilities_in_clear_are_forgotten(self):
        def imap(conn):
            greet(conn, "IMAP4rev1 STARTTLS SASL-IR AUTH=PLAIN")
            conn.expect("1 STARTTLS")
            conn.send("1 OK go\r\n")
            conn.starttls()
            conn.expect("2 CAPABILITY")
            conn.send("* CAPABILITY IMAP4rev1 AUTH=GSSAPI\r\n2 OK\r\n")
            until_closed(conn)

        def smtp(conn):
            ehlo(conn, "STARTTLS", "AUTH PLAIN")
            conn.expect("STARTTLS")
            conn.send("220 go\r\n")
            conn.starttls()
            conn.expect(r"EHLO \S+")
            conn.send("250-scripted\r\n250 AUTH GSSAPI\r\n")
            until_closed(conn)

        for outcome in (self.imap(imap, tls="starttls", cert=self.cert),
                        self.smtp(smtp, tls="starttls", cert=self.cert)):
            self.assert_failed(outcome, "BAD_CONFIG", "GSSAPI")

    def test_refused_starttls_ends_it(self):
        def imap(conn):
            greet(conn, "IMAP4rev1 STARTTLS AUTH=PLAIN")
            conn.expect("1 STARTTLS")
            conn.send("1 NO not today\r\n")
            self.assertRaises(EOFError, conn.readline)

        def smtp(conn):
            ehlo(conn, "STARTTLS", "AUTH PLAIN")
            conn.expect("STARTTLS")
            conn.send("454 not today\r\n")
            self.assertRaises(EOFError, conn.readline)

        for outcome in (self.imap(imap, tls="starttls", cert=self.cert),
                        self.smtp(smtp, tls="starttls", cert=self.cert)):
            self.assert_failed(outcome, "RETRY_LATER", "not today")

    def test_preauth_is_refused_with_and_without_tls(self):
        def script(conn):
            conn.send("* PREAUTH [CAPABILITY IMAP4rev1 STARTTLS] hello\r\n")
            self.assertRaises(EOFError, conn.readline)

        for tls in ("none", "tls", "starttls"):
            outcome = self.imap(script, tls=tls, cert=self.cert)
            self.assert_failed(outcome, "BAD_CONFIG", "PREAUTH")

    def test_silent_peer_in_the_handshake_is_given_up(self):
        def script(conn):
            conn.read(1 << 20)

        server = self.serve(script)
        outcome = probe(self.bed, "imap", server.port, "PLAIN",
                        "--timeout-ms", "500", password="x")
        self.assert_failed(outcome, "RETRY_LATER", "did not .* in time")


class ImapLoginFaults(FaultTest):
    def test_greeting_that_is_no_welcome(self):
        for line, text in (("* BYE Too many users", "Too many users"),
                           ("220 smtp.example.test", "does not greet"),
                           ("", "does not greet")):
            outcome = self.imap(lambda conn: conn.send(f"{line}\r\n"))
            self.assert_failed(outcome, "RETRY_LATER", text)

    def test_success_without_the_proof_of_scram_is_refused(self):
        def script(conn):
            greet(conn, "IMAP4rev1 SASL-IR AUTH=SCRAM-SHA-256")
            conn.expect(r"1 AUTHENTICATE SCRAM-SHA-256 \S+")
            conn.send("1 OK [CAPABILITY IMAP4rev1] welcome\r\n")
            self.assertRaises(EOFError, conn.readline)

        self.assert_failed(self.imap(script, mechanisms="SCRAM-SHA-256"),
                           "RETRY_LATER", "before SCRAM-SHA-256 is finished")

    def test_exchange_that_cannot_go_on_is_cancelled(self):
        def script(conn):
            greet(conn, "IMAP4rev1 AUTH=LOGIN")
            conn.expect("1 AUTHENTICATE LOGIN")
            conn.send("+ *****\r\n")
            conn.expect(r"\*")
            conn.send("1 BAD cancelled\r\n")
            self.assertRaises(EOFError, conn.readline)

        self.assert_failed(self.imap(script, mechanisms="LOGIN"),
                           "RETRY_LATER", "not base64")

    def test_untagged_lines_in_the_dialogue_do_no_harm(self):
        def script(conn):
            greet(conn, "IMAP4rev1 AUTH=LOGIN")
            conn.expect("1 AUTHENTICATE LOGIN")
            conn.send("* OK still here\r\n+ VXNlcm5hbWU6\r\n")
            conn.expect(b64(ALICE))
            conn.send("* 3 EXISTS\r\n+ UGFzc3dvcmQ6\r\n")
            conn.expect(b64("secret"))
            conn.send("* CAPABILITY IMAP4rev1\r\n1 OK in\r\n")
            conn.expect("2 LOGOUT")
            conn.send("* BYE\r\n2 OK\r\n")

        outcome = self.imap(script, mechanisms="LOGIN")
        self.assertEqual((outcome.status, outcome.login), ("OK", "done"))

    def test_refusal_in_the_middle_of_the_dialogue(self):
        def script(conn):
            greet(conn, "IMAP4rev1 AUTH=LOGIN")
            conn.expect("1 AUTHENTICATE LOGIN")
            conn.send("+ VXNlcm5hbWU6\r\n")
            conn.expect(b64(ALICE))
            conn.send("1 NO [AUTHENTICATIONFAILED] unknown\r\n")

        self.assert_failed(self.imap(script, mechanisms="LOGIN"),
                           "NEEDS_LOGIN", "unknown", login="rejected")

    def test_login_command_respects_logindisabled(self):
        def script(conn):
            greet(conn, "IMAP4rev1 LOGINDISABLED")
            self.assertRaises(EOFError, conn.readline)

        self.assert_failed(self.imap(script, "--login-command"),
                           "BAD_CONFIG", "no way to log in")

    def test_command_that_is_not_understood_is_no_refusal(self):
        def script(conn):
            greet(conn)
            conn.expect(r"1 AUTHENTICATE PLAIN \S+")
            conn.send("1 BAD what?\r\n")

        self.assert_failed(self.imap(script), "RETRY_LATER", "what")

    def test_missing_capabilities_are_asked_for(self):
        def script(conn):
            conn.send("* OK ready\r\n")
            conn.expect("1 CAPABILITY")
            conn.send(f"* CAPABILITY {CAPABILITIES}\r\n1 OK\r\n")
            conn.expect(r"2 AUTHENTICATE PLAIN \S+")
            conn.send("2 OK in\r\n")
            conn.expect("3 CAPABILITY")
            conn.send(answer)
            until_closed(conn)

        for answer in ("* CAPABILITY IMAP4rev1 IDLE\r\n3 OK\r\n",
                       "3 BAD not again\r\n"):
            self.assertEqual(self.imap(script).status, "OK")


class OAuthFaults(FaultTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.modules = {"SASL_PATH": cls.bed.sasl_path()}
        cls.helper = TokenHelper(cls.bed, "token-" + "x" * 4096)

    def oauth(self, kind, script, mechanism="XOAUTH2"):
        run = self.imap if kind == "imap" else self.smtp
        return run(script, "--socket", self.helper.path,
                   mechanisms=mechanism, password=None, env=self.modules)

    def expect_token(self, text):
        self.assertIn(f"auth=Bearer {self.helper.token}\1",
                      base64.b64decode(text).decode())

    def test_token_of_4_kb_goes_over_smtp_in_a_line_of_its_own(self):
        def script(conn):
            ehlo(conn, "AUTH XOAUTH2 OAUTHBEARER")
            conn.expect("AUTH (XOAUTH2|OAUTHBEARER)")
            conn.send("334 \r\n")
            self.expect_token(conn.readline())
            conn.send("235 in\r\n")
            until_closed(conn)

        for mechanism in ("XOAUTH2", "OAUTHBEARER"):
            outcome = self.oauth("smtp", script, mechanism)
            self.assertEqual((outcome.status, outcome.login), ("OK", "done"),
                             outcome)

    def test_token_of_4_kb_is_an_initial_response_in_imap(self):
        def script(conn):
            greet(conn, "IMAP4rev1 SASL-IR AUTH=XOAUTH2")
            self.expect_token(conn.expect(r"1 AUTHENTICATE XOAUTH2 (\S+)")[1])
            conn.send("1 OK [CAPABILITY IMAP4rev1] in\r\n")
            until_closed(conn)

        self.assertEqual(self.oauth("imap", script).status, "OK")

    def test_error_challenge_is_answered_and_reported(self):
        reason = '{"status":"400","schemes":"Bearer","scope":"mail"}'

        def imap(conn):
            greet(conn, "IMAP4rev1 SASL-IR AUTH=XOAUTH2")
            conn.expect(r"1 AUTHENTICATE XOAUTH2 \S+")
            conn.send(f"+ {b64(reason)}\r\n")
            conn.expect("")
            conn.send("1 NO SASL authentication failed\r\n")

        def smtp(conn):
            ehlo(conn, "AUTH XOAUTH2")
            conn.expect("AUTH XOAUTH2")
            conn.send("334 \r\n")
            conn.readline()
            conn.send(f"334 {b64(reason)}\r\n")
            conn.expect("")
            conn.send("535-5.7.8 Username and Password\r\n"
                      "535 5.7.8 not accepted\r\n")

        for kind, script in (("imap", imap), ("smtp", smtp)):
            outcome = self.oauth(kind, script)
            self.assert_failed(outcome, "NEEDS_LOGIN", re.escape(reason),
                               login="rejected")
            self.assertNotIn(self.helper.token, outcome.text)

    def test_refusal_without_a_challenge(self):
        """As Exchange Online does it."""
        def script(conn):
            greet(conn, "IMAP4rev1 SASL-IR AUTH=XOAUTH2")
            conn.expect(r"1 AUTHENTICATE XOAUTH2 \S+")
            conn.send("1 NO AUTHENTICATE failed.\r\n")

        self.assert_failed(self.oauth("imap", script), "NEEDS_LOGIN",
                           "AUTHENTICATE failed", login="rejected")

    def test_smtp_switched_off_is_for_an_administrator(self):
        def script(conn):
            ehlo(conn, "AUTH XOAUTH2")
            conn.expect("AUTH XOAUTH2")
            conn.send("334 \r\n")
            conn.readline()
            conn.send("535 5.7.139 Authentication unsuccessful, "
                      "SmtpClientAuthentication is disabled for the "
                      "Tenant.\r\n")

        self.assert_failed(self.oauth("smtp", script), "NEEDS_ADMIN",
                           "Set-CASMailbox")


class PeerFaults(FaultTest):
    """Silence, resets and floods, wherever they come."""

    def steps(self):
        """Name and script of a server up to each step of a session."""
        return {"greeting": lambda conn: None,
                "login": greet,
                "examine": log_in,
                "list": examine,
                "fetch": lambda conn: list_messages(conn, 5),
                "body": self.half_a_message}

    @staticmethod
    def half_a_message(conn):
        list_messages(conn, 5)
        conn.send("* 1 FETCH (UID 5 BODY[] {1000}\r\nSubject: x\r\n")

    def session(self, script, *options):
        return self.imap(script, "--list", "--fetch", *options)

    def test_silence_at_any_step_ends_at_the_deadline(self):
        for name, script in self.steps().items():
            with self.subTest(step=name):
                def silent(conn, script=script):
                    script(conn)
                    until_closed(conn)
                outcome = self.session(silent, "--timeout-ms", "500")
                self.assertEqual(outcome.status, "RETRY_LATER", outcome)
                self.assertIn("in time", outcome.text)
                self.assertEqual(outcome.fetched, [])

    def test_end_and_reset_at_any_step_are_temporary(self):
        for name, script in self.steps().items():
            for end in ("close", "rst"):
                with self.subTest(step=name, end=end):
                    def cut(conn, script=script, end=end):
                        script(conn)
                        getattr(conn, end)()
                    outcome = self.session(cut)
                    self.assertEqual(outcome.status, "RETRY_LATER", outcome)
                    self.assertRegex(outcome.text, "closed|broke|reset")
                    self.assertEqual(outcome.fetched, [])

    def test_dripping_does_not_outrun_the_deadline(self):
        for name, script in self.steps().items():
            with self.subTest(step=name):
                def drip(conn, script=script):
                    script(conn)
                    stop = threading.Event()
                    while True:
                        conn.send("*")
                        stop.wait(0.05)
                outcome = self.session(drip, "--timeout-ms", "700")
                self.assertEqual(outcome.status, "RETRY_LATER", outcome)

    def test_floods_end_without_eating_memory(self):
        """In the time of a deadline a flood could be gigabytes."""
        floods = {"line": b"x" * 65536, "untagged": b"* 1 EXISTS\r\n" * 5000,
                  "flags": b"* 1 FETCH (FLAGS (\\Seen))\r\n" * 2000,
                  "continuation": b"+ go on\r\n" * 8000,
                  "parentheses": b"* 1 FETCH (BODYSTRUCTURE " + b"(" * 60000}
        for name, script in self.steps().items():
            for kind, flood in floods.items():
                with self.subTest(step=name, flood=kind):
                    def pour(conn, script=script, flood=flood):
                        script(conn)
                        while True:
                            conn.send(flood)
                    outcome = self.session(pour)
                    self.assertEqual(outcome.status, "RETRY_LATER", outcome)
                    self.assertLess(outcome.peak_kb, 200_000)

    def test_flood_of_smtp_replies_ends(self):
        def pour(conn):
            conn.send("220 scripted\r\n")
            while True:
                conn.send("250-x\r\n" * 5000)

        self.assert_failed(self.smtp(pour), "RETRY_LATER", "localhost")


class FetchFaults(FaultTest):
    MESSAGE = "Subject: x\r\n\r\n(hello)\r\n"

    def fetch(self, answer, *options, uids=(5,)):
        """Fetch what a server sends for these UIDs; `answer` is a text, with
        tag 4, or a script."""
        def script(conn):
            list_messages(conn, *uids)
            if callable(answer):
                answer(conn)
            else:
                conn.send(answer)
            until_closed(conn)

        return self.imap(script, "--list", "--fetch", *options)

    def literal(self, text=MESSAGE):
        return f"BODY[] {{{len(text)}}}\r\n{text}"

    def test_uid_may_come_before_or_behind_the_message(self):
        date = 'INTERNALDATE "01-Feb-2026 03:04:05 +0100"'
        body = self.literal()
        for answer in (f"* 1 FETCH (UID 5 {date} {body})\r\n4 OK done\r\n",
                       f"* 1 FETCH ({body} {date} UID 5)\r\n4 OK done\r\n",
                       f"* 1 FETCH ({date} {body} UID 5 FLAGS ())\r\n4 OK done\r\n"
                       ):
            outcome = self.fetch(answer)
            self.assertEqual(outcome.status, "OK", outcome)
            self.assertEqual(outcome.fetched,
                             [(5, len(self.MESSAGE), 1769911445)])

    def test_other_news_in_between_do_no_harm(self):
        outcome = self.fetch(
            "* 3 EXISTS\r\n* 1 FETCH (FLAGS (\\Seen) UID 5)\r\n"
            f"* 1 FETCH (UID 5 {self.literal()})\r\n* 1 RECENT\r\n"
            "* OK still here\r\n4 OK done\r\n")
        self.assertEqual([uid for uid, *_ in outcome.fetched], [5], outcome)

    def test_responses_that_libetpan_cannot_take_are_kept_from_it(self):
        """It stops at what it does not know, and dies of the second."""
        for line in ("* ESEARCH (TAG \"4\")", "* OK [PERMANENTFLAGS (\\]x)] x",
                     "* X-VENDOR (a", "* LIST () NIL {4}\r\n4 OK", ""):
            with self.subTest(line=line):
                outcome = self.fetch(
                    f"{line}\r\n* 1 FETCH (UID 5 {self.literal()})\r\n"
                    f"{line}\r\n4 OK done\r\n")
                self.assertEqual(outcome.status, "OK", outcome)
                self.assertEqual([uid for uid, *_ in outcome.fetched], [5])

    def test_messages_that_are_gone_are_left_out(self):
        outcome = self.fetch(f"* 1 FETCH (UID 6 {self.literal()})\r\n4 OK done\r\n",
                             uids=(5, 6, 7))
        self.assertEqual([uid for uid, *_ in outcome.fetched], [6], outcome)
        self.assertEqual(self.fetch("4 OK done\r\n").fetched, [])

    def test_strange_forms_of_a_message(self):
        for body, size in (('BODY[] "short"', 5), ('BODY[] ""', 0),
                           ("BODY[] NIL", 0), ("BODY[] {0}\r\n", 0)):
            with self.subTest(body=body):
                outcome = self.fetch(
                    f"* 1 FETCH (UID 5 {body})\r\n4 OK done\r\n")
                self.assertEqual(outcome.status, "OK", outcome)
                self.assertEqual([(uid, length) for uid, length, _
                                  in outcome.fetched], [(5, size)])

    def test_what_was_not_asked_for_is_refused(self):
        body = self.literal()
        for answer in (
                f"* 1 FETCH (UID 6 {body})\r\n4 OK done\r\n",
                f"* 1 FETCH ({body})\r\n4 OK done\r\n",
                f"* 1 FETCH (UID 5 {body})\r\n"
                f"* 1 FETCH (UID 5 {body})\r\n4 OK done\r\n",
                f"* 1 FETCH (UID 5 {body} {body})\r\n4 OK done\r\n",
                '* 1 FETCH (UID 5 BODY[1] "part")\r\n4 OK done\r\n',
                '* 1 FETCH (UID 5 BODY[]<10> "part")\r\n4 OK done\r\n',
                '* 1 FETCH (UID 5 RFC822 "whole")\r\n4 OK done\r\n',
                "* 1 FETCH (UID 5 RFC822 {40}\r\n" + "x" * 40 + ")\r\n"
                "4 OK done\r\n",
                "* 1 FETCH (UID 5 X-UNKNOWN (1))\r\n4 OK done\r\n"):
            with self.subTest(answer=answer):
                outcome = self.fetch(answer)
                self.assertEqual(outcome.status, "RETRY_LATER", outcome)
                self.assertLess(len(outcome.fetched), 2)

    def test_announced_size_is_held_against_the_limit(self):
        for size in (101, 4_000_000_000, 4_294_967_301, 10 ** 17, 10 ** 30):
            with self.subTest(size=size):
                outcome = self.fetch(
                    f"* 1 FETCH (UID 5 BODY[] {{{size}}}\r\n" + "x" * 200,
                    "--max-bytes", "100")
                self.assertEqual((outcome.status, outcome.fetched),
                                 ("RETRY_LATER", []), outcome)

    def test_structures_nested_without_end_do_not_break_the_stack(self):
        for item in ("BODYSTRUCTURE", "BODY", "ENVELOPE"):
            with self.subTest(item=item):
                outcome = self.fetch(
                    f"* 1 FETCH (UID 5 {item} " + "(" * 60000 + "\r\n")
                self.assertEqual(outcome.status, "RETRY_LATER", outcome)
                self.assertIn("nested too deeply", outcome.text)

    def test_refusal_after_some_messages_is_not_success(self):
        outcome = self.fetch(f"* 1 FETCH (UID 5 {self.literal()})\r\n"
                             "4 NO some messages cannot be read\r\n",
                             uids=(5, 6))
        self.assertEqual([uid for uid, *_ in outcome.fetched], [5])
        self.assertEqual(outcome.status, "RETRY_LATER", outcome)
        self.assertIn("some messages cannot be read", outcome.text)

    def test_last_words_are_reported(self):
        def bye(conn):
            conn.send("* BYE Server shutting down\r\n")
            conn.close()

        outcome = self.fetch(bye)
        self.assertEqual(outcome.status, "RETRY_LATER", outcome)
        self.assertIn("Server shutting down", outcome.text)

    def test_mailbox_that_is_not_connected_is_explained(self):
        def script(conn):
            log_in(conn)
            conn.expect('2 EXAMINE "INBOX"')
            conn.send("2 BAD User is authenticated but not connected.\r\n")

        outcome = self.imap(script, "--list")
        self.assertEqual((outcome.status, outcome.login),
                         ("RETRY_LATER", "done"), outcome)
        self.assertIn("not connected. (the mailbox cannot be reached now",
                      outcome.text)

    def test_unknown_lines_of_a_mailbox_are_skipped(self):
        def script(conn):
            log_in(conn)
            conn.expect('2 EXAMINE "INBOX"')
            conn.send("* OK [PERMANENTFLAGS (\\]x)] x\r\n* X-VENDOR (\r\n\r\n"
                      "* OK [uidvalidity 7] x\r\n* 3 exists\r\n"
                      "* OK [UIDNEXT 99999999999] x\r\n2 OK done\r\n")
            conn.expect("3 UID FETCH .*")
            conn.send("3 OK done\r\n")
            until_closed(conn)

        outcome = self.imap(script, "--list")
        self.assertEqual((outcome.status, outcome.mailbox), ("OK", (7, 0, 3)),
                         outcome)

    def test_mailbox_without_uidvalidity_is_not_used(self):
        def script(conn):
            log_in(conn)
            conn.expect('2 EXAMINE "INBOX"')
            conn.send("* 1 EXISTS\r\n2 OK done\r\n")
            until_closed(conn)

        outcome = self.imap(script, "--list")
        self.assertEqual(outcome.status, "RETRY_LATER", outcome)
        self.assertIn("UIDVALIDITY", outcome.text)


class SmtpFaults(FaultTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.mail = cls.bed.dir / "mail"
        cls.mail.write_bytes(b"Subject: x\r\n\r\n.dot\r\n")
        cls.large = cls.bed.dir / "large"
        cls.large.write_bytes(b"Subject: x\r\n\r\n" + b"line\r\n" * 5_000_000)

    def send(self, script, *options, mail=None):
        return self.smtp(script, "--send", mail or self.mail, "--from", ALICE,
                         "--to", BOB, *options)

    def assert_outcome(self, outcome, status, result, code=0):
        self.assertEqual((outcome.status, outcome.result, outcome.code),
                         (status, result, code), outcome)

    def test_greeting_that_is_no_welcome(self):
        for line in ("554 no mail here", "421 too busy", "* OK imap", "2"):
            outcome = self.smtp(lambda conn: conn.send(f"{line}\r\n"))
            self.assert_failed(outcome, "RETRY_LATER", "no mail here|too busy"
                               "|does not answer as an SMTP server does")

    def test_name_in_ehlo_is_full_or_an_address(self):
        names = []

        def script(conn):
            conn.send("220 scripted\r\n")
            names.append(conn.expect(r"EHLO (\S+)")[1])

        self.smtp(script)
        self.assertRegex(names[0], r"\[127\.0\.0\.1\]|[\w-]+(\.[\w-]+)+")

    def test_initial_response_goes_along_up_to_512_bytes(self):
        lines = []

        def script(conn):
            ehlo(conn, "AUTH PLAIN")
            lines.append(conn.readline())
            if lines[-1] == "AUTH PLAIN":
                conn.send("334 \r\n")
                lines.append(conn.readline())
            conn.send("235 in\r\n")
            until_closed(conn)

        # NUL name NUL password in base64: 496, then 500 bytes
        fits = "p" * (372 - len(ALICE) - 2)
        self.assertEqual(self.smtp(script, password=fits).status, "OK")
        self.assertEqual([len(line) + 2 for line in lines], [509])
        lines.clear()
        self.assertEqual(self.smtp(script, password=fits + "p").status, "OK")
        self.assertEqual(lines[0], "AUTH PLAIN")
        self.assertEqual(base64.b64decode(lines[1]).decode(),
                         f"\0{ALICE}\0{fits}p")

    def test_only_235_is_success(self):
        for reply in ("250 ok", "220 ok", "354 ok"):
            def script(conn, reply=reply):
                ehlo(conn, "AUTH PLAIN")
                conn.expect(r"AUTH PLAIN \S+")
                conn.send(f"{reply}\r\n")
                self.assertRaises(EOFError, conn.readline)
            self.assert_failed(self.smtp(script), "RETRY_LATER", reply)

    def test_success_without_the_proof_of_scram_is_refused(self):
        def script(conn):
            ehlo(conn, "AUTH SCRAM-SHA-256")
            conn.expect(r"AUTH SCRAM-SHA-256 \S+")
            conn.send("235 welcome\r\n")
            self.assertRaises(EOFError, conn.readline)

        self.assert_failed(self.smtp(script, mechanisms="SCRAM-SHA-256"),
                           "RETRY_LATER", "before SCRAM-SHA-256 is finished")

    def test_exchange_that_cannot_go_on_is_cancelled(self):
        def script(conn):
            ehlo(conn, "AUTH LOGIN")
            conn.expect("AUTH LOGIN")
            conn.send("334 *****\r\n")
            conn.expect(r"\*")
            conn.send("501 cancelled\r\n")
            self.assertRaises(EOFError, conn.readline)

        self.assert_failed(self.smtp(script, mechanisms="LOGIN"),
                           "RETRY_LATER", "not base64")

    def test_server_that_offers_no_login_is_not_used(self):
        def script(conn):
            ehlo(conn, "SIZE 1000")
            self.assertRaises(EOFError, conn.readline)

        self.assert_failed(self.smtp(script), "BAD_CONFIG", "no way to log in")

    def test_dot_is_what_the_server_gets_last(self):
        received = []

        def script(conn):
            take_envelope(conn)
            received.append(conn.read_dot())
            conn.send("250 2.0.0 queued as 1\r\n")
            conn.expect("QUIT")
            conn.send("221 bye\r\n")

        outcome = self.send(script)
        self.assert_outcome(outcome, "OK", "accepted", 250)
        self.assertEqual(outcome.reply.strip(), "2.0.0 queued as 1")
        self.assertEqual(received, [self.mail.read_bytes()])

    def test_no_answer_to_the_dot_is_uncertain(self):
        ends = {"close": lambda conn: conn.close(),
                "reset": lambda conn: conn.rst(),
                "silence": until_closed,
                "garbage": lambda conn: conn.send("what?\r\n"),
                "half a line": lambda conn: conn.send("250 o")}
        for name, end in ends.items():
            with self.subTest(end=name):
                def script(conn, end=end):
                    take_envelope(conn)
                    conn.read_dot()
                    end(conn)
                outcome = self.send(script, "--timeout-ms", "1000")
                self.assert_outcome(outcome, "RETRY_LATER", "uncertain")
                self.assertTrue(outcome.data)
                self.assertIn("may or may not", outcome.text)

    def test_end_before_the_dot_is_deferred(self):
        def envelope(conn):
            log_in_smtp(conn)
            conn.expect(r"MAIL FROM:<\S+>.*")

        def data(conn):
            take_envelope(conn)
            conn.rst()

        for script, mail in ((envelope, self.mail), (data, self.large)):
            outcome = self.send(script, mail=mail)
            self.assert_outcome(outcome, "RETRY_LATER", "deferred")
            self.assertFalse(outcome.data)

    def test_server_that_stops_reading_is_given_up_before_the_dot(self):
        def script(conn):
            take_envelope(conn)
            threading.Event().wait(PLENTY)

        server = self.serve(script)
        outcome = probe(self.bed, "smtp", server.port, "PLAIN", "--send",
                        self.large, "--from", ALICE, "--to", BOB,
                        "--timeout-ms", "1500", tls="none", password="secret")
        self.assert_outcome(outcome, "RETRY_LATER", "deferred")
        self.assertFalse(outcome.data)

    def test_dot_is_not_sent_when_the_caller_objects(self):
        rest = []

        def script(conn):
            take_envelope(conn)
            try:
                conn.read_dot()
                rest.append("dot")
            except EOFError:
                rest.append("end")

        outcome = self.send(script, "--fail-on-data")
        self.assert_outcome(outcome, "NO_MEMORY", "deferred")
        self.bed.wait_until(lambda: rest)
        self.assertEqual(rest, ["end"])

    def test_only_a_reply_of_5xx_is_permanent(self):
        for reply, status, result in (
                ("554 no", "REFUSED", "refused"),
                ("550-no\r\n550 never", "REFUSED", "refused"),
                ("450 later", "RETRY_LATER", "deferred"),
                ("421 closing", "RETRY_LATER", "deferred"),
                ("354 what", "RETRY_LATER", "deferred")):
            with self.subTest(reply=reply):
                def script(conn, reply=reply):
                    take_envelope(conn)
                    conn.read_dot()
                    conn.send(f"{reply}\r\n")
                    until_closed(conn)
                outcome = self.send(script)
                self.assert_outcome(outcome, status, result, int(reply[:3]))

    def test_refused_recipient_refuses_the_message_and_not_the_next(self):
        def script(conn):
            log_in_smtp(conn)
            conn.expect(r"MAIL FROM:<\S+> SIZE=\d+")
            conn.send("250 ok\r\n")
            conn.expect(r"RCPT TO:<\S+>")
            conn.send("550 5.1.1 no such user\r\n")
            conn.expect("RSET")
            conn.send("250 ok\r\n")
            conn.expect(r"MAIL FROM:<\S+> SIZE=\d+")
            conn.send("250 ok\r\n")
            conn.expect(r"RCPT TO:<\S+>")
            conn.send("250 ok\r\n")
            conn.expect("DATA")
            conn.send("354 go\r\n")
            conn.read_dot()
            conn.send("250 ok\r\n")
            until_closed(conn)

        outcome = self.send(script, "--times", "2")
        self.assert_outcome(outcome, "OK", "accepted", 250)

    def test_reply_that_is_none_defers(self):
        for reply in ("hello", "999 x"):
            def script(conn, reply=reply):
                log_in_smtp(conn)
                conn.expect(r"MAIL FROM:<\S+>.*")
                conn.send(f"{reply}\r\n")
                until_closed(conn)
            outcome = self.send(script)
            self.assertEqual((outcome.status, outcome.result),
                             ("RETRY_LATER", "deferred"), outcome)
