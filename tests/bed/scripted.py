# SPDX-License-Identifier: ISC
"""A server that does what a Python function says, to misbehave exactly.

It stands beside the real servers for what those never do: drop the line in
the middle of a command, send nonsense, answer out of turn.
"""
import re
import socket
import ssl
import struct
import threading

_WAIT_S = 30


class ScriptedServer:
    """Calls `script(conn)` in a thread of its own for every connection.

    `tls` is (certificate, key): with implicit=True TLS starts at once, else
    when the script calls conn.starttls().  A peer that goes away ends the
    script quietly; any other exception is kept in `errors`, and stop()
    raises the first.
    """

    def __init__(self, port, script, tls=None, implicit=True):
        self.port, self.errors, self.count = port, [], 0
        self._script, self._implicit, self._tls = script, implicit, None
        if tls:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(*tls)
        self._open, self._lock = set(), threading.Lock()
        self._socket = socket.create_server(("127.0.0.1", port), backlog=128)
        threading.Thread(target=self._accept, daemon=True).start()

    def busy(self):
        """Whether any script runs."""
        with self._lock:
            return bool(self._open)

    def stop(self):
        """Close the listener and every connection."""
        shut(self._socket)
        with self._lock:
            for conn in self._open:
                shut(conn.socket)
        if self.errors:
            raise self.errors[0]

    def _accept(self):
        while True:
            try:
                peer, _ = self._socket.accept()
            except OSError:
                return
            conn = Conn(peer, self._tls, self.count)
            self.count += 1
            with self._lock:
                self._open.add(conn)
            threading.Thread(target=self._run, args=(conn,),
                             daemon=True).start()

    def _run(self, conn):
        try:
            if self._tls and self._implicit:
                conn.starttls()
            self._script(conn)
        except (OSError, EOFError):
            pass
        except Exception as error:
            self.errors.append(error)
        finally:
            conn.close()
            with self._lock:
                self._open.discard(conn)


class Conn:
    """One connection, as its script sees it; `number` counts from 0."""

    def __init__(self, peer, tls, number):
        self.socket, self.number, self._tls = peer, number, tls
        peer.settimeout(_WAIT_S)
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = peer.makefile("rb")

    def send(self, data):
        """Send bytes or text as they are: lines need their CRLF."""
        self.socket.sendall(data.encode() if isinstance(data, str) else data)

    def readline(self):
        """The next line without its CRLF; EOFError when there is none."""
        line = self._file.readline()
        if not line.endswith(b"\n"):
            raise EOFError("the peer closed the connection")
        return line.rstrip(b"\r\n").decode(errors="surrogateescape")

    def read(self, size):
        """Exactly `size` bytes; EOFError when the peer sends fewer."""
        data = self._file.read(size)
        if len(data) < size:
            raise EOFError("the peer closed the connection")
        return data

    def read_dot(self, raw=False):
        """The lines up to a lone dot, unstuffed (RFC 5321 s4.5.2) or raw."""
        lines = []
        while True:
            line = self._file.readline()
            if not line:
                raise EOFError("the peer closed the connection")
            if line == b".\r\n":
                return b"".join(lines)
            lines.append(line if raw else line.removeprefix(b"."))

    def expect(self, pattern):
        """Read a line that `pattern` matches in full; return the match."""
        line = self.readline()
        match = re.fullmatch(pattern, line, re.I | re.S)
        if not match:
            raise AssertionError(f"expected {pattern!r}, got {line!r}")
        return match

    def starttls(self):
        """Take the server's part in a TLS handshake."""
        # in this order: a handshake that fails leaves a socket to close
        self.socket = self._tls.wrap_socket(self.socket, server_side=True,
                                            do_handshake_on_connect=False)
        self.socket.do_handshake()
        self._file = self.socket.makefile("rb")

    def close(self):
        """End with a FIN."""
        shut(self.socket)

    def rst(self):
        """End with a reset: what is under way is lost."""
        try:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                   struct.pack("ii", 1, 0))
        except OSError:
            pass
        self._file.close()
        self.socket.close()


def shut(sock):
    """Close, and wake a thread that waits in it."""
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    sock.close()
