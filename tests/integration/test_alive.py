# SPDX-License-Identifier: ISC
"""mailtokend keeps tokens alive: wrong clocks, lost networks, servers that are
down."""
import ctypes
import json
import os
import threading
import time

from bed import wait_until
from bed.tokensock import Mailtokend, account
from integration.test_helper import HelperTestCase, passed

CLONE_NEWNET = 0x40000000
FAKETIME = f"/usr/lib/{os.uname().machine}-linux-gnu/faketime/libfaketime.so.1"
_libc = ctypes.CDLL(None, use_errno=True)


def reply(conn, body, status="200 OK", more=""):
    """Read a request and answer it; returns its form."""
    length = 0
    while line := conn.readline():
        name, _, value = line.partition(":")
        if name.lower() == "content-length":
            length = int(value)
    form = conn.read(length).decode()
    conn.send(f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n"
              f"{more}Content-Length: {len(body)}\r\n\r\n{body}")
    return form


def tokens(**more):
    return json.dumps({"access_token": "a", "token_type": "Bearer",
                       "expires_in": 3600} | more)


class AnswerTest(HelperTestCase):
    """Answers that no real server gives."""

    def start(self, script):
        """A helper with the accounts "odd", at such a server, and "alice"."""
        server = self.bed.scripted_server(script)
        helper = Mailtokend(self.bed, account(self.oidc) + account(
            self.oidc, "odd",
            token_endpoint=f"http://127.0.0.1:{server.port}/token"))
        self.addCleanup(lambda: helper.process and helper.process.stop())
        helper.login(self.oidc, "alice").expect()
        with passed("seed") as file:
            helper.call("seed", fd=file.fileno(), account="odd").expect()
        return helper

    def test_unknown_errors_are_temporary(self):
        for error in ('{"error":"strange_new_error"}', '{"error":""}',
                      '{"error":42}', '{"error":{"code":"invalid_grant"}}',
                      '["error"]', '{"error":"invalid_grant"',
                      '{"message":"invalid_grant"}', "\0", "{}"):
            with self.subTest(error):
                helper = self.start(
                    lambda conn: reply(conn, error, "400 Bad Request"))
                helper.call("get", account="odd").expect("later")
                self.assertEqual(helper.status("odd")["state"], "degraded")

    def test_endless_answer_is_cut_off(self):
        sent = []

        def script(conn):
            while conn.readline():
                pass
            conn.send("HTTP/1.1 200 OK\r\nContent-Type: application/json"
                      "\r\n\r\n{\"access_token\":\"")
            try:
                while True:
                    conn.send("x" * 4096)
                    sent.append(4096)
            finally:
                sent.append(0)

        helper = self.start(script)
        reply = helper.call("get", account="odd").expect("later")
        self.assertIn("too long", reply["text"])
        wait_until(lambda: sent[-1] == 0, what="the end of the connection")

    def test_endless_head_is_cut_off(self):
        def script(conn):
            while conn.readline():
                pass
            conn.send("HTTP/1.1 200 OK\r\n")
            while True:
                conn.send(f"X-More: {'x' * 4000}\r\n")

        helper = self.start(script)
        helper.call("get", account="odd").expect("later")

    def test_slow_answer_is_waited_for_within_limits_and_delays_nobody(self):
        ended = threading.Event()

        def script(conn):
            while conn.readline():
                pass
            conn.send("HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n{")
            try:
                while not ended.wait(0.2):
                    conn.send(" ")
            finally:
                ended.set()

        helper = self.start(script)
        with helper.connect(timeout=60) as asker:
            asker.send("get", account="odd", wait_ms=60000)
            while not ended.is_set():
                begin = time.monotonic()
                helper.call("refresh", account="alice").expect()
                self.assertLess(time.monotonic() - begin, 5)
                ended.wait(1)
            # it was the helper that ended it, after 30 s
            asker.receive().expect("later")


class BreakerTest(HelperTestCase):
    """Many accounts at one server that can be switched off."""

    def setUp(self):
        self.posts_made, self.under_way, self.most = 0, 0, 0
        self.lock, self.up = threading.Lock(), threading.Event()
        self.hangs = threading.Event()
        self.hangs.set()
        self.up.set()
        self.lifetime = 3600
        self.server = self.bed.scripted_server(self.serve)

    def serve(self, conn):
        with self.lock:
            self.posts_made += 1
            self.under_way += 1
            self.most = max(self.most, self.under_way)
        self.hangs.wait()
        with self.lock:
            self.under_way -= 1
        if self.up.is_set():
            reply(conn, tokens(expires_in=self.lifetime))
        else:
            reply(conn, "", "503 Service Unavailable")

    def start(self, count):
        """A helper whose accounts a0, a1, ... start from seeds."""
        self.names = [f"a{n}" for n in range(count)]
        address = f"http://127.0.0.1:{self.server.port}/token"
        helper = Mailtokend(self.bed, "".join(
            account(self.oidc, name, token_endpoint=address)
            for name in self.names))
        self.addCleanup(lambda: helper.process and helper.process.stop())
        for name in self.names:
            with passed("seed") as file:
                helper.call("seed", fd=file.fileno(), account=name).expect()
            helper.call("get", account=name).expect()
        return helper

    def states(self, helper):
        return [helper.status(name) for name in self.names]

    def test_server_that_is_down_is_tried_one_at_a_time(self):
        self.lifetime = 10
        helper = self.start(50)
        self.posts_made = self.most = 0
        self.up.clear()
        wait_until(lambda: not any(int(status["expires_in"])
                                   for status in self.states(helper)),
                   what="the end of all tokens")
        for name in self.names:
            helper.call("get", account=name).expect("later")
        self.assertLessEqual(self.posts_made, 10)
        self.assertLessEqual(self.most, 4)
        statuses = self.states(helper)
        self.assertEqual({status["state"] for status in statuses},
                         {"degraded"})
        self.assertGreaterEqual(int(statuses[0]["server_failures"]), 3)
        self.assertTrue(any(f"127.0.0.1:{self.server.port}" in status["text"]
                            for status in statuses))
        # it is back: so are all accounts, and not at once
        self.lifetime, self.most = 3600, 0
        self.up.set()
        wait_until(lambda: all(status["state"] == "ok"
                               for status in self.states(helper)),
                   timeout=60, what="all accounts")
        self.assertLessEqual(self.most, 4)
        self.assertEqual(helper.status("a7")["server_failures"], "0")

    def test_who_asks_while_it_is_tried_waits_for_that(self):
        for good in (True, False):
            helper = self.start(5)
            for name in self.names:
                helper.call("reject", account=name).expect()
            self.up.clear()
            for name in self.names[:3]:
                helper.call("get", account=name).expect("later")
            helper.call("get", account="a3").expect("later")
            self.assertEqual(helper.status("a3")["server_failures"], "3")
            # one of those who asked is the trial, by itself
            self.posts_made = 0
            self.hangs.clear()
            wait_until(lambda: self.posts_made, what="the trial")
            with helper.connect() as one, helper.connect() as other:
                one.send("get", account="a3")
                other.send("get", account="a4")
                helper.call("exists", account="a4").expect()
                self.assertEqual(self.posts_made, 1)
                if good:
                    self.up.set()
                self.hangs.set()
                for asker in one, other:
                    asker.receive().expect("ok" if good else "later")
            if not good:
                self.assertEqual(self.posts_made, 1)
            helper.stop()
            self.up.set()

    def test_server_that_discovery_finds_is_left_alone_too(self):
        document = self.bed.scripted_server(lambda conn: reply(
            conn, json.dumps({
                "issuer": f"http://127.0.0.1:{document.port}",
                "authorization_endpoint": self.oidc.url("authorization"),
                "token_endpoint": f"http://127.0.0.1:{self.server.port}/t"})))
        helper = self.start(3)
        helper.write(helper.config_file.read_text() + account(
            self.oidc, "found", authorization_endpoint=None,
            token_endpoint=None,
            discovery=f"http://127.0.0.1:{document.port}"))
        helper.reload()
        with passed("seed") as file:
            helper.call("seed", fd=file.fileno(), account="found").expect()
        self.up.clear()
        for _ in range(3):
            helper.call("refresh", account="a0").expect("later")
        self.posts_made = 0
        text = helper.call("get", account="found").expect("later")["text"]
        self.assertIn("left alone", text)
        self.assertEqual(self.posts_made, 0)
        self.assertEqual(helper.status("found")["server_failures"], "3")
        # who waits for the trial of a server that is down gets a token by it
        self.hangs.clear()
        self.up.set()
        with helper.administer() as person, helper.administer() as asker:
            person.send("refresh", account="a0")
            wait_until(lambda: self.posts_made, what="the trial")
            helper.reload()     # the endpoints are to be found anew
            asker.send("get", account="found")
            wait_until(lambda: int(helper.status("found")["server_failures"])
                       == 3, what="the document")
            self.assertEqual(self.posts_made, 1)
            self.hangs.set()
            person.receive().expect()
            asker.receive().expect()

    def test_person_may_try_a_server_that_is_down(self):
        helper = self.start(4)
        self.up.clear()
        for _ in range(4):
            helper.call("refresh", account="a0").expect("later")
        self.up.set()
        helper.call("refresh", account="a1").expect()
        self.assertEqual(helper.status("a0")["server_failures"], "0")


class ClockTest(HelperTestCase):
    def start_with_clock(self, helper, offset):
        """Start it with a wall clock that set_clock() can set."""
        self.clock = helper.dir / "clock"
        self.set_clock(offset)
        helper.start(env={"LD_PRELOAD": FAKETIME, "FAKETIME_NO_CACHE": "1",
                          "FAKETIME_TIMESTAMP_FILE": self.clock,
                          "FAKETIME_DONT_FAKE_MONOTONIC": "1"})

    def set_clock(self, offset):
        temporary = self.clock.with_suffix(".new")
        temporary.write_text(f"{offset}\n")
        temporary.rename(self.clock)

    def test_clock_that_jumps_changes_no_lifetime(self):
        helper = self.helper(start=False)
        self.start_with_clock(helper, "+0")
        helper.login(self.oidc, "alice").expect()
        for offset in ("+7200", "-86400", "+8640000"):
            self.set_clock(offset)
            token = self.get(helper).expect()
            self.assertEqual(token["serial"], "1")
            self.assertIn(int(token["expires_in"]), range(3500, 3601))
        self.assertEqual(self.posts(), [])
        # it did jump
        self.refresh(helper).expect()
        year = int(helper.status("alice")["refreshed_at"][:4])
        self.set_clock("+0")
        self.refresh(helper).expect()
        self.assertGreaterEqual(
            year, int(helper.status("alice")["refreshed_at"][:4]))
        self.assertIn("clock of this machine", helper.log())

    def test_wrong_clock_is_named_until_it_is_right(self):
        helper = self.helper(start=False)
        self.start_with_clock(helper, "-7200")
        helper.login(self.oidc, "alice").expect()
        self.refresh(helper).expect()
        status = helper.status("alice")
        self.assertEqual(status["state"], "ok")
        self.assertRegex(status["alarm"], "clock .* wrong.* ahead by 1(19|20)")
        self.assertIn(int(status["skew_s"]), range(7190, 7211))
        self.set_clock("-200")
        self.refresh(helper).expect()
        status = helper.status("alice")
        self.assertEqual((status["alarm"], status["skew_s"]), ("", "0"))

    def test_time_on_disk_that_is_yet_to_come_counts_as_unknown(self):
        helper = self.helper(start=False)
        self.start_with_clock(helper, "+864000000")
        helper.login(self.oidc, "alice").expect()
        helper.stop()
        self.start_with_clock(helper, "+0")
        week = 7 * 86400
        self.assertIn(int(helper.status("alice")["next_refresh_s"]),
                      range(1, week // 2 + 2))
        self.get(helper).expect()


class NetworkTest(HelperTestCase):
    """A helper, and its server, in a network namespace of their own."""

    def setUp(self):
        self.holder = self.bed.spawn(
            ["unshare", "--net", "sh", "-c",
             "ip link set lo up && echo up && exec cat"],
            {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}, stdin=True)
        self.holder.wait_output("^up$", "stdout")
        self.addCleanup(self.holder.stop)

    def inside(self, function):
        """function() in the namespace."""
        result = []

        def run():
            with open(f"/proc/{self.holder.pid}/ns/net") as namespace:
                if _libc.setns(namespace.fileno(), CLONE_NEWNET):
                    raise OSError(ctypes.get_errno(), "setns")
            result.append(function())

        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        return result[0]

    def network(self, change):
        """"del" takes the network away, "add" brings it back."""
        self.bed.run(["nsenter", "-t", self.holder.pid, "--net", "ip",
                      "address", change, "127.0.0.1/8", "dev", "lo"],
                     {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}).check()

    def start(self, script):
        """A helper whose account starts from a seed, at such a server."""
        server = self.inside(lambda: self.bed.scripted_server(script))
        helper = self.helper(
            start=False,
            token_endpoint=f"http://127.0.0.1:{server.port}/token")
        argv = helper.argv
        helper.argv = lambda *more: ["nsenter", "-t", self.holder.pid,
                                     "--net", *argv(*more)]
        helper.start("--verbose")
        with passed("seed") as file:
            helper.call("seed", fd=file.fileno(), account="alice").expect()
        self.get(helper).expect()
        return helper

    def fail_until_pause_is_long(self, helper):
        helper.call("reject", account="alice").expect()
        for _ in range(7):
            self.refresh(helper).expect("later")
        self.get(helper).expect("later")
        self.assertGreater(int(helper.status("alice")["next_attempt_s"]), 100)

    def test_return_of_the_network_ends_the_pause(self):
        helper = self.start(lambda conn: reply(conn, tokens()))
        self.network("del")
        self.fail_until_pause_is_long(helper)
        self.network("add")
        wait_until(lambda: helper.status("alice")["state"] == "ok",
                   what="the refresh")
        self.get(helper).expect()

    def test_pause_that_the_server_asked_for_is_kept(self):
        # token, then pauses of two kinds
        answers = [("200 OK", ""),
                   ("429 Too Many Requests", "Retry-After: 600\r\n"),
                   ("200 OK", "")]

        def script(conn):
            status, more = answers[min(conn.number, 2)]
            reply(conn, tokens(), status, more)

        helper = self.start(script)
        helper.call("reject", account="alice").expect()
        self.get(helper).expect("later")
        self.network("del")
        self.network("add")
        # the helper has seen it ...
        wait_until(lambda: "the network changed" in helper.log(),
                   what="the news")
        # ... and waits all the same
        self.assertGreater(int(helper.status("alice")["next_attempt_s"]), 500)
        self.get(helper).expect("later")
