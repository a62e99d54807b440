# SPDX-License-Identifier: ISC
"""The ways to a login beside the plain one, on real servers."""
import json
import unittest

from bed import BedTestCase, wait_until
from bed.tokensock import Mailtokend, account

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
        askers = [helper.connect() for _ in range(8)]
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


if __name__ == "__main__":
    unittest.main()
