/* SPDX-License-Identifier: ISC */
#include "outbound/compose.h"

#include "unit/cmocka_headers.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ID "<0123@b.example>"
#define DATE 1798761599 /* 31 December 2026, 23:59:59 UTC */

static const struct address author = {
    .name = (char[]){""}, .mailbox = (char[]){"me@b.example"}};

/* The message of a draft that is given without its braces. */
static void
compose(struct buf *message, const char *fields)
{
	struct buf json = BUF_INIT(DRAFT_MAX);
	struct draft draft;
	struct mt_error err = {.text = ""};

	buf_add_format(&json, "{%s}", fields);
	if (draft_parse(&draft, json.data, json.len, &err) != MT_OK)
		fail_msg("%s", err.text);
	buf_reset(message);
	assert_int_equal(
	    compose_message(message, &draft, &author, ID, DATE, &err), MT_OK);
	draft_done(&draft);
	buf_done(&json);
}

static void
check(const char *fields, const char *expected)
{
	struct buf b = BUF_INIT(COMPOSE_MESSAGE_MAX);

	compose(&b, fields);
	assert_string_equal(b.data, expected);
	buf_done(&b);
}

static void
a_message_has_the_headers_of_the_contract_in_its_order(void **state)
{
	(void)state;
	check("\"to\":\"a@b.example\",\"subject\":\"Hello\","
	      "\"body\":\"One line\\nand = two\"",
	    "From: me@b.example\r\n"
	    "To: a@b.example\r\n"
	    "Subject: Hello\r\n"
	    "Message-ID: " ID "\r\n"
	    "Date: Thu, 31 Dec 2026 23:59:59 +0000\r\n"
	    "MIME-Version: 1.0\r\n"
	    "Content-Type: text/plain; charset=utf-8\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n"
	    "\r\n"
	    "One line\r\n"
	    "and =3D two\r\n");
}

static void
other_headers_come_behind_those_of_the_contract(void **state)
{
	(void)state;
	check("\"to\":\"a@b.example\",\"subject\":\"s\",\"body\":\"b\","
	      "\"cc\":\"C <c@d.example>\",\"in_reply_to\":\"<1@x>\","
	      "\"reply_to\":\"r@b.example\",\"bcc\":\"e@f.example\"",
	    "From: me@b.example\r\n"
	    "To: a@b.example\r\n"
	    "Subject: s\r\n"
	    "Message-ID: " ID "\r\n"
	    "Date: Thu, 31 Dec 2026 23:59:59 +0000\r\n"
	    "MIME-Version: 1.0\r\n"
	    "Content-Type: text/plain; charset=utf-8\r\n"
	    "Cc: C <c@d.example>\r\n"
	    "In-Reply-To: <1@x>\r\n"
	    "References: <1@x>\r\n"
	    "Reply-To: r@b.example\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n"
	    "\r\n"
	    "b\r\n");
}

static void
bcc_is_in_the_envelope_only(void **state)
{
	static const char json[] =
	    "{\"to\":\"A <a@b.example>\",\"cc\":\"c@d.example, a@B.Example\","
	    "\"bcc\":[\"e@f.example\",\"c@d.example\",\"C@d.example\"],"
	    "\"subject\":\"s\",\"body\":\"b\"}";
	struct buf b = BUF_INIT(COMPOSE_MESSAGE_MAX);
	struct draft draft;
	const char **recipients;

	(void)state;
	assert_int_equal(draft_parse(&draft, json, strlen(json), NULL), MT_OK);
	assert_int_equal(
	    compose_message(&b, &draft, &author, ID, DATE, NULL), MT_OK);
	assert_null(strcasestr(b.data, "bcc"));
	assert_null(strstr(b.data, "e@f.example"));
	recipients = compose_recipients(&draft);
	assert_string_equal(recipients[0], "a@b.example");
	assert_string_equal(recipients[1], "c@d.example");
	assert_string_equal(recipients[2], "e@f.example");
	/* a local part may have case */
	assert_string_equal(recipients[3], "C@d.example");
	assert_null(recipients[4]);
	free(recipients);
	draft_done(&draft);
	buf_done(&b);
}

static const char *
find(const struct buf *message, const char *text)
{
	const char *found = strstr(message->data, text);

	if (!found)
		fail_msg("no %s in\n%s", text, message->data);
	return found;
}

static void
a_reply_is_threaded(void **state)
{
	struct buf b = BUF_INIT(COMPOSE_MESSAGE_MAX);

	(void)state;
	compose(&b, "\"to\":\"a@b.example\",\"subject\":\"s\",\"body\":\"b\","
		    "\"in_reply_to\":\"<1@x>\"");
	find(&b, "\r\nIn-Reply-To: <1@x>\r\nReferences: <1@x>\r\n");
	compose(&b, "\"to\":\"a@b.example\",\"subject\":\"s\",\"body\":\"b\","
		    "\"in_reply_to\":\"<1@x>\",\"references\":\"<0@x>\"");
	find(&b, "\r\nReferences: <0@x> <1@x>\r\n");
	compose(&b, "\"to\":\"a@b.example\",\"subject\":\"s\",\"body\":\"b\","
		    "\"in_reply_to\":\"<1@x>\",\"references\":\"<0@x> <1@x>\"");
	find(&b, "\r\nReferences: <0@x> <1@x>\r\n");
	compose(&b, "\"to\":\"a@b.example\",\"subject\":\"s\",\"body\":\"b\","
		    "\"references\":\"<0@x>\",\"reply_to\":\"r@b.example\"");
	find(&b, "\r\nReferences: <0@x>\r\nReply-To: r@b.example\r\n");
	assert_null(strstr(b.data, "In-Reply-To"));
	buf_done(&b);
}

static void
the_shorter_encoding_is_chosen(void **state)
{
	struct buf b = BUF_INIT(COMPOSE_MESSAGE_MAX);

	(void)state;
	compose(&b, "\"to\":\"a@b.example\",\"subject\":\"s\","
		    "\"body\":\"Viele Gr\\u00fc\\u00dfe aus dem Norden\"");
	find(&b, "quoted-printable\r\n\r\n"
		 "Viele Gr=C3=BC=C3=9Fe aus dem Norden\r\n");
	compose(&b, "\"to\":\"a@b.example\",\"subject\":\"s\","
		    "\"body\":\"\\u65e5\\u672c\\u8a9e\"");
	find(&b, "base64\r\n\r\n5pel5pys6KqeDQo=\r\n");
	buf_done(&b);
}

static void
every_line_end_becomes_crlf(void **state)
{
	struct buf b = BUF_INIT(COMPOSE_MESSAGE_MAX);

	(void)state;
	compose(&b, "\"to\":\"a@b.example\",\"subject\":\"s\","
		    "\"body\":\"\\na\\r\\nb\\rc\\n\\n.\\nd\"");
	find(&b, "\r\n\r\n\r\na\r\nb\r\nc\r\n\r\n.\r\nd\r\n");
	assert_string_equal(b.data + b.len - 3, "d\r\n");
	buf_done(&b);
}

/* A draft that is as long as it may be in every direction. */
static void
no_line_is_longer_than_998_bytes(void **state)
{
	struct buf fields = BUF_INIT(DRAFT_MAX);
	struct buf b = BUF_INIT(COMPOSE_MESSAGE_MAX);

	(void)state;
	buf_add_format(&fields, "\"subject\":\"%04096d\",\"to\":\"", 0);
	for (int i = 0; i < 50; i++)
		buf_add_format(&fields, "%s\\\"%.*s\\\" <%0240d@b%d.example>",
		    i ? "," : "", 256 - 2, "....................", 0, i);
	buf_add_format(&fields, "\",\"in_reply_to\":\"<%0900d>\"", 0);
	buf_add_format(&fields, ",\"references\":\"<%0900d> <%0900d>\"", 1, 2);
	buf_add_format(&fields, ",\"body\":\"%0500000d\"", 0);
	compose(&b, fields.data);
	for (const char *p = b.data; *p; p = strstr(p, "\r\n") + 2) {
		const char *end = strstr(p, "\r\n");

		assert_non_null(end);
		assert_true(end - p <= 998);
	}
	buf_done(&fields);
	buf_done(&b);
}

#define PLAIN "\"to\":\"a@b.example\",\"subject\":\"s\",\"body\":\"b\""

static void
html_stands_beside_the_text_and_attachments_behind_both(void **state)
{
	struct buf b = BUF_INIT(COMPOSE_MESSAGE_MAX);
	const char *mixed, *alternative, *text, *html, *file;

	(void)state;
	compose(&b, PLAIN ",\"body_html\":\"<p>b</p>\"");
	find(&b, "\r\nContent-Type: multipart/alternative;\r\n boundary=\"");
	compose(&b, PLAIN ",\"body_html\":\"<p>b</p>\",\"attachments\":[{"
			  "\"content_base64\":\"AAEC\","
			  "\"filename\":\"a b.pdf\","
			  "\"content_type\":\"application/pdf\"}]");
	mixed = find(&b, "\r\nContent-Type: multipart/mixed; boundary=\"");
	alternative = find(
	    &b, "\r\nContent-Type: multipart/alternative;\r\n boundary=\"");
	text = find(&b, "\r\nContent-Type: text/plain; charset=utf-8\r\n"
			"Content-Transfer-Encoding: quoted-printable\r\n"
			"\r\nb\r\n");
	html = find(&b, "\r\nContent-Type: text/html; charset=utf-8\r\n"
			"Content-Transfer-Encoding: quoted-printable\r\n"
			"\r\n<p>b</p>\r\n");
	file =
	    find(&b, "\r\nContent-Type: application/pdf\r\n"
		     "Content-Disposition: attachment; filename=\"a b.pdf\"\r\n"
		     "Content-Transfer-Encoding: base64\r\n"
		     "\r\nAAEC\r\n");
	assert_true(mixed < alternative && alternative < text);
	assert_true(text < html && html < file);
	buf_done(&b);
}

/* How the header of one attachment begins; `fields` are its other members. */
static void
check_attachment(const char *fields, const char *expected)
{
	struct buf json = BUF_INIT(65536), b = BUF_INIT(COMPOSE_MESSAGE_MAX);

	buf_add_format(&json, PLAIN ",\"attachments\":[{%s}]", fields);
	compose(&b, buf_text(&json));
	find(&b, expected);
	buf_done(&json);
	buf_done(&b);
}

#define ANY "\r\nContent-Type: application/octet-stream"
#define X ",\"content_base64\":\"eA==\""

static void
file_names_are_written_so_that_every_program_reads_them(void **state)
{
	static const char *const cases[][2] = {
	    {"\"filename\":\"report-1.pdf\"" X,
		ANY "\r\nContent-Disposition: attachment;"
		    " filename=\"report-1.pdf\"\r\n"},
	    {"\"filename\":\"Gr\\u00fc\\u00dfe.pdf\"" X,
		ANY ";\r\n name=\"=?utf-8?B?R3LDvMOfZS5wZGY=?=\"\r\n"
		    "Content-Disposition: attachment;\r\n"
		    " filename*=utf-8''Gr%C3%BC%C3%9Fe.pdf\r\n"},
	    {"\"filename\":\"a\\\"b\\\\c.txt\"" X,
		"\r\n filename*=utf-8''a%22b%5Cc.txt\r\n"},
	    {"\"filename\":\"=?utf-8?Q?x?=\"" X,
		"\r\n filename*=utf-8''%3D%3Futf-8%3FQ%3Fx%3F%3D\r\n"},
	    {"\"filename\":\"100%25.txt\"" X,
		"\r\n filename*=utf-8''100%2525.txt\r\n"},
	    {"\"filename\":\"a;b='c'*.txt\"" X,
		"\r\n filename*=utf-8''a%3Bb%3D%27c%27%2A.txt\r\n"},
	    {"\"filename\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	     "bbbbbbbbbbbbbbbbbbbbbbb.txt\"" X,
		"\r\n filename*0*=utf-8''aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		"aaaaaaaaabbbbbb;\r\n filename*1*=bbbbbbbbbbbbbbbbb.txt\r\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		check_attachment(cases[i][0], cases[i][1]);
}

static void
what_is_no_usable_content_type_becomes_octet_stream(void **state)
{
	static const char *const cases[][2] = {
	    {"Image/PNG", "image/png\r\n"},
	    {"application/vnd.oasis.opendocument.text",
		"application/vnd.oasis.opendocument.text\r\n"},
	    {"text/csv; charset=ISO-8859-1",
		"text/csv; charset=iso-8859-1\r\n"},
	    {"text/csv;charset=\\\"utf-8\\\"", "text/csv; charset=utf-8\r\n"},
	    {"text/plain", "text/plain; charset=\"utf-8\"\r\n"},
	    {"", "application/octet-stream\r\n"},
	    {"pdf", "application/octet-stream\r\n"},
	    {"a/b/c", "application/octet-stream\r\n"},
	    {"a/b c", "application/octet-stream\r\n"},
	    {"text/plain; name=x", "application/octet-stream\r\n"},
	    {"text/plain; charset=a; b", "application/octet-stream\r\n"},
	    {"multipart/mixed", "application/octet-stream\r\n"},
	    {"message/partial", "application/octet-stream\r\n"},
	};
	char fields[200], expected[200];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		snprintf(fields, sizeof(fields),
		    "\"filename\":\"f\",\"content_type\":\"%s\"" X,
		    cases[i][0]);
		snprintf(expected, sizeof(expected), "\r\nContent-Type: %s",
		    cases[i][1]);
		check_attachment(fields, expected);
	}
}

static void
a_message_is_attached_as_one_only_if_it_needs_no_encoding(void **state)
{
#define MESSAGE_FILE                                                           \
	"\"filename\":\"m.eml\",\"content_type\":\"message/rfc822\","
	static const char *const cases[][2] = {
	    /* "A: b\n\nx\n" */
	    {MESSAGE_FILE "\"content_base64\":\"QTogYgoKeAo=\"",
		"\r\nContent-Type: message/rfc822\r\n"
		"Content-Disposition: attachment; filename=\"m.eml\"\r\n"
		"Content-Transfer-Encoding: 7bit\r\n\r\n"
		"A: b\r\n\r\nx\r\n\r\n--"},
	    /* "A: b\r\n\r\n\xfc" */
	    {MESSAGE_FILE "\"content_base64\":\"QTogYg0KDQr8\"",
		ANY "\r\nContent-Disposition: attachment;"
		    " filename=\"m.eml\"\r\n"
		    "Content-Transfer-Encoding: base64\r\n\r\n"
		    "QTogYg0KDQr8\r\n"},
	    /* "A: b\rc" */
	    {MESSAGE_FILE "\"content_base64\":\"QTogYg1j\"", ANY},
	    /* "A\0b" */
	    {MESSAGE_FILE "\"content_base64\":\"QQBi\"", ANY},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		check_attachment(cases[i][0], cases[i][1]);
}

/* Copies the first boundary of the message. */
static void
first_boundary(const struct buf *message, char ret[64])
{
	const char *start =
	    find(message, "boundary=\"") + strlen("boundary=\"");

	snprintf(ret, 64, "%.*s", (int)strcspn(start, "\""), start);
}

static void
a_boundary_never_occurs_in_a_part(void **state)
{
	struct buf b = BUF_INIT(COMPOSE_MESSAGE_MAX);
	struct attachment file = {.filename = (char[]){"m"},
	    .content_type = (char[]){"message/rfc822"}};
	struct draft draft;
	char first[64], second[64], content[200];

	(void)state;
	assert_int_equal(
	    draft_parse(&draft, "{" PLAIN "}", strlen("{" PLAIN "}"), NULL),
	    MT_OK);
	draft.attachments.items = &file;
	draft.attachments.count = 1;
	file.bytes = content;
	file.len = (size_t)snprintf(content, sizeof(content), "A: b\n");
	assert_int_equal(
	    compose_message(&b, &draft, &author, ID, DATE, NULL), MT_OK);
	first_boundary(&b, first);
	file.len = (size_t)snprintf(
	    content, sizeof(content), "A: b\n\n--%s--\n", first);
	buf_reset(&b);
	assert_int_equal(
	    compose_message(&b, &draft, &author, ID, DATE, NULL), MT_OK);
	first_boundary(&b, second);
	assert_string_not_equal(first, second);
	draft.attachments.items = NULL;
	draft.attachments.count = 0;
	draft_done(&draft);
	buf_done(&b);
}

static void
what_is_longer_than_a_message_may_be_is_refused(void **state)
{
	struct buf b = BUF_INIT(100000);
	struct attachment file = {.filename = (char[]){"m"},
	    .content_type = (char[]){"message/rfc822"}};
	struct draft draft;
	struct mt_error err = {.text = ""};

	(void)state;
	assert_int_equal(
	    draft_parse(&draft, "{" PLAIN "}", strlen("{" PLAIN "}"), NULL),
	    MT_OK);
	file.len = 60000;
	file.bytes = malloc(file.len);
	assert_non_null(file.bytes);
	draft.attachments.items = &file;
	draft.attachments.count = 1;
	memset(file.bytes, 'a', file.len);
	assert_int_equal(
	    compose_message(&b, &draft, &author, ID, DATE, &err), MT_OK);
	/* with CRLF in place of LF it is twice as long */
	memset(file.bytes, '\n', file.len);
	buf_reset(&b);
	assert_int_equal(
	    compose_message(&b, &draft, &author, ID, DATE, &err), MT_BAD_INPUT);
	assert_string_equal(
	    err.text, "the message is longer than 100000 bytes");
	free(file.bytes);
	draft.attachments.items = NULL;
	draft.attachments.count = 0;
	draft_done(&draft);
	buf_done(&b);
}

static void
smtputf8_is_needed_for_a_local_part_anywhere(void **state)
{
	static const char *const fields[] = {"to", "cc", "bcc", "reply_to"};
	struct buf b = BUF_INIT(COMPOSE_MESSAGE_MAX);
	struct draft draft;
	char json[200];

	(void)state;
	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
		snprintf(json, sizeof(json),
		    "{" PLAIN ",\"%s\":\"\\u00fc@b\\u00fc.example\"}",
		    fields[i]);
		assert_int_equal(
		    draft_parse(&draft, json, strlen(json), NULL), MT_OK);
		assert_true(compose_needs_smtputf8(&draft, &author));
		draft_done(&draft);
	}
	compose(&b, PLAIN ",\"cc\":\"\\u00fc <\\u00fc@b\\u00fc.example>\"");
	find(&b, "\r\nCc: =?utf-8?B?w7w=?= <\xc3\xbc@xn--b-eha.example>\r\n");
	assert_int_equal(
	    draft_parse(&draft, "{" PLAIN "}", strlen("{" PLAIN "}"), NULL),
	    MT_OK);
	assert_false(compose_needs_smtputf8(&draft, &author));
	draft_done(&draft);
	buf_done(&b);
}

static void
message_ids_are_hex_at_the_domain_of_the_author(void **state)
{
	char one[COMPOSE_MESSAGE_ID_MAX], two[COMPOSE_MESSAGE_ID_MAX];

	(void)state;
	assert_int_equal(compose_message_id(one, &author, NULL), MT_OK);
	assert_int_equal(compose_message_id(two, &author, NULL), MT_OK);
	assert_string_not_equal(one, two);
	assert_int_equal(one[0], '<');
	for (int i = 1; i <= 32; i++)
		assert_non_null(strchr("0123456789abcdef", one[i]));
	assert_string_equal(one + 33, "@b.example>");
}

static void
the_same_draft_gives_the_same_bytes(void **state)
{
	static const char fields[] =
	    "\"to\":\"a@b.example\",\"subject\":\"\\u00fc\",\"body\":\"b\","
	    "\"body_html\":\"b\",\"attachments\":[{\"filename\":\"a\","
	    "\"content_base64\":\"eA==\"}]";
	struct buf a = BUF_INIT(COMPOSE_MESSAGE_MAX);
	struct buf b = BUF_INIT(COMPOSE_MESSAGE_MAX);

	(void)state;
	compose(&a, fields);
	compose(&b, fields);
	assert_string_equal(a.data, b.data);
	buf_done(&a);
	buf_done(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		a_message_has_the_headers_of_the_contract_in_its_order),
	    cmocka_unit_test(other_headers_come_behind_those_of_the_contract),
	    cmocka_unit_test(bcc_is_in_the_envelope_only),
	    cmocka_unit_test(a_reply_is_threaded),
	    cmocka_unit_test(the_shorter_encoding_is_chosen),
	    cmocka_unit_test(every_line_end_becomes_crlf),
	    cmocka_unit_test(no_line_is_longer_than_998_bytes),
	    cmocka_unit_test(
		html_stands_beside_the_text_and_attachments_behind_both),
	    cmocka_unit_test(
		file_names_are_written_so_that_every_program_reads_them),
	    cmocka_unit_test(
		what_is_no_usable_content_type_becomes_octet_stream),
	    cmocka_unit_test(
		a_message_is_attached_as_one_only_if_it_needs_no_encoding),
	    cmocka_unit_test(a_boundary_never_occurs_in_a_part),
	    cmocka_unit_test(what_is_longer_than_a_message_may_be_is_refused),
	    cmocka_unit_test(smtputf8_is_needed_for_a_local_part_anywhere),
	    cmocka_unit_test(message_ids_are_hex_at_the_domain_of_the_author),
	    cmocka_unit_test(the_same_draft_gives_the_same_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
