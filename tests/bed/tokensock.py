# SPDX-License-Identifier: ISC
"""The token socket (docs/protocol.md) from Python, and a daemon behind it."""
import array
import signal
import socket
from pathlib import Path

_ESCAPES = {"\\": "\\\\", "\t": "\\t", "\n": "\\n"}
_UNESCAPES = {"\\": "\\", "t": "\t", "n": "\n"}


class Reply(dict):
    """The fields of a reply or event; `.status` is its first word."""

    def __init__(self, status, fields):
        super().__init__(fields)
        self.status = status

    def __repr__(self):
        return f"{self.status} {dict(self)}"

    def expect(self, status="ok"):
        if self.status != status:
            raise AssertionError(f"expected {status}, got {self!r}")
        return self


class TokenSocket:
    """One connection.  call() sends a request and returns its Reply; it goes
    on to the administration socket where that is named, as clients do, unless
    it was made with follow=False."""

    def __init__(self, path=None, sock=None, timeout=30, follow=True):
        self.timeout, self.follow = timeout, follow
        if path:
            self._connect(path)
        else:
            self.socket = sock
            self.socket.settimeout(timeout)
        self._buffer = b""

    def _connect(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(self.timeout)
        try:
            self.socket.connect(str(path))
        except OSError:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *args):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, verb, fd=None, **fields):
        """Send a request; `fd` goes along with its first byte."""
        frame = encode(verb, **fields)
        if fd is None:
            self.socket.sendall(frame)
            return
        rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS,
                  array.array("i", [fd]))
        sent = self.socket.sendmsg([frame], [rights])
        self.socket.sendall(frame[sent:])

    def receive(self):
        """The next reply or event; EOFError when the helper closed."""
        while b"\n" not in self._buffer:
            data = self.socket.recv(65536)
            if not data:
                raise EOFError("the helper closed the connection")
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        return decode(line.decode())

    def call(self, verb, fd=None, **fields):
        self.send(verb, fd, **fields)
        reply = self.receive()
        if not self.follow or "admin_socket" not in reply:
            return reply
        self.close()
        self._connect(reply["admin_socket"])
        self.send(verb, fd, **fields)
        return self.receive()


def encode(verb, **fields):
    """A frame as bytes."""
    parts = ["1", verb]
    for name, value in fields.items():
        text = "".join(_ESCAPES.get(c, c) for c in str(value))
        parts.append(f"{name}={text}")
    return ("\t".join(parts) + "\n").encode()


def decode(line):
    """A frame without its line end, taken apart."""
    version, status, *fields = line.split("\t")
    if version != "1":
        raise AssertionError(f"version {version}")
    pairs = (field.split("=", 1) for field in fields)
    return Reply(status, {name: _unescape(value) for name, value in pairs})


def _unescape(text):
    chars = iter(text)
    return "".join(_UNESCAPES[next(chars)] if c == "\\" else c for c in chars)


class Mailtokend:
    """A mailtokend on a private socket, store and settings file.

    config      text of the settings file, which can be rewritten: write()
    socket      path of the socket for mail programs
    admin       path of the administration socket
    state       the store's directory
    process     the bed's Process, None while it is not running
    """

    def __init__(self, bed, config, start=True, state=None):
        self.bed = bed
        self.dir = bed.subdir("mailtokend")
        self.socket = self.dir / "socket"
        self.admin = self.dir / "admin"
        self.state = Path(state or self.dir / "state")
        self.config_file = self.dir / "mailtoken.conf"
        self.process = None
        self.write(config)
        if start:
            self.start()

    def write(self, config):
        self.config_file.write_text(config)
        self.config_file.chmod(0o644)

    def argv(self, *more):
        return [self.bed.program("mailtokend"), "--config", self.config_file,
                "--state-dir", self.state, *more]

    def start(self, *more, **spawn):
        """Start it and wait until it listens."""
        self.process = self.bed.spawn(
            self.argv("--socket", self.socket, *more), **spawn)
        self.bed.wait_until(self._listens, what="mailtokend to listen")
        return self

    def _listens(self):
        if self.process.rc is not None:
            raise AssertionError(self.process.tail())
        try:
            self.connect().close()
        except OSError:
            return False
        return True

    def stop(self):
        """An orderly end; returns the exit status."""
        self.process.signal(signal.SIGTERM)
        rc = self.process.wait(40)
        self.process = None
        return rc

    def kill(self):
        """End it at once, as a crash would."""
        self.process.kill()
        self.process = None

    def reload(self):
        """Have it read its settings again, and wait until it has."""
        seen = self.log().count("settings ")
        self.process.signal(signal.SIGHUP)
        self.bed.wait_until(lambda: self.log().count("settings ") > seen,
                            what="the settings to be read again")

    def log(self):
        """What the running daemon wrote."""
        return self.process.stderr_text()

    def connect(self, **options):
        return TokenSocket(self.socket, **options)

    def administer(self, **options):
        """A connection to the administration socket."""
        return TokenSocket(self.admin, **options)

    def call(self, verb, fd=None, **fields):
        """One request on a connection of its own."""
        with self.connect() as connection:
            return connection.call(verb, fd, **fields)

    def command(self, *args, timeout=30):
        """Run `mailtoken` against it."""
        return self.bed.run([self.bed.program("mailtoken"), "--socket",
                             self.socket, *args], timeout=timeout)

    def status(self, account):
        return self.call("status", account=account).expect()

    def login(self, oidc, account, **walk):
        """A whole login by code; returns the reply to login-finish."""
        with self.administer() as connection:
            begin = connection.call("login-begin", account=account,
                                    redirect_uri="http://127.0.0.1:1")
            begin.expect()
            redirect = oidc.walk(begin["url"], **walk)
            return connection.call("login-finish", id=begin["id"],
                                   redirect=redirect)


def account(oidc, name="alice", user="alice@example.test", **settings):
    """The section of an account at that server, for a settings file."""
    values = {"user": user, "client_id": "native",
              "authorization_endpoint": oidc.url("authorization"),
              "token_endpoint": oidc.url("token"),
              "scope": "mail offline_access", "permit": "get",
              "imap_host": "localhost"} | settings
    if oidc.ca:
        values.setdefault("ca_file", oidc.ca)
    lines = [f"{key} = {value}" for key, value in values.items()
             if value is not None]
    return "\n".join([f"[account {name}]", *lines, ""])
