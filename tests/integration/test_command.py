# SPDX-License-Identifier: ISC
"""The command `mailtoken`, with a helper that says what a test orders."""
import base64
import json
import os
import re
import signal
import socket
import threading
import unittest
import urllib.parse
from hashlib import sha256

from bed import BedTestCase
from bed.tokensock import Mailtokend, account, decode, encode

OK = {"exists": ("ok", {"account": "work"}),
      "status": ("ok", {"state": "ok", "user": "anna@example.test",
                        "provider": "generic", "serial": "7",
                        "expires_in": "3180", "text": "", "alarm": "",
                        "redirect_host": "127.0.0.1"}),
      "get": ("ok", {"account": "work", "user": "anna@example.test",
                     "serial": "7", "expires_in": "3180",
                     "token": "the-access-token"})}
# What a reply means to scripts.
EXIT_CODES = {"later": 75, "login": 77, "admin": 77, "config": 78,
              "none": 67, "bad": 65}


class ScriptedHelper:
    """Answers each verb as `replies` says: (status, fields), or bytes to send
    as they are, or None to close the connection, or a function of the fields
    that returns one of these.  `requests` has what was asked."""

    def __init__(self, bed, replies):
        self.path = bed.subdir("helper") / "socket"
        self.replies, self.requests = replies, []
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(self.path))
        self._socket.listen()
        self._open = []
        bed.on_exit(self.stop)
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self):
        for each in [self._socket] + self._open:
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            each.close()

    def verbs(self):
        return [verb for verb, _ in self.requests]

    def _accept(self):
        while True:
            try:
                peer, _ = self._socket.accept()
            except OSError:
                return
            self._open.append(peer)
            threading.Thread(target=self._serve, args=(peer,),
                             daemon=True).start()

    def _serve(self, peer):
        with peer, peer.makefile("r", newline="\n") as lines:
            try:
                while line := lines.readline():
                    reply = self._answer(line)
                    if reply is None:
                        return
                    peer.sendall(reply)
            except OSError:
                pass

    def _answer(self, line):
        request = decode(line.rstrip("\n"))
        self.requests.append((request.status, dict(request)))
        reply = self.replies.get(request.status,
                                 ("bad", {"text": "not ordered"}))
        if callable(reply):
            reply = reply(request)
        if reply is None or isinstance(reply, bytes):
            return reply
        status, fields = reply
        return encode(status, **fields)


class CommandTestCase(BedTestCase):
    """Runs the command with nothing in its environment but a home."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.mailtoken = cls.bed.program("mailtoken")
        cls.home = cls.bed.subdir("home")

    def helper(self, **replies):
        helper = ScriptedHelper(self.bed, OK | {
            verb.replace("_", "-"): reply
            for verb, reply in replies.items()})
        self.addCleanup(helper.stop)
        return helper

    def command(self, *args, helper=None, env={}, **options):
        """Run it to its end; with a helper, on that one's socket."""
        where = ["--socket", helper.path] if helper else []
        return self.bed.run([self.mailtoken, *where, *args],
                            {"HOME": self.home} | env, **options)

    def start(self, *args, helper=None, env={}, **options):
        """Start it: a Process."""
        where = ["--socket", helper.path] if helper else []
        return self.bed.spawn([self.mailtoken, *where, *args],
                              {"HOME": self.home} | env, **options)

    def assertFails(self, result, code, text="."):
        """It failed so, said one line about it, and printed nothing."""
        self.assertEqual(result.rc, code, result)
        self.assertEqual(result.out, "")
        self.assertRegex(result.err, text)
        self.assertRegex(result.err, r"^mailtoken: [^\n]+\n$")


class UsageTest(CommandTestCase):
    def test_wrong_usage_is_64(self):
        for args in ((), ("nonsense",), ("--nonsense",), ("--socket",),
                     ("get",), ("get", ""), ("get", "a", "b"),
                     ("get", "a" * 128), ("get", "a", "--min-ttl"),
                     ("get", "a", "--min-ttl", "-1"),
                     ("get", "a", "--min-ttl", "1x"),
                     ("get", "a", "--wait", "0"), ("get", "a", "--wait=61"),
                     ("get", "a", "--nonsense"), ("status", "a", "b"),
                     ("refresh",), ("refresh", "a", "--json"),
                     ("providers", "a"), ("providers", "--all"),
                     ("list", "a"), ("list", "--json"), ("logout",),
                     ("logout", "a", "b"), ("logout", "a", "--all"),
                     ("doctor", "a", "b"),
                     ("doctor", "--nonsense"), ("doctor", "--user"), ("test",),
                     ("test", "a", "--imap", "0"),
                     ("test", "a", "--timeout", "61"),
                     ("test", "a", "--imap", "993,ssl"),
                     ("test", "a", "--smtp", "587,"),
                     ("test", "a", "--smtp", "123456"), ("reload", "a"),
                     ("reject", "a", "--serial", "0"),
                     ("login", "a", "--port", "0"),
                     ("login", "a", "--port", "65536"),
                     ("login", "a", "--device", "--port", "1"),
                     ("login", "a", "--refresh-token-file", "f", "--device"),
                     ("login", "a", "--refresh-token-file", "f", "--emit",
                      "g"), ("login", "a", "--refresh-token-file"),
                     ("login", "a", "--device", "--redirect-host",
                      "localhost"),
                     ("login", "a", "--redirect-host", "example.test")):
            with self.subTest(args=args):
                result = self.command(*args)
                self.assertEqual((result.rc, result.out), (64, ""), result)
                self.assertRegex(result.err, r"\nmailtoken: "
                                 r"(usage: mailtoken|for the list of)")

    def test_help_names_every_command(self):
        for option in "--help", "-h":
            result = self.command(option).check()
            for name in ("doctor", "get", "list", "login", "logout",
                         "providers", "refresh", "reject", "reload", "status",
                         "test"):
                self.assertRegex(result.out, rf"\n  {name} ")
            self.assertEqual(result.err, "")
        self.assertRegex(self.command("--version").check().out,
                         r"^mailtoken \d+\.\d+\.\d+\n$")

    def test_unwritable_output_is_a_failure(self):
        helper = self.helper()
        for args in ["get", "work"], ["status", "work"]:
            argv = ["/bin/sh", "-c", 'exec "$@" >/dev/full', "sh",
                    self.mailtoken, "--socket", helper.path, *args]
            self.assertFails(self.bed.run(argv), 75, "standard output")
            argv[2] = 'exec "$@" >&-'
            self.assertEqual(self.bed.run(argv).out, "")


class AnswerTest(CommandTestCase):
    def test_every_reply_has_its_exit_code(self):
        for word, code in EXIT_CODES.items():
            for verb in "get", "refresh", "status":
                with self.subTest(word=word, verb=verb):
                    helper = self.helper(
                        **{verb: (word, {"text": "this is why"})})
                    result = self.command(verb, "work", helper=helper)
                    self.assertFails(result, code, "work: this is why")

    def test_an_error_says_what_to_do_next(self):
        helper = self.helper(
            get=("login", {"text": "the grant was revoked"}))
        result = self.command("get", "work", helper=helper)
        self.assertFails(result, 77, "; run 'mailtoken login work'\n$")
        helper = self.helper(exists=("none", {"text": "no such account"}))
        result = self.command("get", "work", helper=helper)
        self.assertFails(result, 67, "; 'mailtoken status' shows")

    def test_text_of_an_error_cannot_drive_the_terminal(self):
        helper = self.helper(get=("later", {"text": "a\x1b[2J\nb\tc"}))
        self.assertFails(self.command("get", "work", helper=helper), 75,
                         r"a\?\[2J\?b\?c")

    def test_get_prints_the_token_and_nothing_else(self):
        helper = self.helper()
        result = self.command("get", "work", helper=helper).check()
        self.assertEqual((result.out, result.err), ("the-access-token\n", ""))
        self.assertEqual(helper.requests[-1][1]["min_ttl"], "60")
        self.command("get", "--min-ttl", "300", "--wait=5", "work",
                     helper=helper).check()
        asked = helper.requests[-1][1]
        self.assertEqual(asked["min_ttl"], "300")
        self.assertTrue(3000 <= int(asked["wait_ms"]) <= 5000, asked)

    def test_get_takes_a_token_of_many_kilobytes(self):
        token = "x" * 60000
        helper = self.helper(get=("ok", OK["get"][1] | {"token": token}))
        result = self.command("get", "work", helper=helper).check()
        self.assertEqual(result.out, token + "\n")

    def test_get_prints_no_token_of_two_lines(self):
        for token in "", "a\nb", "a b", "a\tb", "tok\u00e9n", "a\x7f":
            helper = self.helper(get=("ok", OK["get"][1] | {"token": token}))
            self.assertFails(self.command("get", "work", helper=helper), 69)

    def test_refresh_says_how_long_it_is_good(self):
        helper = self.helper(
            refresh=("ok", {"serial": "8", "expires_in": "3600"}))
        result = self.command("refresh", "work", helper=helper).check()
        self.assertRegex(result.out, "^work: .* 8, expires in 60 min\n$")

    def test_reject_names_the_present_token_or_the_given_one(self):
        helper = self.helper(reject=("ok", {}))
        result = self.command("reject", "work", helper=helper).check()
        self.assertRegex(result.out, "^work: token number 7 is rejected")
        self.command("reject", "work", "--serial", "3", helper=helper).check()
        self.assertEqual([fields["serial"] for verb, fields in helper.requests
                          if verb == "reject"], ["7", "3"])

    def test_reject_without_a_token_asks_for_nothing(self):
        helper = self.helper(status=("ok", {"state": "needs-login",
                                            "serial": "0"}))
        result = self.command("reject", "work", helper=helper).check()
        self.assertEqual(result.out, "work: there is no token to reject\n")
        self.assertNotIn("reject", helper.verbs())


class StatusTest(CommandTestCase):
    ACCOUNTS = {
        "work": {"state": "ok", "user": "anna@example.test",
                 "expires_in": "3180", "json": '{"account": "work"}'},
        "home": {"state": "needs-login", "user": "", "text": "no login yet",
                 "json": '{"account": "home", "text": "a \\"b\\" c"}'}}

    def status(self, fields):
        if "account" not in fields:
            return "ok", {"accounts": "work home"}
        return "ok", self.ACCOUNTS[fields["account"]]

    def test_table_has_all_accounts(self):
        helper = self.helper(status=self.status)
        result = self.command("status", helper=helper).check()
        self.assertEqual(
            result.out,
            "ACCOUNT  STATE        USER               EXPIRES IN\n"
            "work     ok           anna@example.test  53 min\n"
            "home     needs-login                     -\n"
            "    error: no login yet\n")

    def test_json_is_an_array_of_all_accounts(self):
        helper = self.helper(status=self.status)
        result = self.command("status", "--json", helper=helper).check()
        self.assertEqual(json.loads(result.out), [
            {"account": "work"}, {"account": "home", "text": 'a "b" c'}])
        result = self.command("status", "--json", "work",
                              helper=helper).check()
        self.assertEqual(json.loads(result.out), [{"account": "work"}])

    def test_no_account_is_no_failure(self):
        for reply in ("ok", {"accounts": ""}), ("none", {"text": "none"}):
            helper = self.helper(status=reply)
            result = self.command("status", helper=helper).check()
            self.assertEqual(result.out, "")
            self.assertRegex(result.err, "no account is configured")
            result = self.command("status", "--json", helper=helper).check()
            self.assertEqual(json.loads(result.out), [])

    def test_one_account_has_its_details(self):
        result = self.command("status", "work", helper=self.helper()).check()
        self.assertRegex(result.out, r"(?m)^work$")
        for line in "state +ok", "user +anna@", "token number +7":
            self.assertRegex(result.out, f"(?m)^  {line}")


class ProvidersTest(CommandTestCase):
    PROVIDERS = {
        "generic": {"json": '{"provider": "generic"}'},
        "near": {"authorization_endpoint": "https://a.test/",
                 "device_authorization_endpoint": "https://d.test/",
                 "imap_host": "imap.test", "mechanisms": "XOAUTH2 \x1b[J",
                 "json": '{"provider": "near"}'}}

    def answer(self, fields):
        if "provider" not in fields:
            return "ok", {"providers": "generic near"}
        return "ok", self.PROVIDERS[fields["provider"]]

    def test_table_has_all_providers(self):
        helper = self.helper(providers=self.answer)
        result = self.command("providers", helper=helper).check()
        rows = [line.split(maxsplit=1) for line in result.out.splitlines()]
        self.assertEqual([row[0] for row in rows],
                         ["PROVIDER", "generic", "near"])
        self.assertRegex(rows[2][1], r"^browser, device +imap\.test +- +"
                         r"XOAUTH2 \?\[J$")

    def test_json_is_an_array_of_all_providers(self):
        helper = self.helper(providers=self.answer)
        result = self.command("providers", "--json", helper=helper).check()
        self.assertEqual(json.loads(result.out), [
            {"provider": "generic"}, {"provider": "near"}])

    def test_refusal_prints_nothing(self):
        helper = self.helper(providers=("config", {"text": "near.conf:1: x"}))
        for args in [], ["--json"]:
            result = self.command("providers", *args, helper=helper)
            self.assertFails(result, 78, "near.conf:1: x")


class HelperDownTest(CommandTestCase):
    COMMANDS = (("get", "work"), ("status",), ("status", "work"),
                ("refresh", "work"), ("reject", "work"), ("login", "work"))

    def assertDown(self, path, text):
        for args in self.COMMANDS:
            with self.subTest(args=args):
                self.assertFails(self.command("--socket", path, *args),
                                 69, text)

    def test_missing_and_stale_sockets_are_69(self):
        stale = self.bed.subdir("stale") / "socket"
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(stale))
        self.assertDown(stale, "Connection refused; is mailtokend running")
        self.assertDown(self.home / "nowhere" / "socket",
                        "is mailtokend running")
        result = self.command("get", "work",
                              env={"MAILTOKEN_SOCKET": str(stale)})
        self.assertFails(result, 69, "is mailtokend running")

    def test_too_long_a_path_is_69(self):
        result = self.command("--socket", "/" + "x" * 200, "get", "work")
        self.assertEqual((result.rc, result.out), (69, ""))

    def test_broken_connections_are_69(self):
        for reply in None, b"nonsense\n", b"2\tok\n", b"x" * 70000 + b"\n":
            for verb in "exists", "get":
                with self.subTest(verb=verb, reply=reply and reply[:9]):
                    helper = self.helper(**{verb: reply})
                    self.assertFails(
                        self.command("get", "work", helper=helper), 69)

    def test_silent_helper_is_given_up(self):
        helper = self.helper(get=b"")
        self.assertFails(self.command("get", "work", "--wait", "1",
                                      helper=helper), 69)

    def test_helper_of_the_environment_is_asked(self):
        helper = self.helper()
        result = self.command("get", "work",
                              env={"MAILTOKEN_SOCKET": str(helper.path)})
        self.assertEqual(result.out, "the-access-token\n", result)
        other = self.helper(get=("ok", OK["get"][1] | {"token": "other"}))
        result = self.command("get", "work", helper=other,
                              env={"MAILTOKEN_SOCKET": str(helper.path)})
        self.assertEqual(result.out, "other\n", "--socket goes first")


class Login:
    """A running `mailtoken login`, and what a browser does with it."""

    def __init__(self, test, *args, before=(), **options):
        self.process = test.start(*before, "login", *args, **options)
        self.url = self.process.wait_output(
            r"^http.*\n", stream="stdout").group().rstrip("\n")
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.url).query)
        self.redirect_uri = query["redirect_uri"][0]
        self.state = query["state"][0]
        self.port = urllib.parse.urlsplit(self.redirect_uri).port

    def connect(self, host="127.0.0.1"):
        return socket.create_connection((host, self.port), timeout=20)

    def send(self, text, host="127.0.0.1"):
        """Send a request, and return the connection."""
        peer = self.connect(host)
        peer.sendall(text if isinstance(text, bytes) else text.encode())
        return peer

    def get(self, target, host="127.0.0.1"):
        """Fetch a page: (status line and header, body)."""
        with self.send(f"GET {target} HTTP/1.1\r\nHost: localhost:"
                       f"{self.port}\r\n\r\n", host) as peer:
            return read_page(peer)

    def answer(self, **query):
        return "/?" + urllib.parse.urlencode({"state": self.state} | query)


def read_page(peer):
    page = b""
    while part := peer.recv(65536):
        page += part
    head, _, body = page.decode().partition("\r\n\r\n")
    return head, body


class ScriptedLoginTest(CommandTestCase):
    """What a real helper would not do, or not so that a test can see it."""

    def begin(self, fields):
        query = {"redirect_uri": fields["redirect_uri"], "state": "s-1"}
        return "ok", {"id": "login-1", "url": "https://issuer.test/auth?" +
                      urllib.parse.urlencode(query)}

    def login(self, *args, **replies):
        self.asked = self.helper(**{
            "login_begin": self.begin, "login_cancel": ("ok", {}),
            "login_finish": ("ok", {"account": "work", "user": "anna"})}
            | replies)
        return Login(self, "work", *args, helper=self.asked)

    def test_page_comes_after_the_verdict(self):
        asked, go = threading.Event(), threading.Event()
        self.addCleanup(go.set)

        def finish(_fields):
            asked.set()
            go.wait(20)
            return "later", {"text": "the token endpoint does not answer"}
        login = self.login(login_finish=finish)
        with login.send(f"GET {login.answer(code='c')} HTTP/1.1\r\n\r\n"
                        ) as browser:
            self.assertTrue(asked.wait(20))
            browser.setblocking(False)
            with self.assertRaises(BlockingIOError):
                browser.recv(1)
            go.set()
            browser.settimeout(20)
            head, body = read_page(browser)
        self.assertIn("The login failed", body)
        self.assertIn("the token endpoint does not answer", body)
        self.assertEqual(login.process.wait(), 75)

    def test_redirect_uri_is_spelled_as_registered(self):
        for args, status, uri in (
                ((), {"redirect_host": "localhost"}, "http://localhost:{}"),
                ((), {}, "http://127.0.0.1:{}/"),
                ((), {"redirect_host": ""}, "http://127.0.0.1:{}/"),
                ((), {"redirect_host": "127.0.0.1"}, "http://127.0.0.1:{}/"),
                (("--redirect-host", "localhost"),
                 {"redirect_host": "127.0.0.1"}, "http://localhost:{}"),
                (("--redirect-host", "127.0.0.1"),
                 {"redirect_host": "localhost"},
                 "http://127.0.0.1:{}/")):
            with self.subTest(args=args, status=status):
                login = self.login(*args, status=("ok", status))
                self.assertEqual(login.redirect_uri, uri.format(login.port))
                login.process.stop()

    def test_port_is_the_one_that_is_registered(self):
        own, other = str(self.bed.port()), str(self.bed.port())
        for args, used in ((), own), (("--port", other), other):
            login = self.login(*args, status=("ok", {"redirect_port": own}))
            self.assertEqual(login.port, int(used))
            login.process.stop()

    def test_signals_cancel_the_login(self):
        for number in signal.SIGINT, signal.SIGTERM, signal.SIGHUP:
            emitted = self.home / f"emitted-{number}"
            login = self.login("--emit", emitted)
            self.assertTrue(emitted.exists())
            login.process.signal(number)
            self.assertEqual(login.process.wait(), 77)
            self.assertEqual(self.asked.requests[-1],
                             ("login-cancel", {"id": "login-1"}))
            self.assertIn("cancelled; nothing was stored",
                          login.process.stderr_text())
            self.assertFalse(emitted.exists())

    def test_helper_that_ends_ends_the_login(self):
        login = self.login()
        self.asked.stop()
        self.assertEqual(login.process.wait(), 69)
        self.assertIn("the token helper ended during the login",
                      login.process.stderr_text())

    def test_login_needs_no_terminal_and_no_input(self):
        login = self.login()        # standard input is /dev/null
        login.get(login.answer(code="c"))
        self.assertEqual(login.process.wait(), 0)

    def test_browser_is_opened_where_there_is_a_display(self):
        shown = self.bed.subdir("browser") / "shown"
        browser = shown.parent / "browser"
        browser.write_text('#!/bin/sh\nenv >"$0.env"\n'
                           f'echo "$#" "$1" >{shown}.new\n'
                           f'mv {shown}.new {shown}\nkill -9 $$\n')
        browser.chmod(0o755)
        env = {"BROWSER": browser, "PATH": "/usr/bin:/bin"}
        for more, args in (({}, ()), ({"DISPLAY": ""}, ()),
                           ({"DISPLAY": ":9"}, ("--no-browser",))):
            self.asked = self.helper(login_begin=self.begin)
            login = Login(self, "work", *args, helper=self.asked,
                          env=env | more)
            self.assertIn("open this address", login.process.stderr_text())
            login.process.stop()
        env |= {"WAYLAND_DISPLAY": "w", "MAILTOKEN_SOCKET": "/nowhere",
                "SECRET": "s"}
        login = Login(self, "work", helper=self.asked, env=env)
        self.bed.wait_until(shown.exists, what="the browser")
        self.assertEqual(shown.read_text(), f"1 {login.url}\n")
        names = {line.partition("=")[0] for line in
                 (shown.parent / "browser.env").read_text().splitlines()}
        self.assertEqual(names - {"PWD", "SHLVL", "_", "OLDPWD"},
                         {"HOME", "BROWSER", "PATH", "WAYLAND_DISPLAY"})
        env["BROWSER"] = "/nowhere/browser"
        login = Login(self, "work", helper=self.asked, env=env)
        self.assertIn("open this address", login.process.stderr_text())


ALICE = "alice@example.test"


class RealHelperTestCase(CommandTestCase):
    """The real helper, with an OAuth2 server that rotates."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.oidc = cls.bed.oidc()

    def setUp(self):
        self.oidc.release()
        self.oidc.clear_log()

    def configure(self, **settings):
        """A settings file with the account `work`; its helper, not started."""
        state = self.bed.subdir("state")
        section = account(self.oidc, "work", ALICE, issuer=self.oidc.issuer,
                          **settings)
        return Mailtokend(self.bed, f"state_dir = {state}\n{section}",
                          start=False, state=state)

    def daemon(self, **settings):
        """Start a helper; what runs next asks it."""
        daemon = self.configure(**settings).start()
        self.env = {"MAILTOKEN_SOCKET": daemon.socket}
        self.addCleanup(daemon.process.stop)
        return daemon

    def ask(self, *args, **options):
        return self.command(*args, env=self.env, **options)

    def login(self, *args, **options):
        return Login(self, "work", *args, env=self.env, **options)

    def log_in(self):
        login = self.login()
        self.oidc.login(login.url)
        self.assertEqual(login.process.wait(), 0, login.process.tail())

    def assertLoggedIn(self, login):
        self.assertEqual(login.process.wait(), 0, login.process.tail())
        self.assertRegex(login.process.stderr_text(),
                         rf"(?m)^mailtoken: work: logged in, for the user {ALICE}$")
        token = self.ask("get", "work").check().out
        self.assertRegex(token, r"^\S+\n$")
        self.assertTrue(self.active(token.strip()))

    def active(self, token):
        status, reply = self.oidc.request(
            "introspection", {"token": token},
            ("mailserver", "introspect-secret"))
        self.assertEqual(status, 200)
        return reply["active"]


class LoginTest(RealHelperTestCase):
    def test_login_through_the_listener(self):
        for host, address in (("127.0.0.1", "127.0.0.1"),
                              ("localhost", "127.0.0.1"),
                              ("localhost", "::1")):
            with self.subTest(host=host, address=address):
                self.daemon(redirect_host=host)
                login = self.login()
                final = self.oidc.walk(login.url)
                self.assertTrue(final.startswith(f"http://{host}:"), final)
                target = final.removeprefix(f"http://{host}:{login.port}")
                head, body = login.get("/" + target.removeprefix("/"),
                                       address)
                self.assertRegex(head, "^HTTP/1.1 200 ")
                self.assertIn("You are logged in", body)
                self.assertIn(ALICE, body)
                self.assertNotIn("code", body)
                self.assertLoggedIn(login)
                # The port is closed, once and for all.
                with self.assertRaises(ConnectionRefusedError):
                    login.connect(address)

    def test_page_shows_its_style_and_nothing_else(self):
        self.daemon()
        login = self.login()
        head, body = login.get("/")
        self.assertIn("Waiting for the login", body)
        style = re.search("<style>(.*)</style>", body, re.S).group(1)
        digest = base64.b64encode(sha256(style.encode()).digest()).decode()
        self.assertIn(f"style-src 'sha256-{digest}'", head)
        self.assertEqual(re.findall(r'(?:src|href)="([^"]*)"', body),
                         ["data:,"])

    def test_login_by_paste(self):
        self.daemon()
        login = self.login(stdin=True)
        login.process.send(self.oidc.walk(login.url) + "\n")
        self.assertLoggedIn(login)

    def test_last_line_needs_no_line_end(self):
        self.daemon()
        login = self.login(stdin=True)
        login.process.send(f"<{self.oidc.walk(login.url)}> ")
        login.process.close_stdin()
        self.assertLoggedIn(login)

    def test_wrong_paste_is_explained_and_may_be_repeated(self):
        self.daemon()
        login = self.login(stdin=True)
        final = self.oidc.walk(login.url)
        for line, text in (("hello", "not a whole address"),
                           (login.url, "neither code= nor error="),
                           (final.replace("state=", "state=x"),
                            "still waiting for the login")):
            login.process.send(line + "\n")
            login.process.wait_output(text)
        login.process.send("\n\n" + final + "\n")
        self.assertLoggedIn(login)

    def test_paste_on_a_terminal(self):
        self.daemon()
        master, terminal = os.openpty()
        with open(master, "rb+", buffering=0) as keyboard:
            with open(terminal, "rb") as stdin:
                login = self.login(stdin=stdin)
            keyboard.write(self.oidc.walk(login.url).encode() + b"\n")
            self.assertLoggedIn(login)

    def test_end_of_input_ends_pasting_alone(self):
        self.daemon()
        login = self.login(stdin=True)
        login.process.close_stdin()
        self.oidc.login(login.url)
        self.assertLoggedIn(login)

    def test_denied_consent_is_told_everywhere(self):
        self.daemon()
        login = self.login()
        _, body = self.oidc.login(login.url, deny=True)
        self.assertIn("The login was refused", body)
        self.assertEqual(login.process.wait(), 77)
        self.assertRegex(login.process.stderr_text(),
                         "access_denied.*run 'mailtoken login work'\n$")
        self.assertEqual(self.oidc.log(), [])
        self.assertFails(self.ask("get", "work"), 77,
                         "run 'mailtoken login work'")

    def test_forged_answers_are_refused_and_the_real_one_works(self):
        self.daemon()
        login = self.login()
        final = self.oidc.walk(login.url)
        own = urllib.parse.urlencode({"state": login.state,
                                      "iss": self.oidc.issuer})
        for target in ("/?code=forged&state=forged", "/?code=forged",
                       "/?error=access_denied&state=forged",
                       "/?error=access_denied",
                       "/?code=forged&state=" + login.state[:-1],
                       f"/?code=&{own}", f"/?code=a&code=b&{own}"):
            with self.subTest(target=target):
                head, body = login.get(target)
                self.assertRegex(head, "^HTTP/1.1 400 ")
                self.assertIn("not the answer to the login", body)
        self.assertEqual(self.oidc.log(), [], "a forged code was sent on")
        login.get("/?" + final.partition("?")[2])
        self.assertLoggedIn(login)

    def test_newer_login_ends_the_older(self):
        self.daemon()
        older, newer = self.login(), self.login()
        _, body = self.oidc.login(older.url)
        self.assertIn("The login failed", body)
        self.assertEqual(older.process.wait(), 77)
        self.assertRegex(older.process.stderr_text(), "ended by another")
        self.oidc.login(newer.url)
        self.assertLoggedIn(newer)

    def test_noise_neither_ends_nor_delays_the_login(self):
        self.daemon()
        login = self.login()
        self.assertRegex(login.get("/favicon.ico")[0], "^HTTP/1.1 404 ")
        self.assertRegex(login.get("/", "::1")[0], "^HTTP/1.1 200 ")
        held = [login.send("GET /?code=slow&sta"),
                login.send(b"\x16\x03\x01\x02\x00"),
                login.send("GET /favicon.ico HTTP/1.1\r\n\r\n" * 9),
                login.send("POST /?code=a HTTP/1.1\r\n"
                           "Content-Length: 99999\r\n\r\n"),
                login.send("GET / HTTP/1.1\r\nX: " + "x" * 9000)]
        held += [login.connect() for _ in range(40)]
        login.connect("::1").close()
        self.oidc.login(login.url)
        self.assertLoggedIn(login)
        for peer in held:
            peer.close()

    def test_unused_code_of_a_stopped_server_is_a_failure(self):
        self.daemon()
        login = self.login()
        final = self.oidc.walk(login.url)
        self.oidc.fault(endpoint="token", status=503, times=9)
        _, body = login.get("/?" + final.partition("?")[2])
        self.assertIn("The login failed", body)
        self.assertEqual(login.process.wait(), 75)


class EmitTest(RealHelperTestCase):
    def test_emitted_token_is_private_and_not_stored(self):
        self.daemon()
        path = self.home / "refresh-token"
        login = self.login("--emit", path)
        self.assertEqual(path.stat().st_size, 0)
        self.oidc.login(login.url)
        self.assertEqual(login.process.wait(), 0, login.process.tail())
        self.assertEqual(path.stat().st_mode & 0o7777, 0o600)
        status, reply = self.oidc.refresh(path.read_text().strip())
        self.assertEqual(status, 200, reply)
        self.assertFails(self.ask("get", "work"), 77)

    def test_existing_file_is_never_touched(self):
        self.daemon()
        path, link = self.home / "mine", self.home / "link"
        path.write_text("mine")
        link.symlink_to(self.home / "elsewhere")
        for name in path, link:
            self.assertFails(self.ask("login", "work", "--emit", name), 65,
                             "exists already")
        self.assertEqual(path.read_text(), "mine")
        self.assertFalse((self.home / "elsewhere").exists())

    def test_failed_login_leaves_no_file(self):
        self.daemon()
        path = self.home / "nothing"
        login = self.login("--emit", path)
        self.oidc.login(login.url, deny=True)
        self.assertEqual(login.process.wait(), 77)
        self.assertFalse(path.exists())


class PrivateHelperTest(RealHelperTestCase):
    def once(self, daemon, *args):
        """Run it where no helper listens, with that one's settings."""
        return self.command("--config", daemon.config_file, *args)

    def test_login_and_get_without_a_daemon(self):
        daemon = self.configure()
        self.assertFails(self.once(daemon, "get", "work"), 77)
        login = Login(self, "work", before=("--config", daemon.config_file))
        self.oidc.login(login.url)
        self.assertEqual(login.process.wait(), 0, login.process.tail())
        token = self.once(daemon, "get", "work").check().out
        self.assertTrue(self.active(token.strip()))
        status = self.once(daemon, "status").check().out
        self.assertRegex(status, rf"(?m)^work +ok +{ALICE} ")

    def test_store_of_a_running_helper_is_75(self):
        daemon = self.daemon()
        result = self.once(daemon, "get", "work")
        self.assertEqual((result.rc, result.out), (75, ""), result)
        self.assertRegex(result.err, "another token helper holds the store")

    def test_broken_settings_are_78(self):
        daemon = self.configure(nonsense="1")
        result = self.once(daemon, "get", "work")
        self.assertEqual((result.rc, result.out), (78, ""), result)
        self.assertRegex(result.err, "mailtoken.conf:\\d+: ")


class RealProvidersTest(RealHelperTestCase):
    def test_shipped_providers_are_listed(self):
        self.daemon()
        listed = json.loads(self.ask("providers", "--json").check().out)
        named = {entry["provider"]: entry for entry in listed}
        self.assertLessEqual({"generic", "google", "microsoft",
                              "microsoft-china", "microsoft-gov", "outlook"},
                             set(named))
        self.assertEqual(named["generic"], {"provider": "generic"})
        self.assertNotIn("device_authorization_endpoint", named["google"])
        self.assertNotIn("imap_host", named["microsoft-gov"])
        self.assertEqual(named["outlook"]["smtp_host"],
                         "smtp-mail.outlook.com")
        self.assertRegex(self.ask("providers").check().out,
                         "(?m)^google +browser +imap.gmail.com ")

    def test_name_of_a_provider_is_no_path(self):
        daemon = self.daemon()
        for name in "../x", "", "a/b", "nobody":
            daemon.call("providers", provider=name).expect("config")


class AccountTest(RealHelperTestCase):
    def test_get_without_a_login_prints_nothing(self):
        self.daemon()
        self.assertFails(self.ask("get", "work"), 77,
                         "run 'mailtoken login work'")
        self.assertFails(self.ask("get", "nobody"), 67)
        self.assertFails(self.ask("refresh", "work"), 77)

    def test_get_must_be_permitted(self):
        self.daemon(permit="")
        self.log_in()
        self.assertFails(self.ask("get", "work"), 78, "'permit = get'")

    def test_refresh_reject_and_status(self):
        self.daemon()
        self.log_in()
        first = self.ask("get", "work").check().out
        self.assertEqual(self.ask("get", "work").check().out, first)
        self.assertRegex(self.ask("refresh", "work").check().out,
                         "^work: new access token, number .*expires in ")
        second = self.ask("get", "work").check().out
        self.assertNotEqual(second, first)
        self.assertRegex(self.ask("reject", "work").check().out, "rejected")
        third = self.ask("get", "work").check().out
        self.assertNotEqual(third, second)
        self.assertTrue(self.active(third.strip()))
        self.ask("reject", "work", "--serial", "1").check()
        self.assertEqual(self.ask("get", "work").check().out, third)
        self.assertRegex(self.ask("status").check().out,
                         rf"(?m)^work +ok +{ALICE} +\d+ ")
        shown = self.ask("status", "work", "--json").check().out
        self.assertNotIn(third.strip(), shown)
        self.assertEqual(json.loads(shown)[0]["state"], "ok")

    def test_failed_refresh_prints_nothing_on_standard_output(self):
        self.daemon()
        self.log_in()
        self.oidc.fault(endpoint="token", status=503, times=99)
        self.assertFails(self.ask("refresh", "work"), 75)
        self.ask("reject", "work").check()
        self.assertFails(self.ask("get", "work", "--wait", "2"), 75)
        self.oidc.release()
        self.oidc.revoke()
        self.assertFails(self.ask("refresh", "work"), 77,
                         "run 'mailtoken login work'")
        self.assertFails(self.ask("get", "work"), 77)
        self.assertRegex(self.ask("status").check().out,
                         "(?m)^work +needs-login .*\n    error: ")
        self.log_in()
        self.ask("get", "work").check()

    def test_stopped_helper_is_69(self):
        self.daemon().stop()
        self.assertFails(self.ask("get", "work"), 69)


if __name__ == "__main__":
    unittest.main()
