# SPDX-License-Identifier: ISC
"""Messages that nobody here wrote, and some that somebody should not have
written, through the MIME client and its worker: each becomes a message.json
with every key of the contract, and says what Python's parser says where both
know what the message means."""
import base64
import datetime
import email
import email.policy
import email.utils
import hashlib
import json
import os
import re
import subprocess
import tempfile
import unittest

BUILD = os.environ["MAILTOKEN_BUILD"]
PROBE = os.path.join(BUILD, "tests", "mimeprobe")
WORKER = os.path.join(BUILD, "bin", "mailtoken-mime-worker")
DATA = "/usr/lib/python3.11/test/test_email/data"

TEXT_KEYS = ("uid", "message_id", "from", "from_address", "to", "cc",
             "subject", "date", "date_raw", "references", "body_text",
             "body_html", "imap_uid", "uidvalidity")
ATTACHMENT_KEYS = {"filename": str, "content_type": str, "size": int,
                   "original_filename": str, "sha256": str, "inline": bool,
                   "content_id": str, "unpacked_from": str}
# One line: everything but the bodies.
LINE_KEYS = tuple(k for k in TEXT_KEYS if not k.startswith("body_"))
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
FILE_NAME = re.compile(r"attachment-[1-9][0-9]*-[A-Za-z0-9_.-]{1,100}\Z")
CONTENT_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]+/[a-z0-9!#$&^_.+-]+\Z")

# Data files that are no messages with a header (msg_19 is plain text).
WITHOUT_HEADER = {"msg_19.txt"}


def multipart(subtype, *parts):
    body = b"".join(b"--B\r\n" + part + b"\r\n" for part in parts)
    return (b"Subject: x\r\nContent-Type: multipart/" + subtype +
            b"; boundary=B\r\n\r\n" + body + b"--B--\r\n")


def nested(count):
    return b"Subject: x\r\n" + b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n"
        % (i, i) for i in range(count)) + b"\r\nleaf"


HOSTILE = {
    "empty": b"",
    "one line end": b"\n",
    "no colon": b"hello\nworld\n",
    "nul": b"Subject: a\0b\n\nx\0y",
    "controls": b"Subject: \x1b[1m\x08\x7f\nFrom: \x01@\x02\n\n\x1b[0m",
    "carriage returns": b"Subject: x\rTo: y\r\rbody\r",
    "raw 8-bit": b"Subject: \xff\xfe\nFrom: \xe9 <\xe9@\xe9>\n\n\xff\xfe",
    "header of 1 MB": b"Subject: " + b"x" * 1000000 + b"\r\n\r\nbody",
    "200,000 fields": b"To: a@b.c\r\n" * 200000 + b"\r\nbody",
    "50,000 nested groups": b"To: " + b"a:" * 50000 + b"\r\n\r\nbody",
    "50,000 nested groups, embedded":
        b"Content-Type: message/rfc822\r\n\r\nTo: " + b"a:" * 50000,
    "50,000 nested comments": b"From: " + b"(" * 50000 + b"\r\n\r\n",
    "50,000 nested parts": nested(50000),
    "50,000 nested messages": b"Content-Type: message/rfc822\r\n\r\n" * 50000,
    "100,000 parts": multipart(b"mixed", *[b"\r\nx"] * 100000),
    "100,000 attachments":
        multipart(b"mixed", *[b"Content-Type: a/b\r\n\r\nx"] * 100000),
    "100,000 parameters":
        b"Content-Type: a/b" + b"; p=x" * 100000 + b"\r\n\r\nx",
    "bad base64": b"Content-Transfer-Encoding: base64\r\n\r\n" + b"*a" * 999,
    "escape at the end":
        b"Content-Transfer-Encoding: quoted-printable\r\n\r\nabc=X",
    "boundary of 100 KB": b"Content-Type: multipart/mixed; boundary=" +
        b"B" * 100000 + b"\r\n\r\n--" + b"B" * 100000 + b"\r\n\r\nx",
    "boundaries without parts":
        b"Content-Type: multipart/mixed; boundary=B\r\n\r\n" +
        b"--B\r\n" * 100000,
    "charset that is a path":
        b"Content-Type: text/plain; charset=\"../../../tmp/x\"\r\n\r\n\xe9",
    "stack of GMime": b"Content-Disposition: attachment; filename*=" +
        b"x" * 9000000 + b"''y\r\n\r\nx",
    "names": multipart(b"mixed", *[
        b"Content-Type: a/b\r\nContent-Disposition: attachment; filename=" +
        name + b"\r\n\r\nx" for name in (
            b'".."', b'"."', b'"../../etc/passwd"', b'"/etc/passwd"',
            b'"C:\\\\x"', b'".hidden"', b'"a\0b"', b'"\xff"',
            b'"' + b"n" * 3000 + b'.pdf"', b"*=utf-8''%00%2F..%2Fx",
            b'"message.json"', b'"raw.eml"', b'""')]),
}


class Parsed:
    """What mimeprobe made of one message."""

    def __init__(self, directory, said):
        self.directory = directory
        self.said = said
        with open(os.path.join(directory, "message.json"), "rb") as f:
            self.bytes = f.read()
        self.json = json.loads(self.bytes.decode("utf-8"))


def probe(directory, messages):
    """Takes {name: bytes} through the client; {name: Parsed}."""
    paths = []
    os.mkdir(os.path.join(directory, "in"))
    os.mkdir(os.path.join(directory, "out"))
    for number, raw in enumerate(messages.values()):
        paths.append(os.path.join(directory, "in", str(number)))
        with open(paths[-1], "wb") as f:
            f.write(raw)
    done = subprocess.run(
        [PROBE, WORKER, os.path.join(directory, "out")],
        input="".join(path + "\n" for path in paths), check=True, text=True,
        stdout=subprocess.PIPE, timeout=250)
    result = {}
    for name, line in zip(messages, done.stdout.splitlines(), strict=True):
        number, said = line.split(" ", 1)
        result[name] = Parsed(os.path.join(directory, "out", number), said)
    return result


class MimeTest(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(temporary.cleanup)
        cls.foreign = {}
        for name in sorted(os.listdir(DATA)):
            if name.endswith(".txt"):
                with open(os.path.join(DATA, name), "rb") as f:
                    cls.foreign[name] = f.read()
        for kind in ("foreign", "hostile"):
            os.mkdir(os.path.join(temporary.name, kind))
        cls.parsed = probe(os.path.join(temporary.name, "foreign"),
                           cls.foreign)
        cls.hostile = probe(os.path.join(temporary.name, "hostile"), HOSTILE)

    def each(self, check):
        """Calls check(parsed) for every message."""
        for messages in (self.parsed, self.hostile):
            for name, parsed in messages.items():
                with self.subTest(name):
                    check(parsed)

    def test_there_are_foreign_messages(self):
        self.assertGreaterEqual(len(self.foreign), 40)

    def test_every_message_has_every_key_of_the_contract(self):
        def check(parsed):
            message = parsed.json
            for key in TEXT_KEYS:
                self.assertIsInstance(message[key], str, key)
            self.assertEqual(sorted(message["headers"]),
                             ["in-reply-to", "reply-to"])
            for value in message["headers"].values():
                self.assertIsInstance(value, str)
            self.assertIsInstance(message["message_size"], int)
            self.assertIsInstance(message["truncated"], bool)
            for defect in message["defects"]:
                self.assertIsInstance(defect, str)
            for attachment in message["attachments"]:
                self.assertEqual(
                    {k: type(v) for k, v in attachment.items()},
                    ATTACHMENT_KEYS)

        self.each(check)

    def test_json_is_pretty_utf8_without_a_final_line_end(self):
        def check(parsed):
            text = parsed.bytes.decode("utf-8")
            self.assertTrue(text.startswith('{\n  "uid": "'))
            self.assertTrue(text.endswith("\n}"))

        self.each(check)

    def test_no_value_holds_what_could_pass_for_a_line(self):
        def check(parsed):
            message = parsed.json
            lines = [message[key] for key in LINE_KEYS]
            lines += message["headers"].values()
            lines += message["defects"]
            for attachment in message["attachments"]:
                lines += [attachment["original_filename"],
                          attachment["content_id"]]
            for line in lines:
                self.assertNotRegex(line, CONTROL)
            for body in (message["body_text"], message["body_html"]):
                self.assertNotIn("\0", body)

        self.each(check)

    def test_attachments_are_the_only_files_and_as_described(self):
        def check(parsed):
            files = set(os.listdir(parsed.directory)) - {"message.json"}
            for attachment in parsed.json["attachments"]:
                name = attachment["filename"]
                self.assertRegex(name, FILE_NAME)
                self.assertRegex(attachment["content_type"], CONTENT_TYPE)
                path = os.path.join(parsed.directory, name)
                self.assertFalse(os.path.islink(path))
                with open(path, "rb") as f:
                    data = f.read()
                self.assertEqual(len(data), attachment["size"])
                self.assertEqual(hashlib.sha256(data).hexdigest(),
                                 attachment["sha256"])
                files.remove(name)
            self.assertEqual(files, set())

        self.each(check)

    def test_only_what_has_no_header_is_unparsed(self):
        unparsed = {n for n, p in self.parsed.items() if p.said != "parsed"}
        self.assertEqual(unparsed, WITHOUT_HEADER)
        unparsed = {n for n, p in self.hostile.items() if p.said != "parsed"}
        self.assertEqual(unparsed, {"empty", "no colon", "stack of GMime"})
        for name in unparsed:
            self.assertEqual(len(self.hostile[name].json["defects"]), 1)

    def compare(self, check, least):
        """Calls check(theirs, ours) for every foreign message in which
        Python finds no defect; it says how much it has compared, `least` in
        all."""
        compared = 0
        for name, raw in self.foreign.items():
            theirs = email.message_from_bytes(
                raw, policy=email.policy.default)
            if any(part.defects for part in theirs.walk()):
                continue
            with self.subTest(name):
                compared += check(theirs, self.parsed[name].json)
        self.assertGreaterEqual(compared, least)

    def test_fields_are_those_that_python_finds(self):
        def check(theirs, ours):
            compared = 0
            for key, name in (("message_id", "Message-ID"),
                              ("subject", "Subject")):
                values = theirs.get_all(name, [])
                if len(values) < 2:
                    value = str(values[0]) if values else ""
                    self.assertEqual(ours[key], " ".join(value.split()))
                    compared += 1
            return compared

        self.compare(check, 60)

    def test_addresses_are_those_that_python_finds(self):
        def check(theirs, ours):
            for name in ("From", "To", "Cc", "Reply-To"):
                ours_list = (ours["headers"]["reply-to"]
                             if name == "Reply-To" else ours[name.lower()])
                wanted = [address.addr_spec
                          for field in theirs.get_all(name, [])
                          for address in field.addresses]
                if "<>" in wanted:      # nobody
                    continue
                found = email.utils.getaddresses([ours_list])
                self.assertEqual([address for _, address in found
                                  if address], wanted, name)
                if name == "From":
                    self.assertEqual(ours["from_address"],
                                     wanted[0] if wanted else "")
            return 1

        self.compare(check, 30)

    def test_dates_are_those_that_python_finds(self):
        def check(theirs, ours):
            try:
                date = email.utils.parsedate_to_datetime(theirs["Date"])
            except (TypeError, ValueError):
                return 0
            if date.tzinfo is None:
                date = date.replace(tzinfo=datetime.timezone.utc)
            date = date.astimezone(datetime.timezone.utc)
            self.assertEqual(ours["date"],
                             date.strftime("%Y-%m-%dT%H:%M:%SZ"))
            return 1

        self.compare(check, 20)

    def test_single_texts_are_those_that_python_finds(self):
        def check(theirs, ours):
            if theirs.get_content_type() != "text/plain":
                return 0
            self.assertEqual(ours["body_text"],
                             theirs.get_content().replace("\r\n", "\n"))
            return 1

        self.compare(check, 5)

    def test_attachments_are_those_that_python_finds(self):
        def check(theirs, ours):
            if any(part.get_content_maintype() == "message"
                   for part in theirs.walk()):
                return 0    # Python opens them
            wanted = [(part.get_content_type(), part.get_filename() or "",
                       hashlib.sha256(part.get_content()).hexdigest())
                      for part in theirs.walk()
                      if not part.is_multipart() and
                      part.get_content_maintype() != "text"]
            found = [(a["content_type"], a["original_filename"], a["sha256"])
                     for a in ours["attachments"]
                     if not a["content_type"].startswith("text/")]
            self.assertEqual(found, wanted)
            return len(wanted)

        self.compare(check, 5)

    def test_large_attachment_arrives_whole(self):
        data = os.urandom(1000003) * 20
        raw = (b"Subject: x\r\nContent-Type: application/x\r\n"
               b"Content-Transfer-Encoding: base64\r\n\r\n" +
               base64.encodebytes(data))
        with tempfile.TemporaryDirectory() as directory:
            attachment, = probe(directory, {"x": raw})["x"].json["attachments"]
        self.assertEqual(attachment["size"], len(data))
        self.assertEqual(attachment["sha256"],
                         hashlib.sha256(data).hexdigest())


if __name__ == "__main__":
    unittest.main()
