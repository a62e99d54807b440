# SPDX-License-Identifier: ISC
"""A sender that is killed between any two steps loses no message, and what it
queued is sent once, wherever that can be known.

The calls of an undisturbed `send`, or `run`, that change files or use the network
are counted; then one after another is killed with SIGKILL just before each of
them, and started again on what is left.
"""
import concurrent.futures
import os
import unittest

from bed import BedTestCase, filecalls, wait_until
from bed.clock import fast_clock
from integration.outbound import FACTOR, FILERS, Account, message_ids

LONG = bool(os.environ.get("MAILTOKEN_LONG"))
SHARE = 10          # of the steps, for each who files the copy
AT_ONCE = 4


class KillTestCase(BedTestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.host = cls.bed.mail_host()
        cls.names = iter(range(100000))

    def account(self, filer, policy="retry"):
        """A new one, with a state that is there already."""
        account = Account(self.host, self.bed, f"k{next(self.names)}",
                          *FILERS[filer], policy)
        account.connector.poll()
        return account

    def for_all(self, function, cases):
        """How many times it returned true."""
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            jobs = {pool.submit(function, *case): case for case in cases}
            reached = 0
            for job, case in jobs.items():
                with self.subTest(case=case):
                    reached += job.result()
            return reached

    def check_end(self, filer, policy, entry, arrived):
        self.assertLessEqual(
            set(arrived), {entry["message_id"].partition("@")[0]})
        if policy == "retry":
            self.assertEqual(entry["state"], "sent")
        self.assertIn(entry["state"], ("sent", "uncertain"))
        if entry["state"] == "sent":
            self.assertGreaterEqual(len(arrived), 1)
        if policy == "hold" or filer.startswith("server"):
            self.assertLessEqual(len(arrived), 1)
        # a lost answer each time
        self.assertLessEqual(len(arrived), 3)

    def check_copies(self, account, filer, entry, arrived):
        copies = message_ids(account.in_sent())
        if filer.startswith("server"):
            self.assertEqual(copies, arrived)
        elif filer == "we":
            self.assertEqual(len(copies), int(entry["state"] == "sent"))
        else:
            self.assertEqual(copies, [])
        account.close()

    def cases(self, steps, stride):
        """(who files, policy, step, its number): each `stride`-th, or a share
        of them; the policies take turns."""
        for filer in FILERS:
            if filer == "server, late" and not LONG:
                continue
            first, last = steps(filer)
            if not LONG:
                stride = max(1, (last - first) // SHARE)
            for i, step in enumerate(range(first, last, stride)):
                yield filer, ("retry", "hold")[i % 2], step, i


class KilledSend(KillTestCase):
    def check_killed(self, filer, policy, step, again=None):
        """Returns whether the step was reached.  again: a step of what starts
        on what is left, before which that is killed, too."""
        account = self.account(filer, policy)
        reached = account.send_until(step)
        account.proxy.wait_idle()
        accepted = len(account.proxy.accepted)
        before = [entry["state"] for entry in account.entries()]
        if accepted:
            self.assertIn(before, (["attempting"], ["sent"]))
        if again is not None:
            account.settle()
            account.work_until(again)
            account.proxy.wait_idle()
        account.settle()
        account.finish()
        account.settle()
        entries = account.entries()
        arrived = message_ids(account.arrived())
        # what is owed was owed before
        self.assertEqual(len(entries), len(before))
        if not entries:
            self.assertEqual((arrived, account.in_sent()), ([], []))
            account.close()
            return reached
        self.check_end(filer, policy, entries[0], arrived)
        if again is None:       # decided by what was on disk
            lost = before == ["attempting"] and accepted
            known = policy == "hold" or filer.startswith("server")
            self.assertEqual(len(arrived) == 2, bool(lost and not known))
        self.check_copies(account, filer, entries[0], arrived)
        return reached

    def check_repeated(self, filer, policy, step):
        """The same request again, on what is left."""
        account = self.account(filer, policy)
        reached = account.send_until(step, "--request-id", "r")
        account.proxy.wait_idle()
        known = [entry["message_id"] for entry in account.entries()]
        account.settle()
        reply = account.send(FACTOR, "--request-id", "r").json
        self.assertIn(reply["message_id"], known or [reply["message_id"]])
        account.settle()
        account.finish()
        account.settle()
        entry, = account.entries()
        arrived = message_ids(account.arrived())
        self.check_end(filer, policy, entry, arrived)
        self.check_copies(account, filer, entry, arrived)
        return reached

    def check_all(self, check, *more, stride):
        """`more`: functions of a case's number, for further arguments."""
        cases = [(filer, policy, step, *(m(i) for m in more))
                 for filer, policy, step, i in self.cases(
                     lambda filer: (0, self.account(filer).steps()), stride)]
        self.assertGreater(len(cases), 40)
        self.assertGreater(self.for_all(check, cases), 0.8 * len(cases))

    def test_what_was_queued_is_sent_and_filed_once(self):
        self.check_all(self.check_killed, stride=1)

    def test_killed_again_on_what_is_left(self):
        self.check_all(self.check_killed, lambda i: 37 * i % 150, stride=3)

    def test_request_that_is_repeated_is_one_message(self):
        self.check_all(self.check_repeated, stride=3)


class KilledService(KillTestCase):
    """The same with `run`, and requests on its socket."""

    def steps(self, filer):
        """The first step behind its start, and the last."""
        account = self.account(filer)
        log = account.connector.dir / "calls"
        service = account.serve(account.disturbed(FILECALLS_LOG=log))
        first = len(filecalls.read_calls(log)[0])
        account.ask("send_email", draft=account.draft())
        wait_until(account.is_settled, what="the message to be sent")
        last = len(filecalls.read_calls(log)[0])
        service.stop()
        return first, last

    def check_killed(self, filer, policy, step):
        account = self.account(filer, policy)
        request = {"request_id": "r", "draft": account.draft()}
        service = account.serve(
            account.disturbed(FILECALLS_KILL=f"-1:{step}"))
        account.ask("send_email", **request)
        wait_until(lambda: service.rc is not None or account.is_settled(),
                   what="the end of the service, or of its work")
        reached = service.rc == -9
        service.kill()
        account.proxy.wait_idle()
        account.settle()
        service = account.serve(account.connector.env | fast_clock(FACTOR))
        reply = account.ask("send_email", **request)
        service.stop()
        self.assertIsNotNone(reply, service.tail())
        account.finish()
        account.settle()
        entry, = account.entries()
        self.assertEqual(reply["message_id"], entry["message_id"])
        arrived = message_ids(account.arrived())
        self.check_end(filer, policy, entry, arrived)
        self.check_copies(account, filer, entry, arrived)
        return reached

    def test_request_that_is_repeated_is_one_message(self):
        cases = [case[:3] for case in self.cases(self.steps, stride=3)]
        self.assertGreater(self.for_all(self.check_killed, cases),
                           0.5 * len(cases))


if __name__ == "__main__":
    unittest.main()
