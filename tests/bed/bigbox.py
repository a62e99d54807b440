# SPDX-License-Identifier: ISC
"""A mailbox with very many small messages, which exist only when asked for."""
import re

CAPABILITIES = "IMAP4rev1 SASL-IR AUTH=PLAIN"
UIDVALIDITY = 7


class BigMailbox:
    """The script of a ScriptedServer: one INBOX, for any password.

    count, first_uid, step      its messages have the UIDs first_uid,
                                first_uid + step, ...
    asked       what it was asked for: (command, messages in the answer)
    """

    def __init__(self, count, first_uid=1, step=1):
        self.count, self.first_uid, self.step = count, first_uid, step
        self.asked = []

    def __call__(self, conn):
        conn.send(f"* OK [CAPABILITY {CAPABILITIES}] ready\r\n")
        while True:
            tag, command = conn.readline().split(" ", 1)
            verb = command.split()[0]
            if verb == "AUTHENTICATE":
                conn.send(f"{tag} OK [CAPABILITY {CAPABILITIES}] in\r\n")
                continue
            if verb == "EXAMINE":
                conn.send(f"* {self.count} EXISTS\r\n"
                          f"* OK [UIDVALIDITY {UIDVALIDITY}] valid\r\n"
                          f"* OK [UIDNEXT {self.uid(self.count) + 1}] next"
                          "\r\n")
            elif "FETCH" in command:
                self.fetch(conn, command)
            conn.send(f"{tag} OK done\r\n")
            if verb == "LOGOUT":
                return

    def uid(self, number):
        return self.first_uid + (number - 1) * self.step

    def number(self, uid):
        """How many messages have a UID up to this one."""
        return max(0, min(self.count,
                          (uid - self.first_uid) // self.step + 1))

    def numbers(self, first, last, by_uid):
        """The range of the messages that `first:last` means."""
        if not by_uid:
            return range(first, min(last, self.count) + 1)
        begin = self.number(first - 1) + 1
        return range(begin, self.number(last) + 1)

    def fetch(self, conn, command):
        uid, numbers, items = re.fullmatch(
            r"(UID )?FETCH (\S+) (.*)", command).groups()
        total = 0
        for part in numbers.split(","):
            ends = [2 ** 32 - 1 if end == "*" else int(end)
                    for end in part.split(":")]
            found = self.numbers(ends[0], ends[-1], uid)
            total += len(found)
            conn.send(b"".join(self.answer(n, items) for n in found))
        self.asked.append((command, total))

    def answer(self, number, items):
        body = self.body(number)
        text = f"* {number} FETCH (UID {self.uid(number)}"
        if "SIZE" in items:
            text += f" RFC822.SIZE {len(body)}"
        if "INTERNALDATE" in items:
            text += ' INTERNALDATE "02-Nov-2026 10:00:00 +0000"'
        if "BODY" not in items:
            return f"{text})\r\n".encode()
        return f"{text} BODY[] {{{len(body)}}}\r\n".encode() + body + b")\r\n"

    def body(self, number):
        return (b"From: Ann <ann@example.test>\r\nSubject: message\r\n"
                b"Message-ID: <%09d@example.test>\r\n\r\nhello\r\n" % number)
