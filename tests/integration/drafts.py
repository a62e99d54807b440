# SPDX-License-Identifier: ISC
"""Drafts that are hard to write down as a message, and what they say.

DRAFTS maps names to drafts as an agent writes them.  Addresses are "name"
<mailbox>, so that expected() can take them apart without a parser of its own.
"""
import base64
import re

A_LABELS = {"bücher.example": "xn--bcher-kva.example",
            "例え.テスト": "xn--r8jz45g.xn--zckzah"}
PLAIN = {"to": "bob@example.test", "subject": "s", "body": "b"}
HTML = "<html><body><p>Grüße &amp; =3D\n.\n..\n</p></body></html>\n"
EVERY_BYTE = bytes(range(256)) * 3


def attach(name, content=b"x", content_type=None, **more):
    fields = {"filename": name, **more,
              "content_base64": base64.b64encode(content).decode()}
    return fields | ({"content_type": content_type} if content_type else {})


def quoted(name, mailbox):
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}" <{mailbox}>'


_NAMES = (
    "Bob", "Doe, John", 'Jo "the man" \\ Doe', "Jürgen Müller", "山田 太郎",
    "Москва", "مرحبا بالعالم", "שלום", "📧 Post", "=?utf-8?Q?x?=",
    "a@b.example", "<evil@x.example>", "ends with \\", "(comment)",
    "e\u0301", "a  b", "N" * 250, "ü" * 120, "x: y;", "\u200f\u202eabc")
_SUBJECTS = (
    "word " * 200 + "end", "x" * 1200, "ü" * 900, "📧" * 300,
    "שלום עולם " * 40 + "!", "日本語の件名" * 60, "=?utf-8?B?eA==?=", "a =? b",
    "a  double  space", "A: b", "a dash – here", "-- ", ".",
    "mixed ascii and ünïcödé " * 30 + "x", "x" * 70 + " y")
_BODIES = (
    "no end", "\n", "\r", "\r\n", "a\rb\nc\r\nd", "\n\n\n", ".", ".\n.\n",
    "..\r\n.\r\nQUIT\r\n", "From here\n", "x" * 5000, "ü" * 5000,
    "word " * 2000, " leading and trailing \n\t\n x \t\n", "a=3Db\n==\n",
    "--=_74fabd724f3dc374d839a6e631f598a6--\n", "\x01\x1b\x7f",
    "📧\u2028\u2029\x85" * 50, "-- \nsig", "0123456789" * 7 + "012345\n",
    "0123456789" * 7 + "01234 \n", "日本語" * 400 + "\n.\n")
_FILES = (
    "a.txt", "with space.pdf", 'quote".txt', "back\\slash.txt",
    "semi;colon.txt", "per%20cent.txt", "star*1*=utf-8''x.txt",
    "Grüße aus Köln.pdf", "日本語.txt", "📎.bin", "ا" * 100 + ".pdf",
    "a" * 300, "ü" * 300, "📎" * 300, "=?utf-8?Q?x?=.txt", "'single'.txt",
    "..", ".hidden", "a=b,c.txt", "trailing ", " leading", "x" * 61, "x" * 60,
    "\u202egpj.exe", "e\u0301.txt", "a" * 50 + "ü" + "b" * 50)
_TYPES = ("application/pdf", "IMAGE/PNG", "text/plain", None,
          "text/csv; charset=utf-8", "application/vnd.oasis.opendocument.text")

DRAFTS = {"plain": PLAIN}
DRAFTS |= {f"subject {i}": PLAIN | {"subject": s}
           for i, s in enumerate(_SUBJECTS)}
DRAFTS |= {f"body {i}": PLAIN | {"body": b} for i, b in enumerate(_BODIES)}
DRAFTS |= {f"html {i}": PLAIN | {"body": b, "body_html": b}
           for i, b in enumerate(_BODIES)}
DRAFTS |= {f"html and file {i}": PLAIN | {
    "body": b, "body_html": HTML, "attachments": [attach("a.bin", EVERY_BYTE)]}
    for i, b in enumerate(_BODIES)}
DRAFTS |= {f"name {i}": PLAIN | {
    "to": quoted(n, "bob@example.test"),
    "cc": [quoted(n, "c@example.test")] * 3,
    "reply_to": quoted(n, "r@example.test")} for i, n in enumerate(_NAMES)}
DRAFTS |= {f"file {i}": PLAIN | {"attachments": [attach(n, EVERY_BYTE)]}
           for i, n in enumerate(_FILES)}
DRAFTS |= {f"type {i}": PLAIN | {"attachments": [attach("f", b"text\n", t)]}
           for i, t in enumerate(_TYPES)}
DRAFTS |= {
    "300 recipients": PLAIN | {
        "to": [f"to-{i}@example.test" for i in range(100)],
        "cc": ", ".join(f"cc-{i}@example.test" for i in range(100)),
        "bcc": [f"bcc-{i}@example.test" for i in range(100)]},
    "many with names": PLAIN | {
        "to": [quoted(n, f"{i}@example.test") for i, n in enumerate(_NAMES)]},
    "thread": PLAIN | {
        "in_reply_to": "<2@x.example>",
        "references": " ".join(f"<{i}@x.example>" for i in range(200))},
    "long ids": PLAIN | {
        "in_reply_to": f"<{'i' * 900}>", "references": f"<{'r' * 900}>"},
    "domains": PLAIN | {"to": ["a@bücher.example", quoted("B", "b@例え.テスト")],
                        "bcc": "hidden@bücher.example"},
    "smtputf8": PLAIN | {"to": ["jürgen@example.test",
                                quoted("Jürgen", "山田@例え.テスト")],
                         "subject": "Grüße"},
    "empty file": PLAIN | {"attachments": [attach("empty.txt", b"\n")]},
    "all files": PLAIN | {"attachments": [attach(n) for n in _FILES]},
    "big file": PLAIN | {"attachments": [attach("big.bin", EVERY_BYTE * 900)]},
    "message": PLAIN | {"attachments": [attach(
        "m.eml", b"Subject: inner\r\n\r\n.\r\ninner\r\n", "message/rfc822")]},
    "8-bit message": PLAIN | {"attachments": [attach(
        "m.eml", "Subject: inner\r\n\r\nü\r\n".encode(), "message/rfc822")]},
    "everything": PLAIN | {
        "to": [quoted("Jürgen", "j@bücher.example")], "cc": ["c@example.test"],
        "bcc": ["b@example.test"], "reply_to": ["r@example.test"],
        "subject": "Grüße", "body": "text\n", "body_html": HTML,
        "in_reply_to": "<1@x.example>", "references": "<0@x.example>",
        "dsn": ["success", "failure"],
        "attachments": [attach(n, EVERY_BYTE, "image/png") for n in _FILES]},
}

_ADDRESS = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"\s*<)?'
                      r'([^<>,\s]+@[^<>,\s]+?)>?\s*(?:,|$)')


def ascii_domain(mailbox):
    local, _, domain = mailbox.partition("@")
    return f"{local}@{A_LABELS.get(domain, domain)}"


def addresses(value):
    """[(name, mailbox on the wire)] of one field of a draft."""
    texts = [value] if isinstance(value, str) else value or []
    return [(re.sub(r"\\(.)", r"\1", name), ascii_domain(mailbox))
            for text in texts for name, mailbox in _ADDRESS.findall(text)]


def lines(text):
    """A text as it is sent: each line ended, here by LF, the last one, too."""
    text = re.sub("\r\n|\r|\n", "\n", text)
    return text if text.endswith("\n") else text + "\n"


def recipients(draft):
    """The envelope's, each once."""
    return list(dict.fromkeys(
        mailbox for field in ("to", "cc", "bcc")
        for _, mailbox in addresses(draft.get(field))))


def file(name, content_type, content):
    """An attachment as it is compared: no reader gives an attached message's
    line ends as they are, and some take the last for the boundary's, or drop
    spaces around a name."""
    if content_type == "message/rfc822":
        content = content.replace(b"\r\n", b"\n").rstrip(b"\n")
    return name.strip(), content_type, content


def _type(fields):
    given = (fields.get("content_type") or "application/octet-stream").lower()
    content = base64.b64decode(fields["content_base64"])
    if given == "message/rfc822" and not content.isascii():
        return "application/octet-stream"
    return given.partition(";")[0]


def expected(draft):
    """What any reader of mail must find in the message."""
    references = draft.get("references", "").split()
    if draft.get("in_reply_to") and references[-1:] != [draft["in_reply_to"]]:
        references.append(draft["in_reply_to"])
    return {
        "from": [("Me, myself", "me@example.test")],
        "to": addresses(draft["to"]), "cc": addresses(draft.get("cc")),
        "bcc": [], "reply_to": addresses(draft.get("reply_to")),
        "subject": draft["subject"],
        "in_reply_to": draft.get("in_reply_to", ""), "references": references,
        "text": lines(draft["body"]),
        "html": lines(draft["body_html"]) if draft.get("body_html") else "",
        "files": [file(f["filename"], _type(f),
                       base64.b64decode(f["content_base64"]))
                  for f in draft.get("attachments", [])],
    }


def header_names(draft):
    """The fields of the header, in their order."""
    multipart = draft.get("body_html") or draft.get("attachments")
    return ["From", "To", "Subject", "Message-ID", "Date", "MIME-Version",
            "Content-Type", *["Cc"] * bool(draft.get("cc")),
            *["In-Reply-To"] * bool(draft.get("in_reply_to")),
            *["References"] * bool(draft.get("in_reply_to") or
                                   draft.get("references")),
            *["Reply-To"] * bool(draft.get("reply_to")),
            *["Content-Transfer-Encoding"] * (not multipart)]
