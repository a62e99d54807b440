# SPDX-License-Identifier: ISC
"""The outbox under load, on a full disk, and behind servers that are away."""
import concurrent.futures
import os
import unittest

from bed import BedTestCase, wait_until
from bed.frames import Frames
from bed.mailhost import PASSWORD
from bed.smtp_proxy import cut, drip, silence
from integration.outbound import Account, message_ids

LONG = bool(os.environ.get("MAILTOKEN_LONG"))
SHARE = 40      # of the steps at which the disk becomes full
AT_ONCE = 4
TEMPORARY = 75


class QueueTestCase(BedTestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.host = cls.bed.mail_host()
        cls.names = iter(range(100000))

    def account(self, *args, **settings):
        account = Account(self.host, self.bed, f"q{next(self.names)}", *args,
                          **settings)
        account.connector.poll()
        return account


class FullDisk(QueueTestCase):
    def check_full_at(self, step):
        """Returns whether nothing was queued."""
        account = self.account()
        result = account.send_full(step)
        account.proxy.wait_idle()
        entries = account.entries()
        if result.rc == TEMPORARY:
            self.assertEqual((entries, account.proxy.accepted), ([], []))
            self.assertEqual(result.json.get("state", "not_queued"),
                             "not_queued")
            self.assertFalse(result.json["success"])
            account.close()
            return True
        result.check(0)
        entry, = entries
        # not even a full disk makes an entry look less than it is
        accepted = len(account.proxy.accepted)
        if accepted:
            self.assertIn(entry["state"], ("attempting", "sent"))
        account.finish()
        account.settle()
        self.assertEqual([entry["state"] for entry in account.entries()],
                         ["sent"])
        self.assertEqual(len(account.arrived()),
                         accepted + (entry["state"] != "sent"))
        self.assertEqual(set(message_ids(account.arrived())),
                         {result.json["message_id"].partition("@")[0]})
        account.close()
        return False

    def test_disk_that_is_full_from_any_step_on(self):
        """75 and nothing queued, or all that was promised."""
        count = self.account().steps()
        steps = range(0, count, 1 if LONG else max(1, count // SHARE))
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            jobs = {pool.submit(self.check_full_at, step): step
                    for step in steps}
            refused = 0
            for job, step in jobs.items():
                with self.subTest(step=step):
                    refused += job.result()
        self.assertTrue(0.1 * len(steps) < refused < len(steps), refused)


class Crowd(QueueTestCase):
    def at_once(self, count, function):
        """What function(n) returns, for each n, all called at once."""
        with concurrent.futures.ThreadPoolExecutor(count) as pool:
            return list(pool.map(function, range(count)))

    def serve(self, account, env=None):
        service = account.serve(env)
        self.addCleanup(service.stop)
        self.assertIsNone(service.rc, service.tail())
        return service

    def check_arrived(self, account, message_ids_expected):
        account.settle()
        account.finish()
        account.settle()
        self.assertEqual(sorted(message_ids(account.arrived())),
                         sorted(m.partition("@")[0]
                                for m in message_ids_expected))

    def test_fifty_drafts_at_once(self):
        """Most by requests, some by the command beside the service."""
        account = self.account()
        self.serve(account)

        def send(n):
            fields = {"subject": f"number {n}"}
            if n % 5 == 0:
                return account.send(None, **fields).check().json
            return account.ask("send_email", draft=account.draft(**fields))

        replies = self.at_once(50, send)
        for reply in replies:
            self.assertTrue(reply["success"], reply)
        self.check_arrived(account, [r["message_id"] for r in replies])

    def test_one_request_many_times_at_once(self):
        account = self.account()
        self.serve(account)
        for name, send in (
                ("socket", lambda _: account.ask(
                    "send_email", request_id="socket",
                    draft=account.draft(subject="socket"))),
                ("command", lambda _: account.send(
                    None, "--request-id", "command",
                    subject="command").check().json)):
            with self.subTest(name=name):
                replies = self.at_once(32, send)
                self.assertEqual(
                    {(r["success"], r["message_id"]) for r in replies},
                    {(True, replies[0]["message_id"])})
        self.check_arrived(account, [
            entry["message_id"] for entry in account.entries()])
        self.assertEqual(len(account.entries()), 2)

    def test_one_name_for_many_messages_at_once(self):
        account = self.account()
        self.serve(account)
        replies = self.at_once(32, lambda n: account.ask(
            "send_email", request_id="r",
            draft=account.draft(subject=f"number {n}")))
        sent = [r for r in replies if r["success"]]
        self.assertEqual(len(sent), 1)
        for reply in replies:
            if not reply["success"]:
                self.assertEqual(reply["detail"], "request_id was used for "
                                 "another message")
        self.check_arrived(account, [sent[0]["message_id"]])

    def test_start_on_a_full_queue(self):
        for how in ("kill", "stop"):
            with self.subTest(how=how):
                account = self.account()
                account.proxy.at = {"greeting": cut}
                service = self.serve(account)
                for n in range(50):
                    with Frames(account.socket) as frames:  # not waiting
                        frames.send(
                            "send_email_request",
                            draft=account.draft(subject=f"number {n}"))
                wait_until(lambda: len(account.entries()) == 50,
                           what="50 messages in the queue")
                getattr(service, how)()
                queued = [e["message_id"] for e in account.entries()]
                account.proxy.at = {}
                account.hasten()
                self.serve(account)
                wait_until(account.is_settled, 60, "an empty queue")
                self.check_arrived(account, queued)


class DeadServer(QueueTestCase):
    """One account's server that is no good delays no other account's mail."""

    def test_other_accounts_go_on(self):
        for fault in (cut, silence, drip):
            for step in ("greeting", "mail", "dot"):
                with self.subTest(step=step, fault=fault.__name__):
                    self.check(step, fault)

    def check(self, step, fault):
        accounts = self.bed.subdir("accounts.d")
        good = Account(self.host, self.bed, f"q{next(self.names)}",
                       EMAIL_ACCOUNTS_DIR=accounts)
        dead = Account(self.host, self.bed, f"q{next(self.names)}")
        self.write(accounts / "dead.conf", dead)
        dead.proxy.at = {step: fault}
        service = good.serve()
        self.addCleanup(service.stop)
        for n in range(5):
            with Frames(good.socket) as frames:
                frames.send("send_email_request", agent_name="dead",
                            draft=dead.draft(subject=f"number {n}"))
        wait_until(lambda: dead.proxy.count, what="a try at the dead server")
        reply = good.ask("send_email", draft=good.draft())
        self.assertIsNotNone(reply, service.tail())
        self.assertEqual(reply["detail"], "sent")
        good.settle()
        self.assertEqual(len(good.arrived()), 1)
        self.assertEqual(dead.arrived(), [])
        service.kill()
        good.close()
        dead.close()

    def write(self, path, account):
        password = path.with_suffix(".password")
        password.write_text(PASSWORD)
        password.chmod(0o600)
        path.write_text("".join(f"{key} = {value}\n" for key, value in {
            "imap_host": "localhost", "imap_port": account.imap.port,
            "imap_username": account.user, "imap_password_file": password,
            "smtp_port": account.proxy.port, "email_agent": path.stem,
            "email_sent_copy": "none"}.items()))


if __name__ == "__main__":
    unittest.main()
