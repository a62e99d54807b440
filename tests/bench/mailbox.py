# SPDX-License-Identifier: ISC
"""A mailbox as people have it: messages of many kinds and sizes, the same ones
in every run.  On average 14.7 KB, half of them below 10 KB; 2 to 65 KB; one in
fifty is malformed."""
import base64
import os
import pwd
import random
import shutil

MIN_BYTES, MAX_BYTES = 2000, 65000
MEDIAN_BYTES, SIGMA = 10200, 0.85
WORDS = ("the report is late and nobody knows why so we meet on thursday to "
         "look at figures that were sent last week please bring your own copy "
         "of the plan and a pen grüße außerdem naïve café señor").split()


def _text(rng, size):
    lines, total = [], 0
    while total < size:
        line = " ".join(rng.choices(WORDS, k=12))
        lines.append(line)
        total += len(line.encode()) + 2
    return "\r\n".join(lines) + "\r\n"


def _html(rng, size):
    body = "".join(f"<p style='margin:0'>{line}</p>\r\n"
                   for line in _text(rng, size * 3 // 4).splitlines())
    return f"<html><body>\r\n{body}</body></html>\r\n"


def _base64(data):
    return base64.encodebytes(data).replace(b"\n", b"\r\n")


def _part(content_type, body, *headers, encode=False):
    if isinstance(body, str):
        body = body.encode()
    lines = [f"Content-Type: {content_type}", *headers]
    if encode:
        lines.append("Content-Transfer-Encoding: base64")
        body = _base64(body)
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def _multipart(kind, *parts, end=True):
    found = b"".join(b"--=_b\r\n" + part + b"\r\n" for part in parts)
    return (f"Content-Type: multipart/{kind}; boundary=\"=_b\"\r\n\r\n".encode()
            + found + (b"--=_b--\r\n" if end else b""))


def _utf8(rng, size):
    return _part("text/plain; charset=utf-8", _text(rng, size),
                 "Content-Transfer-Encoding: 8bit")


def _alternative(rng, size):
    return _multipart("alternative", _utf8(rng, size // 3),
                      _part("text/html; charset=utf-8",
                            _html(rng, size * 2 // 3)))


def _attachment(rng, size, content_type="application/pdf", name="report.pdf"):
    return _part(content_type, rng.randbytes(size * 3 // 4),
                 f"Content-Disposition: attachment; filename=\"{name}\"",
                 encode=True)


KINDS = (
    _utf8,
    lambda rng, n: _part("text/plain; charset=us-ascii",
                         _text(rng, n).encode("ascii", "ignore")),
    lambda rng, n: _part("text/plain; charset=iso-8859-1",
                         _text(rng, n).encode("latin-1")),
    lambda rng, n: _part("text/plain; charset=utf-8; format=flowed",
                         _text(rng, n)),
    lambda rng, n: _part("text/plain; charset=utf-8",
                         _text(rng, n * 3 // 4), encode=True),
    lambda rng, n: _part("text/html; charset=utf-8", _html(rng, n)),
    _alternative,
    _alternative,
    lambda rng, n: _multipart("mixed", _utf8(rng, n // 4),
                              _attachment(rng, n * 3 // 4)),
    lambda rng, n: _multipart("mixed", _alternative(rng, n // 3),
                              _attachment(rng, n // 3),
                              _attachment(rng, n // 3, "image/png", "ü.png")),
    lambda rng, n: _multipart(
        "related", _part("text/html", _html(rng, n // 2)),
        _part("image/png", rng.randbytes(n * 3 // 8), "Content-ID: <i@x>",
              "Content-Disposition: inline", encode=True)),
    lambda rng, n: _multipart(
        "mixed", _utf8(rng, n // 2),
        _part("message/rfc822", b"Subject: inner\r\n\r\n"
              + _text(rng, n // 2).encode())),
    lambda rng, n: _multipart(
        "report; report-type=delivery-status", _utf8(rng, n // 2),
        _part("message/delivery-status", "Reporting-MTA: dns; mx.example\r\n"
              "\r\nFinal-Recipient: rfc822; a@example\r\nAction: failed\r\n"
              "Status: 5.1.1\r\n"),
        _part("text/rfc822-headers", "Subject: " + _text(rng, n // 2))),
    lambda rng, n: _multipart("alternative", _utf8(rng, n),
                              _part("text/calendar; method=REQUEST",
                                    "BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n")),
)


def message(number):
    """The message of that number: bytes, with CR LF."""
    rng = random.Random(number)
    size = int(min(MAX_BYTES, max(MIN_BYTES, rng.lognormvariate(0, SIGMA)
                                  * MEDIAN_BYTES)))
    head = (f"Received: from mx{number % 7}.example by mail.example;"
            " Mon, 02 Nov 2026 10:00:00 +0000\r\n" * 3
            + f"From: Person {number % 97} <p{number % 97}@example.test>\r\n"
            "To: Alice <alice@example.test>\r\n"
            f"Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?= number {number}\r\n"
            f"Message-ID: <{number}@example.test>\r\n"
            "Date: Mon, 02 Nov 2026 10:00:00 +0000\r\n"
            "MIME-Version: 1.0\r\n").encode()
    if number % 50 == 49:
        return head + _multipart("mixed", _utf8(rng, size), end=False)
    return head + KINDS[number % len(KINDS)](rng, size - len(head))


def fill(dovecot, user, count):
    """Puts messages 0 to count - 1 into INBOX, which is empty; returns their
    bytes in all.  Faster than delivering them one by one."""
    home = dovecot.dir / "mail" / user
    total = 0
    for name in ("cur", "new", "tmp"):
        (home / name).mkdir(parents=True, exist_ok=True)
    for number in range(count):
        data = message(number)
        total += len(data)
        path = home / "cur" / f"{1700000000 + number}.M{number}P1.x:2,"
        path.write_bytes(data)
    if os.getuid() == 0:
        owner = pwd.getpwnam("dovecot")
        for path in (home, *home.rglob("*")):
            shutil.chown(path, owner.pw_uid, owner.pw_gid)
    return total
