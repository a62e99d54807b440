# SPDX-License-Identifier: ISC
"""An IMAP server on a bad day: a proxy in front of a good one, which breaks the
connection at a command, or answers it itself."""
import re
import select
import socket

from .scripted import shut

_LITERAL = re.compile(rb"\{(\d+)\+?\}\r\n$")
_COMMAND = re.compile(rb"(\S+) (?:UID )?(\w+)", re.I)


class ImapProxy:
    """Speaks TLS on `port` for the server in clear on port `target`.

    at      "APPEND": function(conn), called before the server hears the
            command; what it returns is said in its place (without the tag).
            "APPEND done": the same, in place of the server's OK to it
    count   connections so far
    """

    def __init__(self, bed, target):
        self.at, self._target = {}, target
        self._server = bed.scripted_server(self._session, bed.tls.cert())
        self.port = self._server.port

    @property
    def count(self):
        return self._server.count

    def stop(self):
        self._server.stop()

    def _session(self, conn):
        with socket.create_connection(("127.0.0.1", self._target)) as server:
            try:
                _Relay(conn, server, self.at).run()
            finally:
                shut(server)


class _Relay:
    def __init__(self, conn, server, at):
        self._conn, self._server, self._at = conn, server, at
        self._verbs = {}            # tag -> the command that is under way
        self._asked = self._answered = b""
        self._literal = 0           # bytes of it that are to come
        self._goes_on = False       # a command, behind a literal

    def run(self):
        client, poll = self._conn.socket, select.poll()
        for sock in (client, self._server):
            poll.register(sock, select.POLLIN)
        while True:
            waiting = client.pending()
            ready = [fd for fd, _ in poll.poll(0 if waiting else None)]
            if waiting or client.fileno() in ready:
                self._asked += _read(client)
                self._pass_commands()
            if self._server.fileno() in ready:
                self._answered += _read(self._server)
                self._pass_answers()

    def _pass_commands(self):
        while self._asked:
            size = self._literal or self._asked.find(b"\r\n") + 2
            if size < 2 and not self._literal:
                return
            part, self._asked = self._asked[:size], self._asked[size:]
            if self._literal:
                self._literal -= len(part)
            elif not self._goes_on and self._is_answered(part):
                continue
            else:
                literal = _LITERAL.search(part)
                self._literal = int(literal[1]) if literal else 0
                self._goes_on = bool(literal)
            self._server.sendall(part)

    def _is_answered(self, line):
        """Whether a fault has taken the place of the command."""
        command = _COMMAND.match(line)
        if not command:
            return False
        tag, verb = command[1], command[2].decode().upper()
        self._verbs[tag] = verb
        return self._fails(tag, verb)

    def _fails(self, tag, place):
        fault = self._at.get(place)
        reply = fault and fault(self._conn)
        if reply:
            self._conn.send(tag + f" {reply}\r\n".encode())
        return bool(reply)

    def _pass_answers(self):
        *lines, self._answered = self._answered.split(b"\r\n")
        for line in lines:
            tag, _, rest = line.partition(b" ")
            verb = self._verbs.pop(tag, None)
            if not (verb and rest.upper().startswith(b"OK") and
                    self._fails(tag, f"{verb} done")):
                self._conn.send(line + b"\r\n")


def _read(sock):
    data = sock.recv(65536)
    if not data:
        raise EOFError("one end has closed the connection")
    return data
