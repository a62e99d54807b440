# SPDX-License-Identifier: ISC
"""A submission server on a bad day: a proxy in front of a good one, which
breaks the connection, answers itself, or says nothing, at any step."""
import socket
import time

from .process import wait_until
from .scripted import shut

# The steps of one message, in their order.  At "dot" the proxy has the whole
# message and the server none of it, at "dotted" the server has accepted it and
# the client has no answer, at "answered" it has.
STEPS = ("greeting", "starttls", "auth", "mail", "rcpt", "data", "body", "dot",
         "dotted", "answered")
_VERBS = {"STAR": "starttls", "AUTH": "auth", "MAIL": "mail", "RCPT": "rcpt",
          "DATA": "data"}


class SmtpProxy:
    """Offers STARTTLS on `port` for the server in clear on port `target`.

    at          step -> function(conn); the reply that it returns, if any, is
                sent in place of what the server would say, and the server
                hears nothing of it
    passed      the messages (bytes) that the server was given whole
    accepted    those to which the server said yes, whoever heard it
    count       connections so far
    """

    def __init__(self, bed, target):
        self.at, self.passed, self.accepted = {}, [], []
        self._target = target
        self._server = bed.scripted_server(self._session, bed.tls.cert(),
                                           implicit=False)
        self.port = self._server.port

    @property
    def count(self):
        return self._server.count

    def stop(self):
        self._server.stop()

    def wait_idle(self):
        """Wait until all clients and what they sent have been dealt with."""
        wait_until(lambda: not self._server.busy(), what="an idle proxy")

    def _session(self, conn):
        server = _Server(self._target)
        try:
            self._relay(conn, server)
        finally:
            server.close()

    def _answers(self, step, conn):
        """Whether a fault has taken the place of this step."""
        fault = self.at.get(step)
        reply = fault and fault(conn)
        if reply:
            conn.send(f"{reply}\r\n")
        return bool(reply)

    def _relay(self, conn, server):
        greeting, encrypted = server.reply(), False
        if self._answers("greeting", conn):
            return
        conn.send(greeting)
        while True:
            line = conn.readline()
            verb = line[:4].upper()
            if verb in _VERBS and self._answers(_VERBS[verb], conn):
                continue
            if verb == "STAR":
                conn.send("220 2.0.0 go ahead\r\n")
                conn.starttls()
                encrypted = True
                continue
            server.send(f"{line}\r\n".encode(errors="surrogateescape"))
            reply = server.reply()
            while verb == "AUTH" and reply.startswith(b"334"):
                conn.send(reply)
                server.send(conn.readline().encode() + b"\r\n")
                reply = server.reply()
            conn.send(reply if verb != "EHLO" else _offer(reply, encrypted))
            if verb == "DATA" and reply.startswith(b"354"):
                self._message(conn, server)
            if verb == "QUIT":
                return

    def _message(self, conn, server):
        # a reply here is the last that the client hears: the server has begun
        # to read a message
        first = conn.readline()
        if self._answers("body", conn):
            raise EOFError
        data = first.encode(errors="surrogateescape") + b"\r\n" + \
            conn.read_dot(raw=True)
        if self._answers("dot", conn):
            raise EOFError
        self.passed.append(data)
        server.send(data + b".\r\n")
        reply = server.reply()
        if reply.startswith(b"2"):
            self.accepted.append(data)
        if self._answers("dotted", conn):
            return
        conn.send(reply)
        self._answers("answered", conn)


def _offer(reply, encrypted):
    """The answer to EHLO, with STARTTLS first and logins behind it."""
    hidden = b"STARTTLS" if encrypted else b"AUTH"
    lines = [line for line in reply.splitlines() if line[4:].split()[:1] and
             not line[4:].upper().startswith(hidden)]
    if not encrypted:
        lines.append(b"250 STARTTLS")
    lines = [line[:3] + b"-" + line[4:] for line in lines]
    lines[-1] = lines[-1][:3] + b" " + lines[-1][4:]
    return b"\r\n".join(lines) + b"\r\n"


class _Server:
    def __init__(self, port):
        self._socket = socket.create_connection(("127.0.0.1", port), 30)
        self._file = self._socket.makefile("rb")

    def send(self, data):
        self._socket.sendall(data)

    def reply(self):
        """All lines of the next reply."""
        lines = []
        while not lines or lines[-1][3:4] == b"-":
            lines.append(self._file.readline())
            if not lines[-1]:
                raise EOFError("the server closed the connection")
        return b"".join(lines)

    def close(self):
        self._file.close()
        shut(self._socket)


# What can go wrong at a step, as values of SmtpProxy.at.

def cut(_conn):
    """The connection ends with a FIN."""
    raise EOFError


def reset(conn):
    """It is reset: what is under way is lost."""
    conn.rst()
    raise EOFError


def answer(reply):
    """The server says this."""
    return lambda conn: reply


def goodbye(conn):
    """The server says 421 and is gone."""
    conn.send("421 4.3.2 shutting down\r\n")
    raise EOFError


def silence(conn):
    """It says nothing until the client goes."""
    conn.socket.settimeout(None)
    while conn.socket.recv(4096):
        pass
    raise EOFError


def drip(conn):
    """It always has one byte more to say, and never ends the reply."""
    for byte in b"250-wait a little, please\r\n" * 10000:
        conn.send(bytes([byte]))
        time.sleep(0.02)        # how slow this server is
    raise EOFError


def once(fault):
    """That, but the first time only."""
    faults = [fault]
    return lambda conn: faults.pop()(conn) if faults else None
