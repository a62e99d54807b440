# SPDX-License-Identifier: ISC
"""What fails ends in a clear message and exit code, and loses nothing."""
import json
import shutil

from bed import BedTestCase, wait_until
from bed.connector import Connector
from bed.helper import USER, Helper

MESSAGE = b"From: x@example.test\nSubject: hello\n\nbody\n"


class FailuresTest(BedTestCase):
    def setUp(self):
        self.oidc = self.bed.oidc(flavor="ms", rotate="1")
        self.sink = self.bed.sink()
        self.mail = self.bed.dovecot(oidc=self.oidc, sink=self.sink)
        self.addCleanup(self.mail.stop)
        self.addCleanup(self.oidc.stop)

    def logged_in(self):
        helper = Helper(self.bed, self.oidc)
        helper.log_in()
        self.addCleanup(lambda: helper.process and helper.stop())
        return helper

    def refreshes(self):
        return [entry for entry in self.oidc.log()
                if entry["form"].get("grant_type") == "refresh_token"]

    # -- tokens ------------------------------------------------------------

    def test_expired_token_is_refreshed_and_mail_arrives(self):
        # so short that it is over, or nearly, whenever it is used
        self.oidc.config(at_ttl=2)
        connector = Connector(self.bed, self.mail, self.logged_in())
        self.oidc.config(at_ttl=3600)
        self.mail.deliver(USER, MESSAGE)
        self.assertEqual(len(connector.poll().json["delivered"]), 1)
        self.assertGreaterEqual(len(self.refreshes()), 1)

    def test_rejected_token_is_reported_refreshed_once_and_tried_again(self):
        helper = self.logged_in()
        connector = Connector(self.bed, self.mail, helper)
        connector.poll()
        # the mail server forgets every token; the helper cannot know
        self.mail.stop()
        self.oidc.config(username="somebody@else.test")
        helper.command("refresh", "work").check()
        self.oidc.config(username=None)
        self.mail.start()
        before = len(self.refreshes())
        self.mail.deliver(USER, MESSAGE)
        self.assertEqual(len(connector.poll().json["delivered"]), 1)
        self.assertEqual(len(self.refreshes()) - before, 1)

    def test_token_that_submission_rejects_is_refreshed_too(self):
        helper = self.logged_in()
        self.oidc.config(username="somebody@else.test")
        helper.command("refresh", "work").check()
        self.oidc.config(username=None)
        before = len(self.refreshes())
        connector = Connector(self.bed, self.mail, helper)
        self.assertEqual(connector.send().json["state"], "sent")
        self.assertEqual(len(self.refreshes()) - before, 1)

    def test_token_that_is_always_rejected_ends_in_one_clear_line(self):
        helper = self.logged_in()
        self.oidc.config(username="somebody@else.test")
        helper.command("refresh", "work").check()
        before = len(self.refreshes())
        connector = Connector(self.bed, self.mail, helper)
        result = connector.poll(rc=77)
        self.assertFalse(result.json["success"])
        self.assertIn("invalid_token", result.err)
        self.assertEqual(len(self.refreshes()) - before, 1)

    def test_revoked_grant_stops_requests_until_a_new_login(self):
        helper = self.logged_in()
        connector = Connector(self.bed, self.mail, helper,
                              IMAP_POLL_INTERVAL=1000)
        self.mail.deliver(USER, MESSAGE)
        run = connector.start()
        connector.wait_handles(1, run)
        self.oidc.revoke(USER)
        helper.command("reject", "work").check()
        self.mail.kick(USER)
        run.wait_output(r"IMAP poll failed: .*mailtoken login work")
        before = len(self.refreshes())
        self.mail.deliver(USER, MESSAGE)
        # asked again and again, also by others: no request leaves
        for _ in range(3):
            self.assertEqual(helper.command("get", "work").rc, 77)
        self.assertEqual(connector.run("poll", "--once").rc, 77)
        self.assertEqual(len(self.refreshes()), before)
        # the service resumes by itself
        helper.log_in()
        connector.wait_handles(2, run)
        run.stop()
        self.assertEqual(run.rc, 0, run.tail())

    def test_dead_seed_names_the_private_helper_and_a_new_one_mends_it(self):
        connector = Connector(self.bed, self.mail, "no-token", self.oidc)
        self.mail.deliver(USER, MESSAGE)
        for _ in range(2):
            result = connector.poll(rc=77)
            self.assertIn(f"--socket {connector.state}/helper/socket",
                          result.err)
        self.assertEqual(len(self.refreshes()), 1)
        connector.env["TRI_ONYX_OAUTH2_REFRESH_TOKEN"] = \
            self.oidc.mint(USER)["refresh_token"]
        self.assertEqual(len(connector.poll().json["delivered"]), 1)

    def test_token_endpoint_down_is_temporary(self):
        helper = self.logged_in()
        helper.command("reject", "work").check()
        self.oidc.stop()
        connector = Connector(self.bed, self.mail, helper)
        result = connector.poll(rc=75)
        self.assertFalse(result.json["success"])
        status = json.loads(helper.command("status", "--json").out)[0]
        self.assertEqual(status["state"], "degraded")
        self.assertEqual(connector.handles(), [])
        self.oidc.start()

    def test_token_of_4_kb_logs_in_and_sends(self):
        self.oidc.config(at_size=4096)
        helper = self.logged_in()
        self.assertGreaterEqual(
            len(helper.command("get", "work").check().out), 4096)
        connector = Connector(self.bed, self.mail, helper)
        self.mail.deliver(USER, MESSAGE)
        self.assertEqual(len(connector.poll().json["delivered"]), 1)
        self.assertEqual(connector.send().json["state"], "sent")
        self.assertEqual(len(self.sink.messages()), 1)

    # -- passwords, certificates, mechanisms ---------------------------------

    def test_wrong_password_is_named_and_nothing_is_lost(self):
        connector = Connector(self.bed, self.mail,
                              IMAP_PASSWORD="wrong")
        self.mail.deliver(USER, MESSAGE)
        result = connector.poll(rc=77)
        self.assertIn("Authentication failed", result.err)
        result = connector.run("send", "-", input=json.dumps(
            {"to": "b@c.test", "subject": "s", "body": "b"}))
        self.assertEqual(json.loads(result.out)["state"], "queued")
        self.assertEqual(result.rc, 0)
        # mended, both go their way
        connector.env["TRI_ONYX_IMAP_PASSWORD"] = "alice-pw"
        self.assertEqual(len(connector.poll().json["delivered"]), 1)
        connector.send()
        self.sink.wait_messages(2)

    def test_certificate_is_verified(self):
        tls = self.bed.tls
        cases = [(tls.cert(["elsewhere.test"]), tls.ca, "another name"),
                 (tls.cert(self_signed=True), tls.ca, "self-signed"),
                 (tls.cert(expired=True), tls.ca, "expired")]
        for cert, ca, word in cases:
            with self.subTest(word):
                mail = self.bed.dovecot(oidc=self.oidc, cert=cert, ca=ca)
                connector = Connector(self.bed, mail)
                result = connector.poll(rc=78)
                self.assertIn(word, result.err)
                self.assertNotIn("auth=", mail.log_text())
                mail.stop()

    def test_server_without_a_usable_mechanism_is_named(self):
        mail = self.bed.dovecot(oidc=self.oidc, mechanisms="oauthbearer")
        connector = Connector(self.bed, mail)
        result = connector.run("check")
        self.assertEqual(result.rc, 78, result)
        self.assertIn("OAUTHBEARER", result.err)
        mail.stop()

    def test_missing_sasl_module_is_named(self):
        connector = Connector(self.bed, self.mail, self.logged_in())
        connector.env |= self.bed.client_env(("plain",), module=False)
        result = connector.run("check")
        self.assertEqual(result.rc, 78, result)
        self.assertIn("libsasl2-modules-mailtoken", result.err)

    def test_helper_that_is_down_is_named(self):
        helper = self.logged_in()
        helper.stop()
        result = Connector(self.bed, self.mail, helper).poll(rc=69)
        self.assertIn("mailtokend", result.err)

    # -- places ------------------------------------------------------------

    def test_workspace_that_is_missing_is_named(self):
        connector = Connector(self.bed, self.mail)
        self.mail.deliver(USER, MESSAGE)
        shutil.rmtree(connector.workspace)
        result = connector.run("poll", "--once")
        self.assertEqual(result.rc, 78)
        self.assertIn("TRI_ONYX_WORKSPACE_DIR", result.err)
        connector.workspace.mkdir()
        self.assertEqual(len(connector.poll().json["delivered"]), 1)

    def test_workspace_not_writable_loses_nothing(self):
        # also for root: a file stands where the directory must be
        connector = Connector(self.bed, self.mail)
        self.mail.deliver(USER, MESSAGE)
        (connector.workspace / "agents").write_text("")
        result = connector.run("poll", "--once")
        self.assertEqual(result.rc, 78, result)
        self.assertIn("agents", result.err)
        (connector.workspace / "agents").unlink()
        self.assertEqual(len(connector.poll().json["delivered"]), 1)

    def test_workspace_replaced_under_a_running_service_heals(self):
        connector = Connector(self.bed, self.mail, IMAP_POLL_INTERVAL=1000)
        self.mail.deliver(USER, MESSAGE)
        run = connector.start()
        connector.wait_handles(1, run)
        connector.workspace.rename(connector.dir / "old")
        connector.workspace.mkdir()
        self.mail.deliver(USER, MESSAGE)
        connector.wait_handles(1, run)
        self.assertEqual(connector.handles(), ["2"])
        run.stop()

    # -- several processes -----------------------------------------------------

    def test_two_processes_with_one_seed_share_one_helper(self):
        seed = self.oidc.mint(USER)["refresh_token"]
        self.oidc.config(at_ttl=3)
        self.mail.deliver(USER, MESSAGE)
        connector = Connector(self.bed, self.mail, seed, self.oidc,
                              IMAP_POLL_INTERVAL=1000)
        programs = [self.bed.spawn(
            [self.bed.program("mailtoken-connector"), *args], connector.env)
            for args in (["run"], ["check"], ["check"], ["check"])]
        for program in programs[1:]:
            self.assertEqual(program.wait(60), 0, program.tail())
        connector.wait_handles(1, programs[0])
        def enough():           # each new session wants a fresh token
            self.mail.kick(USER)
            return len(self.refreshes()) > 3
        wait_until(enough, what="4 refreshes")
        programs[0].stop()
        # nobody used a token twice, or the server had ended the family
        self.assertEqual({e["status"] for e in self.refreshes()}, {200})
        used = [e["form"]["refresh_token"] for e in self.refreshes()]
        self.assertEqual(len(used), len(set(used)))
        # and a restart goes on with the last one, not with the seed
        self.assertTrue(connector.poll().json["success"])
        self.assertEqual({e["status"] for e in self.refreshes()}, {200})

    def test_second_run_on_one_state_ends_with_75(self):
        connector = Connector(self.bed, self.mail)
        self.mail.deliver(USER, MESSAGE)
        first = connector.start()
        connector.wait_handles(1, first)
        second = connector.start()
        self.assertEqual(second.wait(), 75, second.tail())
        self.assertIn(str(first.pid), second.stderr_text())
        # poll --once asks the one that runs
        self.mail.deliver(USER, MESSAGE)
        self.assertEqual(len(connector.poll().json["delivered"]), 1)
        self.assertEqual(len(connector.handles()), 2)
        first.stop()

    def test_without_a_host_run_ends_with_0(self):
        connector = Connector(self.bed, self.mail, IMAP_HOST="")
        run = connector.start()
        self.assertEqual(run.wait(), 0)
        self.assertIn("TRI_ONYX_IMAP_HOST", run.stderr_text())
        self.assertEqual(connector.run("check").rc, 78)
