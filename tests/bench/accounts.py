# SPDX-License-Identifier: ISC
"""What mailtokend costs by the number of its accounts: time to start, memory,
wake-ups, time for an answer.

Every account has a login (from a seed) and then a token of 2,000 bytes, and all
are at one mail server; the last, "alice", is asked for as a mail program would.
"""
import json
import statistics
import time
from pathlib import Path

from bed import Bed
from bed.tokensock import Mailtokend

from . import plot
from .samples import Worker, in_turn, print_table, ratio, spread

TOKEN = "t" * 2000
HOUR, GRID = 3600, 300
TRIPS = 5           # requests in a sample: few, that most are undisturbed


def serve(conn):
    """A token endpoint that gives one token to everybody."""
    length = 0
    while line := conn.readline():
        name, _, value = line.partition(":")
        if name.lower() == "content-length":
            length = int(value)
    conn.read(length)
    body = json.dumps({"access_token": TOKEN, "expires_in": 86400,
                       "token_type": "Bearer"})
    conn.send("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
              f"Content-Length: {len(body)}\r\n\r\n{body}")


def names(count):
    return [f"a{n}" for n in range(count - 1)] + ["alice"]


def settings(count, endpoint):
    """Short, for a settings file has 1 MiB at most."""
    lines = []
    for name in names(count):
        host = "example.test" if name == "alice" else "x"
        lines.append(f"[account {name}]\nuser={name}@{host}\nclient_id=i\n"
                     f"token_endpoint={endpoint}\nimap_host=localhost\n")
    return "".join(lines) + "permit=get\n"


def log_in(bed, helper, count):
    """Gives every account a login and a token; nobody uses them after."""
    seed = bed.dir / "seed"
    seed.write_text("seed")
    with helper.connect() as connection:
        for name in names(count):
            with open(seed) as file:
                connection.call("seed", fd=file.fileno(),
                                account=name).expect()
            connection.call("refresh", account=name).expect()


def private_kib(pid):
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(int(line.split()[1]) for line in text.splitlines()
               if line.startswith("Private_"))


def sleeps(pid):
    """How often it has gone to sleep, which is how often it has woken."""
    text = Path(f"/proc/{pid}/status").read_text()
    return int(next(line.split()[1] for line in text.splitlines()
                    if line.startswith("voluntary_ctxt")))


def wakeups_per_hour(pid, window):
    time.sleep(1)           # those who asked have gone by then
    before = sleeps(pid)
    time.sleep(window)      # this is what is measured
    return (sleeps(pid) - before) * HOUR / window


def planned(helper, count):
    """The busiest hour of those to come: (wake-ups for refreshes, refreshes)."""
    now = time.clock_gettime(time.CLOCK_BOOTTIME)
    hours = {}
    with helper.connect() as connection:
        for name in names(count):
            due = now + int(connection.call(
                "status", account=name).expect()["next_refresh_s"])
            slot = round(due / GRID)
            hours.setdefault(slot * GRID // HOUR, []).append(slot)
    return (max(len(set(slots)) for slots in hours.values()),
            max(len(slots) for slots in hours.values()))


class Sample:
    """A helper with `count` accounts, and what it takes."""

    def __init__(self, bed, count, window):
        server = bed.scripted_server(serve)
        self.helper = Mailtokend(bed, settings(
            count, f"http://127.0.0.1:{server.port}/t"), start=False)
        self.helper.start()
        log_in(bed, self.helper, count)
        self.helper.call("get", account="alice").expect()
        self.with_tokens = private_kib(self.helper.process.pid)
        self.wakeups = wakeups_per_hour(self.helper.process.pid, window)
        self.planned = planned(self.helper, count)
        self.worker = Worker(bed, [
            bed.build_dir() / "tests/token_bench", "trip",
            self.helper.socket])

    def restart(self):
        """Start anew: with logins, and without a token."""
        self.helper.stop()
        begin = time.monotonic()
        self.helper.start()
        self.start = (time.monotonic() - begin) * 1000
        self.idle = private_kib(self.helper.process.pid)
        self.helper.stop()


def each_kib(samples, counts):
    """What an account takes, of memory, when there are many."""
    least, most = counts[0], counts[-1]
    return ((samples[most].with_tokens - samples[least].with_tokens)
            / (most - least))


def draw(path, counts, samples, us):
    """Whether it is flat."""
    first = us[counts[0]]

    def quarters(values):
        """Of the ratios within the rounds: the machine may be busy."""
        return tuple(statistics.quantiles(
            (value / one for value, one in zip(values, first)), n=4))
    start_ms = {count: samples[count].start for count in counts}
    memory = {count: samples[count].with_tokens / 1024 for count in counts}
    each = each_kib(samples, counts)
    plot.write(path, counts, [
        plot.Plot("an answer, times that with 1 account", 2, [
            ("median, and half of the samples",
             {count: quarters(us[count]) for count in counts})],
            f"{statistics.median(first):.0f} µs with 1 account, where it was "
            "measured"),
        plot.Plot("wake-ups an hour, nobody asks", 20, [
            ("planned, in the busiest hour",
             {count: samples[count].planned[0] for count in counts}),
            ("seen, while watched",
             {count: samples[count].wakeups for count in counts})],
            "at most 12: refreshes go in groups"),
        plot.Plot("memory, MiB", None, [
            ("all accounts have a token", memory),
            ("a fixed part, and as much each",
             {count: memory[counts[0]] + each * count / 1024
              for count in counts})],
            f"{each:.1f} KiB for each account, 2 of them its token"),
        plot.Plot("start, ms", None, [("until it answers", start_ms)],
                  "every record is opened once"),
    ])


def measure(bed, counts, rounds, window, svg=None):
    samples = {count: Sample(bed, count, window) for count in counts}
    for sample in samples.values():
        sample.worker.sample(TRIPS)     # warm up
    us = in_turn(rounds, {
        count: lambda worker=sample.worker: worker.sample(TRIPS)
        for count, sample in samples.items()})
    for sample in samples.values():
        sample.restart()
    first = us[counts[0]]
    rows = [[str(count), f"{s.start:.0f}", str(s.idle), str(s.with_tokens),
             f"{(s.with_tokens - samples[counts[0]].with_tokens) / count:.1f}",
             f"{s.wakeups:.0f}", str(s.planned[0]), str(s.planned[1]),
             spread(us[count]), ratio(us[count], first)]
            for count, s in samples.items()]
    print(f"\nmailtokend by accounts; {rounds} samples of {TRIPS} requests, "
          f"{window} s of watching\n")
    print_table(["accounts", "start ms", "KiB idle", "KiB, tokens",
                 "each", "wake-ups/h", "most/h", "refreshes", "answer µs",
                 "ratio"], rows)
    if svg:
        draw(svg, counts, samples, us)
    print("\nmost/h, refreshes: wake-ups for refreshes that keep unused "
          "logins alive, and\nsuch refreshes, in the busiest hour to come\n")


def main(quick, svg=None):
    """With `quick`, only as much as shows that it works."""
    with Bed() as bed:
        if quick:
            measure(bed, [1, 20], 3, 1, svg or bed.dir / "plot.svg")
        else:
            measure(bed, [1, 10, 100, 1000, 10000], 1001, 30, svg)
