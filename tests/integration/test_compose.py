# SPDX-License-Identifier: ISC
"""What is made of drafts, as readers and servers of others see it."""
import base64
import email
import email.policy
import email.utils
import json
import re
import unittest
from email.header import decode_header, make_header

from bed import BedTestCase
from bed.postal import read_all

from . import mailprobe
from .drafts import (DRAFTS, PLAIN, attach, expected, file, header_names,
                     recipients)

ME = '"Me, myself" <me@example.test>'
MESSAGE_ID = "<0123456789abcdef0123456789abcdef@example.test>"
DATE = "Thu, 31 Dec 2026 23:59:59 +0000"


class ComposeTestCase(BedTestCase):
    """Drives the program tests/composeprobe."""

    @classmethod
    def compose(cls, *drafts):
        """What is made of each draft: {"message": bytes, ...} or {"error"}."""
        text = "".join(json.dumps(d) + "\n" for d in drafts)
        ran = cls.bed.run([cls.bed.build_dir() / "tests/composeprobe", ME],
                          input=text, timeout=120).check()
        answers = [json.loads(line) for line in ran.out.split("\n") if line]
        for answer in answers:
            if "message" in answer:
                answer["message"] = base64.b64decode(answer["message"])
        return answers


def content(part):
    """The text or bytes of a part, with LF for CRLF."""
    if part.get_content_type() == "message/rfc822":
        return part.get_content().as_bytes()
    value = part.get_content()
    return value.replace("\r\n", "\n") if isinstance(value, str) else value


def by_python(answer):
    """A message as Python's email package reads it."""
    data = answer["message"]
    if answer["smtputf8"]:  # it reads UTF-8 in headers from text only
        mail = email.message_from_string(data.decode(),
                                         policy=email.policy.default)
    else:
        mail = email.message_from_bytes(data, policy=email.policy.default)
    html = mail.get_body(("html",))

    def field(name):
        # the newer reader leaves a space between two encoded words of a name
        raw = [value for key, value in mail.raw_items()
               if key.lower() == name]
        return [(str(make_header(decode_header(display))), mailbox)
                for display, mailbox in email.utils.getaddresses(raw)]

    return {
        "from": field("from"), "to": field("to"), "cc": field("cc"),
        "bcc": field("bcc"), "reply_to": field("reply-to"),
        "subject": mail["subject"],
        "in_reply_to": mail["in-reply-to"] or "",
        "references": (mail["references"] or "").split(),
        "text": content(mail.get_body(("plain",))),
        "html": content(html) if html else "",
        "files": [file(part.get_filename(), part.get_content_type(),
                       part.get_payload(decode=True) or content(part))
                  for part in mail.iter_attachments()],
    }


def by_postal(read):
    """The same from what postal-mime made of it."""
    def field(name):
        return [(a["name"], a["address"]) for a in read.get(name) or []]

    return {
        "from": [(read["from"]["name"], read["from"]["address"])],
        "to": field("to"), "cc": field("cc"), "bcc": field("bcc"),
        "reply_to": field("replyTo"), "subject": read["subject"],
        "in_reply_to": read.get("inReplyTo") or "",
        "references": (read.get("references") or "").split(),
        "text": (read.get("text") or "").replace("\r\n", "\n").rstrip("\n"),
        "html": (read.get("html") or "").replace("\r\n", "\n").rstrip("\n"),
        "files": [file(a["filename"], a["mimeType"],
                       base64.b64decode(a["content"]))
                  for a in read["attachments"]],
    }


class ReaderTest(ComposeTestCase):
    """Every draft of the table, field by field."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.answers = dict(zip(DRAFTS, cls.compose(*DRAFTS.values())))

    def each(self, check):
        """Call check(name, draft, answer) for each draft."""
        for name, draft in DRAFTS.items():
            with self.subTest(name):
                self.assertNotIn("error", self.answers[name])
                check(name, draft, self.answers[name])

    def test_python_reads_what_was_written(self):
        self.each(lambda _, draft, answer: self.assertEqual(
            by_python(answer), expected(draft)))

    def test_postal_mime_reads_what_was_written(self):
        read = dict(zip(self.answers, read_all(
            [a["message"] for a in self.answers.values()])))

        def check(name, draft, _):
            wanted = expected(draft)
            # it takes this for an encoded word wherever it stands
            wanted["files"] = [
                (n.replace("=?utf-8?Q?x?=", "x"), *rest)
                for n, *rest in wanted["files"]]
            # it counts a line end to the text that is the boundary's
            for body in "text", "html":
                wanted[body] = wanted[body].rstrip("\n")
            self.assertEqual(by_postal(read[name]), wanted)

        self.each(check)

    def test_headers_are_those_of_the_contract_in_its_order(self):
        def check(_, draft, answer):
            mail = email.message_from_bytes(answer["message"])
            self.assertEqual(mail.keys(), header_names(draft))
            self.assertEqual(mail["message-id"], MESSAGE_ID)
            self.assertEqual(mail["date"], DATE)

        self.each(check)

    def test_every_line_is_short_and_ends_with_crlf(self):
        def check(_name, _draft, answer):
            data = answer["message"]
            self.assertTrue(data.endswith(b"\r\n"))
            self.assertNotRegex(data, rb"\r(?!\n)|(?<!\r)\n|\0")
            self.assertLessEqual(max(map(len, data.split(b"\r\n"))), 998)

        self.each(check)

    def test_only_smtputf8_needs_more_than_seven_bits(self):
        def check(name, _, answer):
            self.assertEqual(answer["smtputf8"], name == "smtputf8")
            self.assertEqual(answer["message"].isascii(),
                             not answer["smtputf8"])

        self.each(check)

    def test_envelope_is_complete_and_nobody_is_in_it_twice(self):
        self.each(lambda _, draft, answer: self.assertEqual(
            answer["recipients"], recipients(draft)))

    def test_the_same_draft_gives_the_same_bytes(self):
        again = self.compose(*DRAFTS.values())
        self.assertEqual(again, list(self.answers.values()))


# Ways to end a line or a word, in front of what must never take effect.
_BREAKS = ("\r\n", "\n", "\r", "\r\n\r\n", "\x0b", "\x0c", "\x00", "\x85",
           "\u2028", '"\r\n', ">\r\n", "\\\r\n", "\r\n ", "; ", '"; ', "\t",
           "?=\r\n", "%0d%0a", "=0D=0A", ">,<", ", ", "\r\n.\r\n")
_EVIL = ("Bcc: evil@x.example", "X-Evil: 1", "\r\nevil", "evil@x.example",
         "--=_evil", "RCPT TO:<evil@x.example>", "name=evil",
         "Content-Type: text/html")


class InjectionTest(ComposeTestCase):
    """Whatever stands in a field, it is that field's, or it is refused."""

    def drafts(self):
        """(what was tried, the draft)"""
        for stop in _BREAKS:
            for evil in _EVIL:
                text = stop + evil
                for name, good in (
                        ("to", "a@b.example"), ("cc", "a@b.example"),
                        ("bcc", "a@b.example"), ("reply_to", "a@b.example"),
                        ("subject", "s"), ("in_reply_to", "<1@x.example>"),
                        ("references", "<1@x.example>"), ("dsn", "success"),
                        ("to", "A <a@b.example>")):
                    yield name, PLAIN | {name: good + text}
                    yield name, PLAIN | {name: text + good}
                yield "name", PLAIN | {"to": f'"A{text}" <a@b.example>'}
                yield "body", PLAIN | {"body": f"b{text}"}
                yield "body_html", PLAIN | {"body_html": f"b{text}"}
                yield "path", PLAIN | {"attachments": [{"path": f"f{text}"}]}
                for name, good in (("filename", "f"),
                                   ("content_type", "text/plain"),
                                   ("sha256", "0" * 64)):
                    yield name, PLAIN | {"attachments": [
                        attach("f", b"x", "text/plain") | {name: good + text}]}

    def test_no_field_reaches_beyond_itself(self):
        cases = list(self.drafts())
        answers = self.compose(*(draft for _, draft in cases))
        accepted = set()
        for (name, draft), answer in zip(cases, answers):
            with self.subTest(name, draft=draft):
                if "error" in answer:
                    continue
                accepted.add(name)
                self.check(draft, answer)
        # or nothing was tried
        self.assertEqual(accepted, {
            "to", "cc", "bcc", "reply_to", "name", "subject", "body",
            "body_html", "filename", "content_type", "references",
            "in_reply_to"})

    def check(self, draft, answer):
        data = answer["message"]
        self.assertNotRegex(data, rb"\r(?!\n)|(?<!\r)\n|\0")
        mail = email.message_from_bytes(data)
        self.assertEqual(mail.keys(), header_names(draft))
        self.assertEqual(len(mail.defects), 0)
        parts = [p for p in mail.walk() if not p.is_multipart()]
        files = [p for p in parts if p.get_filename() is not None]
        self.assertEqual(len(files), len(draft.get("attachments", [])))
        self.assertEqual(len(parts) - len(files),
                         2 if "body_html" in draft else 1)
        for part in files:
            self.assertEqual(part.keys(), [
                "Content-Type", "Content-Disposition",
                "Content-Transfer-Encoding"])
            self.assertIn(part.get_content_type(),
                          ("text/plain", "application/octet-stream"))
            self.assertEqual(part.get_payload(decode=True), b"x")
        # no more than its fields name, between their commas
        named = [text for field in ("to", "cc", "bcc")
                 for text in draft.get(field, "").split(",") if text.strip()]
        self.assertLessEqual(len(answer["recipients"]), len(named))
        for recipient in answer["recipients"]:
            self.assertIn(recipient, "\0".join(named))


# Postfix with SASL from Dovecot, in front of everything; the bed's own
# listener takes from anybody.
_AUTH = """
service auth {
  inet_listener {
    address = 127.0.0.1
    port = %d
  }
}
"""
_SMTPD = """
127.0.0.1:%d inet n - n - - smtpd
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_sasl_type=dovecot
  -o smtpd_sasl_path=inet:127.0.0.1:%d
  -o smtpd_recipient_limit=1000
"""


class PostfixTest(ComposeTestCase):
    """Through a real server: by our connection, Postfix, to the sink."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        auth, cls.port = cls.bed.port(), cls.bed.port()
        cls.bed.dovecot(extra=_AUTH % auth)
        cls.sink = cls.bed.sink()
        cls.sink.offers.append("SMTPUTF8")
        cls.postfix = cls.bed.postfix(
            relay_port=cls.sink.port, ca=cls.bed.tls.ca,
            services=_SMTPD % (cls.port, auth),
            settings={"relayhost": f"[127.0.0.1]:{cls.sink.port}",
                      "smtp_tls_security_level": "none",
                      "smtp_sasl_auth_enable": "no",
                      "message_size_limit": "60000000"})

    def send(self, answer, *options):
        """Send what composeprobe made, by mailprobe; its Outcome."""
        path = self.bed.subdir("mail") / "message"
        path.write_bytes(answer["message"])
        argv = ["--send", path, "--from", "me@example.test", *options]
        for recipient in answer["recipients"]:
            argv += ["--to", recipient]
        if answer["smtputf8"]:
            argv.append("--smtputf8")
        return mailprobe.probe(self.bed, "smtp", self.port, "PLAIN", *argv,
                               tls="none", password="alice-pw")

    def arrived(self, before, recipients):
        """What reached the sink, joined again: Postfix may split the
        recipients (default_destination_recipient_limit)."""
        def complete():
            new = self.sink.messages()[before:]
            return sum(len(m.rcpt_to) for m in new) >= len(recipients)

        self.bed.wait_until(complete, what="all recipients")
        new = self.sink.messages()[before:]
        self.assertEqual(sorted(r for m in new for r in m.rcpt_to),
                         sorted(recipients))
        self.assertEqual(len({m.data.partition(b"\r\nFrom: ")[2]
                              for m in new}), 1)
        return new[0]

    def test_messages_pass_unchanged(self):
        answers = dict(zip(DRAFTS, self.compose(*DRAFTS.values())))
        for name, answer in answers.items():
            with self.subTest(name):
                before = len(self.sink.messages())
                outcome = self.send(answer)
                self.assertEqual(outcome.result, "accepted", outcome)
                got = self.arrived(before, answer["recipients"])
                trace, _, rest = got.data.partition(b"\r\nFrom: ")
                self.assertEqual(b"From: " + rest, answer["message"])
                self.assertRegex(trace, rb"\AReceived: [^\r]*(\r\n[ \t].*)*\Z")

    def test_report_of_delivery_is_asked_for(self):
        answer, = self.compose(PLAIN | {"dsn": "success"})
        self.assertEqual(answer["dsn"], "SUCCESS")
        before = len(self.sink.messages())
        outcome = self.send(answer, "--dsn", answer["dsn"],
                            "--envid", MESSAGE_ID)
        self.assertEqual(outcome.result, "accepted", outcome)
        self.bed.wait_until(lambda: len(self.sink.messages()) >= before + 2,
                            what="message and report")
        report, = [m for m in self.sink.messages()[before:]
                   if m.rcpt_to == ["me@example.test"]]
        self.assertIn(b"Action: relayed", report.data)
        self.assertIn(b"Original-Envelope-Id: " +
                      MESSAGE_ID.strip("<>").encode(), report.data)
        self.assertIn(b"text/rfc822-headers", report.data)  # RET=HDRS


class OfferTest(ComposeTestCase):
    """What a server has announced that it cannot do."""

    def serve(self, *offers):
        """A server that offers this; the list of lines that it gets."""
        seen = []

        def script(conn):
            conn.send("220 test\r\n")
            while True:
                line = conn.readline()
                seen.append(line)
                verb = line[:4].upper()
                if verb == "EHLO":
                    conn.send("250-test\r\n" + "".join(
                        f"250-{o}\r\n" for o in offers) + "250 AUTH PLAIN\r\n")
                elif verb == "AUTH":
                    conn.send("235 ok\r\n")
                elif verb == "DATA":
                    conn.send("354 go on\r\n")
                    conn.read_dot()
                    conn.send("250 2.0.0 taken\r\n")
                elif verb == "QUIT":
                    conn.send("221 bye\r\n")
                    return
                else:
                    conn.send("250 ok\r\n")

        self.port = self.bed.scripted_server(script).port
        return seen

    def send(self, *options, sender="me@example.test", to="bob@example.test"):
        path = self.bed.subdir("mail") / "message"
        path.write_bytes(b"Subject: x\r\n\r\n" + b"0123456789\r\n" * 100)
        return mailprobe.probe(
            self.bed, "smtp", self.port, "PLAIN", "--send", path, "--from",
            sender, "--to", to, *options, tls="none", password="alice-pw")

    def test_size_is_a_limit(self):
        seen = self.serve("SIZE 1000")
        outcome = self.send("--times", "2")
        self.assertEqual((outcome.status, outcome.result, outcome.code),
                         ("REFUSED", "refused", 0), outcome)
        self.assertRegex(outcome.text, r"^localhost:\d+ takes messages of up "
                         r"to 1000 bytes, and this one has 1214$")
        # nothing was begun, and the connection ends in order
        self.assertEqual([line[:4] for line in seen],
                         ["EHLO", "AUTH", "QUIT"])

    def test_size_without_a_limit(self):
        for offer in "SIZE", "SIZE 0", "SIZE 1214":
            seen = self.serve(offer)
            outcome = self.send()
            self.assertEqual(outcome.result, "accepted", outcome)
            self.assertIn("MAIL FROM:<me@example.test> SIZE=1214", seen)

    def test_smtputf8_only_where_it_is_needed_and_offered(self):
        seen = self.serve("SMTPUTF8")
        self.assertEqual(self.send().result, "accepted")
        self.assertIn("MAIL FROM:<me@example.test>", seen)
        outcome = self.send("--smtputf8", to="jürgen@example.test")
        self.assertEqual(outcome.result, "accepted", outcome)
        self.assertIn("MAIL FROM:<me@example.test> SMTPUTF8", seen)
        self.assertIn("RCPT TO:<jürgen@example.test>", seen)
        seen = self.serve("8BITMIME")
        outcome = self.send("--smtputf8", to="jürgen@example.test")
        self.assertEqual((outcome.status, outcome.result, outcome.code),
                         ("REFUSED", "refused", 0), outcome)
        self.assertIn("does not offer SMTPUTF8", outcome.text)
        self.assertNotIn("MAIL", "".join(seen))
        # and without the word for it, no such address goes on the wire
        outcome = self.send(to="jürgen@example.test")
        self.assertEqual(outcome.status, "BAD_INPUT", outcome)

    def test_reports_only_where_they_are_offered(self):
        seen = self.serve("DSN")
        outcome = self.send("--dsn", "SUCCESS,DELAY",
                            "--envid", "<a+b=c@example.test>")
        self.assertEqual((outcome.result, outcome.reply.strip()),
                         ("accepted", "2.0.0 taken"), outcome)
        self.assertIn("MAIL FROM:<me@example.test> RET=HDRS "
                      "ENVID=a+2Bb+3Dc@example.test", seen)
        self.assertIn("RCPT TO:<bob@example.test> NOTIFY=SUCCESS,DELAY", seen)
        self.send()
        self.assertIn("RCPT TO:<bob@example.test>", seen)
        seen = self.serve("SIZE")
        outcome = self.send("--dsn", "SUCCESS")
        self.assertEqual(outcome.result, "accepted", outcome)
        self.assertEqual(
            outcome.reply.strip(),
            "2.0.0 taken (the server offers no delivery reports)")
        self.assertNotIn("NOTIFY", "".join(seen))

    def test_words_for_reports_cannot_hold_a_command(self):
        self.serve("DSN")
        for words in "SUCCESS\r\nQUIT", "SUCCESS ORCPT=x", "success":
            outcome = self.send("--dsn", words)
            self.assertEqual(outcome.status, "BAD_INPUT", outcome)


if __name__ == "__main__":
    unittest.main()
