# SPDX-License-Identifier: ISC
"""Messages through the MIME client and its worker: each becomes a message.json
with every key of docs/message-json.md, whatever it holds; any charset and any
encoding is read; what programs send to programs is unpacked and summed up."""
import base64
import binascii
import hashlib
import os
import re
import tempfile
import unittest

from integration import mimeparts
from integration.mimeparts import (attached, attribute, bounce, calendar,
                                   calendar_part, multipart, probe, prop,
                                   props, tnef, winmail)
from integration.test_mime_foreign import foreign
from integration.test_mime_hostile import HOSTILE

TEXT_KEYS = ("uid", "message_id", "from", "from_address", "to", "cc",
             "subject", "date", "date_raw", "references", "body_text",
             "body_html", "imap_uid", "uidvalidity")
ATTACHMENT_KEYS = {"filename": str, "content_type": str, "size": int,
                   "original_filename": str, "sha256": str, "inline": bool,
                   "content_id": str, "unpacked_from": str}
BOUNCE_KEYS = {"kind": str, "original_message_id": str, "recipients": list}
RECIPIENT_KEYS = {"address": str, "action": str, "status": str,
                  "diagnostic": str}
CALENDAR_KEYS = {"method": str, "component": str, "uid": str, "sequence": int,
                 "summary": str, "location": str, "status": str,
                 "start": str, "start_timezone": str, "end": str,
                 "end_timezone": str, "recurrence_id": str, "organizer": str,
                 "attachment": str, "attendees": list}
ATTENDEE_KEYS = {"address": str, "name": str, "partstat": str}
# One line: everything but the bodies.
LINE_KEYS = tuple(k for k in TEXT_KEYS if not k.startswith("body_"))
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
FILE_NAME = re.compile(r"attachment-[1-9][0-9]*-[A-Za-z0-9_.-]{1,100}\Z")
CONTENT_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]+/[a-z0-9!#$&^_.+-]+\Z")

BROKEN_TNEF = {
    "no signature": (b"hello", [], "has no signature"),
    "cut off": (tnef(attached(b"a", b"x"), attached(b"b", b"y"))[:-3], ["a"],
                "ends too early"),
    "wrong checksum": (
        tnef(attribute(mimeparts.BODY, b"text", checksum=1),
             attached(b"a", b"x")), ["body.txt", "a"], "has a wrong checksum"),
    "length beyond the end": (
        tnef(attached(b"a", b"x"),
             attribute(mimeparts.DATA, b"y", length=0xffffffff)), ["a"],
        "ends too early"),
    "properties of one attachment": (
        tnef(attribute(mimeparts.REND_DATA, b"x"),
             attribute(mimeparts.TITLE, b"a\0"),
             attribute(mimeparts.ATTACH_PROPS, b"\xff" * 40),
             attribute(mimeparts.DATA, b"x"), attached(b"b", b"y")),
        ["a", "b"], "has properties that cannot be read"),
    "nothing but a title": (
        tnef(attribute(mimeparts.TITLE, b"a\0")), [], ""),
    "no contents": (
        tnef(attached(b"a", None, prop(0x3707, mimeparts.STRING8, b"a"))),
        [], "has an attachment without contents"),
    "RTF that claims 4 GB": (
        tnef(attribute(mimeparts.PROPS, props(prop(
            0x1009, mimeparts.BINARY,
            mimeparts.literal_rtf(b"x", 0xffffffff))))),
        [], "has a text in RTF that cannot be read"),
    "stored RTF that claims more than it has": (
        tnef(attribute(mimeparts.PROPS, props(prop(
            0x1009, mimeparts.BINARY,
            mimeparts.stored_rtf(b"x").replace(
                b"\x01\0\0\0", b"\xff\0\0\0", 1))))),
        [], "has a text in RTF that cannot be read"),
}


def nested_tnef(depth):
    stream = tnef(attached(b"innermost", b"x"))
    for _ in range(depth):
        stream = tnef(attached(b"m", None, prop(
            0x3701, mimeparts.OBJECT, bytes(16) + stream)))
    return stream


BROKEN_TNEF["five levels"] = (nested_tnef(5), ["innermost"], "")
BROKEN_TNEF["six levels"] = (
    nested_tnef(6), [], "is nested too deep; the rest was left out")

UNPACKED = {
    "bounce": mimeparts.FAILED,
    "bounce without anything": bounce(b""),
    "calendar": b"Subject: y\r\n" + calendar_part(mimeparts.INVITATION),
    "calendar and bounce": multipart(
        b"mixed", calendar_part(calendar("UID:1")),
        b"Content-Type: message/delivery-status\r\n\r\nA: b"),
    "tnef": winmail(mimeparts.OUTLOOK),
    "two streams": multipart(
        b"mixed",
        b"Content-Type: application/octet-stream; name=winmail.dat\r\n"
        b"Content-Transfer-Encoding: base64\r\n\r\n" +
        base64.encodebytes(tnef(attached(b"a", b"x"))),
        b"Content-Type: application/x; name=plain.bin\r\n\r\nx",
        b"Content-Type: application/vnd.ms-tnef; name=winmail.dat\r\n"
        b"Content-Transfer-Encoding: base64\r\n\r\n" +
        base64.encodebytes(tnef(attached(b"b", b"x")))),
    **{"tnef, " + name: winmail(case[0])
       for name, case in BROKEN_TNEF.items()},
}

CHARSETS = {
    "iso-2022-jp": "\u65e5\u672c\u8a9e", "euc-jp": "\u65e5\u672c\u8a9e",
    "shift_jis": "\u65e5\u672c\u8a9e",
    "gb18030": "\u4e2d\u6587\U0001f600", "gb2312": "\u4e2d\u6587",
    "big5": "\u4e2d\u6587", "euc-kr": "\ud55c\uad6d\uc5b4",
    "iso-2022-kr": "\ud55c\uad6d\uc5b4",
    "koi8-r": "\u043f\u0440\u0438\u0432\u0435\u0442",
    "iso-8859-15": "\u20ac\u00e9",
    "utf-7": "\u00e4\u00f6 + \u20ac", "utf-8": "\u00e4\u65e5\U0001f600",
    **{"windows-125%d" % i: text for i, text in enumerate((
        "\u0142\u017c", "\u0416\u0449", "\u20ac\u0153", "\u03b1\u03b2",
        "\u011f\u015f", "\u05d0\u05d1", "\u0627\u0628", "\u0101\u010d",
        "\u0103\u01a1"))},
}


def encoded_word(name, data):
    """One word, in base64."""
    return (b"=?" + name.encode() + b"?B?" + base64.b64encode(data) + b"?=")


def in_charset(name, text):
    """A message that has the text in its subject (two encoded words, one with
    a language), its body and a file's name (RFC 2231, continued)."""
    data = text.encode(name)
    percent = "".join("%%%02X" % byte for byte in
                      (text + ".txt").encode(name))
    middle = len(percent) // 6 * 3
    return (
        b"Subject: " + encoded_word(name, data) + b"\r\n " +
        encoded_word(name + "*de", (" " + text).encode(name)) + b"\r\n"
        b"Content-Type: multipart/mixed; boundary=B\r\n\r\n--B\r\n"
        b"Content-Type: text/plain; charset=" + name.encode() + b"\r\n"
        b"Content-Transfer-Encoding: base64\r\n\r\n" +
        base64.encodebytes((text + "\r\n").encode(name)) + b"\r\n--B\r\n"
        b"Content-Type: text/plain\r\n"
        b"Content-Disposition: attachment; filename*0*=" + name.encode() +
        b"'de'" + percent[:middle].encode() + b";\r\n filename*1*=" +
        percent[middle:].encode() + b"\r\n\r\nx\r\n--B--\r\n")


def encoded(name, data):
    return (b"Content-Type: application/x\nContent-Transfer-Encoding: " +
            name + b"\n\n" + data)


def uuencoded(data):
    lines = [binascii.b2a_uu(data[i:i + 45], backtick=True)
             for i in range(0, len(data), 45)]
    return b"begin 644 u\n" + b"".join(lines) + b"`\nend\n"


ENCODERS = {
    "base64": lambda data: encoded(b"base64", base64.encodebytes(data)),
    "base64 in one line":
        lambda data: encoded(b"base64", base64.b64encode(data)),
    "base64 without padding": lambda data: encoded(
        b"base64", base64.encodebytes(data).replace(b"=", b"")),
    "base64 after empty lines": lambda data: encoded(
        b"base64", b"\n" * 70000 + base64.encodebytes(data)),
    "quoted-printable": lambda data: encoded(
        b"quoted-printable", b"".join(b"=%02X=\n" % byte for byte in data)),
    "uuencode": lambda data: encoded(b"x-uuencode", uuencoded(data)),
    "uuencode after other lines": lambda data: encoded(
        b"x-uuencode", b"hello\n" * 20000 + uuencoded(data)),
}


class MimeTest(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(temporary.cleanup)
        for kind in ("foreign", "hostile", "unpacked"):
            os.mkdir(os.path.join(temporary.name, kind))
        cls.foreign = probe(os.path.join(temporary.name, "foreign"),
                            foreign())
        # the large ones take long, and have a test of their own
        small = {n: raw for n, raw in HOSTILE.items() if len(raw) < 400000}
        cls.hostile = probe(os.path.join(temporary.name, "hostile"), small)
        cls.unpacked = probe(os.path.join(temporary.name, "unpacked"),
                             UNPACKED)

    def each(self, check):
        """Calls check(parsed) for every message."""
        for messages in (self.foreign, self.hostile, self.unpacked):
            for name, parsed in messages.items():
                with self.subTest(name):
                    check(parsed)

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

    def types_of(self, value):
        return {key: type(part) for key, part in value.items()}

    def test_summaries_have_every_key(self):
        for name, parsed in self.unpacked.items():
            with self.subTest(name):
                said = parsed.json
                if "bounce" in said:
                    self.assertEqual(self.types_of(said["bounce"]),
                                     BOUNCE_KEYS)
                    for row in said["bounce"]["recipients"]:
                        self.assertEqual(self.types_of(row), RECIPIENT_KEYS)
                if "calendar" in said:
                    self.assertEqual(self.types_of(said["calendar"]),
                                     CALENDAR_KEYS)
                    for row in said["calendar"]["attendees"]:
                        self.assertEqual(self.types_of(row), ATTENDEE_KEYS)
                self.assertEqual("bounce" in said, "bounce" in name)
                self.assertEqual("calendar" in said, "calendar" in name)

    def test_bounce_is_summed_up(self):
        self.assertEqual(self.unpacked["bounce"].json["bounce"], {
            "kind": "failed", "original_message_id": "<1@example.org>",
            "recipients": [
                {"address": "bob@example.com", "action": "failed",
                 "status": "5.1.1",
                 "diagnostic": "550 5.1.1 <bob@example.com>: unknown"},
                {"address": "cy@example.com", "action": "delayed",
                 "status": "4.4.1", "diagnostic": ""}]})

    def test_calendar_is_summed_up_and_is_a_file(self):
        parsed = self.unpacked["calendar"]
        self.assertEqual(parsed.json["calendar"], {
            "method": "REQUEST", "component": "event", "uid": "1@example.org",
            "sequence": 2, "summary": "Caf\u00e9, Zimmer 1 zwei",
            "location": 'Room "5"', "status": "TENTATIVE",
            "start": "2026-11-24T10:00:00", "start_timezone": "Europe/Berlin",
            "end": "2026-11-24T11:30:00", "end_timezone": "Europe/Berlin",
            "recurrence_id": "", "organizer": "ann@example.org",
            "attachment": "attachment-1-unnamed.ics",
            "attendees": [
                {"address": "bob@example.org", "name": "Bob",
                 "partstat": "ACCEPTED"},
                {"address": "cy@example.org", "name": "",
                 "partstat": "NEEDS-ACTION"}]})
        self.assertEqual(parsed.file(parsed.json["attachments"][0]),
                         mimeparts.INVITATION)

    def files(self, name):
        """[(name, type, bytes)] of what was unpacked."""
        parsed = self.unpacked[name]
        return [(a["original_filename"], a["content_type"], parsed.file(a))
                for a in parsed.json["attachments"] if a["unpacked_from"]]

    def test_tnef_is_unpacked_beside_the_stream(self):
        parsed = self.unpacked["tnef"]
        first = parsed.json["attachments"][0]
        self.assertEqual(parsed.file(first), mimeparts.OUTLOOK)
        self.assertEqual(parsed.json["defects"], [])
        for attachment in parsed.json["attachments"][1:]:
            self.assertEqual(attachment["unpacked_from"], first["filename"])
        self.assertEqual(parsed.json["attachments"][6]["content_id"], "cid@x")
        self.assertEqual(self.files("tnef"), [
            ("body.txt", "text/plain", "body \u00e4".encode()),
            ("body.html", "text/html", b"<p>body</p>"),
            ("body.rtf", "text/rtf", b"{\\rtf1 body}"),
            ("body.txt", "text/plain", b"body"),
            ("\u0438\u043c\u044f.txt", "application/octet-stream", b"first"),
            ("a long n\u00e4me \U0001f600.png", "image/png", b"\x89PNG"),
            ("body.txt", "text/plain", b"inner body"),
            ("inner.pdf", "application/octet-stream", b"%PDF"),
            ("empty", "application/octet-stream", b""),
            ("by property", "application/octet-stream", b"bytes")])

    def test_broken_tnef_gives_what_can_be_read(self):
        for name, (stream, files, defect) in BROKEN_TNEF.items():
            with self.subTest(name):
                parsed = self.unpacked["tnef, " + name]
                self.assertEqual([f[0] for f in self.files("tnef, " + name)],
                                 files)
                self.assertEqual(
                    parsed.json["defects"],
                    ["the TNEF of part 1 " + defect] if defect else [])
                self.assertEqual(parsed.file(parsed.json["attachments"][0]),
                                 stream)

    def test_attachments_after_a_tnef_are_not_unpacked_from_it(self):
        names = [(a["original_filename"], a["unpacked_from"])
                 for a in self.unpacked["two streams"].json["attachments"]]
        self.assertEqual(names, [
            ("winmail.dat", ""), ("a", "attachment-1-winmail.dat"),
            ("plain.bin", ""), ("winmail.dat", ""),
            ("b", "attachment-4-winmail.dat")])

    def test_every_charset_is_read_in_bodies_subjects_and_names(self):
        with tempfile.TemporaryDirectory() as directory:
            parsed = probe(directory, {
                name: in_charset(name, text)
                for name, text in CHARSETS.items()})
        for name, text in CHARSETS.items():
            with self.subTest(name):
                said = parsed[name].json
                self.assertEqual(said["body_text"], text + "\n")
                self.assertEqual(said["subject"], text + " " + text)
                self.assertEqual(
                    said["attachments"][0]["original_filename"],
                    text + ".txt")
                self.assertEqual(said["defects"], [])

    def test_unlabelled_bytes_are_utf8_or_windows_1252(self):
        with tempfile.TemporaryDirectory() as directory:
            parsed = probe(directory, {
                "utf-8": "Subject: caf\u00e9\r\n\r\n\u20ac".encode(),
                "cp1252": "Subject: caf\u00e9\r\n\r\n\u20ac".encode(
                    "cp1252")})
        for name, defects in (("utf-8", 0), ("cp1252", 2)):
            said = parsed[name].json
            self.assertEqual((said["subject"], said["body_text"]),
                             ("caf\u00e9", "\u20ac"))
            self.assertEqual(len(said["defects"]), defects)

    def test_encodings_are_read_whatever_their_lines(self):
        """Every length near the decoders' steps and chunks, with what may
        stand between, before and after the lines."""
        messages, wanted = {}, {}
        for size in (0, 1, 2, 3, 44, 45, 46, 57, 4095, 4096, 4097, 40000):
            data = hashlib.shake_128(b"%d" % size).digest(size)
            for name, encode in ENCODERS.items():
                for end in (b"\n", b"\r\n"):
                    key = f"{name} {size} {end}"
                    messages[key] = encode(data).replace(b"\n", end)
                    wanted[key] = data
        with tempfile.TemporaryDirectory() as directory:
            parsed = probe(directory, messages)
            for key, data in wanted.items():
                with self.subTest(key):
                    attachment, = parsed[key].json["attachments"]
                    self.assertEqual(parsed[key].file(attachment), data)
                    self.assertEqual(parsed[key].json["defects"], [])

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
