# SPDX-License-Identifier: ISC
"""Runs tests/tools/mailprobe, and a token helper that says what a test
wants.

MAILPROBE_PREFIX in the environment is a program to run it in, such as
"valgrind -q --leak-check=full --error-exitcode=99".
"""
import os
import socket
import threading

PASSWORDS = {"alice@example.test": "alice-pw", "bob@example.test": "bob-pw"}
ALICE, BOB = PASSWORDS


class Outcome:
    """What mailprobe printed.

    status      "OK", "NEEDS_LOGIN", ...
    text        the error's sentence
    login       "not-tried", "rejected" or "done"
    mechanism   that logged in
    listed      [(uid, size)], fetched: [(uid, size, internal date)]
    result      of a message that was sent: "accepted", ...; code, reply
    peak_kb     largest resident set
    """

    def __init__(self, ran):
        self.rc, self.stderr = ran.rc, ran.err
        self.status, self.text, self.login, self.mechanism = "", "", "", ""
        self.mailbox, self.listed, self.fetched = None, [], []
        self.result, self.code, self.reply = "", 0, ""
        self.data = False
        for line in ran.out.splitlines():
            word, _, rest = line.partition(" ")
            getattr(self, f"_read_{word}")(rest)

    def __repr__(self):
        return f"<{self.status}: {self.text!r}, login {self.login}>"

    def _read_ok(self, _):
        self.status = "OK"

    def _read_failed(self, rest):
        self.status, _, self.text = rest.partition(": ")

    def _read_login(self, rest):
        self.login = rest

    def _read_mechanism(self, rest):
        self.mechanism = rest

    def _read_mailbox(self, rest):
        self.mailbox = tuple(map(int, rest.split()))

    def _read_listed(self, rest):
        self.listed.append(tuple(map(int, rest.split())))

    def _read_message(self, rest):
        self.fetched.append(tuple(map(int, rest.split())))

    def _read_data(self, _):
        self.data = True

    def _read_outcome(self, rest):
        self.result, code, self.reply = (rest + " ").split(" ", 2)
        self.code = int(code)

    def _read_peak_kb(self, rest):
        self.peak_kb = int(rest)


def argv(bed, kind, port, mechanisms, *options, tls="tls", user=ALICE,
         host="localhost", ca=None):
    trust = ["--ca", ca or bed.tls.ca] if tls != "none" else []
    return [bed.build_dir() / "tests/mailprobe", kind, host, str(port), tls,
            mechanisms, user, *trust, *options]


def probe(bed, *args, password=None, env=None, timeout=60, **options):
    """Run mailprobe as argv() says."""
    prefix = os.environ.get("MAILPROBE_PREFIX", "").split()
    env = dict(env or {})
    if password is not None:
        env["MAILPROBE_PASSWORD"] = password
    ran = bed.run([*prefix, *argv(bed, *args, **options)], env=env,
                  timeout=timeout)
    if prefix and ran.rc == 99:
        raise AssertionError(ran.err)
    return Outcome(ran)


class TokenHelper:
    """Answers the SASL module: with `token`, or with a status and a text.

    Give the module its socket by `mailprobe --socket`.
    """

    def __init__(self, bed, token="", status="ok", text=""):
        self.token, self.status, self.text = token, status, text
        self.requests = []
        self.path = bed.subdir("helper") / "socket"
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.path))
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()
        bed.on_exit(self._listener.close)

    def _accept(self):
        while True:
            try:
                conn, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(conn,),
                             daemon=True).start()

    def _serve(self, conn):
        with conn, conn.makefile("rw", newline="\n") as file:
            for line in file:
                _, verb, *fields = line.rstrip("\n").split("\t")
                self.requests.append((verb, dict(field.split("=", 1)
                                                 for field in fields)))
                file.write(self._answer(verb))
                file.flush()

    def _answer(self, verb):
        if self.status != "ok":
            return f"1\t{self.status}\ttext={self.text}\n"
        if verb == "exists":
            return "1\tok\taccount=test\n"
        return (f"1\tok\taccount=test\tuser={ALICE}\tserial=1\t"
                f"expires_in=3600\ttoken={self.token}\n")
