# SPDX-License-Identifier: ISC
"""The ways to a login beside the plain one, on real servers."""
import json
import os
import signal
import unittest

from bed import BedTestCase, wait_until
from bed.browser import Browser
from bed.chromium import look_at
from bed.glewlwyd import SECRET
from bed.sealed import read_record
from bed.tokensock import Mailtokend, account, passed

USER, BOB = "alice@example.test", "bob@example.test"


class LoginsTestCase(BedTestCase):
    """A server of `flavor` that each test finds as if new."""

    flavor = "generic"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.oidc = cls.bed.oidc(flavor=cls.flavor)
        cls.settings = cls.oidc.config()

    def setUp(self):
        self.oidc.release()
        self.oidc.config(**self.settings)
        self.oidc.clear_log()

    def helper(self, oidc=None, **settings):
        helper = Mailtokend(self.bed, account(oidc or self.oidc, **settings))
        self.addCleanup(lambda: helper.process and helper.process.stop())
        return helper

    def mailtoken(self, helper, *args, **options):
        """Start the command: a Process."""
        return self.bed.spawn(
            [self.bed.program("mailtoken"), "--socket", helper.socket, *args],
            {"HOME": helper.dir}, **options)

    def posts(self, grant_type):
        """What was sent to the token endpoint, in order."""
        return [entry for entry in self.oidc.log()
                if entry["form"].get("grant_type") == grant_type]


class Document:
    """A server of discovery documents; `text` is what it answers, but 404
    for what ends in `missing`."""

    def __init__(self, bed, oidc):
        self.asked = []
        self.server = bed.scripted_server(self._answer)
        self.issuer = f"http://127.0.0.1:{self.server.port}"
        self.members = {"issuer": self.issuer,
                        "authorization_endpoint": oidc.url("authorization"),
                        "token_endpoint": oidc.url("token")}
        self.text, self.missing = None, "\n"

    def _answer(self, conn):
        self.asked.append(conn.expect(r"(\w+ \S+) HTTP/1.1")[1])
        while conn.readline():
            pass
        body = self.text or json.dumps(self.members)
        status = ("404 Not Found" if self.asked[-1].endswith(self.missing)
                  else "200 OK")
        conn.send(f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n"
                  f"Content-Length: {len(body)}\r\n\r\n{body}")


class DiscoveryTest(LoginsTestCase):
    def discovering(self, address, **settings):
        return self.helper(authorization_endpoint=None, token_endpoint=None,
                           discovery=address, **settings)

    def test_endpoints_are_found_once_and_again_after_a_reload(self):
        helper = self.discovering(self.oidc.issuer)
        self.assertEqual(self.oidc.log(None), [], "asked before it is needed")
        helper.call("get", account="alice").expect("login")
        helper.login(self.oidc, "alice").expect()
        helper.call("refresh", account="alice").expect()
        helper.login(self.oidc, "alice").expect()
        self.assertEqual(len(self.oidc.log("discovery")), 1)
        self.assertEqual(self.oidc.log("discovery")[0]["method"], "GET")
        helper.reload()
        helper.call("refresh", account="alice").expect()
        self.assertEqual(len(self.oidc.log("discovery")), 2)
        self.assertEqual(helper.stop(), 0)
        helper.start()
        helper.call("get", account="alice").expect()

    def test_issuer_that_the_server_announces_is_demanded(self):
        helper = self.discovering(self.oidc.issuer)
        self.oidc.config(iss="omit")
        reply = helper.login(self.oidc, "alice").expect("config")
        self.assertIn("does not say once", reply["text"])

    def test_askers_share_one_document(self):
        helper = self.discovering(self.oidc.issuer)
        self.oidc.fault(endpoint="discovery", hang=True)
        askers = [helper.administer() for _ in range(8)]
        for asker in askers:
            asker.send("login-begin", account="alice",
                       redirect_uri="http://127.0.0.1:1")
        wait_until(lambda: self.oidc.log("discovery"), what="the question")
        askers.pop().close()
        self.oidc.release()
        for asker in askers:
            asker.receive().expect()
            asker.close()
        self.assertEqual(len(self.oidc.log("discovery")), 1)

    def test_failure_is_passing(self):
        helper = self.discovering(self.oidc.issuer)
        helper.login(self.oidc, "alice").expect()
        helper.reload()
        for fault in ({"status": 503}, {"status": 200, "body": "<html>"},
                      {"reset": True}):
            with self.subTest(fault=fault):
                self.oidc.fault(endpoint="discovery", **fault)
                reply = helper.call("refresh", account="alice")
                self.assertIn("discovery document", reply.expect("later")["text"])
                self.assertEqual(helper.status("alice")["state"], "degraded")
                helper.call("get", account="alice").expect()
                self.oidc.release()
        helper.call("refresh", account="alice").expect()
        self.assertEqual(helper.status("alice")["state"], "ok")

    def test_document_of_another_server_is_not_used(self):
        document = Document(self.bed, self.oidc)
        for members in ({"issuer": "https://evil.test"},
                        {"token_endpoint": "http://evil.test/token"},
                        {"authorization_endpoint": "javascript:1"}):
            with self.subTest(members=members):
                document.text = json.dumps(document.members | members)
                helper = self.discovering(document.issuer)
                helper.call("login-begin", account="alice",
                            redirect_uri="http://127.0.0.1:1"
                            ).expect("config")

    def test_token_never_goes_to_an_endpoint_that_changed(self):
        document = Document(self.bed, self.oidc)
        thief = self.bed.scripted_server(lambda conn: conn.readline())
        helper = self.discovering(document.issuer)
        helper.login(self.oidc, "alice").expect()
        good = dict(document.members)
        document.members["token_endpoint"] = \
            f"http://127.0.0.1:{thief.port}/token"
        for again in helper.reload, lambda: helper.stop() or helper.start():
            again()
            reply = helper.call("refresh", account="alice").expect("config")
            self.assertIn("another token_endpoint", reply["text"])
            self.assertEqual(helper.status("alice")["state"],
                             "broken-config")
        self.assertEqual(thief.count, 0)
        self.assertEqual(self.posts("refresh_token"), [])
        document.members = good
        helper.reload()
        helper.call("refresh", account="alice").expect()

    def test_second_place_is_tried(self):
        document = Document(self.bed, self.oidc)
        document.missing = "/openid-configuration"
        document.members["issuer"] += "/realms/a"
        helper = self.discovering(document.members["issuer"])
        helper.login(self.oidc, "alice").expect()
        self.assertEqual(document.asked, [
            "GET /realms/a/.well-known/openid-configuration",
            "GET /.well-known/oauth-authorization-server/realms/a"])


class MicrosoftDiscoveryTest(LoginsTestCase):
    flavor = "ms"

    def test_issuer_with_a_tenant_in_it(self):
        helper = self.helper(
            authorization_endpoint=None, token_endpoint=None, tenant="common",
            discovery=f"{self.oidc.issuer}/{{tenant}}/v2.0",
            scope="https://outlook.office365.com/SMTP.Send offline_access")
        helper.login(self.oidc, "alice").expect()
        helper.call("refresh", account="alice").expect()


DEVICE = "urn:ietf:params:oauth:grant-type:device_code"


class DeviceTestCase(LoginsTestCase):
    scope = "mail offline_access"

    def setUp(self):
        super().setUp()
        self.oidc.config(interval=1)

    def helper(self, **settings):
        return super().helper(**{
            "scope": self.scope, "device_authorization_endpoint":
            self.oidc.url("device_authorization")} | settings)

    def begin(self, connection):
        return connection.call("login-begin", account="alice",
                               device=1).expect()

    def wait(self, helper):
        """A login whose end is waited for: (connection, reply to begin)."""
        connection = helper.administer()
        self.addCleanup(connection.close)
        begun = self.begin(connection)
        connection.send("login-wait", id=begun["id"])
        return connection, begun

    def approve(self, begun, **walk):
        return self.oidc.device(begun["verification_uri"], begun["user_code"],
                                **walk)

    def polled(self, times=1):
        """Wait until the server was asked so often."""
        wait_until(lambda: len(self.posts(DEVICE)) >= times,
                   what=f"{times} questions")


class DeviceTest(DeviceTestCase):
    def test_login_by_the_command(self):
        helper = self.helper()
        command = self.mailtoken(helper, "login", "alice", "--device")
        address, code, whole = command.wait_output(
            r"\A(http\S+)\n(\S+)\n(http\S+)\n\Z", stream="stdout").groups()
        self.assertIn(code.replace("-", ""), whole.replace("-", ""))
        self.polled()
        self.assertIn("Device authorized", self.oidc.device(address, code))
        self.assertEqual(command.wait(), 0, command.tail())
        self.assertIn(f"logged in, for the user {USER}",
                      command.stderr_text())
        helper.call("get", account="alice").expect()
        helper.call("refresh", account="alice").expect()
        self.assertEqual(self.posts(DEVICE)[0]["error"],
                         "authorization_pending")
        self.assertNotIn(self.posts(DEVICE)[0]["form"]["device_code"],
                         command.stderr_text() + command.stdout_text())

    def test_person_who_says_no(self):
        helper = self.helper()
        connection, begun = self.wait(helper)
        self.approve(begun, deny=True)
        reply = connection.receive().expect("login")
        self.assertIn("the login was refused", reply["text"])
        self.assertEqual(helper.status("alice")["state"], "needs-login")

    def test_code_that_nobody_uses(self):
        self.oidc.config(device_ttl=2)
        helper = self.helper()
        command = self.mailtoken(helper, "login", "alice", "--device")
        self.assertEqual(command.wait(), 77)
        self.assertIn("not used in time", command.stderr_text())

    def test_question_behind_a_wait_does_not_meet_a_reload_half_way(self):
        self.oidc.config(interval=60)
        helper = self.helper()
        connection, _ = self.wait(helper)
        connection.send("reload")
        with helper.administer() as other:
            other.call("reload").expect()
        self.assertIn("changed during the login",
                      connection.receive().expect("login")["text"])
        self.assertEqual(connection.receive().expect()["accounts"], "1")
        self.assertEqual(helper.status("alice")["state"], "needs-login")
        self.assertEqual(helper.stop(), 0)

    def test_login_that_gives_way_may_be_followed_by_the_end_of_another(self):
        self.oidc.config(interval=60)
        helper = self.helper()
        helper.write(account(self.oidc, device_authorization_endpoint=(
            endpoint := self.oidc.url("device_authorization"))) + account(
                self.oidc, "bob", "bob@example.test",
                device_authorization_endpoint=endpoint))
        helper.reload()
        with helper.administer() as other:
            ended = other.call("login-begin", account="bob",
                               device=1).expect()["id"]
            connection, _ = self.wait(helper)
            connection.send("login-cancel", id=ended)
            self.begin(other)
            connection.receive().expect("login")
            connection.receive().expect()
            other.call("login-wait", id=ended).expect("login")
        self.assertEqual(helper.stop(), 0)

    def test_server_that_says_slower_is_asked_less_often_for_good(self):
        helper = self.helper()
        connection, begun = self.wait(helper)
        self.polled()
        self.oidc.fault(grant_type=DEVICE, status=400,
                        body='{"error":"slow_down"}')
        self.polled(3)
        self.approve(begun)
        connection.receive().expect()
        times = [entry["time"] for entry in self.posts(DEVICE)]
        gaps = [after - before for before, after in zip(times, times[1:])]
        self.assertLess(gaps[0], 5)
        self.assertGreater(min(gaps[1:]), 5.9, gaps)

    def test_lost_and_broken_answers_are_waited_out(self):
        helper = self.helper()
        connection, begun = self.wait(helper)
        self.oidc.fault(grant_type=DEVICE, reset=True)
        self.oidc.fault(grant_type=DEVICE, status=200, body="<html>")
        self.polled(2)
        self.approve(begun)
        connection.receive().expect()
        times = [entry["time"] for entry in self.posts(DEVICE)]
        self.assertGreater(times[1] - times[0], 1.9)
        self.assertGreater(times[2] - times[1], 3.9)

    def test_server_that_refuses_the_client_ends_it(self):
        helper = self.helper()
        connection, _ = self.wait(helper)
        self.oidc.fault(grant_type=DEVICE, status=401,
                        body='{"error":"invalid_client"}')
        connection.receive().expect("config")

    def test_failure_to_get_a_code(self):
        helper = self.helper()
        for fault, status in (({"status": 503}, "later"),
                              ({"status": 200, "body": "{}"}, "later"),
                              ({"status": 400, "body":
                                '{"error":"unauthorized_client"}'}, "config")):
            self.oidc.fault(endpoint="device_authorization", **fault)
            helper.call("login-begin", account="alice",
                        device=1).expect(status)

    def test_server_without_device_codes(self):
        helper = self.helper(device_authorization_endpoint=None)
        command = self.mailtoken(helper, "login", "alice", "--device")
        self.assertEqual(command.wait(), 78)
        self.assertIn("gives no device codes", command.stderr_text())

    def test_newer_login_and_reload_end_the_older(self):
        helper = self.helper()
        first, _ = self.wait(helper)
        second, _ = self.wait(helper)
        reply = first.receive().expect("login")
        self.assertIn("ended by another", reply["text"])
        helper.reload()
        reply = second.receive().expect("login")
        self.assertIn("settings changed", reply["text"])

    def test_who_hangs_up_ends_the_login(self):
        helper = self.helper()
        connection, begun = self.wait(helper)
        self.polled()
        connection.close()
        with helper.connect() as other:
            wait_until(lambda: other.call("login-wait", id=begun["id"]).status
                       == "login", what="the end of the login")

    def test_two_do_not_wait_for_one_login(self):
        helper = self.helper()
        connection, begun = self.wait(helper)
        helper.call("login-wait", id=begun["id"]).expect("bad")
        self.approve(begun)
        connection.receive().expect()

    def test_each_login_ends_in_its_own_way(self):
        helper = self.helper()
        with helper.connect() as connection:
            begun = self.begin(connection)
            connection.call("login-finish", id=begun["id"],
                            redirect="/?code=x").expect("bad")
            begun = connection.call("login-begin", account="alice",
                                    redirect_uri="http://127.0.0.1:1")
            connection.call("login-wait", id=begun["id"]).expect("bad")
            connection.call("login-begin", account="alice").expect("bad")

    def test_emitted_token_is_not_stored(self):
        helper = self.helper()
        path = helper.dir / "refresh-token"
        command = self.mailtoken(helper, "login", "alice", "--device",
                                 "--emit", path)
        address, code = command.wait_output(
            r"\A(http\S+)\n(\S+)\n", stream="stdout").groups()
        self.oidc.device(address, code)
        self.assertEqual(command.wait(), 0, command.tail())
        self.assertEqual(self.oidc.refresh(path.read_text().strip())[0], 200)
        self.assertEqual(helper.status("alice")["state"], "needs-login")

    def test_signal_ends_the_command_and_leaves_no_file(self):
        helper = self.helper()
        path = helper.dir / "refresh-token"
        command = self.mailtoken(helper, "login", "alice", "--device",
                                 "--emit", path)
        self.polled()
        command.signal(signal.SIGINT)
        self.assertEqual(command.wait(), 77)
        self.assertIn("cancelled; nothing was stored", command.stderr_text())
        self.assertFalse(path.exists())

    def test_without_a_daemon(self):
        helper = self.helper()
        helper.stop()
        command = self.bed.spawn(
            [self.bed.program("mailtoken"), "--config", self.once(helper),
             "login", "alice", "--device"], {"HOME": helper.dir})
        address, code = command.wait_output(
            r"\A(http\S+)\n(\S+)\n", stream="stdout").groups()
        self.oidc.device(address, code)
        self.assertEqual(command.wait(), 0, command.tail())
        helper.start()
        helper.call("get", account="alice").expect()

    def once(self, helper):
        config = helper.config_file.read_text()
        helper.write(f"state_dir = {helper.state}\n{config}")
        return helper.config_file


class MicrosoftDeviceTest(DeviceTestCase):
    flavor = "ms"
    scope = "https://outlook.office365.com/SMTP.Send offline_access"

    def test_words_of_microsoft(self):
        helper = self.helper()
        connection, begun = self.wait(helper)
        self.assertNotIn("verification_uri_complete", begun)
        self.polled()
        self.approve(begun, deny=True)
        reply = connection.receive().expect("login")
        self.assertIn("authorization_declined", reply["text"])
        connection, begun = self.wait(helper)
        self.oidc.fault(grant_type=DEVICE, status=400,
                        body='{"error":"bad_verification_code"}')
        connection.receive().expect("login")
        connection, begun = self.wait(helper)
        self.approve(begun)
        connection.receive().expect()


class GoogleDeviceTest(DeviceTestCase):
    flavor = "google"

    def test_words_of_google(self):
        helper = self.helper()
        connection, begun = self.wait(helper)
        self.polled()
        self.assertEqual(self.posts(DEVICE)[0]["status"], 428)
        self.approve(begun)
        connection.receive().expect()


class IdentityTest(LoginsTestCase):
    SCOPE = "openid profile email mail offline_access"

    def helper(self, **settings):
        return super().helper(**{"scope": self.SCOPE} | settings)

    def test_right_person_logs_in(self):
        for user, settings in ((USER, {}), (USER, {"user": USER.upper()}),
                               (BOB, {"login_user": BOB}),
                               (BOB, {"smtp_user": BOB})):
            with self.subTest(settings=settings):
                helper = self.helper(**settings)
                reply = helper.login(self.oidc, "alice", user=user).expect()
                self.assertEqual(reply["identity"], user)
                helper.call("get", account="alice").expect()

    def test_wrong_person_is_refused_and_nothing_is_stored(self):
        for user, settings in ((BOB, {}), (USER, {"login_user": BOB})):
            with self.subTest(settings=settings):
                helper = self.helper(**settings)
                reply = helper.login(self.oidc, "alice",
                                     user=user).expect("login")
                self.assertIn(f"it was {user} who logged in", reply["text"])
                self.assertIn(BOB, reply["text"])
                self.assertIn(USER, reply["text"])
                self.assertIn("login_user", reply["text"])
                helper.call("get", account="alice").expect("login")
                self.assertFalse([*helper.state.glob("alice.*")])

    def test_wrong_person_does_not_end_the_login_before(self):
        helper = self.helper()
        helper.login(self.oidc, "alice").expect()
        helper.login(self.oidc, "alice", user=BOB).expect("login")
        helper.call("refresh", account="alice").expect()

    def test_wrong_person_with_a_device_is_refused(self):
        self.oidc.config(interval=1)
        helper = self.helper(device_authorization_endpoint=self.oidc.url(
            "device_authorization"))
        command = self.mailtoken(helper, "login", "alice", "--device")
        address, code = command.wait_output(
            r"\A(http\S+)\n(\S+)\n", stream="stdout").groups()
        self.oidc.device(address, code, user=BOB)
        self.assertEqual(command.wait(), 77)
        self.assertIn(f"it was {BOB} who logged in", command.stderr_text())
        helper.call("get", account="alice").expect("login")

    def test_person_whom_the_server_does_not_name_is_taken(self):
        for identity, scope in (({}, self.SCOPE), (None, "mail")):
            self.oidc.config(identity=identity)
            helper = self.helper(scope=scope)
            reply = helper.login(self.oidc, "alice", user=BOB).expect()
            self.assertNotIn("identity", reply)

    def test_one_fitting_name_is_enough(self):
        self.oidc.config(identity={"preferred_username": "a", "email": USER})
        reply = self.helper().login(self.oidc, "alice").expect()
        self.assertEqual(reply["identity"], "a")

    def test_command_says_who_it_was(self):
        for settings, walk, text in (
                ({"scope": "mail"}, {}, "did not say who it was"),
                ({"login_user": BOB}, {"user": BOB},
                 f"it was {BOB} who logged in")):
            helper = self.helper(**settings)
            command = self.mailtoken(helper, "login", "alice")
            url = command.wait_output(r"(?m)^http\S+$",
                                      stream="stdout").group()
            self.assertIn(f"login_hint={walk.get('user', USER)}".replace(
                "@", "%40"), url)
            self.oidc.login(url, **walk)
            self.assertEqual(command.wait(), 0)
            self.assertIn(text, command.stderr_text())


class SeedIdentityTest(LoginsTestCase):
    """A refresh token that was given shows only at its first use whose it is,
    if the server says so at all."""
    SCOPE = "openid profile email mail offline_access"

    def seed(self, helper, user, scope=SCOPE, **fields):
        token = self.oidc.mint(user, scope=scope)["refresh_token"]
        with passed(token) as file:
            return helper.call("seed", fd=file.fileno(), account="alice",
                               **fields)

    def test_right_person_is_named(self):
        for user, settings in ((USER, {}), (BOB, {"login_user": BOB})):
            helper = self.helper(**settings)
            self.seed(helper, user).expect()
            helper.call("get", account="alice").expect()
            self.assertEqual(helper.status("alice")["identity"], user)
            # for good, and until another login
            helper.stop()
            helper.start()
            helper.call("refresh", account="alice").expect()
            self.assertIn(f"logged in as  {user}\n",
                          helper.command("status", "alice").check().out)
            helper.command("logout", "alice", "--local").check()
            self.assertEqual(helper.status("alice")["identity"], "")

    def test_person_whom_the_server_does_not_name_is_taken_and_that_is_said(
            self):
        self.oidc.config(identity={})
        for scope in self.SCOPE, "mail":
            helper = self.helper()
            self.seed(helper, BOB, scope).expect()
            helper.call("get", account="alice").expect()
            self.assertEqual(helper.status("alice")["identity"], "")
            self.assertIn("logged in as  not known, the server did not say\n",
                          helper.command("status", "alice").check().out)

    def test_token_of_another_person_is_refused_and_kept(self):
        helper = self.helper()
        self.seed(helper, BOB).expect()
        for _ in range(2):
            reply = helper.call("get", account="alice").expect("login")
            self.assertIn(f"it was {BOB} who logged in, not {USER}",
                          reply["text"])
            self.assertIn("login_user", reply["text"])
        self.assertEqual(len(self.posts("refresh_token")), 1)
        record = read_record(helper.state, "alice")
        self.assertNotIn("refresh_token", record)
        self.assertEqual(self.oidc.refresh(record["candidate"])[0], 200)
        helper.stop()
        helper.start()
        self.assertEqual(helper.status("alice")["state"], "needs-login")
        helper.call("get", account="alice").expect("login")

    def test_token_of_another_person_leaves_the_login_before(self):
        helper = self.helper(scope=self.SCOPE)
        helper.login(self.oidc, "alice").expect()
        reply = self.seed(helper, BOB, prove=1).expect("login")
        self.assertIn(f"it was {BOB} who logged in", reply["text"])
        self.assertIn("the login before it still serves", reply["text"])
        helper.call("refresh", account="alice").expect()
        status = helper.status("alice")
        self.assertEqual((status["state"], status["identity"]), ("ok", USER))
        self.assertIn("was refused", status["alarm"])

    def test_token_of_another_server_is_refused(self):
        helper = self.helper(issuer="https://another.example.test")
        self.seed(helper, USER).expect()
        reply = helper.call("get", account="alice").expect("login")
        self.assertIn("set `issuer`", reply["text"])


class MicrosoftIdentityTest(LoginsTestCase):
    flavor = "ms"

    def test_scope_of_the_provider_asks_who_it_is(self):
        helper = self.helper(provider="microsoft", scope=None)
        reply = helper.login(self.oidc, "alice").expect()
        self.assertEqual(reply["identity"], USER)
        helper.login(self.oidc, "alice", user=BOB).expect("login")
        helper.call("refresh", account="alice").expect()
        asked = self.posts("refresh_token")[0]["form"]["scope"].split()
        self.assertIn("offline_access", asked)
        self.assertFalse({"openid", "profile"} & set(asked))


class BrowserTest(LoginsTestCase):
    """The pages of `mailtoken login` in Chromium."""

    def test_page_tells_what_happened(self):
        for walk, code, texts in (
                ({}, 0, ["You are logged in", f"For the user: {USER}"]),
                ({"deny": True}, 77, ["The login was refused",
                                      "access_denied", "Nothing was stored"]),
                ({"user": BOB}, 77, ["The login failed",
                                     f"it was {BOB} who logged in",
                                     "Nothing was stored"])):
            with self.subTest(walk=walk):
                helper = self.helper(
                    scope="openid profile email mail offline_access")
                command = self.mailtoken(helper, "login", "alice")
                url = command.wait_output(r"(?m)^http\S+$",
                                          stream="stdout").group()
                page = look_at(self.bed, self.oidc.walk(url, **walk))
                self.assertEqual(command.wait(), code)
                for text in texts:
                    self.assertIn(text, page)


class TokenFileTest(LoginsTestCase):
    """mailtoken login --refresh-token-file"""

    def give(self, helper, token, how="file"):
        path = helper.dir / "refresh-token"
        path.write_text(token + "\n")
        with open(path, "rb") as stdin:
            command = self.mailtoken(
                helper, "login", "alice", "--refresh-token-file",
                path if how == "file" else "-", stdin=stdin)
        command.wait()
        self.assertNotIn(token, command.stdout_text() + command.stderr_text()
                         + helper.log())
        return command

    def test_token_from_a_file_or_standard_input_is_the_login(self):
        for how in "file", "-":
            helper = self.helper()
            token = self.oidc.mint()["refresh_token"]
            command = self.give(helper, token, how)
            self.assertEqual(command.rc, 0, command.tail())
            self.assertIn("takes the refresh token", command.stderr_text())
            self.assertEqual(helper.status("alice")["state"], "ok")
            self.assertEqual(len(self.posts("refresh_token")), 1)
            helper.call("get", account="alice").expect()
            helper.stop()
            helper.start()
            helper.call("get", account="alice").expect()
            self.oidc.clear_log()

    def test_token_that_is_no_good_leaves_the_login_before(self):
        helper = self.helper()
        command = self.give(helper, "nonsense")
        self.assertEqual(command.rc, 77)
        self.assertIn("invalid_grant", command.stderr_text())
        helper.login(self.oidc, "alice").expect()
        command = self.give(helper, "nonsense")
        self.assertEqual(command.rc, 77)
        self.assertIn("this refresh token is no good", command.stderr_text())
        self.assertIn("the login before it still serves",
                      command.stderr_text())
        helper.call("refresh", account="alice").expect()
        self.assertEqual(helper.status("alice")["state"], "ok")

    def test_token_given_again_is_tried_again(self):
        helper = self.helper()
        token = self.oidc.mint()["refresh_token"]
        self.oidc.fault(status=400, body='{"error":"invalid_grant"}')
        self.assertEqual(self.give(helper, token).rc, 77)
        self.assertEqual(self.give(helper, token).rc, 0)

    def test_server_that_is_down_keeps_the_token_for_later(self):
        helper = self.helper()
        token = self.oidc.mint()["refresh_token"]
        self.oidc.fault(status=503)
        command = self.give(helper, token)
        self.assertEqual(command.rc, 75)
        self.assertIn("503", command.stderr_text())
        helper.call("refresh", account="alice").expect()
        helper.login(self.oidc, "alice").expect()
        self.oidc.fault(status=503)
        command = self.give(helper, self.oidc.mint()["refresh_token"])
        self.assertEqual(command.rc, 75, command.tail())
        self.assertIn("kept and tried again", command.stderr_text())

    def test_refresh_under_way_is_waited_for(self):
        helper = self.helper()
        helper.login(self.oidc, "alice").expect()
        self.oidc.fault(hang=True)
        with helper.administer() as other:
            other.send("refresh", account="alice")
            wait_until(lambda: self.posts("refresh_token"), what="a refresh")
            token = self.oidc.mint()["refresh_token"]
            path = helper.dir / "refresh-token"
            path.write_text(token)
            with helper.administer() as connection, open(path, "rb") as file:
                connection.send("seed", fd=file.fileno(), account="alice",
                                prove=1)
                self.oidc.release()
                connection.receive().expect()
            other.receive().expect()
        self.assertEqual(self.posts("refresh_token")[-1]["form"]
                         ["refresh_token"], token)

    def test_unusable_input(self):
        helper = self.helper()
        for token in "two words", "t\u00f6ken":
            self.assertEqual(self.give(helper, token).rc, 65)
        command = self.mailtoken(helper, "login", "alice",
                                 "--refresh-token-file", "/nowhere/token")
        self.assertEqual(command.wait(), 65)
        master, terminal = os.openpty()
        with open(master, "rb"), open(terminal, "rb") as stdin:
            command = self.mailtoken(helper, "login", "alice",
                                     "--refresh-token-file", "-", stdin=stdin)
            self.assertEqual(command.wait(), 64)
        self.assertEqual(self.posts("refresh_token"), [])


class ApplicationTest(LoginsTestCase):
    """Client credentials: the application itself logs in."""

    GRANT = "client_credentials"

    def helper(self, secret="service-secret", **settings):
        file = self.bed.subdir("secret") / "secret"
        file.write_text(secret)
        file.chmod(0o600)
        return super().helper(**{
            "client_id": "service", "client_secret_file": file,
            "grant": self.GRANT, "scope": "mail"} | settings)

    def get(self, helper, **fields):
        return helper.call("get", account="alice", **fields)

    def test_token_comes_without_a_login_and_nothing_is_stored(self):
        helper = self.helper()
        self.assertEqual(helper.status("alice")["state"], "ok")
        first = self.get(helper).expect()
        self.assertEqual(first["user"], USER)
        self.assertEqual(self.get(helper).expect()["token"], first["token"])
        self.assertEqual([entry["form"] for entry in self.oidc.log()], [
            {"grant_type": self.GRANT, "client_id": "service",
             "client_secret": "service-secret", "scope": "mail"}])
        status, reply = self.oidc.request(
            "introspection", {"token": first["token"]},
            ("mailserver", "introspect-secret"))
        self.assertTrue(reply["active"])
        self.assertFalse([*helper.state.glob("alice.*")])

    def test_serials_rise_also_over_a_restart(self):
        helper = self.helper()
        serials = []
        for _ in range(3):
            helper.call("refresh", account="alice").expect()
            serials.append(int(self.get(helper).expect()["serial"]))
        helper.stop()
        helper.start()
        serials.append(int(self.get(helper).expect()["serial"]))
        self.assertEqual(serials[:3], sorted(set(serials[:3])))
        self.assertGreaterEqual(serials[3], serials[0])
        helper.call("reject", account="alice", serial=serials[3]).expect()
        self.assertNotEqual(self.get(helper).expect()["serial"],
                            str(serials[3]))

    def test_wrong_or_expired_secret_is_a_matter_of_settings(self):
        helper = self.helper("wrong")
        reply = self.get(helper).expect("config")
        self.assertIn("client_secret_file", reply["text"])
        self.assertEqual(helper.status("alice")["state"], "broken-config")
        self.get(helper).expect("config")
        self.assertEqual(len(self.oidc.log()), 1)
        helper = self.helper()
        for body in ('{"error":"invalid_client","error_codes":[7000222]}',
                     '{"error":"invalid_grant"}'):
            self.oidc.fault(status=401, body=body)
            helper.call("refresh", account="alice").expect("config")
        helper.call("refresh", account="alice").expect()
        self.assertEqual(helper.status("alice")["state"], "ok")

    def test_server_that_is_down_is_tried_again(self):
        helper = self.helper()
        self.oidc.fault(status=503)
        self.get(helper).expect("later")
        self.assertEqual(helper.status("alice")["state"], "degraded")
        self.assertEqual(helper.status("alice")["alarm"], "")
        helper.call("refresh", account="alice").expect()

    def test_nobody_logs_in(self):
        helper = self.helper()
        for fields in {"redirect_uri": "http://127.0.0.1:1"}, {"device": 1}:
            reply = helper.call("login-begin", account="alice", **fields)
            self.assertIn("application", reply.expect("config")["text"])
        with open(helper.config_file, "rb") as file:
            helper.call("seed", fd=file.fileno(),
                        account="alice").expect("config")

    def test_change_of_the_grant_changes_who_logs_in(self):
        helper = self.helper()
        by_application = self.get(helper).expect()
        config = helper.config_file.read_text()
        helper.write(account(self.oidc))
        helper.reload()
        self.get(helper).expect("login")
        helper.login(self.oidc, "alice").expect()
        by_person = self.get(helper).expect()
        helper.call("refresh", account="alice").expect()
        self.assertNotIn(self.get(helper)["serial"],
                         (by_person["serial"], by_application["serial"]))
        helper.write(config)
        helper.reload()
        again = self.get(helper).expect()
        self.assertNotIn(again["token"], (by_application["token"],
                                          by_person["token"]))
        helper.write(account(self.oidc))
        helper.reload()
        self.get(helper).expect()


class MicrosoftApplicationTest(LoginsTestCase):
    flavor = "ms"

    def test_scope_is_that_of_applications(self):
        file = self.bed.subdir("secret") / "secret"
        file.write_text("service-secret")
        file.chmod(0o600)
        helper = self.helper(
            provider="microsoft", tenant="example.test", client_id="service",
            client_secret_file=file, grant="client_credentials", scope=None,
            token_endpoint=self.oidc.url("token", "example.test"))
        helper.call("get", account="alice").expect()
        entry = self.posts("client_credentials")[0]
        self.assertEqual(entry["form"]["scope"],
                         "https://outlook.office365.com/.default")


class SecondServerTest(BedTestCase):
    """Glewlwyd, see bed/glewlwyd.py."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.redirect_port = cls.bed.port()
        cls.server = cls.bed.glewlwyd(f"http://127.0.0.1:{cls.redirect_port}/")

    def helper(self, **settings):
        values = {"user": USER, "client_id": "native", "scope": "mail",
                  "permit": "get", "discovery": self.server.mount,
                  "issuer": self.server.issuer} | settings
        lines = [f"{name} = {value}" for name, value in values.items()]
        helper = Mailtokend(
            self.bed, "\n".join(["[account alice]", *lines, ""]))
        self.addCleanup(lambda: helper.process and helper.process.stop())
        return helper

    def login(self, helper, *args):
        """By the command, in its browser's place; its exit status."""
        command = self.bed.spawn(
            [self.bed.program("mailtoken"), "--socket", helper.socket,
             "login", *args, "alice"], {"HOME": helper.dir})
        url = command.wait_output(r"(?m)^http\S+$", stream="stdout").group()
        Browser().get(self.server.login(url))
        return command.wait()

    def test_port_that_is_registered(self):
        helper = self.helper(redirect_port=self.redirect_port)
        self.assertEqual(self.login(helper), 0)
        helper = self.helper()
        self.assertEqual(
            self.login(helper, "--port", str(self.redirect_port)), 0)
        helper.call("get", account="alice").expect()

    def test_refresh_and_its_end(self):
        helper = self.helper(redirect_port=self.redirect_port)
        self.assertEqual(self.login(helper), 0)
        asked = len(self.server.log())
        for _ in range(3):
            helper.call("refresh", account="alice").expect()
        answers = [json.loads(entry["body"])
                   for entry in self.server.log()[asked:]
                   if entry["form"]["grant_type"] == "refresh_token"]
        self.assertEqual({answer["token_type"] for answer in answers},
                         {"bearer"})
        used = self.server.log()[-1]["form"]["refresh_token"]
        seed = helper.dir / "seed"
        seed.write_text(used)
        fresh = self.helper()
        with open(seed, "rb") as file:
            fresh.call("seed", fd=file.fileno(), account="alice").expect()
        reply = fresh.call("refresh", account="alice").expect("login")
        self.assertEqual((self.server.log()[-1]["status"],
                          self.server.log()[-1]["body"]), (400, ""))
        self.assertIn("ended the login without saying why", reply["text"])

    def revocations(self):
        return self.server.log("/api/oidc/revoke")

    def test_logout_ends_the_login_at_the_server(self):
        file = self.bed.subdir("secret") / "secret"
        file.write_text(SECRET)
        file.chmod(0o600)
        helper = self.helper(redirect_port=self.redirect_port,
                             client_id="desktop", client_secret_file=file)
        self.assertEqual(self.login(helper), 0)
        token = read_record(helper.state, "alice")["refresh_token"]
        result = helper.command("logout", "alice").check()
        self.assertIn("the server has", result.out)
        self.assertEqual(self.revocations()[-1]["form"]["token"], token)
        self.assertEqual(self.revocations()[-1]["status"], 200)
        # really
        with passed(token) as file:
            helper.call("seed", fd=file.fileno(), account="alice",
                        prove=1).expect("login")

    def test_logout_that_the_server_does_not_take_keeps_the_login(self):
        """This server revokes for no client without a secret."""
        helper = self.helper(redirect_port=self.redirect_port)
        self.assertEqual(self.login(helper), 0)
        result = helper.command("logout", "alice")
        self.assertEqual(result.rc, 78, result)
        self.assertIn("the server refuses the client", result.err)
        self.assertIn("--local", result.err)
        asked = len(self.revocations())
        self.assertEqual(self.revocations()[-1]["status"], 401)
        helper.call("refresh", account="alice").expect()
        helper.command("logout", "alice", "--local").check()
        helper.call("get", account="alice").expect("login")
        self.assertEqual(len(self.revocations()), asked)

    def test_device_that_asks_too_often_is_told_so_and_logs_in(self):
        self.server.device_interval = 1
        helper = self.helper()
        with helper.administer() as connection:
            begun = connection.call("login-begin", account="alice",
                                    device=1).expect()
            asked = len(self.server.log())
            connection.send("login-wait", id=begun["id"])
            wait_until(lambda: any("slow_down" in entry["body"] for entry
                                   in self.server.log()[asked:]),
                       what="the server's slow_down")
            self.server.approve(begun["user_code"])
            connection.receive().expect()
        times = [entry["time"] for entry in self.server.log()[asked:]]
        self.assertGreater(times[-1] - times[-2], 5.9)
        helper.call("get", account="alice").expect()


if __name__ == "__main__":
    unittest.main()
