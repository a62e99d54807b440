# SPDX-License-Identifier: ISC
"""What is changed and looked for in mailboxes, against Dovecot."""
import email.utils

from bed import BedTestCase
from integration.boxprobe import ALICE, boxes

DATE = 1_790_000_000    # 2026-09-21 14:13:20 UTC
PREFIXED = """
namespace inbox {
  prefix = INBOX.
  separator = .
}
namespace shared {
  type = shared
  prefix = shared.%%u.
  separator = .
  location = maildir:%%h/mail
  list = children
}
"""
SPECIAL_USE = """
namespace inbox {
  mailbox "Ausgang" {
    special_use = \\Sent
    auto = create
  }
  mailbox "Notizen" {
    special_use = \\Drafts
    auto = create
  }
}
"""


def message(subject="Hello", to="bob@example.test", cc=None, date=DATE,
            message_id="<0123456789abcdef0123456789abcdef@example.test>",
            body="Body\r\n"):
    when = email.utils.formatdate(date)
    return (f"From: {ALICE}\r\nTo: {to}\r\n"
            + (f"Cc: {cc}\r\n" if cc else "")
            + f"Subject: {subject}\r\nMessage-ID: {message_id}\r\n"
            f"Date: {when}\r\n\r\n{body}").encode()


class BoxesTest(BedTestCase):
    def setUp(self):
        super().setUp()
        self.dovecot = self.bed.dovecot()

    def boxes(self, *commands, dovecot=None):
        dovecot = dovecot or self.dovecot
        return boxes(self.bed, dovecot.imaps_port, *commands, ca=dovecot.ca)

    def file(self, data):
        path = self.bed.subdir("message") / "message"
        path.write_bytes(data)
        return path

    def append(self, data, mailbox="Sent"):
        """Put a message there as somebody else would."""
        return self.boxes(("append", mailbox, "", 0, self.file(data)))
