# SPDX-License-Identifier: ISC
"""The asking end of a connector's socket."""
import json
import socket


class Frames:
    """A connection to the socket at `path`."""

    def __init__(self, path, timeout=90):
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(timeout)
        try:
            self._socket.connect(str(path))
        except OSError:
            self._socket.close()
            raise
        self._lines = self._socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._lines.close()
        self._socket.close()

    def write(self, data):
        self._socket.sendall(data)

    def send(self, type, **frame):
        """Send one frame, as the gateway encodes it."""
        self.write(json.dumps(
            frame | {"type": type}, ensure_ascii=False,
            separators=(",", ":")).encode() + b"\n")

    def read(self):
        """The next answer; EOFError at the end."""
        line = self._lines.readline()
        if not line.endswith(b"\n"):
            raise EOFError(line)
        return json.loads(line)

    def ask(self, type, **frame):
        self.send(type, **frame)
        return self.read()
