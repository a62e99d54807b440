# SPDX-License-Identifier: ISC
"""A helper that is killed during a refresh loses no login that it could have
kept.

The store is sealed, and the server gives a new refresh token each time.  Where
it goes on taking the old one, no kill costs anything.  Where the old one is
spent, a kill costs the login between the server's commit, which its log shows,
and the moment when our file holds the new token; then the status says so.
"""
import os
import random
import re
import socket
import subprocess

from bed import wait_until
from bed.sealed import read_record
from bed.tokensock import TokenSocket, encode
from integration.test_helper import HelperTestCase

LONG = bool(os.environ.get("MAILTOKEN_LONG"))
KILLS = 1000 if LONG else 30
INTERRUPTED = (r"a refresh begun at 20\S+Z was interrupted before its answer "
               r"was stored")
# What is left of a refresh that was killed, and only until the next one.
FILES = {"lock", "key", "store.key", "alice.token"}


class KilledRefreshTestCase(HelperTestCase):
    def log_in(self, helper):
        helper.login(self.oidc, "alice").expect()

    def committed(self):
        """Whether the server gave a new token to the one who was killed."""
        self.oidc.request("discovery")      # it comes after that request
        wait_until(lambda: all("status" in entry for entry in self.posts()),
                   what="the server's answer")
        return any(entry["status"] == 200 for entry in self.posts())

    def judge(self, helper, before, at):
        """Start after a kill; true if that cost the login, which it may only
        as the server's log and our store say."""
        committed = self.committed()
        helper.start()
        status = helper.status("alice")
        stored = int(status["serial"])
        self.assertIn(stored - before, (0, 1), at)
        reply = self.refresh(helper)
        lost = reply.status == "login"
        spent = self.oidc.config()["rotate"] != "keep"
        self.assertEqual(lost, spent and committed and stored == before, at)
        # never longer than a kill away from the disk
        if stored > before:
            self.assertTrue(committed, at)
        if lost:
            self.assertRegex(status["alarm"], INTERRUPTED, at)
            self.assertRegex(helper.status("alice")["text"], INTERRUPTED, at)
            self.assertTrue(read_record(helper.state, "alice")
                            ["refresh_token"], at)
            self.log_in(helper)
        else:
            reply.expect()
        status = helper.status("alice")
        self.assertEqual((status["state"], status["alarm"]), ("ok", ""), at)
        self.assertEqual({path.name for path in helper.state.iterdir()},
                         FILES, at)
        return lost


class AnyMomentTest(KilledRefreshTestCase):
    def kill_at_random(self, rotate):
        """(kills that cost the login, kills); each within a refresh."""
        self.oidc.config(rotate=rotate)
        helper = self.logged_in()
        self.assertTrue(read_record(helper.state, "alice"))     # it is sealed
        chance = random.Random(1)
        lost = 0
        for kill in range(KILLS):
            before = int(helper.status("alice")["serial"])
            self.oidc.clear_log()
            if chance.random() < 0.5:
                self.oidc.fault(after=chance.random() < 0.5, delay_ms=5)
            answered = False
            with helper.administer() as asker:
                asker.send("refresh", account="alice")
                # the moment itself is what is tried
                asker.socket.settimeout(chance.random() * 0.02)
                try:
                    answered = asker.receive().status == "ok"
                except TimeoutError:
                    pass
                helper.kill()
            self.oidc.release()
            is_lost = self.judge(helper, before, kill)
            self.assertFalse(is_lost and answered, kill)
            lost += is_lost
        return lost

    def test_no_login_is_lost_where_the_old_token_stays_good(self):
        self.assertEqual(self.kill_at_random("keep"), 0)

    def test_only_an_answer_under_way_is_lost_where_it_is_spent(self):
        lost = self.kill_at_random("1")
        self.assertIn(lost, range(1, KILLS))


class EveryCallTest(KilledRefreshTestCase):
    """kill -9 just before each system call of a refresh that has to do with
    the store or the server; with MAILTOKEN_LONG, before each of all."""

    def setUp(self):
        super().setUp()
        self.work = self.logged_in()
        self.work.stop()

    def refresh_once(self, *tracer):
        """By a helper for this request alone: (reply, or None if it was
        killed; exit status)."""
        ours, theirs = socket.socketpair()
        ours.sendall(encode("refresh", account="alice"))
        ours.shutdown(socket.SHUT_WR)
        with theirs, TokenSocket(sock=ours) as connection:
            process = subprocess.Popen(
                ["sh", "-c", 'exec "$@" 3<&0', "sh", *tracer,
                 *self.work.argv("--once")], stdin=theirs,
                # a sanitizer cannot look for leaks while strace is there
                env={"ASAN_OPTIONS": "detect_leaks=0"})
            theirs.close()
            try:
                reply = connection.receive()
            except EOFError:
                reply = None
            return reply, process.wait(60)

    def trace(self):
        """The lines of strace of a refresh, from its start on disk to its
        answer, each with how many such calls there were by then."""
        log = self.work.dir / "strace"
        reply, status = self.refresh_once("strace", "-qq", "-y", "-s", "16",
                                          "-o", log)
        self.assertEqual((reply.status, status), ("ok", 0))
        counts, lines = {}, []
        for line in log.read_text().splitlines():
            call, bracket, _ = line.partition("(")
            if not bracket or not call.isidentifier():
                continue            # a signal
            counts[call] = counts.get(call, 0) + 1
            lines.append((call, counts[call], line))

        def index(pattern, start=0):
            return next(i for i in range(start, len(lines))
                        if re.search(pattern, lines[i][2]))
        begin = index(r"^openat.*alice\.next.*O_CREAT")
        return lines[begin:index(r'^sendto\(3<.*"1\\tok', begin) + 1]

    def kill_everywhere(self, rotate):
        """(lines at which a kill cost the login, all of the lines)"""
        self.oidc.config(rotate=rotate)
        lines = self.trace()
        chosen = [line for line in lines if LONG or re.search(
            rf"<{re.escape(str(self.work.state))}|^sendto|^recvfrom|^connect",
            line[2])]
        self.assertGreater(len(chosen), 20)
        lost = []
        for call, number, line in chosen:
            self.work.start()
            before = int(self.work.status("alice")["serial"])
            self.work.stop()
            self.oidc.clear_log()
            reply, status = self.refresh_once(
                "strace", "-qq", "-o", "/dev/null", "-e", f"trace={call}",
                "-e", f"inject={call}:signal=KILL:when={number}")
            self.assertIn((reply, status), ((None, -9), (None, 137)), line)
            if self.judge(self.work, before, line):
                lost.append(line)
            self.work.stop()
        return lost, [line for _, _, line in lines]

    def test_no_login_is_lost_where_the_old_token_stays_good(self):
        lost, _ = self.kill_everywhere("keep")
        self.assertEqual(lost, [])

    def test_only_kills_between_commit_and_our_sync_cost_the_login(self):
        lost, lines = self.kill_everywhere("1")
        self.assertTrue(lost)
        sent = next(i for i, line in enumerate(lines)
                    if line.startswith("sendto"))
        synced = max(i for i, line in enumerate(lines)
                     if re.match(r"fsync\(.*/alice\.next>", line))
        self.assertLess(sent, synced)
        for line in lost:
            self.assertIn(lines.index(line), range(sent + 1, synced), line)

    def test_answer_is_on_disk_in_every_part_before_it_is_given(self):
        """What no kill can show, but a power failure would."""
        lines = [line for _, _, line in self.trace()]
        steps = (r"^fallocate\(.*/alice\.next>", r"^fsync\(.*/alice\.next>",
                 r"^write\(.*/alice\.intent>", r"^fsync\(.*/alice\.intent>",
                 r"^fsync\(.*/state>", r"^sendto\(.*POST ",
                 r"^write\(.*/alice\.next>", r"^fsync\(.*/alice\.next>",
                 r"^renameat\(.*alice\.next.*alice\.token",
                 r"^unlinkat\(.*alice\.intent", r"^fsync\(.*/state>",
                 r"^sendto\(3<")
        rest = iter(lines)
        for step in steps:
            self.assertTrue(any(re.search(step, line) for line in rest), step)
