# SPDX-License-Identifier: ISC
"""A TCP proxy that can go silent, as a router does that forgot a connection:
nobody is told, and nothing arrives any more."""
import socket
import threading

from .scripted import shut


class Proxy:
    """Forwards `port` to `target`, another port of this machine."""

    def __init__(self, port, target):
        self.port, self._target = port, target
        self._lines, self._lock = [], threading.Lock()
        self._socket = socket.create_server(("127.0.0.1", port), backlog=128)
        threading.Thread(target=self._accept, daemon=True).start()

    def count(self):
        """How many connections there have been."""
        return len(self._lines)

    def fall_silent(self):
        """From now on nothing gets through on the connections that are
        there; new ones work.  Returns one event for each: set when the
        client has closed it."""
        with self._lock:
            for line in self._lines:
                line.silent = True
            return [line.closed for line in self._lines]

    def stop(self):
        shut(self._socket)
        for line in self._lines:
            line.end()

    def _accept(self):
        while True:
            try:
                client, _ = self._socket.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                return
            line = _Line(client, server)
            with self._lock:
                self._lines.append(line)
            for ends in (client, server), (server, client):
                threading.Thread(target=line.forward, args=ends,
                                 daemon=True).start()


class _Line:
    def __init__(self, client, server):
        self.client, self.server = client, server
        self.silent, self.closed = False, threading.Event()

    def forward(self, source, sink):
        try:
            while data := source.recv(65536):
                if not self.silent:
                    sink.sendall(data)
        except OSError:
            pass
        if source is self.client:
            self.closed.set()
            self.end()
        elif not self.silent:
            self.end()

    def end(self):
        shut(self.client)
        shut(self.server)
