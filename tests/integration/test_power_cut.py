# SPDX-License-Identifier: ISC
"""A power cut at any point of a delivery loses nothing, and delivers nothing
twice.

All calls of a delivery that change files are recorded, the state's included.
After each of them the power is cut: a directory is made of what was durable
then, and the delivery goes on there.
"""
import concurrent.futures
import os
import shutil
import tempfile
import unittest
from pathlib import Path

from bed.filecalls import VARIANTS, Disk
from integration.delivery import Delivery

LONG = bool(os.environ.get("MAILTOKEN_LONG"))
SHARE = 48              # cuts of a delivery, if not all


def check_image(delivery, told):
    """What must hold at once after the cut: nothing is visible half, what was
    reported is there, and the gateway is not told of more than there is."""
    delivery.check_visible()
    handles = delivery.handles()
    assert set(told) <= set(handles), (told, handles)
    last = delivery.last_uid()
    assert last <= len(handles), (last, handles)


class PowerCut(unittest.TestCase):
    def setUp(self):
        self.dir = Path(tempfile.mkdtemp(prefix="cut-"))

    def record(self, count):
        """(the disk before a delivery, its calls)"""
        with Delivery(count) as delivery:
            return Disk(delivery.dir), delivery.record()[0]

    def cut(self, count, disk, number, variant):
        """Cut the power before the call of that number; (what is to go on,
        what was reported before)"""
        delivery = Delivery(count, self.dir / f"{number}-{variant}")
        disk.cut(delivery.dir, variant, number)
        return delivery, disk.output.decode().split()

    @staticmethod
    def go_on(delivery, told):
        with delivery:
            check_image(delivery, told)
            delivery.finish()

    def check(self, count):
        disk, calls = self.record(count)
        self.assertGreater(len(calls), 100)
        cases = [(n, variant) for n in range(len(calls) + 1)
                 for variant in VARIANTS]
        if not LONG:    # of each variant as many, from beginning to end
            cases = cases[::len(cases) // SHARE // 3 * 3 + 1]
        at, jobs, failures = 0, {}, []
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            for case in cases:
                for call in calls[at:case[0]]:
                    disk.apply(call)
                at = case[0]
                job = pool.submit(self.go_on, *self.cut(count, disk, *case))
                jobs[job] = case
        for job, (number, variant) in jobs.items():
            if job.exception():
                call = calls[number] if number < len(calls) else "the end"
                failures.append(f"{variant} cut before {number}, "
                                f"{str(call)[:100]}: {job.exception()!r:.500}")
        self.assertFalse(failures, "\n".join(
            [f"{len(failures)} of {len(cases)}", *failures[:5]]))
        shutil.rmtree(self.dir)

    def test_power_cut_of_one_batch(self):
        """Few messages: each file is synced."""
        self.check(2)

    def test_power_cut_of_three_batches(self):
        """1 to 4, for which the file system is synced; 5; 6."""
        self.check(6)


if __name__ == "__main__":
    unittest.main()
