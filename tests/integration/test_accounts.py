# SPDX-License-Identifier: ISC
"""Several accounts in one process, and what the server tells while they are
idle."""
import json
import os
import random
import signal
import time

from bed import BedTestCase, wait_until
from bed.connector import Connector
from bed.helper import USER, Helper

from .test_send import Hold

OTHER, OTHERS_PASSWORD = "bob@example.test", "bob-pw"
HOUR_MS = 3600000
LONG = bool(os.environ.get("MAILTOKEN_LONG"))


def message(subject):
    return (f"From: x@example.test\nSubject: {subject}\n\nbody\n").encode()


class AccountsBed(BedTestCase):
    """A connector with a directory of further accounts."""

    def setUp(self):
        self.mail = self.bed.dovecot()
        self.addCleanup(self.mail.stop)
        self.accounts = self.bed.subdir("accounts.d")
        self.connector = Connector(
            self.bed, self.mail, EMAIL_ACCOUNTS_DIR=self.accounts,
            IMAP_POLL_INTERVAL=HOUR_MS)

    def write(self, name, **settings):
        password = self.accounts / f"{name}.password"
        password.write_text(OTHERS_PASSWORD)
        password.chmod(0o600)
        settings = {"imap_host": "localhost",
                    "imap_port": self.mail.imaps_port,
                    "imap_username": OTHER, "email_agent": name,
                    "imap_password_file": password} | settings
        (self.accounts / f"{name}.conf").write_text("".join(
            f"{key} = {value}\n" for key, value in settings.items()
            if value is not None))

    def inbox(self, agent):
        path = self.connector.workspace / "agents" / agent / "inbox"
        return sorted(p.name for p in path.iterdir()) if path.exists() else []

    def wait_inbox(self, agent, count, run):
        def arrived():
            if run.rc is not None:
                raise AssertionError(run.tail())
            return len(self.inbox(agent)) == count
        wait_until(arrived, what=f"{count} messages of {agent}")

    def started(self):
        run = self.connector.start()
        self.addCleanup(run.stop)
        self.wait_state("listening")
        return run

    def status(self):
        """account -> what `status` says of it."""
        answer = json.loads(self.connector.run("status").check().out)
        return {a["account"]: a for a in answer["accounts"]}

    def wait_state(self, state, account=USER):
        def reached():
            result = self.connector.run("status")
            if result.rc:           # it does not listen yet
                return False
            accounts = json.loads(result.out)["accounts"]
            return [a for a in accounts
                    if a["account"] == account and a["state"] == state]
        wait_until(reached, what=f"{account} {state}")


class AccountsTest(AccountsBed):
    # -- accounts ----------------------------------------------------------

    def test_poll_receives_for_all_of_them(self):
        self.write("second")
        self.mail.deliver(USER, message("a"))
        self.mail.deliver(OTHER, message("b"), message("c"))
        answer = self.connector.poll().json
        self.assertTrue(answer["success"])
        self.assertEqual([a["delivered"] for a in answer["accounts"]],
                         [["1"], ["1", "2"]])
        self.assertEqual(self.inbox("email"), ["1"])
        self.assertEqual(self.inbox("second"), ["1", "2"])

    def test_directory_alone_is_enough(self):
        self.write("second")
        for name in "HOST", "USERNAME", "PASSWORD", "AUTH":
            self.connector.env.pop(f"TRI_ONYX_IMAP_{name}")
        self.mail.deliver(OTHER, message("b"))
        self.assertEqual(self.connector.poll().json["delivered"], ["1"])

    def test_files_are_read_again_on_hangup(self):
        run = self.started()
        self.write("second")
        self.mail.deliver(OTHER, message("a"))
        run.signal(signal.SIGHUP)
        self.wait_inbox("second", 1, run)
        # said otherwise: the same account for another agent
        self.write("second", email_agent="third")
        run.signal(signal.SIGHUP)
        wait_until(lambda: self.status().get("second", {}).get("agent")
                   == "third", what="the other agent")
        self.wait_state("listening", "second")
        self.mail.deliver(OTHER, message("b"))
        self.wait_inbox("third", 1, run)
        (self.accounts / "second.conf").unlink()
        run.signal(signal.SIGHUP)
        wait_until(lambda: set(self.status()) == {USER}, what="its end")
        self.mail.deliver(OTHER, message("c"))
        self.connector.poll()
        self.assertEqual(self.inbox("third"), ["2"])
        self.assertEqual(self.inbox("second"), ["1"])

    def test_mailbox_of_a_file_with_another_name_goes_on(self):
        self.write("second")
        run = self.started()
        self.wait_state("listening", "second")
        (self.accounts / "second.conf").rename(self.accounts / "a.conf")
        run.signal(signal.SIGHUP)
        self.wait_state("listening", "a")
        self.assertEqual(set(self.status()), {USER, "a"})
        self.assertNotIn("its mailbox is that", run.stderr_text())

    def test_wrong_file_is_named_and_changes_nothing(self):
        self.write("second")
        run = self.started()
        self.wait_state("listening", "second")
        cases = {"imap_port = x": r"second\.conf: imap_port is 'x'",
                 "imap_prt = 1": r"second\.conf:\d+: unknown setting 'imap_prt'",
                 "workspace_dir = /": "unknown setting 'workspace_dir'",
                 f"imap_username = {USER}": "there twice"}
        for line, expected in cases.items():
            with self.subTest(line=line):
                self.write("second", **{
                    "imap_port": None if "imap_port" in line else
                    self.mail.imaps_port})
                with (self.accounts / "second.conf").open("a") as f:
                    f.write(line + "\n")
                run.signal(signal.SIGHUP)
                run.wait_output(expected)
                self.assertEqual(set(self.status()), {USER, "second"})

    def test_second_account_of_one_mailbox_is_refused(self):
        self.write("second", imap_username=USER)
        run = self.started()
        run.wait_output(f"second.conf: its mailbox is that of account {USER}")
        self.assertEqual(set(self.status()), {USER})

    def test_silent_server_delays_nobody_else(self):
        silent = Hold()
        self.addCleanup(silent.release)
        port = self.bed.scripted_server(silent).port
        for i in range(20):
            self.write(f"dead{i:02}", imap_port=port,
                       imap_username=f"dead{i}@example.test")
        self.write("second")
        run = self.started()
        silent.wait()
        self.mail.deliver(USER, message("a"))
        self.mail.deliver(OTHER, message("b"))
        self.wait_inbox("email", 1, run)
        self.wait_inbox("second", 1, run)
        run.signal(signal.SIGTERM)
        self.assertEqual(run.wait(20), 0, run.tail())

    # -- kill --------------------------------------------------------------

    def subjects(self, agent):
        path = self.connector.workspace / "agents" / agent / "inbox"
        return sorted(json.loads((directory / "message.json").read_text())
                      ["subject"] for directory in path.iterdir())

    def test_kill_under_load_loses_nothing_and_repeats_nothing(self):
        self.write("second")
        sent = {USER: 0, OTHER: 0}
        dice = random.Random(4)

        def deliver_some():
            for user in sent:
                for _ in range(dice.randrange(8)):
                    sent[user] += 1
                    self.mail.deliver(user, message(f"{sent[user]:05}"))

        for _ in range(200 if LONG else 20):
            run = self.connector.start()
            end = time.monotonic() + dice.uniform(0, 1)
            while time.monotonic() < end:
                deliver_some()
            run.kill()
        self.assertTrue(self.connector.poll().json["success"])
        for agent, user in ("email", USER), ("second", OTHER):
            self.assertGreater(sent[user], 100)
            self.assertEqual(self.subjects(agent), [
                f"{i:05}" for i in range(1, sent[user] + 1)])

    # -- push --------------------------------------------------------------

    def test_mail_arrives_without_a_poll(self):
        run = self.started()
        before = self.status()[USER]
        self.assertIn(before["push"], ("IDLE", "NOTIFY"))
        self.assertGreater(before["next_visit_s"], 60)
        for count in 1, 2, 3:
            self.mail.deliver(USER, message("hello"))
            self.wait_inbox("email", count, run)
            self.wait_state("listening")

    def test_mailbox_that_is_not_there_delays_no_other(self):
        self.connector.env["TRI_ONYX_EMAIL_MAILBOXES"] = "INBOX,gone"
        run = self.started()
        self.mail.deliver(USER, message("hello"))
        self.wait_inbox("email", 1, run)
        self.assertEqual(self.connector.poll(rc=75).json["delivered"], [])
        self.wait_state("listening")
        self.assertEqual(run.stderr_text().count("IMAP poll failed"), 1)

    def test_goodbye_of_the_server_is_normal(self):
        run = self.started()
        self.mail.kick(USER)
        run.wait_output("the session is over")
        self.mail.deliver(USER, message("hello"))
        self.wait_inbox("email", 1, run)
        self.assertNotIn("failed", run.stderr_text())

    def test_session_is_entered_anew_before_its_token_ends(self):
        oidc = self.bed.oidc(flavor="ms", rotate="1")
        helper = Helper(self.bed, oidc)
        helper.log_in()
        mail = self.bed.dovecot(oidc=oidc)
        self.addCleanup(mail.stop)
        connector = self.connector = Connector(
            self.bed, mail, helper, IMAP_POLL_INTERVAL=HOUR_MS)
        run = self.started()

        def entered_anew():
            # the helper does so by itself at 80 % of a token's life
            helper.command("refresh", "work").check()
            return mail.log_text().count("Login: user=") > 1
        wait_until(entered_anew, 40, what="a second login")
        self.wait_state("listening")
        mail.deliver(USER, message("hello"))
        connector.wait_handles(1, run)
        self.assertNotIn("failed", run.stderr_text())

    def test_server_that_comes_back_is_found_again(self):
        self.connector.env["TRI_ONYX_IMAP_POLL_INTERVAL"] = 1000
        mail = self.bed.dovecot()
        self.connector.env["TRI_ONYX_IMAP_PORT"] = mail.imaps_port
        run = self.started()
        mail.stop()
        run.wait_output("IMAP poll failed: cannot connect")
        mail.start()
        self.addCleanup(mail.stop)
        mail.deliver(USER, message("hello"))
        self.wait_inbox("email", 1, run)
        run.wait_output("IMAP poll works again")
