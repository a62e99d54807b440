# SPDX-License-Identifier: ISC
"""A disk that is full from any step of a delivery on loses nothing: the poll
says so, and when there is space again the rest is delivered, once."""
import concurrent.futures
import os
import unittest

from integration.delivery import Delivery

LONG = bool(os.environ.get("MAILTOKEN_LONG"))
MESSAGES = 5        # two batches
SHARE = 60          # steps, if not all
TEMPORARY = 75
REASONS = ("No space left", "is full", "disk I/O error")


def check_full_at(thread, number):
    """Returns whether the poll failed."""
    with Delivery(MESSAGES) as delivery:
        done = delivery.run(FILECALLS_FULL=f"{thread}:{number}")
        assert done.returncode in (0, TEMPORARY), done
        if done.returncode:
            assert any(text in done.stderr for text in REASONS), done.stderr
        delivery.check_visible()
        told = delivery.delivered(done.stdout)
        assert set(told) <= set(delivery.handles()), told
        delivery.finish()
    return done.returncode != 0


class FullDisk(unittest.TestCase):
    def test_full_disk_from_any_step_on_loses_nothing(self):
        with Delivery(MESSAGES) as delivery:
            _, points = delivery.record()
        self.assertGreater(len(points), 100)
        points = points[::1 if LONG else len(points) // SHARE]
        failed = 0
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            jobs = {pool.submit(check_full_at, *point): point
                    for point in points}
            for job, point in jobs.items():
                with self.subTest(point=point):
                    failed += job.result()
        # at the end there is nothing left to write
        self.assertTrue(0.5 * len(points) < failed < len(points))


if __name__ == "__main__":
    unittest.main()
