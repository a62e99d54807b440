# SPDX-License-Identifier: ISC
"""The connector as a process: its end, its neighbours, its helper, its
answers."""
import fcntl
import json
import os
import signal
import socket
import threading

from bed import BedTestCase, wait_until
from bed.connector import Connector
from bed.helper import USER
from bed.process import alive

from .test_secrets import descendants
from .test_send import Hold, Submission

MESSAGE = b"From: x@example.test\nSubject: hello\n\nbody\n"


class ServiceTest(BedTestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.oidc = cls.bed.oidc(flavor="ms", rotate="1")
        cls.sink = cls.bed.sink()
        cls.mail = cls.bed.dovecot(oidc=cls.oidc, sink=cls.sink)

    def setUp(self):
        self.mail.doveadm("expunge", "-u", USER, "mailbox", "INBOX", "all")

    def private(self, **settings):
        """A connector with a private helper."""
        seed = self.oidc.mint(USER)["refresh_token"]
        return Connector(self.bed, self.mail, seed, self.oidc, **settings)

    def queue(self, connector):
        """Queue a draft, and send it to nobody."""
        trusted = connector.env["TRI_ONYX_TLS_CA_FILE"]
        connector.env["TRI_ONYX_TLS_CA_FILE"] = self.bed.tls.cert(
            self_signed=True)[0]
        self.assertEqual(connector.send().json["state"], "queued")
        connector.env["TRI_ONYX_TLS_CA_FILE"] = trusted

    def operation(self, connector, *args):
        return self.bed.spawn(
            [self.bed.program("mailtoken-connector"), *args], connector.env)

    def started(self, connector):
        """`run`, which has received something."""
        self.mail.deliver(USER, MESSAGE)
        run = connector.start()
        self.addCleanup(run.stop)
        connector.wait_handles(1, run)
        return run

    def helper_of(self, run):
        helper, = (pid for pid, name in descendants(run.pid).items()
                   if name == "mailtokend")
        return helper

    # -- the end -----------------------------------------------------------

    def test_silent_server_delays_neither_the_other_nor_the_end(self):
        silent = Hold()
        connector = Connector(self.bed, self.mail)
        self.queue(connector)
        connector.env["TRI_ONYX_SMTP_PORT"] = self.bed.scripted_server(
            silent).port
        run = connector.start()
        self.addCleanup(run.stop)
        silent.wait()
        self.mail.deliver(USER, MESSAGE)
        connector.poll()
        self.assertEqual(len(connector.handles()), 1)
        run.signal(signal.SIGTERM)
        self.assertEqual(run.wait(20), 0, run.tail())
        silent.release()

    def test_end_waits_for_the_answer_to_a_message(self):
        server = Submission(self.bed, implicit_tls=False)
        answer = Hold()
        connector = Connector(self.bed, self.mail)
        for _ in range(3):
            self.queue(connector)
        connector.env["TRI_ONYX_SMTP_PORT"] = server.port
        server.at = {"dot": answer}
        run = connector.start()
        self.addCleanup(run.stop)
        answer.wait()
        run.signal(signal.SIGTERM)
        run.wait_output("ending on signal")
        answer.release()
        self.assertEqual(run.wait(), 0, run.tail())
        # what was begun, on two connections, was accepted; the last was not
        self.assertIn("Email sent to", run.stderr_text())
        self.assertIn(len(server.received), (1, 2))
        connector.poll()
        self.assertEqual(len(server.received), 3)
        self.assertEqual(len(set(server.accepted)), 3)

    def test_further_signals_change_nothing(self):
        run = self.started(self.private())
        helper = self.helper_of(run)
        while run.rc is None:
            run.signal(signal.SIGTERM)
        self.assertEqual(run.rc, 0, run.tail())
        self.assertFalse(alive(helper))

    def test_interrupt_from_the_terminal_ends_the_helper_in_its_turn(self):
        run = self.started(self.private())
        os.killpg(run.pid, signal.SIGINT)
        self.assertEqual(run.wait(), 0, run.tail())
        self.assertNotRegex(run.stderr_text(), "mailtokend: .*signal")

    def test_service_manager_is_told_how_it_is(self):
        manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(manager.close)
        connector = Connector(self.bed, self.mail)
        path = connector.dir / "notify"
        manager.bind(str(path))
        manager.settimeout(20)
        connector.env |= {"NOTIFY_SOCKET": path, "WATCHDOG_USEC": 200_000}
        run = connector.start()
        self.addCleanup(run.stop)

        def wait_for(message):
            while message not in manager.recv(4096).decode().splitlines():
                pass
        for message in "READY=1", "WATCHDOG=1", "WATCHDOG=1":
            wait_for(message)
        run.signal(signal.SIGHUP)
        for message in "RELOADING=1", "READY=1":
            wait_for(message)
        run.signal(signal.SIGTERM)
        wait_for("STOPPING=1")
        self.assertEqual(run.wait(), 0, run.tail())

    # -- its helper --------------------------------------------------------

    def test_helper_that_was_killed_is_started_again(self):
        connector = self.private()
        run = self.started(connector)
        helper = self.helper_of(run)
        os.kill(helper, signal.SIGKILL)
        self.mail.kick(USER)                # and a new session wants a token
        self.mail.deliver(USER, MESSAGE)
        self.assertEqual(len(connector.poll().json["delivered"]), 1)
        self.assertNotEqual(self.helper_of(run), helper)

    def test_helper_whose_store_was_deleted_gets_the_seed_again(self):
        self.oidc.config(rotate="keep")     # the first seed stays good
        self.addCleanup(self.oidc.config, rotate="1")
        connector = self.private()
        run = self.started(connector)
        store = connector.state / "helper"
        store.rename(connector.state / "gone")
        self.mail.kick(USER)
        self.assertTrue(connector.poll().json["success"], run.tail())
        self.assertTrue((store / "socket").exists())

    def test_login_goes_on_when_the_helper_ends_under_it(self):
        server = Submission(self.bed, implicit_tls=False,
                            mechanisms="XOAUTH2")
        greeting = Hold()
        server.at = {"greeting": greeting}
        connector = self.private()
        run = self.started(connector)
        connector.env["TRI_ONYX_SMTP_PORT"] = server.port
        check = self.operation(connector, "check")
        greeting.wait()                     # it has seen the helper of `run`
        run.signal(signal.SIGTERM)
        self.assertEqual(run.wait(), 0, run.tail())
        greeting.release()
        self.assertEqual(check.wait(), 0, check.tail())
        self.assertEqual(server.count(), 2)

    def test_parallel_processes_share_the_helper_and_survive_its_end(self):
        self.oidc.config(at_ttl=2)          # each login is a refresh
        self.addCleanup(self.oidc.config, at_ttl=3600)
        self.oidc.clear_log()
        connector = self.private()
        checks = [self.operation(connector, "check") for _ in range(8)]
        for check in checks:
            self.assertEqual(check.wait(60), 0, check.tail())
        refreshes = [entry for entry in self.oidc.log()
                     if entry["form"]["grant_type"] == "refresh_token"]
        used = [entry["form"]["refresh_token"] for entry in refreshes]
        self.assertEqual({entry["status"] for entry in refreshes}, {200})
        self.assertEqual(len(used), len(set(used)))

    # -- its neighbours ----------------------------------------------------

    def test_one_of_several_runs_wins(self):
        connector = Connector(self.bed, self.mail)
        runs = [connector.start() for _ in range(4)]
        wait_until(lambda: sum(run.rc is not None for run in runs) == 3,
                   what="the end of all but one")
        winner, = (run for run in runs if run.rc is None)
        self.assertEqual([run.rc for run in runs if run is not winner],
                         [75] * 3)
        self.assertTrue(connector.poll().json["success"])
        winner.stop()
        self.assertEqual(winner.rc, 0, winner.tail())

    def test_poll_takes_over_from_one_that_ends(self):
        connector = Connector(self.bed, self.mail)
        self.mail.deliver(USER, MESSAGE)
        connector.run("check").check()
        with (open(connector.state / "deliverer.lock", "w") as lock,
              socket.socket(socket.AF_UNIX) as listener):
            fcntl.lockf(lock, fcntl.LOCK_EX)
            listener.bind(str(connector.state / "control"))
            listener.listen()
            poll = self.operation(connector, "poll", "--once")
            listener.settimeout(20)
            listener.accept()[0].close()
        self.assertEqual(poll.wait(), 0, poll.tail())
        self.assertEqual(len(connector.handles()), 1)

    def test_drafts_sent_at_once_leave_once_each(self):
        connector = Connector(self.bed, self.mail)
        run = self.started(connector)
        before = len(self.sink.messages())
        answers = []
        senders = [threading.Thread(
            target=lambda: answers.append(connector.send().json))
            for _ in range(8)]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()
        connector.poll()
        sent = self.sink.messages()[before:]
        self.assertEqual({answer["state"] for answer in answers}, {"sent"})
        for answer in answers:
            self.assertEqual(sum(
                answer["message_id"].encode() in message.data
                for message in sent), 1)
        self.assertEqual(len(sent), 8, run.tail())

    # -- its answers -------------------------------------------------------

    def test_operation_that_fails_early_answers_with_one_line(self):
        operations = {("poll", "--once"): "poll_response",
                      ("send", "-"): "send_email_response",
                      ("check",): "check_response"}
        cases = [({"IMAP_HOST": ""}, 78), ({"IMAP_PORT": "x"}, 78),
                 ({"WORKSPACE_DIR": "/nonexistent"}, 78),
                 ({"EMAIL_STATE_DIR": "/dev/null/x"}, 78),
                 ({"TLS_CA_FILE": "/dev/null"}, 78)]
        for settings, rc in cases:
            connector = Connector(self.bed, self.mail, **settings)
            for args, kind in operations.items():
                with self.subTest(args=args, settings=settings):
                    result = connector.run(*args).check(rc)
                    self.assertEqual(result.out.count("\n"), 1)
                    answer = json.loads(result.out)
                    self.assertEqual(answer["type"], kind)
                    self.assertIs(answer["success"], False)
                    self.assertIn(answer["detail"], result.err)

    def test_arguments_that_nobody_expects_are_refused(self):
        connector = Connector(self.bed, self.mail)
        for args in (["run", "x"], ["check", "x"], ["poll"], ["poll", "x"],
                     ["poll", "--once", "x"], ["send"], ["send", "-", "x"]):
            with self.subTest(args=args):
                result = connector.run(*args).check(64)
                self.assertIn("usage:", result.err)
                self.assertEqual(result.out, "")

    def test_answer_that_cannot_be_written_is_missed_by_somebody(self):
        connector = Connector(self.bed, self.mail)
        with open("/dev/full", "w") as full:
            poll = self.bed.spawn([self.bed.program("mailtoken-connector"),
                                   "poll", "--once"], connector.env,
                                  stdout=full)
            self.assertEqual(poll.wait(), 0)
        self.assertIn("standard output", poll.stderr_text())

    def test_clear_text_is_said_at_each_start(self):
        connector = Connector(self.bed, self.mail, IMAP_SSL="false",
                              IMAP_PORT=self.mail.imap_port)
        for args in ("poll", "--once"), ("check",):
            self.assertIn("clear text", connector.run(*args).check().err)
