/* SPDX-License-Identifier: ISC */
#include "outbound/compose.h"

#include "unit/cmocka_headers.h"

#include <ctype.h>
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
	find(&b, "\r\nReply-To: r@b.example\r\nReferences: <0@x>\r\n");
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
	    "\"to\":\"a@b.example\",\"subject\":\"\\u00fc\",\"body\":\"b\"";
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
	    cmocka_unit_test(bcc_is_in_the_envelope_only),
	    cmocka_unit_test(a_reply_is_threaded),
	    cmocka_unit_test(the_shorter_encoding_is_chosen),
	    cmocka_unit_test(every_line_end_becomes_crlf),
	    cmocka_unit_test(no_line_is_longer_than_998_bytes),
	    cmocka_unit_test(message_ids_are_hex_at_the_domain_of_the_author),
	    cmocka_unit_test(the_same_draft_gives_the_same_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
