# SPDX-License-Identifier: ISC
"""The commands that look after accounts: list, reload, logout."""
import json
import os
import resource
import unittest

from bed import BedTestCase, wait_until
from bed.sealed import read_record
from bed.tokensock import Mailtokend, account

USER, NOBODY = "alice@example.test", 65534


class ManageTestCase(BedTestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.oidc = cls.bed.oidc()
        cls.settings = cls.oidc.config()

    def setUp(self):
        self.oidc.release()
        self.oidc.config(**self.settings)
        self.oidc.clear_log()

    def helper(self, config=None, **settings):
        """A mailtokend, by default with the account alice."""
        helper = Mailtokend(self.bed, config if config is not None
                            else account(self.oidc, **settings))
        self.addCleanup(lambda: helper.process and helper.process.stop())
        return helper

    def argv(self, *args, uid=None):
        user = ["setpriv", "--reuid", uid, "--regid", uid,
                "--clear-groups"] if uid else []
        return [*user, self.bed.program("mailtoken"), *args]

    def run_on(self, helper, *args, uid=None):
        """Run the command on the helper's socket."""
        return self.bed.run(
            self.argv("--socket", helper.socket, *args, uid=uid),
            {"HOME": helper.dir, "PATH": "/usr/bin:/bin"})

    def assertFails(self, result, code, text):
        """It failed so, said one line about it, and printed nothing."""
        self.assertEqual((result.rc, result.out), (code, ""), result)
        self.assertRegex(result.err, text)
        self.assertRegex(result.err, r"^mailtoken: [^\n]+\n$")


class ListTest(ManageTestCase):
    def test_names_are_printed_in_order_one_a_line(self):
        helper = self.helper("".join(account(self.oidc, name)
                                     for name in ("zoe", "alice", "bob")))
        result = self.run_on(helper, "list").check()
        self.assertEqual((result.out, result.err), ("alice\nbob\nzoe\n", ""))

    def test_accounts_that_fill_more_than_one_reply_are_all_there(self):
        names = [f"{number:04}-{'x' * 95}" for number in range(1300)]
        helper = self.helper("".join(f"[account {name}]\nuser = a\n"
                                     "client_id = c\nprovider = google\n"
                                     for name in names))
        result = self.run_on(helper, "list").check()
        self.assertEqual(result.out.split(), names)

    def test_no_account_is_an_empty_list(self):
        result = self.run_on(self.helper(""), "list").check()
        self.assertEqual((result.out, result.err), ("", ""))

    def test_accounts_of_others_are_not_listed(self):
        helper = self.helper()
        os.chmod(helper.socket, 0o666)
        helper.dir.chmod(0o755)
        result = self.run_on(helper, "list", uid=NOBODY)
        self.assertNotIn("alice", str(result))


class ReloadTest(ManageTestCase):
    def test_reload_takes_the_settings_over_and_counts_the_accounts(self):
        helper = self.helper()
        helper.write(account(self.oidc) + account(self.oidc, "bob"))
        result = self.run_on(helper, "reload").check()
        self.assertEqual(result.out, "settings read again: 2 accounts\n")
        self.assertEqual(self.run_on(helper, "list").out, "alice\nbob\n")
        self.assertIn("settings read again", helper.log())

    def test_error_is_said_with_file_and_line_and_changes_nothing(self):
        helper = self.helper()
        helper.write(account(self.oidc) + "nonsense = 1\n")
        lines = helper.config_file.read_text().count("\n")
        result = self.run_on(helper, "reload")
        self.assertFails(result, 78, rf"{helper.config_file}:{lines}: .*"
                         "unknown setting 'nonsense'")
        self.assertEqual(self.run_on(helper, "list").out, "alice\n")
        helper.write(account(self.oidc))
        self.run_on(helper, "reload").check()

    def test_reload_during_a_refresh_disturbs_nobody(self):
        helper = self.helper()
        helper.login(self.oidc, "alice").expect()
        self.oidc.fault(hang=True, grant_type="refresh_token")
        with helper.administer() as asker:
            asker.send("refresh", account="alice")
            wait_until(lambda: len(self.oidc.log()) == 2, what="the refresh")
            self.run_on(helper, "reload").check()
            self.oidc.release()
            asker.receive().expect()

    def test_without_a_running_helper_there_is_nothing_to_reload(self):
        home = self.bed.subdir("home")
        result = self.bed.run(self.argv("reload", uid=NOBODY),
                              {"HOME": home})
        self.assertFails(result, 69, "is mailtokend running")

    def test_only_root_and_the_helper_itself_may_reload(self):
        helper = self.helper()
        os.chmod(helper.socket, 0o666)
        helper.dir.chmod(0o755)
        result = self.run_on(helper, "reload", uid=NOBODY)
        self.assertFails(result, 1, "only root")
        self.assertNotIn("settings read again", helper.log())


class LogoutTest(ManageTestCase):
    def setUp(self):
        super().setUp()
        self.work = self.helper(revocation_endpoint=self.oidc.url(
            "revocation"))
        self.work.login(self.oidc, "alice").expect()
        self.stored = self.refresh_token()

    def refresh_token(self, helper=None):
        state = (helper or self.work).state
        return read_record(state, "alice")["refresh_token"]

    def assertLoggedOut(self, helper, why="logged out"):
        status = helper.status("alice")
        self.assertEqual(status["state"], "needs-login")
        self.assertIn(why, status["text"])
        helper.call("get", account="alice").expect("login")
        self.assertNotIn(self.stored,
                         json.dumps(read_record(helper.state, "alice")))
        self.assertEqual([path.name for path in helper.state.glob("alice*")],
                         ["alice.token"])

    def assertKept(self, helper):
        self.assertEqual(helper.status("alice")["state"], "ok")
        self.assertEqual(self.refresh_token(helper), self.stored)

    def test_login_ends_at_the_server_and_in_the_store(self):
        result = self.run_on(self.work, "logout", "alice").check()
        self.assertRegex(result.out, "^alice: logged out; the server has")
        form = self.oidc.log("revocation")[0]["form"]
        self.assertEqual(form["token_type_hint"], "refresh_token")
        self.assertEqual(form["token"], self.stored)
        self.assertLoggedOut(self.work)
        status, body = self.oidc.refresh(self.stored)
        self.assertEqual((status, body["error"]), (400, "invalid_grant"))
        result = self.run_on(self.work, "status", "alice").check()
        self.assertIn("logged out", result.out)

    def test_logout_outlives_a_crash_and_a_login_ends_it(self):
        self.run_on(self.work, "logout", "alice").check()
        self.work.kill()
        self.work.start()
        self.assertLoggedOut(self.work)
        serial = int(self.work.status("alice")["serial"])
        self.work.login(self.oidc, "alice").expect()
        reply = self.work.call("get", account="alice").expect()
        self.assertGreater(int(reply["serial"]), serial)

    def test_subscribers_are_told(self):
        with self.work.connect() as events:
            events.call("subscribe").expect()
            self.assertEqual(events.receive()["state"], "ok")
            self.run_on(self.work, "logout", "alice").check()
            self.assertEqual(events.receive()["state"], "needs-login")

    def test_server_that_is_busy_keeps_the_login(self):
        for fault in ({"status": 503, "headers": {"Retry-After": "7"}},
                      {"status": 429}, {"status": 400}, {"reset": True},
                      {"status": 302, "headers": {"Location": "/"}}):
            with self.subTest(fault=fault):
                self.oidc.fault(endpoint="revocation", **fault)
                result = self.run_on(self.work, "logout", "alice")
                self.assertFails(
                    result, 75, "the login is kept; try again, or run "
                    "'mailtoken logout alice --local'.* revocation endpoint")
                self.assertKept(self.work)
        self.run_on(self.work, "logout", "alice").check()
        self.assertLoggedOut(self.work)

    def test_server_that_is_gone_does_not_keep_it_from_being_forgotten(self):
        self.oidc.stop()
        self.addCleanup(self.oidc.start)
        self.assertFails(self.run_on(self.work, "logout", "alice"), 75,
                         "no answer from the revocation endpoint")
        self.assertKept(self.work)
        result = self.run_on(self.work, "logout", "alice", "--local").check()
        self.assertRegex(result.out, "^alice: logged out here; the server was")
        self.assertLoggedOut(self.work)
        self.assertEqual(self.oidc.log("revocation"), [])

    def test_client_that_the_server_refuses_is_a_matter_of_settings(self):
        self.oidc.fault(endpoint="revocation", status=401,
                        body='{"error": "invalid_client"}')
        self.assertFails(self.run_on(self.work, "logout", "alice"), 78,
                         "the server says invalid_client")
        self.assertKept(self.work)

    def test_login_that_the_server_ended_before_is_forgotten(self):
        self.oidc.revoke()
        self.work.call("refresh", account="alice").expect("login")
        self.run_on(self.work, "logout", "alice").check()
        self.assertLoggedOut(self.work)
        self.work.login(self.oidc, "alice").expect()
        # Google's words for it
        self.oidc.fault(endpoint="revocation", status=400,
                        body='{"error": "invalid_token"}')
        self.run_on(self.work, "logout", "alice").check()
        self.assertLoggedOut(self.work)

    def test_provider_without_revocation_is_said_so(self):
        helper = self.helper()
        helper.login(self.oidc, "alice").expect()
        self.stored = self.refresh_token(helper)
        result = self.run_on(helper, "logout", "alice").check()
        self.assertIn("the provider cannot be told", result.out)
        self.assertLoggedOut(helper)
        self.assertEqual(self.oidc.refresh(self.stored)[0], 200)

    def test_endpoint_is_discovered_first(self):
        helper = self.helper(authorization_endpoint=None, token_endpoint=None,
                             discovery=self.oidc.issuer)
        helper.login(self.oidc, "alice").expect()
        self.stored = self.refresh_token(helper)
        helper.stop()
        helper.start()
        self.oidc.clear_log()
        self.oidc.fault(endpoint="discovery", status=503)
        self.assertFails(self.run_on(helper, "logout", "alice"), 75,
                         "the login is kept")
        self.run_on(helper, "logout", "alice").check()
        self.assertEqual(len(self.oidc.log("revocation")), 1)
        self.assertLoggedOut(helper)

    def test_refresh_under_way_is_waited_for(self):
        self.oidc.fault(hang=True, grant_type="refresh_token")
        with self.work.administer() as asker, self.work.administer() as leaver:
            asker.send("refresh", account="alice")
            wait_until(lambda: len(self.oidc.log()) == 2, what="the refresh")
            leaver.send("logout", account="alice")
            self.work.status("alice")
            self.assertEqual(self.oidc.log("revocation"), [])
            self.oidc.release()
            asker.receive().expect()
            self.assertEqual(leaver.receive().expect()["revoked"], "yes")
        sent = self.oidc.log("revocation")[0]["form"]["token"]
        self.assertNotEqual(sent, self.stored, "the one before the rotation")
        self.stored = sent
        self.assertLoggedOut(self.work)
        self.assertEqual(self.oidc.refresh(sent)[0], 400)

    def test_nobody_refreshes_during_the_revocation(self):
        for status, answer in (503, "ok"), (None, "login"):
            self.oidc.clear_log()
            self.oidc.fault(endpoint="revocation", hang=True, status=status)
            with self.work.administer() as asker, self.work.administer() as leaver:
                leaver.send("logout", account="alice")
                wait_until(lambda: self.oidc.log("revocation"),
                           what="the revocation")
                asker.send("refresh", account="alice")
                self.work.status("alice")
                self.assertEqual(self.oidc.log("token"), [])
                self.oidc.release()
                leaver.receive().expect("later" if status else "ok")
                asker.receive().expect(answer)
        self.assertLoggedOut(self.work)

    def test_changed_client_never_gets_the_old_token(self):
        settings = account(self.oidc, client_id="other",
                           revocation_endpoint=self.oidc.url("revocation"))
        self.work.write(settings)
        self.work.reload()
        self.assertFails(self.run_on(self.work, "logout", "alice"), 78,
                         "is not the one that the login was made with")
        self.assertEqual(self.oidc.log("revocation"), [])
        self.run_on(self.work, "logout", "alice", "--local").check()
        self.assertLoggedOut(self.work)

    def test_damaged_record_can_be_forgotten(self):
        self.work.stop()
        (self.work.state / "alice.token").write_text("nonsense")
        self.work.start()
        self.assertFails(self.run_on(self.work, "logout", "alice"), 78,
                         "is no sealed record")
        self.run_on(self.work, "logout", "alice", "--local").check()
        self.assertLoggedOut(self.work)

    def test_login_that_cannot_be_removed_is_kept(self):
        resource.prlimit(self.work.process.pid, resource.RLIMIT_FSIZE,
                         (0, resource.RLIM_INFINITY))
        result = self.run_on(self.work, "logout", "alice", "--local")
        self.assertFails(result, 75, r"alice\.")
        self.assertKept(self.work)
        self.work.call("get", account="alice").expect()

    def test_logout_without_a_login_says_so(self):
        helper = self.helper()
        result = self.run_on(helper, "logout", "alice").check()
        self.assertEqual(result.out, "alice: there was no login\n")
        self.assertIn("nobody has logged in yet",
                      helper.status("alice")["text"])

    def test_token_that_was_given_to_start_from_is_forgotten_for_good(self):
        seed = self.oidc.mint(scope="mail offline_access")["refresh_token"]
        path = self.work.dir / "seed"
        path.write_text(seed)
        for _ in range(2):
            with open(path, "rb") as file:
                self.work.call("seed", file.fileno(), account="alice").expect()
            self.run_on(self.work, "logout", "alice").check()
            self.assertLoggedOut(self.work)
            self.assertNotIn(seed, json.dumps(
                read_record(self.work.state, "alice")))

    def test_application_that_logs_in_itself_has_no_logout(self):
        secret = self.bed.subdir("secret") / "secret"
        secret.write_text("service-secret")
        secret.chmod(0o600)
        helper = self.helper(client_id="service", grant="client_credentials",
                             client_secret_file=secret, scope="mail")
        self.assertFails(self.run_on(helper, "logout", "alice"), 78,
                         "nobody logs in to it")

    def test_others_cannot_log_an_account_out(self):
        self.work.socket.chmod(0o666)
        self.work.dir.chmod(0o755)
        result = self.run_on(self.work, "logout", "alice", uid=NOBODY)
        self.assertNotEqual(result.rc, 0, result)
        self.assertKept(self.work)

    def test_no_secret_is_in_the_log(self):
        self.run_on(self.work, "logout", "alice").check()
        self.assertNotIn(self.stored, self.work.log())


if __name__ == "__main__":
    unittest.main()
