# SPDX-License-Identifier: ISC
"""Messages that somebody should not have written, through the MIME client and
its worker, each followed by a harmless one: what cannot be taken apart is given
up on and said to be, and costs the next message nothing."""
import struct
import tempfile
import unittest

from integration.mimeparts import (ATTACH_PROPS, BINARY, OBJECT, PROPS,
                                   REND_DATA, TITLE, attached, attribute,
                                   bounce, literal_rtf, multipart, nested,
                                   probe, prop, props, tnef, winmail)


def calendar_message(lines):
    return (b"Content-Type: text/calendar\r\n\r\nBEGIN:VCALENDAR\r\n"
            b"METHOD:REQUEST\r\n" + lines)


def deep_tnef(depth):
    stream = tnef(attached(b"innermost", b"x"))
    for _ in range(depth):
        stream = tnef(attached(b"m", None, prop(
            0x3701, OBJECT, bytes(16) + stream)))
    return stream


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
    "15 million fields": b"a:\n" * 15000000 + b"\n",
    "header field of 60 MB": b"Subject: " + b"x" * 60000000 + b"\r\n\r\nbody",
    "encoded words": b"Subject: " + b"=?utf-8?B?w6Q=?= " * 200000 + b"\r\n\r\n",
    "encoded words without end": b"Subject: " + b"=?utf-8?B?" * 200000 +
        b"\r\n\r\n",
    "escapes that stop a charset": b"Content-Type: text/plain; "
        b"charset=iso-2022-jp\r\n\r\n" + b"\x1b$B\xff" * 200000,
    "base64 of 40 MB that is one file": b"Content-Type: a/b\r\n"
        b"Content-Transfer-Encoding: base64\r\n\r\n" +
        (b"A" * 76 + b"\r\n") * 512000,
    "continuations of a name": b"Content-Disposition: attachment" +
        b"".join(b"; filename*%d*=utf-8''x" % i for i in range(20000)) +
        b"\r\n\r\nx",
    # TNEF
    "TNEF of attributes": winmail(tnef(
        attribute(0x12345678, b"x") * 1000000)),
    "TNEF of empty attachments": winmail(tnef(
        attribute(REND_DATA, b"") * 1000000)),
    "TNEF of files": winmail(tnef(attached(b"a", b"x") * 100000)),
    "TNEF of titles": winmail(tnef(
        attribute(TITLE, b"t" * 1000000) * 20)),
    "TNEF of property blocks": winmail(tnef(
        attribute(PROPS, struct.pack("<I", 1000)) * 500000)),
    "TNEF of attachments' property blocks": winmail(tnef(
        attribute(ATTACH_PROPS, struct.pack("<I", 1000)) * 500000)),
    "TNEF of a million properties": winmail(tnef(attribute(
        PROPS, struct.pack("<I", 0xffffffff) + b"\x03\0\x01\0" * 1000000))),
    "TNEF of many values": winmail(tnef(attribute(
        PROPS, props(*[struct.pack("<II", 0x10001003, 1000) +
                       bytes(4000)] * 1000)))),
    "TNEF of names": winmail(tnef(attribute(
        PROPS, props(*[struct.pack("<I", 0x8001001f) + bytes(16) +
                       struct.pack("<I", 1000) + b"\x02\0\0\0n\0\0\0" * 1000 +
                       struct.pack("<II", 1, 0)] * 900)))),
    "TNEF of negative sizes": winmail(tnef(attribute(
        PROPS, props(struct.pack("<III", 0x10000102, 1, 0xffffffff))))),
    "TNEF of RTF that claims 2 GB": winmail(tnef(attribute(
        PROPS, props(prop(0x1009, BINARY, literal_rtf(b"x", 0x7fffffff)))))),
    "TNEF of RTF of references": winmail(tnef(attribute(
        PROPS, props(prop(0x1009, BINARY, struct.pack(
            "<IIII", 500012, 3900000, 0x75465a4c, 0) + b"\xff" * 500000))))),
    "TNEF in TNEF": winmail(deep_tnef(50)),
    # calendars
    "calendar of 100,000 levels": calendar_message(
        b"BEGIN:VEVENT\r\n" * 100000),
    "calendar of 100,000 events": calendar_message(
        b"BEGIN:VEVENT\r\nUID:1\r\nEND:VEVENT\r\n" * 30000),
    "calendar of ends": calendar_message(b"END:VEVENT\r\n" * 70000),
    "calendar of attendees": calendar_message(
        b"BEGIN:VEVENT\r\n" + b"ATTENDEE:mailto:a@b.c\r\n" * 40000),
    "calendar of parameters": calendar_message(
        b"BEGIN:VEVENT\r\nATTENDEE" + b";X-A=\"b\"" * 100000 + b":c\r\n"),
    "calendar of parameters that fit": calendar_message(
        b"BEGIN:VEVENT\r\n" +
        (b"ATTENDEE" + b";X=1" * 900 + b":c\r\n") * 200),
    "calendar of one line": calendar_message(
        b"BEGIN:VEVENT\r\nSUMMARY:" + b"x" * 900000),
    "calendar of folded lines": calendar_message(
        b"BEGIN:VEVENT\r\nSUMMARY:" + b"\r\n x" * 200000),
    "calendar of commas": calendar_message(
        b"BEGIN:VEVENT\r\n" + (b"UID:" + b"," * 3000 + b"\r\n") * 200),
    "calendar of recurrences": calendar_message(
        b"BEGIN:VEVENT\r\nDTSTART:00010101T000000Z\r\n"
        b"RRULE:FREQ=SECONDLY;INTERVAL=1;BYSECOND=61\r\n"
        b"DURATION:P9999999W\r\nEND:VEVENT\r\n"),
    "calendar of zones": calendar_message(
        b"BEGIN:VTIMEZONE\r\nTZID:../../etc/passwd\r\nEND:VTIMEZONE\r\n"
        b"BEGIN:VEVENT\r\nDTSTART;TZID=../../../etc/passwd:"
        b"20260101T000000\r\nDTEND;TZID=Europe/Berlin:20260101T000000\r\n"
        b"END:VEVENT\r\n"),
    "calendar that is too large": calendar_message(b"X:y\r\n" * 1000000),
    "calendar of quotes": calendar_message(
        b"BEGIN:VEVENT\r\nATTENDEE;CN=\"" + b"\"\"" * 1000 + b":x\r\n" +
        b"ORGANIZER;TZID=a:b:c;d:e\r\nUID;:\r\nSEQUENCE:;\r\nDTSTART;\r\n"),
    # delivery reports
    "bounce of recipients": bounce(
        b"\r\nFinal-Recipient: rfc822;a@b.c\r\n" * 7000),
    "bounce of empty lines": bounce(b"\r\n" * 1000000),
    "bounce of one field": bounce(b"Action: " + b"x" * 10000000),
    "bounce of folded lines": bounce(b"Action:" + b"\r\n x" * 100000),
}

# What is left out of some, and what is said of it.
CUT = {
    "header of 1 MB": "Subject field has more than",
    "50,000 nested groups": "it was taken as text",
    "50,000 nested parts": "nested deeper than",
    "100,000 attachments": "attachments beyond the first",
    "TNEF of files": "attachments beyond the first",
    "TNEF of property blocks": "too many blocks of properties",
    "TNEF of attachments' property blocks": "too many blocks of properties",
    "TNEF of a million properties": "properties that cannot be read",
    "TNEF of RTF that claims 2 GB": "RTF that cannot be read",
    "TNEF in TNEF": "nested too deep",
    "calendar of attendees": "more than 1000 attendees",
    "calendar of one line": "line that is too long",
    "calendar that is too large": "it was not summed up",
    "bounce of recipients": "more than 1000 recipients",
}

# The messages that cannot be taken apart, with the reason.
UNPARSED = {
    "empty": "no header", "no colon": "no header",
    # its stack: the length of a parameter's name is on it
    "stack of GMime": "the MIME worker crashed twice",
    # the limit on its memory, unless it is slow and meets that on time
    "15 million fields": "the MIME worker",
}

GOOD = (b"From: Ann <ann@example.org>\r\nSubject: the next one\r\n"
        b"Content-Type: multipart/mixed; boundary=B\r\n\r\n--B\r\n\r\n"
        b"hello\r\n--B\r\nContent-Type: a/b; name=c\r\n\r\nx\r\n--B--\r\n")


class HostileTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(temporary.cleanup)
        messages = {}
        for name, raw in HOSTILE.items():
            messages[name] = raw
            messages["after " + name] = GOOD
        cls.parsed = probe(temporary.name, messages)

    def test_every_message_is_parsed_or_given_raw_with_the_reason(self):
        for name in HOSTILE:
            with self.subTest(name):
                parsed = self.parsed[name]
                if name not in UNPARSED:
                    self.assertEqual(parsed.said, "parsed")
                    continue
                self.assertEqual(parsed.said, "unparsed")
                defect, = parsed.json["defects"]
                self.assertIn(UNPARSED[name], defect)
                self.assertEqual(parsed.json["attachments"], [])

    def test_next_message_is_as_if_nothing_had_been(self):
        for name in HOSTILE:
            with self.subTest(name):
                parsed = self.parsed["after " + name]
                self.assertEqual(parsed.said, "parsed")
                self.assertEqual(parsed.json["from_address"],
                                 "ann@example.org")
                self.assertEqual(parsed.json["subject"], "the next one")
                self.assertEqual(parsed.json["body_text"], "hello")
                attachment, = parsed.json["attachments"]
                self.assertEqual(parsed.file(attachment), b"x")
                self.assertEqual(parsed.json["defects"], [])

    def test_what_was_cut_is_told(self):
        for name, sentence in CUT.items():
            with self.subTest(name):
                self.assertIn(sentence,
                              "\n".join(self.parsed[name].json["defects"]))

    def test_no_zone_of_a_calendar_is_looked_up(self):
        said = self.parsed["calendar of zones"].json["calendar"]
        self.assertEqual((said["start"], said["start_timezone"]),
                         ("2026-01-01T00:00:00", "../../../etc/passwd"))
        self.assertEqual((said["end"], said["end_timezone"]),
                         ("2026-01-01T00:00:00", "Europe/Berlin"))


if __name__ == "__main__":
    unittest.main()
