# SPDX-License-Identifier: ISC
"""The command `mailtoken`, with a helper that says what a test orders."""
import json
import signal
import socket
import threading
import unittest
import urllib.parse

from bed import BedTestCase

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


def escape(value):
    for char, escaped in ("\\", r"\\"), ("\t", r"\t"), ("\n", r"\n"):
        value = value.replace(char, escaped)
    return value


def unescape(value):
    return (value.replace(r"\\", "\0").replace(r"\t", "\t")
            .replace(r"\n", "\n").replace("\0", "\\"))


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
        version, verb, *rest = line.rstrip("\n").split("\t")
        assert version == "1", line
        fields = {name: unescape(value) for name, value in
                  (part.split("=", 1) for part in rest)}
        self.requests.append((verb, fields))
        reply = self.replies.get(verb, ("bad", {"text": "not ordered"}))
        if callable(reply):
            reply = reply(fields)
        if reply is None or isinstance(reply, bytes):
            return reply
        status, fields = reply
        return "\t".join(["1", status] + [
            f"{name}={escape(value)}" for name, value in fields.items()]
        ).encode() + b"\n"


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
                     ("reject", "a", "--serial", "0"),
                     ("login", "a", "--port", "0"),
                     ("login", "a", "--port", "65536"),
                     ("login", "a", "--redirect-host", "example.test")):
            with self.subTest(args=args):
                result = self.command(*args)
                self.assertEqual((result.rc, result.out), (64, ""), result)
                self.assertRegex(result.err, r"\nmailtoken: "
                                 r"(usage: mailtoken|for the list of)")

    def test_help_names_every_command(self):
        for option in "--help", "-h":
            result = self.command(option).check()
            for name in "get", "login", "refresh", "reject", "status":
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
        self.assertFails(result, 77, "run: mailtoken login work\n$")
        helper = self.helper(exists=("none", {"text": "no such account"}))
        result = self.command("get", "work", helper=helper)
        self.assertFails(result, 67, "run: mailtoken status\n$")

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
        self.assertDown(stale, "is mailtokend running")
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

    def __init__(self, test, *args, **options):
        self.process = test.start("login", *args, **options)
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
                ((), {}, "http://localhost:{}"),
                ((), {"redirect_host": "127.0.0.1"}, "http://127.0.0.1:{}/"),
                (("--redirect-host", "localhost"),
                 {"redirect_host": "127.0.0.1"}, "http://localhost:{}"),
                (("--redirect-host", "127.0.0.1"), {},
                 "http://127.0.0.1:{}/")):
            with self.subTest(args=args, status=status):
                login = self.login(*args, status=("ok", status))
                self.assertEqual(login.redirect_uri, uri.format(login.port))
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


if __name__ == "__main__":
    unittest.main()
