# SPDX-License-Identifier: ISC
"""The commands that look after accounts: list, reload, logout."""
import os
import unittest

from bed import BedTestCase, wait_until
from bed.tokensock import Mailtokend, account

USER, NOBODY = "alice@example.test", 65534


class CommandsTestCase(BedTestCase):
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


class ListTest(CommandsTestCase):
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


class ReloadTest(CommandsTestCase):
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
        with helper.connect() as asker:
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


if __name__ == "__main__":
    unittest.main()
