# SPDX-License-Identifier: ISC
"""Every mail program, both mechanisms, in everything that can happen.

A column is a situation and what must be true in it.  Each cell is measured:
the program logs in, and what is not true is collected.  notes.py says which of
it is the program's own doing; anything else fails the test, and so does a
program that has got better.
"""
import base64
import contextlib
import enum
import re
import tempfile

from bed.clients import Site
from bed.tokensock import Mailtokend, account

ALICE, BOB = "alice@example.test", "bob@example.test"
PASSWORD = "alice-pw"   # good at the server, which must not get it


class Lack(enum.Enum):
    """What a program can fail to do."""
    LOGIN = "it does not log in"
    SHOWS = "nothing says that the server refused the login"
    EXPLAINS = "nothing says for whom there is no token, and what to do"
    HIDES = "the token is shown"
    RECOVERS = "the next login does not use a new token"


class Bench:
    """The servers, and token helpers in the states that a column needs."""

    def __init__(self, bed):
        self.bed = bed
        self.oidc = bed.oidc()
        self.mail = bed.dovecot(oidc=self.oidc, sink=bed.sink(),
                                mechanisms="plain login xoauth2 oauthbearer")
        self.mail.deliver(ALICE, b"Subject: for alice\n\nhi\n")
        own = bed.build_dir() / "tests/e2e"
        self._settings = own / "sasl.conf"
        self._module = own / "sasl2/libmailtoken.so"
        self._run = bed.subdir("run")

    def client(self, kind):
        """A program, and the module's settings as that needs them."""
        site = Site(self.bed, self.mail, ALICE, self._run / "socket")
        if kind.module_settings:
            site.module = self._module
            self._settings.write_text(kind.module_settings + "\n")
        return kind(site)

    @contextlib.contextmanager
    def helper(self, client, mechanism, size=300, user=ALICE, owner=ALICE):
        """A helper with an account for the login name `user`, which gets
        tokens of `owner`; where the program looks for it."""
        self.oidc.config(at_size=size)
        socket = client.helper_socket(mechanism)
        helper = Mailtokend(self.bed, account(
            self.oidc, user=user, smtp_host="localhost", allow="uid:postfix",
            permit="get git-credential"), start=False)
        helper.start("--socket", socket)
        helper.process.wait_output(f"listening on {socket}")
        socket.chmod(0o666)
        try:
            self._seed(helper, self.oidc.mint(owner)["refresh_token"])
            self.oidc.clear_log()
            yield helper
        finally:
            helper.stop()

    def _seed(self, helper, refresh_token):
        with tempfile.TemporaryFile(dir=self.bed.dir) as f:
            f.write(refresh_token.encode())
            f.seek(0)
            helper.call("seed", fd=f.fileno(), account="alice").expect()

    def attempts(self):
        """Logins that the server has seen, of any kind."""
        return self.mail.log_text().count("auth: Debug: client in: AUTH")

    def refreshes(self):
        return sum(entry["form"].get("grant_type") == "refresh_token"
                   for entry in self.oidc.log())


def demand(good, sentence, attempt):
    """What may not be otherwise in any program."""
    if not good:
        raise AssertionError(f"{sentence}\n{attempt.text}")


def shown(token, text):
    """Whether the token is in the text, as it is or in a response's base64,
    in one of its three alignments."""
    forms = [token[-100:]]
    for skip in range(3):
        part = token[-99 - skip:][:99 - len(token) % 3]
        forms.append(base64.b64encode(part.encode()).decode()[4:80])
    return any(form in text for form in forms)


# -- the columns -------------------------------------------------------------

def good_login(size):
    """A token of that many bytes."""
    def measure(bench, client, mechanism):
        with bench.helper(client, mechanism, size):
            attempt = client.login(mechanism)
        return attempt, set() if attempt.ok else {Lack.LOGIN}
    return measure


def _refusal(helper, bench, client, mechanism):
    """A login with a token that the server refuses: the person is told, and
    the token stays secret."""
    token = helper.call("get", account="alice").expect()["token"]
    bench.oidc.expire(ALICE)    # which the helper cannot know
    before = bench.attempts()
    attempt = client.login(mechanism)
    demand(not attempt.ok, "a refused login is a success", attempt)
    lacks = set()
    if bench.attempts() == before:
        lacks.add(Lack.LOGIN)
    if not re.search("authentication.?failed|refused", attempt.text, re.I):
        lacks.add(Lack.SHOWS)
    if shown(token, attempt.text):
        lacks.add(Lack.HIDES)
    return attempt, lacks


def expired(bench, client, mechanism):
    """The token has ended before its time: the login fails, the helper is
    told, and the next one works, with one request for a new token."""
    with bench.helper(client, mechanism) as helper:
        attempt, lacks = _refusal(helper, bench, client, mechanism)
        if client.account:
            helper.command("reject", client.account).check()
        again = client.login(mechanism)
        # one refresh for the first token, one for the second
        if not again.ok or bench.refreshes() != 2:
            lacks.add(Lack.RECOVERS)
    return attempt, lacks


def of_another(bench, client, mechanism):
    """The token is another person's."""
    with bench.helper(client, mechanism, owner=BOB) as helper:
        return _refusal(helper, bench, client, mechanism)


def _without_token(bench, client, mechanism, words):
    """A login that ends before the server hears of it, with an explanation;
    the password that the person has, too, stays where it is."""
    before = bench.attempts()
    client.site.password = PASSWORD
    attempt = client.login(mechanism)
    client.site.password = ""
    demand(not attempt.ok, "a login without token is a success", attempt)
    demand(bench.attempts() == before, "the server saw a login", attempt)
    explained = all(re.search(word, attempt.text) for word in words)
    return attempt, set() if explained else {Lack.EXPLAINS}


def no_account(bench, client, mechanism):
    """There is an account at this server, but not for this login name."""
    with bench.helper(client, mechanism, user=BOB):
        if client.account:
            client.account = "carol"
            words = ["carol", "no such account|no account|not found"]
        else:
            words = [re.escape(ALICE), "exclude XOAUTH2 and OAUTHBEARER"]
        result = _without_token(bench, client, mechanism, words)
        client.account = type(client).account
    return result


def helper_down(bench, client, mechanism):
    """Nobody listens on the socket."""
    return _without_token(bench, client, mechanism, ["token helper", "socket"])


COLUMNS = {"300 bytes": good_login(300), "4 KB": good_login(4096),
           "expired": expired, "of another": of_another,
           "no account": no_account, "helper down": helper_down}

FIRST = next(iter(COLUMNS))


# -- the table ---------------------------------------------------------------

class Cell:
    """What was measured: the Lacks, and what the person saw."""

    def __init__(self, attempt, lacks):
        self.attempt, self.lacks = attempt, lacks

    @property
    def word(self):
        """HIDES alone takes nothing away from what is in the column."""
        return "no" if self.lacks - {Lack.HIDES} else "yes"


def measure(bench, kinds):
    """{(program, mechanism, column): Cell}"""
    cells = {}
    for kind in kinds:
        client = bench.client(kind)
        for mechanism in client.mechanisms:
            measure_row(bench, client, mechanism, cells)
    return cells


def measure_row(bench, client, mechanism, cells):
    """What cannot even do the first column, a short token, has no others."""
    for column, situation in COLUMNS.items():
        cell = Cell(*situation(bench, client, mechanism))
        cells[client.name, mechanism, column] = cell
        if column == FIRST and cell.lacks:
            return
