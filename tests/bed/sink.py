# SPDX-License-Identifier: ISC
"""Where mail ends: an SMTP server that takes everything and keeps it."""
import re
import threading
from dataclasses import dataclass, field

from .process import wait_until
from .scripted import ScriptedServer


@dataclass
class Message:
    """A message as it was accepted, its dots unstuffed."""
    mail_from: str = ""
    rcpt_to: list = field(default_factory=list)
    data: bytes = b""


class Sink:
    """The accepted messages and the answers that the next clients get.

    offers  extensions that it announces, beside those it always does
    """

    def __init__(self, port):
        self._messages, self._faults, self.offers = [], {}, ["8BITMIME"]
        self._lock = threading.Lock()
        self._server = ScriptedServer(port, self._session)
        self.port = port

    def messages(self):
        """The messages accepted so far, oldest first."""
        with self._lock:
            return list(self._messages)

    def wait_messages(self, count=1, timeout=20):
        """Wait until there are `count` messages; return them."""
        wait_until(lambda: len(self.messages()) >= count, timeout,
                   f"{count} messages in the sink")
        return self.messages()

    def fail(self, code, text="refused", at="rcpt", times=None):
        """Answer `code text` at "mail", "rcpt", "data" or "dot" (its end).

        For ever, or `times` times; code None accepts again.
        """
        if at not in ("mail", "rcpt", "data", "dot"):
            raise ValueError(f"no place {at!r}")
        with self._lock:
            self._faults[at] = code and [f"{code} {text}\r\n", times]

    def stop(self):
        self._server.stop()

    def _fault(self, at):
        """The answer ordered for this place, or None; counts it."""
        with self._lock:
            fault = self._faults.get(at)
            if not fault or fault[1] == 0:
                return None
            if fault[1] is not None:
                fault[1] -= 1
            return fault[0]

    def _session(self, conn):
        conn.send("220 sink.test ESMTP\r\n")
        message = Message()
        while True:
            line = conn.readline()
            verb = line[:4].upper()
            if verb == "EHLO":
                offers = "".join(f"250-{word}\r\n" for word in self.offers)
                conn.send(f"250-sink.test\r\n{offers}250-PIPELINING\r\n"
                          "250 ENHANCEDSTATUSCODES\r\n")
            elif verb == "MAIL":
                fault = self._fault("mail")
                conn.send(fault or "250 2.1.0 ok\r\n")
                message = Message("" if fault else _path(line))
            elif verb == "RCPT":
                fault = self._fault("rcpt")
                conn.send(fault or "250 2.1.5 ok\r\n")
                if not fault:
                    message.rcpt_to.append(_path(line))
            elif verb == "DATA":
                self._data(conn, message)
                message = Message()
            elif verb == "RSET":
                message = Message()
                conn.send("250 2.0.0 ok\r\n")
            elif verb == "QUIT":
                conn.send("221 2.0.0 bye\r\n")
                return
            else:
                conn.send("250 2.0.0 ok\r\n")

    def _data(self, conn, message):
        if not message.rcpt_to:
            conn.send("554 5.5.1 no valid recipients\r\n")
            return
        fault = self._fault("data")
        conn.send(fault or "354 go on\r\n")
        if fault:
            return
        message.data = conn.read_dot()
        fault = self._fault("dot")
        if not fault:
            # Before the answer: who has that finds the message here.
            with self._lock:
                self._messages.append(message)
        conn.send(fault or "250 2.0.0 kept\r\n")


def _path(line):
    return re.search(r"<(.*?)>", line).group(1)
