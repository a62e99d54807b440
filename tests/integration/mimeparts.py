# SPDX-License-Identifier: ISC
"""Takes messages through the MIME client and its worker, and makes messages
that hold what Outlook, calendars and mail servers put into them."""
import json
import os
import struct
import subprocess

BUILD = os.environ["MAILTOKEN_BUILD"]
PROBE = os.path.join(BUILD, "tests", "mimeprobe")
WORKER = os.path.join(BUILD, "bin", "mailtoken-mime-worker")


class Parsed:
    """What mimeprobe made of one message."""

    def __init__(self, directory, said):
        self.directory = directory
        self.said = said
        with open(os.path.join(directory, "message.json"), "rb") as f:
            self.bytes = f.read()
        self.json = json.loads(self.bytes.decode("utf-8"))

    def file(self, attachment):
        """The bytes of one of its attachments."""
        with open(os.path.join(self.directory, attachment["filename"]),
                  "rb") as f:
            return f.read()


def probe(directory, messages, worker=WORKER):
    """Takes {name: bytes} through the client, in this order and with one
    worker as long as it lives; {name: Parsed}."""
    paths = []
    os.mkdir(os.path.join(directory, "in"))
    os.mkdir(os.path.join(directory, "out"))
    for number, raw in enumerate(messages.values()):
        paths.append(os.path.join(directory, "in", str(number)))
        with open(paths[-1], "wb") as f:
            f.write(raw)
    done = subprocess.run(
        [PROBE, worker, os.path.join(directory, "out")],
        input="".join(path + "\n" for path in paths), check=True, text=True,
        stdout=subprocess.PIPE, timeout=280)
    result = {}
    for name, line in zip(messages, done.stdout.splitlines(), strict=True):
        number, said = line.split(" ", 1)
        result[name] = Parsed(os.path.join(directory, "out", number), said)
    return result


# ---- structure --------------------------------------------------------------

def multipart(subtype, *parts, boundary=b"B"):
    body = b"".join(b"--" + boundary + b"\r\n" + part + b"\r\n"
                    for part in parts)
    return (b"Subject: x\r\nContent-Type: multipart/" + subtype +
            b"; boundary=" + boundary + b"\r\n\r\n" + body +
            b"--" + boundary + b"--\r\n")


def nested(count):
    return b"Subject: x\r\n" + b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n"
        % (i, i) for i in range(count)) + b"\r\nleaf"


# ---- TNEF -------------------------------------------------------------------

BODY, DATA, TITLE = 0x0002800c, 0x0006800f, 0x00018010
REND_DATA, PROPS, ATTACH_PROPS = 0x00069002, 0x00069003, 0x00069005
CODE_PAGE = 0x00069007

BINARY, OBJECT, STRING8, UNICODE = 0x0102, 0x000d, 0x001e, 0x001f
LONG = 0x0003


def attribute(identifier, data, checksum=None, length=None):
    if checksum is None:
        checksum = sum(data) & 0xffff
    return (bytes([1 if identifier in (BODY, PROPS, CODE_PAGE) else 2]) +
            struct.pack("<II", identifier,
                        len(data) if length is None else length) +
            data + struct.pack("<H", checksum))


def prop(identifier, kind, value):
    """One MAPI property with one value."""
    tag = struct.pack("<I", identifier << 16 | kind)
    if kind == LONG:
        return tag + struct.pack("<I", value)
    if kind == UNICODE:
        value = value.encode("utf-16le") + b"\0\0"
    if kind == STRING8:
        value += b"\0"
    return (tag + struct.pack("<II", 1, len(value)) + value +
            b"\0" * (-len(value) % 4))


def props(*all_of_them):
    return struct.pack("<I", len(all_of_them)) + b"".join(all_of_them)


def tnef(*attributes):
    return struct.pack("<IH", 0x223e9f78, 1) + b"".join(attributes)


def stored_rtf(text):
    """RTF in the form that is not compressed."""
    return struct.pack("<IIII", len(text) + 12, len(text), 0x414c454d,
                       0) + text


def literal_rtf(text, claimed=None):
    """Compressed RTF of literals only."""
    coded = b"".join(b"\0" + text[i:i + 8] for i in range(0, len(text), 8))
    return struct.pack("<IIII", len(coded) + 12,
                       len(text) if claimed is None else claimed,
                       0x75465a4c, 0) + coded


def winmail(stream, name=b"winmail.dat", type_=b"application/ms-tnef"):
    return (b"Subject: x\r\nContent-Type: " + type_ + b"; name=" + name +
            b"\r\nContent-Transfer-Encoding: binary\r\n\r\n" + stream)


def attached(title, data, *properties):
    """The attributes of one attachment."""
    return (attribute(REND_DATA, bytes(14)) + attribute(TITLE, title + b"\0") +
            (attribute(DATA, data) if data is not None else b"") +
            (attribute(ATTACH_PROPS, props(*properties))
             if properties else b""))


OUTLOOK = tnef(
    attribute(CODE_PAGE, struct.pack("<II", 1251, 0)),
    attribute(PROPS, props(
        prop(0x0037, UNICODE, "subject" * 40),
        prop(0x1000, UNICODE, "body \u00e4"),
        prop(0x1013, BINARY, b"<p>body</p>"),
        prop(0x1009, BINARY, literal_rtf(b"{\\rtf1 body}")))),
    attribute(BODY, b"body\0"),
    attached("имя.txt".encode("cp1251"), b"first"),
    attached(b"LONGNA~1.PNG", b"\x89PNG",
             prop(0x3707, UNICODE, "a long näme \U0001f600.png"),
             prop(0x370e, STRING8, b"Image/PNG"),
             prop(0x3712, STRING8, b"cid@x")),
    attached(b"inner", None, prop(0x3701, OBJECT, bytes(16) + tnef(
        attribute(BODY, b"inner body"),
        attached(b"inner.pdf", b"%PDF")))),
    attached(b"empty", b""),
    attached(b"by property", None, prop(0x3701, BINARY, b"bytes")))


# ---- calendars and bounces --------------------------------------------------

def calendar(*lines, method="REPLY", kind="VEVENT"):
    return "\r\n".join(
        ["BEGIN:VCALENDAR", "PRODID:-//x//y", "VERSION:2.0",
         *(["METHOD:" + method] if method else []),
         "BEGIN:" + kind, *lines, "END:" + kind, "END:VCALENDAR", ""]).encode()


def calendar_part(text):
    return (b"Content-Type: text/calendar; charset=utf-8; method=REPLY\r\n"
            b"Content-Transfer-Encoding: 8bit\r\n\r\n" + text)


INVITATION = calendar(
    "UID:1@example.org", "SEQUENCE:2", "DTSTAMP:20261101T000000Z",
    "DTSTART;TZID=Europe/Berlin:20261124T100000", "DURATION:PT1H30M",
    "SUMMARY;LANGUAGE=de:Caf\u00e9\\, Zimmer 1\\nzwei",
    "LOCATION:Room \"5\"", "STATUS:TENTATIVE",
    "ORGANIZER;CN=\"Ann, A.\":MAILTO:ann@example.org",
    "ATTENDEE;PARTSTAT=ACCEPTED;CN=Bob;RSVP=TRUE:mailto:bob",
    " @example.org", "ATTENDEE:mailto:cy@example.org",
    "RRULE:FREQ=SECONDLY",
    "BEGIN:VALARM", "SUMMARY:not this", "UID:nor this", "END:VALARM",
    method="REQUEST")


def bounce(status, returned=b"", returned_type=b"text/rfc822-headers"):
    return multipart(
        b"report; report-type=delivery-status",
        b"Content-Type: text/plain\r\n\r\nsorry",
        b"Content-Type: message/delivery-status\r\n\r\n" + status,
        b"Content-Type: " + returned_type + b"\r\n\r\n" + returned)


FAILED = bounce(
    b"Reporting-MTA: dns; mail.example.org\r\n"
    b"X-Postfix-Queue-ID: 4X\r\n\r\n"
    b"Final-Recipient: rfc822; bob@example.com\r\n"
    b"Original-Recipient: rfc822;bob@example.net\r\n"
    b"Action: FAILED (sorry)\r\nStatus: 5.1.1 (no such user)\r\n"
    b"Diagnostic-Code: smtp; 550 5.1.1\r\n <bob@example.com>: unknown\r\n"
    b"\r\n"
    b"Original-Recipient: rfc822;<cy@example.com>\r\nAction: delayed\r\n"
    b"Status: 4.4.1\r\n",
    b"From: ann@example.org\r\nMessage-Id:\r\n <1@example.org>\r\n"
    b"Subject: x\r\n\r\n")
