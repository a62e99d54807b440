# SPDX-License-Identifier: ISC
"""Messages that nobody here wrote, read by Python's parser and by ours: the
test files of Python's `email` package, field by field. Where the two differ,
EXPLAINED says why; any other difference fails, and so does an explanation of
a difference that is none any more."""
import datetime
import email
import email.header
import email.policy
import email.utils
import hashlib
import os
import re
import tempfile
import unittest

from integration.mimeparts import probe

DATA = "/usr/lib/python3.11/test/test_email/data"

# (file, field): why the two readings differ.
EXPLAINED = {
    ("msg_15.txt", "attachments"):
        "an inner multipart with the boundary of the outer one: its end is "
        "the end of the inner one for us, of the outer one for Python, which "
        "then has an inner one without parts and no picture",
    ("msg_19.txt", "body_text"):
        "no header at all: ours is delivered as raw.eml, with a defect",
    ("msg_35.txt", "body_text"):
        "no empty line after the header: ours takes the text for a line of "
        "the header that is no field, and leaves it out with a defect",
    ("msg_38.txt", "body_text"):
        "boundaries of the outer parts within a text (RFC 2046 section 5.1.1 "
        "forbids that): ours ends the text there",
    ("msg_39.txt", "attachments"):
        "inner multiparts with the boundary of the outer one, as in msg_15",
}


def foreign():
    """{name: bytes} of Python's message files."""
    messages = {}
    for name in sorted(os.listdir(DATA)):
        if name.endswith(".txt"):
            with open(os.path.join(DATA, name), "rb") as f:
                messages[name] = f.read()
    return messages


def first(message, name):
    return str((message.get_all(name) or [""])[0])


def line(text):
    """Unfolded, as one line."""
    return re.sub(r"[ \t]*\r?\n[ \t]*|\t", " ", text).strip()


def date(message):
    raw = first(message, "Date")
    try:
        found = email.utils.parsedate_to_datetime(raw)
    except (TypeError, ValueError):
        return line(raw)
    if found.tzinfo is None:
        found = found.replace(tzinfo=datetime.timezone.utc)
    return found.astimezone(datetime.timezone.utc).strftime(
        "%Y-%m-%dT%H:%M:%SZ")


def decoded(name):
    return str(email.header.make_header(email.header.decode_header(name)))


def addresses(message, name):
    """[(display name, address)] of all fields of a name. Python's newer parser
    drops unquoted names with a dot, its older one does not."""
    old = email.message_from_bytes(message.as_bytes())
    return [(decoded(display), address) for display, address in
            email.utils.getaddresses(str(v) for v in old.get_all(name, []))
            if address]


def leaves(part, parent=None):
    """[(part, parent)] of what is no multipart; messages are not opened."""
    if part.get_content_maintype() == "multipart" and part.is_multipart():
        return [leaf for inner in part.iter_parts()
                for leaf in leaves(inner, part)]
    return [(part, parent)]


def role(part, parent):
    """mime_extract.h says which part is what."""
    name = part.get_filename()
    disposition = part.get_content_disposition()
    alternative = (parent is not None and
                   parent.get_content_subtype() == "alternative")
    if disposition not in (None, "inline"):
        return "attachment"
    if name and parent is not None and not alternative:
        return "attachment"
    if part.get_content_type() in ("text/plain", "text/html"):
        return part.get_content_subtype()
    if parent is None and part.get_content_maintype() in ("text",
                                                          "multipart"):
        return "plain"
    return "attachment"


def contents(part):
    payload = part.get_payload(decode=True)
    return b"" if payload is None else payload


def text(part):
    charset = part.get_content_charset() or "utf-8"
    if charset == "us-ascii":
        charset = "utf-8"
    return contents(part).decode(charset, "replace").replace(
        "\r\n", "\n").replace("\r", "\n")


def bodies(parts, kind):
    joined = ""
    for part, parent in parts:
        if role(part, parent) != kind:
            continue
        more = text(part)
        if joined and more and not joined.endswith("\n"):
            joined += "\n"
        joined += more
    return joined


def attachment(part):
    """Python opens messages, and has not kept their bytes."""
    found = {"type": part.get_content_type(),
             "name": part.get_filename() or ""}
    if part.get_content_maintype() != "message":
        data = contents(part)
        found["size"] = len(data)
        found["sha256"] = hashlib.sha256(data).hexdigest()
    return found


def theirs(raw):
    message = email.message_from_bytes(raw, policy=email.policy.default)
    parts = leaves(message)
    return {
        "subject": line(first(message, "Subject")),
        "from": addresses(message, "From"),
        "to": addresses(message, "To"),
        "cc": addresses(message, "Cc"),
        "reply-to": addresses(message, "Reply-To"),
        "date": date(message),
        "message_id": line(first(message, "Message-ID")),
        "in-reply-to": line(first(message, "In-Reply-To")),
        "references": line(first(message, "References")),
        "body_text": bodies(parts, "plain"),
        "body_html": bodies(parts, "html"),
        "attachments": [attachment(part) for part, parent in parts
                        if role(part, parent) == "attachment"],
    }


def our_attachment(a):
    found = {"type": a["content_type"], "name": a["original_filename"]}
    if not a["content_type"].startswith("message/"):
        found["size"], found["sha256"] = a["size"], a["sha256"]
    return found


def ours(json):
    def listed(field):
        return [pair for pair in email.utils.getaddresses([field])
                if pair[1]]

    return {
        "subject": json["subject"],
        "from": listed(json["from"]),
        "to": listed(json["to"]),
        "cc": listed(json["cc"]),
        "reply-to": listed(json["headers"]["reply-to"]),
        "date": json["date"],
        "message_id": json["message_id"],
        "in-reply-to": json["headers"]["in-reply-to"],
        "references": json["references"],
        "body_text": json["body_text"],
        "body_html": json["body_html"],
        "attachments": [our_attachment(a) for a in json["attachments"]],
    }


class ForeignTest(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(temporary.cleanup)
        cls.messages = foreign()
        cls.parsed = probe(temporary.name, cls.messages)

    def test_there_are_foreign_messages(self):
        self.assertGreaterEqual(len(self.messages), 40)

    def test_fields_are_those_that_python_finds_or_explained(self):
        differing = set()
        for name, raw in self.messages.items():
            wanted, found = theirs(raw), ours(self.parsed[name].json)
            for field in wanted:
                if found[field] == wanted[field]:
                    continue
                differing.add((name, field))
                if (name, field) not in EXPLAINED:
                    with self.subTest(name, field=field):
                        self.assertEqual(found[field], wanted[field])
        self.assertEqual(set(EXPLAINED) - differing, set(),
                         "explained, but there is no difference")

    def test_embedded_messages_are_the_bytes_that_came(self):
        count = 0
        for name, raw in self.messages.items():
            for attachment in self.parsed[name].json["attachments"]:
                if attachment["content_type"].startswith("message/"):
                    count += 1
                    self.assertIn(self.parsed[name].file(attachment), raw,
                                  name)
        self.assertGreaterEqual(count, 5)

    def test_fields_are_there_to_compare(self):
        """Many files have a sender, a subject, a date and a body."""
        filled = {}
        for name in self.messages:
            for field, value in ours(self.parsed[name].json).items():
                filled[field] = filled.get(field, 0) + bool(value)
        self.assertGreaterEqual(
            min(filled[field] for field in
                ("from", "to", "subject", "date", "message_id", "body_text")),
            15)
        self.assertGreaterEqual(filled["attachments"], 10)


if __name__ == "__main__":
    unittest.main()
