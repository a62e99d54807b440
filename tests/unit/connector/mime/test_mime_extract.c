/* SPDX-License-Identifier: ISC */
#include "mime/mime_extract.h"

#include "base/buf.h"
#include "unit/cmocka_headers.h"
#include "unit/connector/mime/extract_message.h"
#include "unit/connector/scratch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define R "\xef\xbf\xbd"

static void
add(struct buf *b, const char *separator, const char *text)
{
	if (b->len)
		buf_add_text(b, separator);
	buf_add_text(b, text);
}

/* One line an attachment: disk name, type, size, [inline], [<content id>]. */
static char *
list_attachments(const struct mime_message *m)
{
	struct buf b = BUF_INIT(100000);

	for (size_t i = 0; i < m->attachment_count; i++) {
		const struct mime_attachment *a = &m->attachments[i];

		add(&b, "\n", a->file_name + strlen("attachment-"));
		buf_add_format(
		    &b, " %s %ju", a->content_type, (uintmax_t)a->size);
		if (a->is_inline)
			buf_add_text(&b, " inline");
		if (*a->content_id)
			buf_add_format(&b, " <%s>", a->content_id);
	}
	return buf_take(&b);
}

static char *
list_defects(const struct mime_message *m)
{
	struct buf b = BUF_INIT(100000);

	for (size_t i = 0; i < m->defect_count; i++)
		add(&b, "\n", m->defects[i]);
	return buf_take(&b);
}

#define MIXED "Content-Type: multipart/mixed; boundary=M\r\n\r\n"
#define NEXT "\r\n--M\r\n"
#define END "\r\n--M--\r\n"
#define PLAIN "Content-Type: text/plain\r\n\r\n"
#define HTML "Content-Type: text/html\r\n\r\n"
#define PNG "Content-Type: image/png\r\n"
#define BASE64 "Content-Transfer-Encoding: base64\r\n"
#define QP "Content-Transfer-Encoding: quoted-printable\r\n"
#define ATTACHMENT "Content-Disposition: attachment"

static const struct {
	const char *name;
	const char *raw;
	const char *text;
	const char *html;
	const char *attachments;
	const char *defects;
} cases[] = {
    {"plain", "Subject: x\r\n\r\none\r\ntwo\r\n", "one\ntwo\n", "", "", ""},
    {"plain with bare line feeds", "Subject: x\n\none\ntwo\n", "one\ntwo\n", "",
	"", ""},
    {"plain with bare carriage returns", "Subject: x\r\n\r\none\rtwo\r\r\n",
	"one\ntwo\n\n", "", "", ""},
    {"controls in the text",
	"Content-Type: text/plain; charset=utf-8\n\n"
	"\x1b[1m\x7f\xc2\x9b\t\f\xc2\xa0\n",
	R "[1m" R R "\t\f\xc2\xa0\n", "", "", "part 1 has control characters"},
    {"html alone", HTML "<p>", "", "<p>", "", ""},
    {"alternative",
	"Content-Type: multipart/alternative; boundary=M\r\n\r\npro" NEXT PLAIN
	"t" NEXT HTML "h" END "epi",
	"t", "h", "", ""},
    {"attachment first is not the body",
	MIXED NEXT "Content-Type: text/plain\r\n" ATTACHMENT
		   "; filename=a.txt\r\n\r\natt" NEXT PLAIN "body" END,
	"body", "", "1-a.txt text/plain 3", ""},
    {"disposition in capitals",
	MIXED NEXT
	"CONTENT-TYPE: TEXT/PLAIN\r\nCONTENT-DISPOSITION: ATTACHMENT; "
	"FILENAME=\"A B.TXT\"\r\n\r\natt" END,
	"", "", "1-A_B.TXT text/plain 3", ""},
    {"unknown disposition is attachment",
	MIXED NEXT "Content-Disposition: foo\r\n\r\nx" END, "", "",
	"1-unnamed text/plain 1", ""},
    {"named text inline is a file",
	MIXED NEXT "Content-Type: text/plain; name=n.txt\r\n"
		   "Content-Disposition: inline\r\n\r\nx" NEXT PLAIN "body" END,
	"body", "", "1-n.txt text/plain 1 inline", ""},
    {"named text alone is the body",
	"Content-Type: text/plain; name=n.txt\r\n\r\nx", "x", "", "", ""},
    {"text attachment alone is a file",
	"Content-Type: text/plain\r\n" ATTACHMENT "\r\n\r\nx", "", "",
	"1-unnamed text/plain 1", ""},
    {"pdf alone",
	"Content-Type: Application/PDF; name=x.pdf\r\n" BASE64 "\r\nJVBERg==",
	"", "", "1-x.pdf application/pdf 4", ""},
    {"bodies of one kind are joined",
	MIXED NEXT PLAIN "one" NEXT PNG "\r\nx" NEXT PLAIN "two\n" NEXT PLAIN
			 "three" END,
	"one\ntwo\nthree", "", "1-unnamed image/png 1", ""},
    {"inline picture of html is kept",
	"Content-Type: multipart/related; boundary=M\r\n\r\n" NEXT HTML
	"<img>" NEXT PNG "Content-ID: <i@x>\r\n" BASE64 "\r\nUE5H" END,
	"", "<img>", "1-unnamed image/png 3 inline <i@x>", ""},
    {"calendar beside the bodies is a file",
	"Content-Type: multipart/alternative; boundary=M\r\n\r\n" NEXT PLAIN
	"t" NEXT "Content-Type: text/calendar\r\n\r\nBEGIN" END,
	"t", "", "1-unnamed.ics text/calendar 5 inline", ""},
    {"calendar alone is a file", "Content-Type: text/calendar\r\n\r\nBEGIN", "",
	"", "1-unnamed.ics text/calendar 5", ""},
    {"unknown text alone is the body", "Content-Type: text/x-foo\r\n\r\nx", "x",
	"", "", ""},
    {"embedded message is a file of its bytes",
	MIXED NEXT "Content-Type: message/rfc822\r\n\r\n"
		   "To: a:a:a;\r\n" MIXED "--M2\r\n" END,
	"", "", "1-unnamed.eml message/rfc822 63", ""},
    {"embedded message in base64",
	MIXED NEXT "Content-Type: message/rfc822; name=\"Re: x\"\r\n" BASE64
		   "\r\nQTogYg0KDQo=" END,
	"", "", "1-Re__x.eml message/rfc822 8", ""},
    {"digest has messages by default",
	"Content-Type: multipart/digest; boundary=M\r\n\r\n" NEXT
	"\r\nA: b\r\n\r\nc" END,
	"", "", "1-unnamed.eml message/rfc822 9", ""},
    {"delivery report",
	"Content-Type: multipart/report; boundary=M\r\n\r\n" NEXT PLAIN
	"failed" NEXT "Content-Type: message/delivery-status\r\n\r\nA: b" NEXT
	"Content-Type: text/rfc822-headers\r\n\r\nC: d" END,
	"failed", "",
	"1-unnamed message/delivery-status 4\n"
	"2-unnamed text/rfc822-headers 4",
	""},
    {"signature",
	"Content-Type: multipart/signed; boundary=M\r\n\r\n" NEXT PLAIN "t" NEXT
	"Content-Type: application/pgp-signature\r\n\r\n---" END,
	"t", "", "1-unnamed application/pgp-signature 3", ""},
    {"sealed S/MIME is a file",
	"Content-Type: application/pkcs7-mime; smime-type=enveloped-data; "
	"name=smime.p7m\r\n" BASE64 "\r\nMAA=",
	"", "", "1-smime.p7m application/pkcs7-mime 2", ""},
    {"sealed PGP is two files",
	"Content-Type: multipart/encrypted; boundary=M\r\n\r\n" NEXT
	"Content-Type: application/pgp-encrypted\r\n\r\nV" NEXT
	"Content-Type: application/octet-stream\r\n\r\nPGP" END,
	"", "",
	"1-unnamed application/pgp-encrypted 1\n"
	"2-unnamed application/octet-stream 3",
	""},
    {"uuencode within a text is text",
	PLAIN "hi\nbegin 644 u\n%:&5L;&\\\n`\nend\n",
	"hi\nbegin 644 u\n%:&5L;&\\\n`\nend\n", "", "", ""},
    {"uuencode",
	"Content-Type: application/x; name=u\r\nContent-Transfer-Encoding: "
	"x-uuencode\r\n\r\nbegin 644 u\r\n%:&5L;&\\`\r\n`\r\nend\r\n",
	"", "", "1-u application/x 5", ""},
    {"format=flowed is left alone",
	"Content-Type: text/plain; format=flowed\r\n\r\none \r\n two\r\n",
	"one \n two\n", "", "", ""},
    {"quoted-printable",
	"Content-Type: text/plain; charset=iso-8859-1\r\n" QP
	"\r\na=E9=\r\nb=20=\r\n=3D=zz",
	"a\xc3\xa9"
	"b ==zz",
	"", "", ""},
    {"quoted-printable that ends in an escape", QP "\r\nabc=X", "abc", "", "",
	""},
    {"base64 with other characters", PNG BASE64 "\r\naGVs*bG8", "", "",
	"1-unnamed image/png 5", "part 1 has characters that are no base64"},
    {"base64 that goes on after its end", PNG BASE64 "\r\nYWJj\r\nZA==\r\nYWJj",
	"", "", "1-unnamed image/png 4",
	"part 1 goes on after the end of its base64; the rest was left out"},
    {"base64 without padding", PNG BASE64 "\r\nYWJjZA", "", "",
	"1-unnamed image/png 4", ""},
    {"unknown transfer encoding", "Content-Transfer-Encoding: x-foo\r\n\r\nabc",
	"abc", "", "",
	"part 1 has an unknown transfer encoding; it was not decoded"},
    {"8-bit text without a charset", "A: b\r\n\r\ncaf\xe9", "caf\xc3\xa9", "",
	"",
	"part 1 names no charset for its 8-bit text, which is no UTF-8; it "
	"was read as windows-1252"},
    {"unknown charset",
	"Content-Type: text/plain; charset=\"x-\xc3\xa9\"\r\n\r\ncaf\xe9",
	"caf" R, "", "", "part 1 is in the unknown charset x-??"},
    {"bytes that the charset does not know",
	"Content-Type: text/plain; charset=utf-8\r\n\r\na\xff", "a" R, "", "",
	"part 1 has bytes that its charset utf-8 does not know"},
    {"header fields twice",
	"Content-Type: text/plain\r\nContent-Type: image/png\r\n"
	"Subject: a\r\nSubject: b\r\nReceived: c\r\nReceived: d\r\n\r\nx",
	"", "", "1-unnamed image/png 1",
	"the Subject field is there more than once\n"
	"part 1 has 2 Content-Type fields"},
    {"unreadable type", "Content-Type: text\r\n\r\nx", "x", "", "",
	"part 1 has an unreadable type"},
    {"unreadable type of a file",
	"Content-Type: pdf\r\n" ATTACHMENT "; filename=a.pdf\r\n\r\nx", "", "",
	"1-a.pdf application/octet-stream 1", "part 1 has an unreadable type"},
    {"multipart without boundary", "Content-Type: multipart/mixed\r\n\r\nhello",
	"hello", "", "",
	"part 1 is a multipart that names no boundary; it was taken as text"},
    {"multipart without parts", MIXED "hello", "hello", "", "",
	"part 1 is a multipart without parts; it was taken as text"},
    {"multipart without end", MIXED NEXT PLAIN "hello", "hello", "", "",
	"a multipart has no end: the message may be cut off"},
    {"empty parts", MIXED NEXT NEXT "\r\n" NEXT PLAIN "t" END, "t", "", "", ""},
    {"mailbox line at the top", "From a@b Mon Jan 1\nSubject: x\n\nbody",
	"body", "", "",
	"the message begins with the From line of a mailbox file"},
    {"quoted mailbox line at the top", ">From a@b\r\nSubject: x\r\n\r\nbody",
	"body", "", "",
	"the message begins with the From line of a mailbox file"},
    {"line without a colon in the header", "Subject: x\nbad line\nA: b\n\nt",
	"t", "", "",
	"the header has lines that are no fields (1); they were left out"},
    {"header without an end", "Subject: x\nbody, one would think\nof it", "",
	"", "",
	"the header has lines that are no fields (2); they were left out"},
    {"nothing but an empty line", "\n", "", "", "", ""},
};

static void
check(const char *name, const char *what, const char *is, const char *wanted)
{
	if (strcmp(is, wanted) != 0)
		fail_msg(
		    "%s: %s is \"%s\", not \"%s\"", name, what, is, wanted);
}

static void
parts_find_their_place(void **state)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const char *dir = *state;
		struct mime_message m = extract_message(dir, cases[i].raw,
		    strlen(cases[i].raw), &mime_limits_default);
		char *attachments = list_attachments(&m);
		char *defects = list_defects(&m);

		check(cases[i].name, "text", m.body_text, cases[i].text);
		check(cases[i].name, "html", m.body_html, cases[i].html);
		check(cases[i].name, "attachments", attachments,
		    cases[i].attachments);
		check(cases[i].name, "defects", defects, cases[i].defects);
		assert_true(m.parsed);
		assert_false(m.truncated);
		for (size_t j = 0; j < m.attachment_count; j++)
			scratch_remove(dir, m.attachments[j].file_name);
		free(attachments);
		free(defects);
		mime_message_done(&m);
	}
}

static const struct {
	const char *fields;
	const char *wanted;
} names[] = {
    {"; filename=a.pdf", "a.pdf"},
    {"; filename=\"a b.pdf\"", "a b.pdf"},
    {"; filename=a b.pdf", "a b.pdf"},
    {"; FILENAME=\"a\\\\b\\\"c\"", "a\\b\"c"},
    {"; filename*=iso-8859-1'de'%e4%f6.pdf", "\xc3\xa4\xc3\xb6.pdf"},
    {"; filename*0*=utf-8''%c3%a4; filename*1=\"b c\"; filename*2*=%2Epdf",
	"\xc3\xa4"
	"b c.pdf"},
    {"; filename=\"plain.pdf\"; filename*=utf-8''%c3%a4.pdf", "\xc3\xa4.pdf"},
    {"; filename=\"=?utf-8?B?w6QucGRm?=\"", "\xc3\xa4.pdf"},
    {"; filename=\"=?utf-8?Q?a=C3?= =?utf-8?Q?=A4.pdf?=\"", "a\xc3\xa4.pdf"},
    {"; filename==?iso-8859-1?Q?a=E4/b.pdf?=", "a\xc3\xa4/b.pdf"},
    {"; filename=\"\xc3\xa4.pdf\"", "\xc3\xa4.pdf"},
    {"; filename=\"\xe4.pdf\"", "\xc3\xa4.pdf"},
    {"; filename*=x-nope''%e4.pdf", "\xc3\xa4.pdf"},
    {"; filename*=utf-8''a%0Ab%1B", "a b" R},
    {"; filename*=utf-8''photo%E2%80%AEgpj.exe", "photo" R "gpj.exe"},
    {"; filename*=utf-8''%E2%81%A6a%E2%81%A9", R "a" R},
    {"; filename=\"\"\r\nContent-Type: image/png; name=n.png", "n.png"},
    {"\r\nContent-Type: image/png; name=\"=?utf-8?Q?=C3=A4?=\"", "\xc3\xa4"},
    {"", ""},
};

static void
file_names_are_read_in_all_forms(void **state)
{
	const char *dir = *state;
	char raw[512];

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		struct mime_message m;

		snprintf(raw, sizeof(raw), ATTACHMENT "%s\r\n\r\nx",
		    names[i].fields);
		m = extract_message(
		    dir, raw, strlen(raw), &mime_limits_default);
		assert_int_equal(m.attachment_count, 1);
		check(names[i].fields, "name",
		    m.attachments[0].original_filename, names[i].wanted);
		scratch_remove(dir, m.attachments[0].file_name);
		mime_message_done(&m);
	}
}

static void
header_fields_are_found_in_any_case(void **state)
{
	static const char raw[] = "mEsSaGe-iD: <1@x>\r\n"
				  "FROM: Ann <a@b.c>\r\n"
				  "to: d@e.f\r\nTo: g@h.i\r\n"
				  "CC: j@k.l\r\n"
				  "subject: first\r\nSubject: second\r\n"
				  "date: Tue, 17 Feb 2026 11:00:00 +0100\r\n"
				  "reply-to: r@s.t\r\n"
				  "in-reply-to: <0@x>\r\n"
				  "references: <8@x>\r\n <9@x>\r\n\r\n";
	struct mime_message m =
	    extract_message(*state, raw, strlen(raw), &mime_limits_default);

	assert_string_equal(m.message_id, "<1@x>");
	assert_string_equal(m.from, "Ann <a@b.c>");
	assert_string_equal(m.from_address, "a@b.c");
	assert_string_equal(m.to, "d@e.f, g@h.i");
	assert_string_equal(m.cc, "j@k.l");
	assert_string_equal(m.subject, "first");
	assert_string_equal(m.date, "2026-02-17T10:00:00Z");
	assert_string_equal(m.date_raw, "Tue, 17 Feb 2026 11:00:00 +0100");
	assert_string_equal(m.reply_to, "r@s.t");
	assert_string_equal(m.in_reply_to, "<0@x>");
	assert_string_equal(m.references, "<8@x> <9@x>");
	mime_message_done(&m);
}

static void
unparsable_date_is_given_as_it_came(void **state)
{
	static const char raw[] = "Date: yesterday,\r\n or so\r\n\r\n";
	struct mime_message m =
	    extract_message(*state, raw, strlen(raw), &mime_limits_default);

	assert_string_equal(m.date, "yesterday, or so");
	assert_string_equal(m.date_raw, "yesterday, or so");
	assert_int_equal(m.defect_count, 1);
	mime_message_done(&m);
}

static void
message_without_header_is_unparsed(void **state)
{
	static const char *const messages[] = {"", "hello", "hello\nworld\n",
	    "hello\n\nbody\n", "Sub\x01ject without colon"};

	for (size_t i = 0; i < sizeof(messages) / sizeof(*messages); i++) {
		struct mime_message m = extract_message(*state, messages[i],
		    strlen(messages[i]), &mime_limits_default);

		assert_false(m.parsed);
		assert_int_equal(m.defect_count, 1);
		assert_string_equal(m.subject, "");
		assert_string_equal(m.body_text, "");
		mime_message_done(&m);
	}
}

static void
nul_characters_are_replaced_and_told(void **state)
{
	static const char raw[] = "Subject: a\0b\nTo: x@y.z\n\nbo\0dy\n";
	struct mime_message m =
	    extract_message(*state, raw, sizeof(raw) - 1, &mime_limits_default);

	assert_string_equal(m.subject, "a");
	assert_string_equal(m.to, "x@y.z");
	assert_string_equal(m.body_text, "bo" R "dy\n");
	assert_int_equal(m.defect_count, 2);
	mime_message_done(&m);
}

static void
attachment_has_its_hash_and_bytes(void **state)
{
	static const char raw[] = PNG BASE64 "\r\nYWJj";
	const char *dir = *state;
	struct mime_message m =
	    extract_message(dir, raw, strlen(raw), &mime_limits_default);
	char *bytes = scratch_read(dir, "attachment-1-unnamed");

	assert_string_equal(bytes, "abc");
	assert_string_equal(m.attachments[0].sha256,
	    "ba7816bf8f01cfea414140de5dae2223"
	    "b00361a396177a9cb410ff61f20015ad");
	assert_int_equal(
	    scratch_mode(dir, "attachment-1-unnamed"), 0640 & ~(mode_t)022);
	free(bytes);
	mime_message_done(&m);
}

static const struct mime_limits small = {
    .max_header_bytes = 10,
    .max_body_bytes = 20,
    .max_attachments = 2,
    .max_attachment_bytes = 10,
};

static void
beyond_the_limits_is_cut_and_told(void **state)
{
	static const char raw[] =
	    "Subject: 012345678\xc3\xa9\r\n" MIXED NEXT PLAIN
	    "0123456789012345678\xc3\xa9" NEXT PNG "\r\n1234567" NEXT PNG
	    "\r\n1234567" NEXT PNG "\r\n1" NEXT PNG "\r\n1" END;
	struct mime_message m =
	    extract_message(*state, raw, strlen(raw), &small);
	char *attachments = list_attachments(&m);
	char *defects = list_defects(&m);

	assert_true(m.truncated);
	assert_true(m.parsed);
	assert_string_equal(m.subject, "012345678");
	assert_string_equal(m.body_text, "0123456789012345678");
	assert_string_equal(attachments, "1-unnamed image/png 7\n"
					 "2-unnamed image/png 3");
	assert_string_equal(defects,
	    "the Subject field has more than 10 bytes; the rest was left "
	    "out\n"
	    "the body has more than 20 bytes; the rest was left out\n"
	    "attachment 2 was cut: all together have more than 10 bytes\n"
	    "2 attachments beyond the first 2 were left out");
	free(attachments);
	free(defects);
	mime_message_done(&m);
}

static void
what_just_fits_is_not_cut(void **state)
{
	static const char raw[] =
	    "Subject: 01234567\xc3\xa9\r\n" MIXED NEXT PLAIN
	    "012345678901234567\xc3\xa9" NEXT PNG "\r\n1234567" NEXT PNG
	    "\r\n123" END;
	struct mime_message m =
	    extract_message(*state, raw, strlen(raw), &small);

	assert_false(m.truncated);
	assert_int_equal(m.defect_count, 0);
	mime_message_done(&m);
}

static void
defects_are_bounded_and_told_once(void **state)
{
	struct buf raw = BUF_INIT(1000000);
	struct mime_message m;

	buf_add_text(&raw, MIXED);
	for (int i = 0; i < 200; i++)
		buf_add_text(&raw, NEXT "Content-Type: foo\r\n\r\n\xff");
	buf_add_text(&raw, END);
	m = extract_message(*state, raw.data, raw.len, &mime_limits_default);
	assert_int_equal(m.defect_count, MIME_WIRE_DEFECTS);
	assert_string_equal(
	    m.defects[MIME_WIRE_DEFECTS - 1], "there is more that is wrong");
	mime_message_done(&m);
	buf_done(&raw);
}

static void
deep_nesting_is_cut_off(void **state)
{
	struct buf raw = BUF_INIT(1000000);
	struct mime_message m;

	for (int i = 0; i < 2000; i++)
		buf_add_format(&raw,
		    "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n"
		    "--b%d\r\n",
		    i, i);
	m = extract_message(*state, raw.data, raw.len, &mime_limits_default);
	assert_true(m.parsed);
	assert_true(m.truncated);
	mime_message_done(&m);
	buf_done(&raw);
}

/* Time grows with what is repeated, not with its square: with 100,000
 * parameters a square would not come back within the test's time. */
static void
repetition_costs_no_square(void **state)
{
	static const struct {
		int count;
		const char *before, *repeated, *after;
	} messages[] = {
	    {100000, "Content-Type: image/png", "; a=b", "\r\n\r\nx"},
	    {100000, ATTACHMENT, "; filename*1=b", "\r\n\r\nx"},
	    {100000, "", "X: y\r\n", "\r\nx"},
	    {100000, "", "To: a@b.c\r\n", "\r\nx"},
	    {100000, "Subject: ", "=?utf-8?Q?x?= ", "\r\n\r\nx"},
	    {100000, "Subject: ", "=?a?q?", "\r\n\r\nx"},
	    {100000, "From: ", "(", "\r\n\r\nx"},
	    {100000, "From: ", "a:", "\r\n\r\nx"},
	    {100000, "From: ", "<", "\r\n\r\nx"},
	    {100000, "References: ", "<a@b> ", "\r\n\r\nx"},
	    {20000, MIXED, NEXT, END},
	    {20000, MIXED, NEXT "\r\n\r\nx", END},
	    {20000, MIXED, NEXT PNG "\r\nx", END},
	    {20000, MIXED, "\n--M", END},
	    {100000, "Content-Type: message/rfc822\r\n\r\n",
		"Content-Type: message/rfc822\r\n\r\n", "x"},
	    {100000, "\r\n", "\r", ""},
	};

	for (size_t i = 0; i < sizeof(messages) / sizeof(*messages); i++) {
		struct buf raw = BUF_INIT(20000000);
		struct mime_limits limits = mime_limits_default;
		struct mime_message m;

		limits.max_attachments = 1;
		buf_add_text(&raw, messages[i].before);
		for (int j = 0; j < messages[i].count; j++)
			buf_add_text(&raw, messages[i].repeated);
		buf_add_text(&raw, messages[i].after);
		m = extract_message(*state, raw.data, raw.len, &limits);
		assert_true(m.parsed);
		if (m.attachment_count)
			scratch_remove(*state, m.attachments[0].file_name);
		mime_message_done(&m);
		buf_done(&raw);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
	    TEST(parts_find_their_place),
	    TEST(file_names_are_read_in_all_forms),
	    TEST(header_fields_are_found_in_any_case),
	    TEST(unparsable_date_is_given_as_it_came),
	    TEST(message_without_header_is_unparsed),
	    TEST(nul_characters_are_replaced_and_told),
	    TEST(attachment_has_its_hash_and_bytes),
	    TEST(beyond_the_limits_is_cut_and_told),
	    TEST(what_just_fits_is_not_cut),
	    TEST(defects_are_bounded_and_told_once),
	    TEST(deep_nesting_is_cut_off),
	    TEST(repetition_costs_no_square),
	};

	return cmocka_run_group_tests(tests, extract_setup, NULL);
}
