# SPDX-License-Identifier: ISC
"""A delivery that is killed between any two steps loses nothing, and delivers
nothing twice.

The calls of a real delivery that change files are counted, for each of its
threads, and then one delivery after another is killed with SIGKILL just before
each of them.
"""
import concurrent.futures
import json
import os
import unittest

from bed import BedTestCase
from bed.connector import Connector
from bed.helper import USER
from integration.delivery import Delivery

LONG = bool(os.environ.get("MAILTOKEN_LONG"))
MESSAGES = (
    b"From: a@example.test\nSubject: plain\n\nbody\n",
    b"From: b@example.test\nSubject: attachments\nMIME-Version: 1.0\n"
    b"Content-Type: multipart/mixed; boundary=b\n\n"
    b"--b\n\nsee below\n"
    b"--b\nContent-Type: application/pdf\n"
    b"Content-Disposition: attachment; filename=one.pdf\n\none\n"
    b"--b--\n",
    b"Content-Type: multipart/mixed; boundary=never\n\ndefective\n",
)


class RealDelivery(Delivery):
    """`mailtoken-connector poll --once` on a Dovecot with `count` messages."""

    def __init__(self, count, bed, mail):
        super().__init__(count)
        connector = Connector(bed, mail, WORKSPACE_DIR=self.workspace,
                              EMAIL_STATE_DIR=self.state)
        self.env = {k: str(v) for k, v in connector.env.items()}
        self.program = bed.program("mailtoken-connector")

    def command(self):
        return [self.program, "poll", "--once"], self.env

    @staticmethod
    def delivered(output):
        return json.loads(output)["delivered"]


def steps(delivery):
    """Each (thread, n) before which an undisturbed delivery can be killed."""
    with delivery:
        return delivery.record()[1]


def killed(delivery, *steps_to_kill_at):
    """How many of the steps were reached."""
    with delivery:
        reached = sum(delivery.kill_at(*step) for step in steps_to_kill_at)
        delivery.check_visible()
        delivery.finish()
    return reached


def for_all(make, cases):
    """killed() for each tuple of steps, with a new delivery from `make`."""
    reached = 0
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        jobs = {pool.submit(killed, make(), *case): case for case in cases}
        for job in concurrent.futures.as_completed(jobs):
            try:
                reached += job.result()
            except AssertionError as error:
                raise AssertionError(f"killed at {jobs[job]}: {error}") \
                    from error
    return reached


class KilledDelivery(unittest.TestCase):
    def test_kill_at_any_step_loses_nothing_and_repeats_nothing(self):
        def make():
            return Delivery(5 if LONG else 4)   # two batches

        table = steps(make())
        self.assertGreater(len(table), 80)
        self.assertEqual({thread for thread, _ in table}, {0, 1})
        killed_at = for_all(make, [(step,) for step in table])
        self.assertEqual(killed_at, len(table))

    def test_kill_during_the_recovery_too(self):
        """Each first kill with a share of the second ones; each second one
        comes with some first one."""
        table = steps(Delivery(2))
        stride = 7 if LONG else 199
        for_all(lambda: Delivery(2), [
            (first, second)
            for i, first in enumerate(table)
            for j, second in enumerate(table) if (i + j) % stride == 0])


class KilledConnector(BedTestCase):
    def test_kill_of_the_connector_loses_nothing_and_repeats_nothing(self):
        mail = self.bed.dovecot()
        for message in MESSAGES:
            mail.deliver(USER, message)
        flags = mail.flags()

        def make():
            return RealDelivery(len(MESSAGES), self.bed, mail)

        table = steps(make())
        self.assertGreater(len(table), 80)
        table = table[::1 if LONG else 3]
        killed_at = for_all(make, [(step,) for step in table])
        self.assertGreater(killed_at, 0.9 * len(table))
        self.assertEqual(mail.flags(), flags)   # nothing is marked as read


if __name__ == "__main__":
    unittest.main()
