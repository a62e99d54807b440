# SPDX-License-Identifier: ISC
"""Mailboxes with so many messages that no list of all may be kept."""
import json
import re
import signal
from types import SimpleNamespace

from bed import BedTestCase, wait_until
from bed.bigbox import BigMailbox
from bed.connector import Connector

PIECE = 20000
SMALL, LARGE = 1000, 300_000
MORE_KIB = 8 * 1024     # a list of all would be four times that
HOUR_MS = 3600000
SPARSE = {"first_uid": 5, "step": 14000}        # up to 4.2e9
CLUSTERED = {"first_uid": 4_000_000_000}


class LargeMailboxTest(BedTestCase):
    def follow(self, count, uids, **settings):
        self.box = BigMailbox(count, **uids)
        server = self.bed.scripted_server(self.box)
        self.connector = Connector(
            self.bed, SimpleNamespace(imaps_port=server.port,
                                      submission_port=1, ca=self.bed.tls.ca),
            IMAP_SSL="false", IMAP_POLL_INTERVAL=HOUR_MS, **settings)

    def peak_kib(self, until):
        """Of `run`, which goes on until `until` is true."""
        run = self.connector.start()
        self.addCleanup(run.stop)
        wait_until(until, what="the mail")
        with open(f"/proc/{run.pid}/status") as status:
            peak = int(re.search(r"VmHWM:\s+(\d+)", status.read())[1])
        run.signal(signal.SIGTERM)
        self.assertEqual(run.wait(30), 0, run.tail())
        return peak

    def visited(self):
        result = self.connector.run("status")
        return not result.rc and "last_visit" in json.loads(
            result.out)["accounts"][0]

    def assert_flat(self, peaks):
        if not self.bed.is_sanitized("mailtoken-connector"):
            self.assertLess(max(peaks) - min(peaks), MORE_KIB, peaks)

    def lists(self):
        return [(command, count) for command, count in self.box.asked
                if "BODY" not in command]

    def assert_asked_in_pieces(self):
        for command, count in self.lists():
            self.assertLessEqual(count, PIECE + 1, command)

    def test_memory_does_not_grow_with_what_is_to_be_received(self):
        peaks = []
        for count in SMALL, LARGE:
            self.follow(count, SPARSE)
            peaks.append(self.peak_kib(
                lambda: len(self.connector.handles()) >= 300))
            self.assert_asked_in_pieces()
        self.assert_flat(peaks)
        # marks, and the first piece; more of it only when that is delivered
        self.assertEqual(len(self.lists()), 2)

    def test_memory_does_not_grow_with_what_is_known(self):
        peaks = []
        for count in SMALL, LARGE:
            self.follow(count, CLUSTERED, EMAIL_BACKFILL=3)
            peaks.append(self.peak_kib(
                lambda: len(self.connector.handles()) == 3))
            last = self.box.uid(count)
            self.assertEqual(self.connector.handles(),
                             [str(uid) for uid in range(last - 2, last + 1)])
            self.assert_asked_in_pieces()
            self.box.asked.clear()
            # compared with all that is there
            peaks.append(self.peak_kib(self.visited))
            self.assert_asked_in_pieces()
            self.assertEqual(sum(
                n for command, n in self.lists() if "(UID)" in command
                and "UID FETCH" in command), count)
        self.assert_flat(peaks)
        pieces = LARGE // PIECE
        self.assertLessEqual(len(self.lists()), 1 + pieces + 1)
