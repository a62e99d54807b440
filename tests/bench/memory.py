# SPDX-License-Identifier: ISC
"""What receiving takes of memory, by the size of the mailbox.

The server is a small one of our own, whose messages exist only when they are
asked for: the peak is that of the connector alone, its MIME workers not
counted.
"""
import json
import re
import signal
from types import SimpleNamespace

from bed import Bed
from bed.bigbox import BigMailbox
from bed.connector import Connector
from bed.process import wait_until

from .samples import print_table

COUNTS, QUICK = (1000, 100_000, 1_000_000), (100, 1000)
WHOLE_MAX = 100_000     # beyond it, the first start is looked at to here:
BEGINNING = 5000
TIMEOUT = 3600


def peak_mib(process):
    with open(f"/proc/{process.pid}/status") as status:
        return int(re.search(r"VmHWM:\s+(\d+)", status.read())[1]) / 1024


class Following:
    """`run` of one mailbox with so many messages."""

    def __init__(self, bed, count, **settings):
        self.box = BigMailbox(count)
        server = bed.scripted_server(self.box)
        self.connector = Connector(
            bed, SimpleNamespace(imaps_port=server.port, submission_port=1,
                                 ca=bed.tls.ca),
            IMAP_SSL="false", IMAP_POLL_INTERVAL=3_600_000, **settings)

    def visited(self):
        result = self.connector.run("status")
        return not result.rc and "last_visit" in json.loads(
            result.out)["accounts"][0]

    def peak(self, until):
        """Of a process that runs until `until` is true."""
        run = self.connector.start()
        try:
            wait_until(until, TIMEOUT, "a visit")
            return peak_mib(run)
        finally:
            run.signal(signal.SIGTERM)
            run.wait(60)

    def arrived(self, count):
        return lambda: len(self.connector.handles()) >= count


def measure(bed, count):
    first = Following(bed, count)
    some = count if count <= WHOLE_MAX else BEGINNING
    peaks = [first.peak(first.arrived(some))]
    newest = Following(bed, count, EMAIL_BACKFILL=10)
    peaks.append(newest.peak(newest.arrived(10)))
    # all is known, and compared
    peaks.append(newest.peak(newest.visited))
    return [f"{count:,}", *(f"{peak:.1f}" for peak in peaks)]


def main(quick):
    with Bed() as bed:
        rows = [measure(bed, count) for count in (QUICK if quick else COUNTS)]
    print(f"\nPeak memory of the connector, MiB (of more than {WHOLE_MAX:,} "
          f"messages, the first {BEGINNING:,} are received)\n")
    print_table(["messages", "all are received", "the newest 10",
                 "all are known"], rows)
