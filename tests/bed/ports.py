# SPDX-License-Identifier: ISC
"""Port numbers that two tests never share.

A port that the kernel picked and that was closed again may be gone by the
time a server binds it.  So ports come from 20000-29999, below the kernel's
own range, in blocks of 20: a block belongs to whoever holds the lock on its
file, and a crash gives it back.
"""
import errno
import fcntl
import os
import random
import socket
import threading
from pathlib import Path

FIRST, LAST, BLOCK = 20000, 29999, 20
HOSTS = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))


class Ports:
    """Hands out free ports; close() gives all of them back."""

    def __init__(self):
        self._blocks = []
        self._left = []
        self._mutex = threading.Lock()

    def take(self):
        """A port on which nothing listens, on 127.0.0.1 and on ::1."""
        with self._mutex:
            while True:
                while self._left:
                    port = self._left.pop(0)
                    if _is_free(port):
                        return port
                self._left = self._lock_block()

    def close(self):
        for lock in self._blocks:
            lock.close()
        self._blocks, self._left = [], []

    def _lock_block(self):
        starts = list(range(FIRST, LAST, BLOCK))
        random.shuffle(starts)
        for start in starts:
            lock = open(_lock_dir() / str(start), "w")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.close()
                continue
            self._blocks.append(lock)
            return list(range(start, start + BLOCK))
        raise RuntimeError(f"all ports {FIRST}-{LAST} are in use by tests")


def _lock_dir():
    # The same for all tests, whatever TMPDIR says.
    path = Path(f"/tmp/mailtoken-ports-{os.getuid()}")
    path.mkdir(mode=0o700, exist_ok=True)
    if path.stat().st_uid != os.getuid():
        raise RuntimeError(f"{path} belongs to somebody else")
    return path


def _is_free(port):
    for family, host in HOSTS:
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    return False
    return True
