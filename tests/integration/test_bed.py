# SPDX-License-Identifier: ISC
"""The test bed does what its docstrings say."""
import base64
import http.server
import imaplib
import os
import secrets
import shutil
import smtplib
import socket
import ssl
import threading
import unittest
import urllib.parse
from hashlib import sha256
from pathlib import Path
from unittest.mock import patch

from bed import Bed, BedTestCase, alive, wait_until
from bed.imap_proxy import ImapProxy
from bed.mailhost import LATE, NOBODY, PASSWORD, REPLACED, SERVER
from bed.oidc import CLIENTS
from bed.smtp_proxy import STEPS, answer, cut, goodbye

ALICE, BOB = "alice@example.test", "bob@example.test"


def xoauth2(user, token):
    return f"user={user}\1auth=Bearer {token}\1\1".encode()


def b64url(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


class Authorization:
    """One authorization request with PKCE, as a program makes it."""

    def __init__(self, oidc, redirect="http://127.0.0.1:9/callback",
                 client="native", scope="mail", tenant="common"):
        self.oidc, self.redirect, self.client = oidc, redirect, client
        self.verifier, self.state = secrets.token_urlsafe(32), "the-state"
        self.tenant = tenant
        challenge = b64url(sha256(self.verifier.encode()).digest())
        self.url = oidc.url("authorization", tenant) + "?" + \
            urllib.parse.urlencode({
                "response_type": "code", "client_id": client,
                "redirect_uri": redirect, "scope": scope,
                "state": self.state, "code_challenge": challenge,
                "code_challenge_method": "S256"})

    def exchange(self, final_url, auth=None, **form):
        query = parameters(final_url)
        return self.oidc.request("token", {
            "grant_type": "authorization_code", "code": query["code"],
            "redirect_uri": self.redirect, "client_id": self.client,
            "code_verifier": self.verifier} | form, auth, self.tenant)


def parameters(url):
    return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query))


class OidcTest(BedTestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.oidc = cls.bed.oidc()

    def setUp(self):
        self.oidc.release()
        self.oidc.clear_log()

    def login(self, **options):
        request = Authorization(self.oidc, **options)
        status, tokens = request.exchange(self.oidc.walk(request.url))
        self.assertEqual(status, 200, tokens)
        return tokens

    def active(self, token):
        status, reply = self.oidc.request(
            "introspection", {"token": token},
            ("mailserver", "introspect-secret"))
        self.assertEqual(status, 200)
        return reply["active"]

    def test_login_reaches_the_loopback_listener(self):
        seen = []

        class Listener(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                seen.append(self.path)
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"you may close this window")

            def log_message(self, *_args):
                pass

        with http.server.HTTPServer(("127.0.0.1", 0), Listener) as listener:
            threading.Thread(target=listener.handle_request).start()
            redirect = f"http://127.0.0.1:{listener.server_port}/"
            request = Authorization(self.oidc, redirect)
            url, body = self.oidc.login(request.url)
        self.assertEqual(body, "you may close this window")
        self.assertEqual(parameters(url), parameters(seen[0]))
        self.assertEqual(parameters(url)["state"], "the-state")
        self.assertEqual(parameters(url)["iss"], self.oidc.issuer)
        status, tokens = request.exchange(url)
        self.assertEqual(status, 200)
        self.assertIn("refresh_token", tokens)
        self.assertTrue(self.active(tokens["access_token"]))

    def test_wrong_verifier_and_wrong_password_are_refused(self):
        request = Authorization(self.oidc)
        final = self.oidc.walk(request.url)
        status, reply = request.exchange(final, code_verifier="x" * 43)
        self.assertEqual((status, reply["error"]), (400, "invalid_grant"))
        with self.assertRaisesRegex(AssertionError, "Wrong user name"):
            self.oidc.walk(Authorization(self.oidc).url, password="no")

    def test_denied_consent_comes_back_as_an_error(self):
        final = self.oidc.walk(Authorization(self.oidc).url, deny=True)
        self.assertEqual(parameters(final)["error"], "access_denied")

    def test_iss_can_be_left_out_and_forged(self):
        for iss, expected in (("omit", None), ("http://evil", "http://evil")):
            self.oidc.config(iss=iss)
            final = self.oidc.walk(Authorization(self.oidc).url)
            self.assertEqual(parameters(final).get("iss"), expected)
            self.assertIn("code", parameters(final))
        self.oidc.config(iss=None)

    def test_secret_clients_authenticate_both_ways(self):
        request = Authorization(self.oidc, client="desktop-secret")
        final = self.oidc.walk(request.url)
        status, reply = request.exchange(
            final, client_secret=CLIENTS["desktop-secret"])
        self.assertEqual(status, 200, reply)
        request = Authorization(self.oidc, client="desktop-basic")
        final = self.oidc.walk(request.url)
        status, reply = request.exchange(
            final, auth=("desktop-basic", CLIENTS["desktop-basic"]))
        self.assertEqual(status, 200, reply)

    def test_reuse_of_a_rotated_token_kills_the_family(self):
        old = self.login()
        status, new = self.oidc.refresh(old["refresh_token"])
        self.assertEqual(status, 200)
        self.assertNotEqual(new["refresh_token"], old["refresh_token"])
        status, reply = self.oidc.refresh(old["refresh_token"])
        self.assertEqual((status, reply["error"]), (400, "invalid_grant"))
        status, reply = self.oidc.refresh(new["refresh_token"])
        self.assertEqual((status, reply["error"]), (400, "invalid_grant"))
        self.assertFalse(self.active(new["access_token"]))

    def test_rotation_keeps_or_stays(self):
        for rotate, same in (("keep", False), ("0", True)):
            self.oidc.config(rotate=rotate)
            old = self.login()["refresh_token"]
            status, new = self.oidc.refresh(old)
            self.assertEqual(status, 200)
            self.assertEqual(new.get("refresh_token", old) == old, same)
            self.assertEqual(self.oidc.refresh(old)[0], 200)
        self.oidc.config(rotate="1")

    def test_minted_tokens_work_until_revoked(self):
        tokens = self.oidc.mint(BOB, ttl=600)
        self.assertEqual(tokens["expires_in"], 600)
        self.assertTrue(self.active(tokens["access_token"]))
        self.oidc.revoke(BOB)
        self.assertFalse(self.active(tokens["access_token"]))
        status, reply = self.oidc.refresh(tokens["refresh_token"])
        self.assertEqual((status, reply["error"]), (400, "invalid_grant"))

    def test_expired_access_token_leaves_the_login(self):
        tokens = self.login()
        self.oidc.expire()
        self.assertFalse(self.active(tokens["access_token"]))
        status, new = self.oidc.refresh(tokens["refresh_token"])
        self.assertEqual(status, 200)
        self.assertTrue(self.active(new["access_token"]))

    def test_token_sizes(self):
        self.oidc.config(at_size=4096, rt_size=2000, code_size=900)
        request = Authorization(self.oidc)
        final = self.oidc.walk(request.url)
        self.assertEqual(len(parameters(final)["code"]), 900)
        status, tokens = request.exchange(final)
        self.assertEqual(status, 200)
        self.assertEqual(len(tokens["access_token"]), 4096)
        self.assertEqual(len(tokens["refresh_token"]), 2000)
        self.oidc.config(at_format="jwt")
        size = len(self.oidc.mint()["access_token"])
        self.assertTrue(4096 < size < 5000, size)
        self.oidc.config(at_size=0, rt_size=0, code_size=0,
                         at_format="opaque")

    def test_log_has_the_forms_and_the_real_answers(self):
        tokens = self.login()
        self.oidc.refresh(tokens["refresh_token"])
        self.oidc.refresh("nonsense")
        log = self.oidc.log()
        self.assertEqual([entry["form"]["grant_type"] for entry in log],
                         ["authorization_code"] + ["refresh_token"] * 2)
        self.assertEqual([entry["status"] for entry in log], [200, 200, 400])
        self.assertEqual(log[2]["error"], "invalid_grant")
        self.assertEqual(self.oidc.log("authorization")[0]["form"]["state"],
                         "the-state")

    def test_lost_answer_after_commit_leaves_a_used_token(self):
        old = self.oidc.mint()["refresh_token"]
        self.oidc.fault(grant_type="refresh_token", reset=True, after=True)
        with self.assertRaises(OSError):
            self.oidc.refresh(old)
        self.assertEqual(self.oidc.log()[0]["status"], 200)
        self.assertEqual(self.oidc.refresh(old)[1]["error"], "invalid_grant")

    def test_faults_before_the_handler_commit_nothing(self):
        token = self.oidc.mint()["refresh_token"]
        self.oidc.fault(reset=True)
        with self.assertRaises(OSError):
            self.oidc.refresh(token)
        self.oidc.fault(status=503, body='{"error": "busy"}',
                        headers={"retry-after": "7"})
        self.assertEqual(self.oidc.refresh(token), (503, {"error": "busy"}))
        self.oidc.fault(status=200, body='{"access_token": 1}', truncate=5)
        with self.assertRaises(Exception) as caught:
            self.oidc.refresh(token)
        self.assertIn("5 bytes read", str(caught.exception))
        self.oidc.fault(drip_ms=1, status=400, body='{"error": "slow"}')
        self.assertEqual(self.oidc.refresh(token), (400, {"error": "slow"}))
        self.assertEqual(self.oidc.refresh(token)[0], 200)

    def test_misspelt_orders_are_refused(self):
        for order in (lambda: self.oidc.fault(endpoint="tokn", reset=True),
                      lambda: self.oidc.fault(rest=True),
                      lambda: self.oidc.config(at_tll=1),
                      lambda: self.oidc.url("tokn")):
            with self.assertRaises((AssertionError, KeyError, TypeError,
                                    ValueError)):
                order()

    def test_hanging_requests_go_on_when_released(self):
        token = self.oidc.mint()["refresh_token"]
        self.oidc.fault(hang=True)
        replies = []
        thread = threading.Thread(
            target=lambda: replies.append(self.oidc.refresh(token)))
        thread.start()
        wait_until(self.oidc.log, what="the request")
        self.assertFalse(replies)
        self.oidc.release()
        thread.join(20)
        self.assertEqual(replies[0][0], 200)

    def test_stopped_server_refuses_and_forgets_nothing(self):
        token = self.oidc.mint()["refresh_token"]
        self.oidc.stop()
        with self.assertRaises(OSError):
            self.oidc.refresh(token)
        self.oidc.start()
        self.assertEqual(self.oidc.refresh(token)[0], 200)


class MicrosoftTest(BedTestCase):
    SCOPE = ("https://outlook.office365.com/IMAP.AccessAsUser.All "
             "https://outlook.office365.com/SMTP.Send offline_access")

    def test_any_tenant_and_both_spellings(self):
        oidc = self.bed.oidc(flavor="ms", tls=True)
        for tenant, scope in (
                ("common", self.SCOPE),
                ("11111111-2222-3333-4444-555555555555", self.SCOPE),
                ("contoso.example",
                 self.SCOPE.replace("office365", "office"))):
            request = Authorization(oidc, scope=scope, tenant=tenant)
            final = oidc.walk(request.url)
            self.assertNotIn("iss", parameters(final))
            status, tokens = request.exchange(final)
            self.assertEqual(status, 200, tokens)
            self.assertEqual(set(tokens["scope"].split()),
                             set(scope.split()))
            self.assertEqual(tokens["ext_expires_in"], tokens["expires_in"])
            status, tokens = oidc.refresh(tokens["refresh_token"])
            self.assertEqual(status, 200)
        mail = self.bed.dovecot(oidc=oidc)
        imap = imaplib.IMAP4("localhost", mail.imap_port)
        self.addCleanup(imap.shutdown)
        imap.authenticate(
            "XOAUTH2", lambda _: xoauth2(ALICE, tokens["access_token"]))

    def test_discovery_names_the_tenant(self):
        oidc = self.bed.oidc(flavor="ms")
        status, reply = oidc.request("discovery", tenant="contoso.example")
        self.assertEqual(status, 200)
        self.assertEqual(reply["token_endpoint"],
                         oidc.url("token", "contoso.example"))

    def test_without_offline_access_no_refresh_token(self):
        oidc = self.bed.oidc(flavor="ms")
        scope = self.SCOPE.replace(" offline_access", "")
        request = Authorization(oidc, scope=scope)
        status, tokens = request.exchange(oidc.walk(request.url))
        self.assertEqual(status, 200)
        self.assertNotIn("refresh_token", tokens)
        status, reply = oidc.refresh("nonsense")
        self.assertEqual((status, reply["error"]), (400, "invalid_grant"))
        self.assertRegex(reply["error_description"], "^AADSTS70000: ")
        self.assertEqual(reply["error_codes"], [70000])


class MailTest(BedTestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.oidc = cls.bed.oidc()
        cls.sink = cls.bed.sink()
        cls.mail = cls.bed.dovecot(oidc=cls.oidc, sink=cls.sink)
        cls.tls = ssl.create_default_context(cafile=cls.mail.ca)

    def imap(self):
        imap = imaplib.IMAP4_SSL("localhost", self.mail.imaps_port,
                                 ssl_context=self.tls)
        self.addCleanup(imap.shutdown)
        return imap

    def submission(self):
        smtp = smtplib.SMTP("localhost", self.mail.submission_port)
        self.addCleanup(smtp.close)
        smtp.starttls(context=self.tls)
        smtp.ehlo()
        return smtp

    def test_imap_takes_a_good_token_and_refuses_a_bad_one(self):
        token = self.oidc.mint()["access_token"]
        imap = self.imap()
        imap.authenticate("XOAUTH2", lambda _: xoauth2(ALICE, token))
        challenges = []

        def bad(challenge):
            challenges.append(challenge)
            return xoauth2(ALICE, "bad") if len(challenges) == 1 else b""
        with self.assertRaisesRegex(imaplib.IMAP4.error,
                                    "AUTHENTICATIONFAILED"):
            self.imap().authenticate("XOAUTH2", bad)
        self.assertIn(b'"status":"401"', challenges[1])

    def test_token_of_another_user_is_refused(self):
        token = self.oidc.mint(BOB)["access_token"]
        answers = [xoauth2(ALICE, token), b""]
        with self.assertRaises(imaplib.IMAP4.error):
            self.imap().authenticate("XOAUTH2", lambda _: answers.pop(0))

    def test_four_kilobyte_token_over_imap_and_submission(self):
        self.oidc.config(at_size=4096)
        token = self.oidc.mint()["access_token"]
        self.oidc.config(at_size=0)
        self.assertEqual(len(token), 4096)
        self.imap().authenticate("XOAUTH2", lambda _: xoauth2(ALICE, token))
        smtp = self.submission()
        self.assertEqual(smtp.docmd("AUTH", "XOAUTH2")[0], 334)
        line = base64.b64encode(xoauth2(ALICE, token)).decode()
        self.assertEqual(smtp.docmd(line)[0], 235)
        # As an initial response it is over the limit of the command line.
        self.assertEqual(self.submission().docmd("AUTH XOAUTH2", line)[0],
                         500)

    def test_delivery_messages_and_flags(self):
        user = "carol@example.test"
        for name in ("one", "two"):
            self.mail.deliver(user, f"Subject: {name}\n\nhi\n".encode())
        first, second = self.mail.messages(user)
        self.assertTrue(first.endswith(b"Subject: one\n\nhi\n"))
        self.assertTrue(second.endswith(b"Subject: two\n\nhi\n"))
        self.assertEqual(self.mail.flags(user), ["", ""])

    def test_uidvalidity_changes(self):
        self.mail.deliver(BOB, b"Subject: x\n\nhi\n")

        def uidvalidity():
            imap = self.imap()
            imap.login(BOB, "bob-pw")
            imap.select("INBOX")
            return int(imap.response("UIDVALIDITY")[1][0])
        before = uidvalidity()
        self.assertGreater(self.mail.reset_uidvalidity(BOB), before)
        self.assertGreater(uidvalidity(), before)
        self.assertEqual(len(self.mail.messages(BOB)), 1)

    def test_password_submission_reaches_the_sink(self):
        smtp = self.submission()
        smtp.login(ALICE, "alice-pw")
        before = len(self.sink.messages())
        smtp.sendmail(ALICE, ["x@dest.test", "y@dest.test"],
                      "Subject: s\r\n\r\n.dot\r\n")
        message = self.sink.wait_messages(before + 1)[-1]
        self.assertEqual(message.mail_from, ALICE)
        self.assertEqual(message.rcpt_to, ["x@dest.test", "y@dest.test"])
        self.assertTrue(message.data.endswith(b"\r\n\r\n.dot\r\n"))

    def test_sink_refuses_where_it_is_told_to(self):
        sink = self.bed.sink()
        for at, code in (("mail", 451), ("rcpt", 550), ("data", 452),
                         ("dot", 554)):
            sink.fail(code, "ordered", at=at, times=1)
            with smtplib.SMTP("127.0.0.1", sink.port) as smtp:
                with self.assertRaisesRegex(
                        smtplib.SMTPException, f"{code}, b'ordered'"):
                    smtp.sendmail(ALICE, ["x@y"], "m")
            self.assertEqual(sink.messages(), [])
        with smtplib.SMTP("127.0.0.1", sink.port) as smtp:
            smtp.sendmail(ALICE, ["x@y"], "m")
        self.assertEqual(len(sink.messages()), 1)

    def test_postfix_sends_with_plain(self):
        for chroot in (False, True):
            postfix = self.bed.postfix(
                relay_port=self.mail.submission_port, ca=self.mail.ca,
                user=ALICE, secret="alice-pw", chroot=chroot,
                mechanism_filter="plain")
            before = len(self.sink.messages())
            postfix.submit(ALICE, "z@dest.test", b"Subject: pf\r\n\r\nhi\r\n")
            postfix.wait_log("status=sent")
            self.assertEqual(len(self.sink.messages()), before + 1)
            postfix.stop()

    def test_restarted_dovecot_has_its_mail(self):
        mail = self.bed.dovecot()
        mail.deliver(ALICE, b"Subject: x\n\nhi\n")
        mail.stop()
        with self.assertRaises(OSError):
            smtplib.LMTP("127.0.0.1", mail.lmtp_port)
        mail.start()
        mail.deliver(ALICE, b"Subject: y\n\nhi\n")
        self.assertEqual(len(mail.messages(ALICE)), 2)


class MailHostTest(BedTestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.host = cls.bed.mail_host()

    def send(self, proxy, user):
        with smtplib.SMTP("localhost", proxy.port) as smtp:
            smtp.starttls(context=ssl.create_default_context(
                cafile=self.bed.tls.ca))
            smtp.login(user, PASSWORD)
            smtp.sendmail(user, [f"to-{user}"], b"Message-ID: <1@a.test>\r\n"
                          b"Subject: x\r\n\r\n.dot\r\n")

    def test_sent_is_filled_as_it_was_ordered(self):
        mail = self.host.dovecot
        for filing in (NOBODY, SERVER, REPLACED, LATE):
            with self.subTest(filing=filing):
                user = f"{filing}-1@example.test"
                self.send(self.host.submission(filing), user)
                wait_until(lambda: mail.messages(f"to-{user}"))
                arrived, = mail.messages(f"to-{user}")
                self.assertTrue(arrived.endswith(b"\n\n.dot\n"), arrived)
                if filing != NOBODY:
                    if filing == LATE:
                        self.assertEqual(mail.messages(user, "Sent"), [])
                        self.host.late.file(user)
                    wait_until(lambda: mail.messages(user, "Sent"))
                    copy, = mail.messages(user, "Sent")
                    self.assertEqual(b"<1@a.test>" in copy, filing != REPLACED)
                self.assertEqual(b"<1@a.test>" in arrived, filing != REPLACED)

    def test_proxy_fails_at_each_step(self):
        user = f"{NOBODY}-2@example.test"
        for step in STEPS[:-1]:
            for fault in (cut, goodbye, answer("451 later")):
                with self.subTest(step=step, fault=fault):
                    proxy = self.host.submission(NOBODY)
                    proxy.at = {step: fault}
                    with self.assertRaises((smtplib.SMTPException, OSError)):
                        self.send(proxy, user)
                    self.assertEqual(len(proxy.accepted), step == "dotted")
        proxy = self.host.submission(NOBODY)
        proxy.at = {"answered": cut}
        self.send(proxy, user)
        self.assertEqual(len(proxy.accepted), 1)


    def test_imap_proxy_fails_where_it_is_told_to(self):
        mail = self.host.dovecot
        proxy = ImapProxy(self.bed, mail.imap_port)

        def append():
            with imaplib.IMAP4_SSL("localhost", proxy.port, timeout=30,
                                   ssl_context=ssl.create_default_context(
                                       cafile=self.bed.tls.ca)) as imap:
                imap.login("imap@example.test", PASSWORD)
                return imap.append("Sent", "", None, b"Subject: x\r\n\r\n" +
                                   100000 * b"1 APPEND x\r\n")

        self.assertEqual(append()[0], "OK")
        for place, fault, count in (
                ("APPEND", cut, 1), ("APPEND", answer("NO full"), 1),
                ("APPEND done", cut, 2)):
            with self.subTest(place=place):
                proxy.at = {place: fault}
                try:
                    self.assertEqual(append()[0], "NO")
                except (imaplib.IMAP4.error, OSError):
                    self.assertIs(fault, cut)
                self.assertEqual(
                    len(mail.messages("imap@example.test", "Sent")), count)


class DovecotOptionsTest(BedTestCase):
    def test_tokens_can_be_validated_as_jwt(self):
        oidc = self.bed.oidc(at_format="jwt", at_size=3000)
        mail = self.bed.dovecot(oidc=oidc, validation="jwt")
        token = oidc.mint()["access_token"]
        imap = imaplib.IMAP4("localhost", mail.imap_port)
        self.addCleanup(imap.shutdown)
        imap.authenticate("XOAUTH2", lambda _: xoauth2(ALICE, token))
        self.assertEqual(oidc.log("introspection"), [])

    def test_tokens_of_a_server_with_tls(self):
        oidc = self.bed.oidc(tls=True)
        mail = self.bed.dovecot(oidc=oidc)
        token = oidc.mint()["access_token"]
        imap = imaplib.IMAP4("localhost", mail.imap_port)
        self.addCleanup(imap.shutdown)
        imap.authenticate("OAUTHBEARER", lambda _:
                          f"n,a={ALICE},\1auth=Bearer {token}\1\1".encode())
        mail.wait_log(r"imap-login: Info: Login: user=<alice@example\.test>")

    def test_without_a_token_server_every_token_is_refused(self):
        mail = self.bed.dovecot(users={ALICE: "pass:word {x}"})
        imap = imaplib.IMAP4("localhost", mail.imap_port)
        self.addCleanup(imap.shutdown)
        answers = [xoauth2(ALICE, "any"), b""]
        with self.assertRaisesRegex(imaplib.IMAP4.error,
                                    "AUTHENTICATIONFAILED"):
            imap.authenticate("XOAUTH2", lambda _: answers.pop(0))
        imap.login(ALICE, "pass:word {x}")

    def test_capabilities_before_login(self):
        for options, there, absent in (
                ({"mechanisms": "xoauth2"}, "AUTH=XOAUTH2", "AUTH=PLAIN"),
                ({"ssl": "no"}, "AUTH=PLAIN", "STARTTLS"),
                ({"ssl": "required", "address": "127.0.0.2"},
                 "LOGINDISABLED", "AUTH=PLAIN"),
                ({"imap_capability": "IMAP4rev1 STARTTLS"}, "STARTTLS",
                 "SASL-IR")):
            with self.subTest(options):
                mail = self.bed.dovecot(**options)
                imap = imaplib.IMAP4(mail.host, mail.imap_port)
                self.addCleanup(imap.shutdown)
                self.assertIn(there, imap.capabilities)
                self.assertNotIn(absent, imap.capabilities)

    def test_certificates_that_a_client_must_refuse(self):
        tls = self.bed.tls
        for cert, reason in (
                (tls.cert(["other.example.test"]), "ostname mismatch"),
                (tls.cert(self_signed=True), "self-signed certificate"),
                (tls.cert(expired=True), "has expired")):
            with self.subTest(reason):
                mail = self.bed.dovecot(cert=cert)
                context = ssl.create_default_context(cafile=tls.ca)
                with self.assertRaisesRegex(ssl.SSLError, reason):
                    imaplib.IMAP4_SSL("localhost", mail.imaps_port,
                                      ssl_context=context)
                mail.stop()


class ScriptedServerTest(BedTestCase):
    def test_script_speaks_tls_and_drops_the_line(self):
        def script(conn):
            conn.send("* OK hello\r\n")
            tag = conn.expect("(a[0-9]+) STARTTLS")[1]
            conn.send(f"{tag} OK begin\r\n")
            conn.starttls()
            self.assertEqual(conn.read(4), b"1234")

        server = self.bed.scripted_server(script, tls=self.bed.tls.cert(),
                                          implicit=False)
        context = ssl.create_default_context(cafile=self.bed.tls.ca)
        with socket.create_connection(("localhost", server.port)) as plain:
            self.assertEqual(plain.recv(100), b"* OK hello\r\n")
            plain.sendall(b"a1 STARTTLS\r\n")
            self.assertEqual(plain.recv(100), b"a1 OK begin\r\n")
            with context.wrap_socket(
                    plain, server_hostname="localhost") as tls:
                tls.sendall(b"1234")
                self.assertEqual(tls.recv(1), b"")

    def test_script_resets(self):
        server = self.bed.scripted_server(lambda conn: conn.rst())
        with socket.create_connection(("localhost", server.port)) as client:
            with self.assertRaises(ConnectionResetError):
                client.recv(1)

    def test_failed_expectation_fails_the_bed(self):
        with self.assertRaisesRegex(AssertionError, "expected 'EHLO.*HELO"):
            with Bed() as bed:
                self.addCleanup(shutil.rmtree, bed.dir)
                server = bed.scripted_server(lambda c: c.expect("EHLO .*"))
                with socket.create_connection(
                        ("localhost", server.port)) as client:
                    client.sendall(b"HELO x\r\n")
                    self.assertEqual(client.recv(1), b"")


class ProcessTest(unittest.TestCase):
    def test_clients_get_the_module_and_its_sanitizers(self):
        with Bed() as bed, patch.dict(
                os.environ, MAILTOKEN_BUILD=str(bed.dir)):
            with self.assertRaisesRegex(RuntimeError, "bin/x: not there"):
                bed.program("x")
            module = bed.dir / "sasl2/libmailtoken.so"
            module.parent.mkdir()
            for flags, loaded in (([], False), (["-fsanitize=address"], True)):
                bed.run(["/usr/bin/gcc", *flags, "-shared", "-o", module,
                         "-x", "c", "/dev/null"],
                        env={"PATH": "/usr/bin:/bin"}).check()
                env = bed.client_env(extra=["plain"], ONE="1")
                self.assertEqual("LD_PRELOAD" in env, loaded)
                self.assertEqual(
                    {path.name.split(".")[0]
                     for path in env["SASL_PATH"].iterdir()},
                    {"libmailtoken", "libplain"})
                out = bed.run(["/usr/bin/env"], env=env).check().out
                self.assertIn("ONE=1\n", out)

    def test_environment_is_what_was_given(self):
        with Bed() as bed:
            done = bed.run(["/usr/bin/env"], env={"ONE": 1})
            self.assertEqual(done.check().out, "ONE=1\n")
            done = bed.run(["/bin/sh", "-c", "cat; echo bad >&2; exit 3"],
                           input="in")
            self.assertEqual((done.rc, done.out, done.err),
                             (3, "in", "bad\n"))

    def test_nothing_is_left_running(self):
        script = "setsid sleep 1000 & echo $!; exec sleep 1000"
        with Bed() as bed:
            process = bed.spawn(["/bin/sh", "-c", script])
            orphan = int(process.wait_output(r"(\d+)\n", "stdout")[1])
            process.kill()
            self.assertTrue(alive(orphan))
            other = bed.spawn(["/bin/sleep", "1000"])
            self.assertIsNone(other.rc)
        self.assertFalse(alive(orphan))
        self.assertFalse(alive(other.pid))

    def test_servers_end_when_the_test_is_killed(self):
        script = ("import sys; from bed import Bed\n"
                  "with Bed() as bed:\n"
                  "    mail = bed.dovecot(oidc=bed.oidc())\n"
                  "    bed.postfix(relay_port=1, ca=mail.ca)\n"
                  "    print(bed.dir, flush=True)\n"
                  "    sys.stdin.read()\n")
        with Bed() as bed:
            test = bed.spawn(
                ["/usr/bin/python3", "-c", script], stdin=True,
                env={"PATH": "/usr/bin:/bin", "TMPDIR": bed.dir,
                     "HOME": Path.home(),
                     "PYTHONDONTWRITEBYTECODE": 1})
            directory = test.wait_output(r"(\S+)\n", "stdout")[1]
            self.assertGreater(len(processes_of(directory)), 8)
            test.kill()
            wait_until(lambda: not processes_of(directory),
                       what="the end of what it started")

    def test_beds_share_no_port(self):
        with Bed() as one, Bed() as two:
            ports = [bed.port() for _ in range(50) for bed in (one, two)]
            self.assertEqual(len(set(ports)), len(ports))

    def test_sanitizer_report_fails_the_bed(self):
        with self.assertRaisesRegex(AssertionError, "LeakSanitizer"):
            with Bed() as bed:
                self.addCleanup(shutil.rmtree, bed.dir)
                bed.run(["/bin/sh", "-c",
                         "echo ==1==ERROR: LeakSanitizer: leaks >&2"])


def processes_of(directory):
    """Processes with a file of that directory open, or the name as argument.
    """
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            places = [os.readlink(path) for path in (process / "fd").iterdir()]
            places.append((process / "cmdline").read_text())
        except OSError:
            continue
        if any(directory in place for place in places):
            found.append(process)
    return found


if __name__ == "__main__":
    unittest.main()
