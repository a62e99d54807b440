/* SPDX-License-Identifier: ISC */
#include "outbound/draft.h"

#include "unit/cmocka_headers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

/* Parses one draft that must be refused; the text says why. */
static void
refuse(const char *json, const char *expected)
{
	struct draft draft;
	struct mt_error err = {.text = "accepted"};

	if (draft_parse(&draft, json, strlen(json), &err) == MT_OK)
		draft_done(&draft);
	assert_string_equal(err.text, expected);
	assert_int_equal(err.status, MT_BAD_INPUT);
}

static void
accept(struct draft *draft, const char *json)
{
	struct mt_error err = {.text = ""};

	if (draft_parse(draft, json, strlen(json), &err) != MT_OK)
		fail_msg("%s: %s", json, err.text);
}

#define OK "\"to\":\"a@b.example\",\"subject\":\"s\",\"body\":\"b\""

static void
errors_have_the_texts_of_the_contract(void **state)
{
	static const char *const cases[][2] = {
	    {"", "invalid JSON in draft file"},
	    {"{", "invalid JSON in draft file"},
	    {"{" OK "} x", "invalid JSON in draft file"},
	    {"{" OK ",}", "invalid JSON in draft file"},
	    {"{'to':'a@b.example'}", "invalid JSON in draft file"},
	    {"{" OK ",\"cc\":\"\xff\"}", "invalid JSON in draft file"},
	    {"{" OK "} /* c */", "invalid JSON in draft file"},
	    {"{}", "missing required field: to"},
	    {"{\"to\":null,\"subject\":\"s\",\"body\":\"b\"}",
		"missing required field: to"},
	    {"{\"to\":\"\",\"subject\":\"s\",\"body\":\"b\"}",
		"empty required field: to"},
	    {"{\"to\":[],\"subject\":\"s\",\"body\":\"b\"}",
		"empty required field: to"},
	    {"{\"to\":\"a@b.example\",\"body\":\"b\"}",
		"missing required field: subject"},
	    {"{\"to\":\"a@b.example\",\"subject\":\"\",\"body\":\"b\"}",
		"empty required field: subject"},
	    {"{\"to\":\"a@b.example\",\"subject\":\"s\"}",
		"missing required field: body"},
	    {"{\"to\":\"a@b.example\",\"subject\":\"s\",\"body\":\"\"}",
		"empty required field: body"},
	    {"{\"to\":\"nobody\",\"subject\":\"s\",\"body\":\"b\"}",
		"invalid email address: nobody"},
	    {"{\"to\":\"a b@c.example\",\"subject\":\"s\",\"body\":\"b\"}",
		"invalid email address: a b@c.example"},
	    {"{\"to\":5,\"subject\":\"s\",\"body\":\"b\"}",
		"email address must be a string"},
	    {"{\"to\":[5],\"subject\":\"s\",\"body\":\"b\"}",
		"email address must be a string"},
	    {"{\"to\":{\"a\":1},\"subject\":\"s\",\"body\":\"b\"}",
		"email address must be a string"},
	    {"{" OK ",\"cc\":\"nobody\"}", "invalid email address: nobody"},
	    {"{" OK ",\"cc\":[null]}", "email address must be a string"},
	    {"{" OK ",\"bcc\":\"nobody\"}", "invalid email address: nobody"},
	    {"{" OK ",\"reply_to\":\"nobody\"}",
		"invalid email address: nobody"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		refuse(cases[i][0], cases[i][1]);
}

static void
checks_come_in_the_order_of_the_contract(void **state)
{
	(void)state;
	refuse("{\"to\":\"nobody\",\"subject\":\"\"}",
	    "empty required field: subject");
	refuse("{\"to\":5,\"subject\":6}", "missing required field: body");
	refuse("{\"to\":\"nobody\",\"subject\":6,\"body\":\"b\","
	       "\"cc\":\"nobody2\",\"x\":1}",
	    "invalid email address: nobody");
	refuse("{\"to\":\"a@b.example\",\"subject\":6,\"body\":\"b\","
	       "\"cc\":\"nobody\",\"x\":1}",
	    "invalid email address: nobody");
}

static void
what_is_neither_text_nor_known_is_refused(void **state)
{
	(void)state;
	refuse("[1]", "draft must be a JSON object");
	refuse("null", "draft must be a JSON object");
	refuse("\"text\"", "draft must be a JSON object");
	refuse("{\"to\":\"a@b.example\",\"subject\":{},\"body\":\"b\"}",
	    "subject must be a string");
	refuse("{\"to\":\"a@b.example\",\"subject\":\"s\",\"body\":[\"b\"]}",
	    "body must be a string");
	refuse("{" OK ",\"in_reply_to\":7}", "in_reply_to must be a string");
	refuse("{" OK ",\"references\":[\"<a@b>\"]}",
	    "references must be a string");
	refuse("{" OK ",\"attachment\":[\"a.pdf\"]}",
	    "unknown field in draft: attachment");
	refuse("{" OK ",\"body_html\":1}", "body_html must be a string");
	refuse("{" OK ",\"To\":\"c@d.example\"}", "unknown field in draft: To");
}

/* Every field, with every way to end a line, in JSON's own spelling. */
static void
no_field_can_end_its_line(void **state)
{
	static const char *const fields[] = {"to", "cc", "bcc", "reply_to",
	    "subject", "in_reply_to", "references"};
	static const char *const ends[] = {
	    "\\r\\n", "\\n", "\\r", "\\u0000", "\\u000b", "\\u0085", "\\u007f"};
	char json[512];
	struct draft draft;
	struct mt_error err;

	(void)state;
	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
		for (size_t k = 0; k < sizeof(ends) / sizeof(*ends); k++) {
			snprintf(json, sizeof(json),
			    "{" OK ",\"%s\":\"a@b.example%sBcc: "
			    "<x@y.example>\"}",
			    fields[i], ends[k]);
			assert_int_equal(
			    draft_parse(&draft, json, strlen(json), &err),
			    MT_BAD_INPUT);
			snprintf(json, sizeof(json),
			    "{" OK ",\"%s\":\"A <a@b.example>%s\"}", fields[i],
			    ends[k]);
			assert_int_equal(
			    draft_parse(&draft, json, strlen(json), &err),
			    MT_BAD_INPUT);
		}
	}
	refuse("{" OK ",\"subject\":\"a\\r\\nBcc: x@y.example\"}",
	    "subject must not hold line breaks or other control characters");
	refuse("{" OK ",\"to\":\"a@b.example\\n\"}",
	    "to must not hold line breaks or other control characters");
	refuse("{" OK ",\"body\":\"a\\u0000b\"}",
	    "body must not hold NUL characters");
}

static void
all_fields_are_read(void **state)
{
	struct draft d;

	(void)state;
	accept(&d, "{\"to\":[\"A <a@b.example>\",\"c@d.example, e@f.example\"],"
		   "\"subject\":\"Gr\\u00fc\\u00dfe\",\"body\":\"x\\r\\ny\","
		   "\"cc\":\"g@h.example\",\"bcc\":[\"i@j.example\"],"
		   "\"reply_to\":\"k@l.example\",\"in_reply_to\":\"<1@x>\","
		   "\"references\":\"<0@x>\\t<1@x>\"}");
	assert_int_equal(d.to.count, 3);
	assert_string_equal(d.to.items[0].name, "A");
	assert_string_equal(d.to.items[2].mailbox, "e@f.example");
	assert_string_equal(d.subject, "Gr\xc3\xbc\xc3\x9f"
				       "e");
	assert_string_equal(d.body, "x\r\ny");
	assert_string_equal(d.cc.items[0].mailbox, "g@h.example");
	assert_string_equal(d.bcc.items[0].mailbox, "i@j.example");
	assert_string_equal(d.reply_to.items[0].mailbox, "k@l.example");
	assert_string_equal(d.in_reply_to, "<1@x>");
	assert_string_equal(d.references, "<0@x> <1@x>");
	draft_done(&d);
}

static void
null_and_empty_count_as_absent(void **state)
{
	struct draft d;

	(void)state;
	accept(&d, "{" OK ",\"cc\":null,\"bcc\":\"\",\"reply_to\":[],"
		   "\"in_reply_to\":\"\",\"references\":null}");
	assert_int_equal(d.cc.count, 0);
	assert_int_equal(d.bcc.count, 0);
	assert_int_equal(d.reply_to.count, 0);
	assert_string_equal(d.in_reply_to, "");
	assert_string_equal(d.references, "");
	draft_done(&d);
}

static void
message_ids_get_their_brackets(void **state)
{
	struct draft d;

	(void)state;
	accept(&d, "{" OK ",\"in_reply_to\":\" 1@x \","
		   "\"references\":\"a b <c>\"}");
	assert_string_equal(d.in_reply_to, "<1@x>");
	assert_string_equal(d.references, "<a> <b> <c>");
	draft_done(&d);
	refuse("{" OK ",\"in_reply_to\":\"<a<b>\"}",
	    "in_reply_to must be message ids, such as <id@host>");
	refuse("{" OK ",\"in_reply_to\":\"<>\"}",
	    "in_reply_to must be message ids, such as <id@host>");
	refuse("{" OK ",\"references\":\"<\xc3\xbc>\"}",
	    "references must be message ids, such as <id@host>");
}

static void
sizes_are_limited(void **state)
{
	struct buf b = BUF_INIT(4 * DRAFT_MAX);
	struct draft d;
	struct mt_error err;

	(void)state;
	buf_add_format(&b, "{" OK ",\"subject\":\"%04097d\"}", 0);
	refuse(b.data, "subject is longer than 4096 bytes");
	buf_reset(&b);
	buf_add_format(&b, "{" OK ",\"in_reply_to\":\"<%0901d>\"}", 0);
	refuse(b.data, "in_reply_to must be message ids, such as <id@host>");
	buf_reset(&b);
	buf_add_format(&b, "{" OK ",\"references\":\"%032769d\"}", 0);
	refuse(b.data, "references is longer than 32768 bytes");
	buf_reset(&b);
	buf_add_format(&b, "{" OK ",\"body\":\"%01048576d\"}", 0);
	assert_int_equal(draft_parse(&d, b.data, b.len, &err), MT_BAD_INPUT);
	assert_string_equal(err.text, "draft is longer than 1048576 bytes");
	buf_done(&b);
}

static void
deep_nesting_is_refused(void **state)
{
	struct buf b = BUF_INIT(DRAFT_MAX);

	(void)state;
	for (int i = 0; i < 100000; i++)
		buf_add_text(&b, "[");
	refuse(b.data, "invalid JSON in draft file");
	buf_done(&b);
}

static void
a_failed_draft_leaves_the_result_alone(void **state)
{
	struct draft d, before;
	struct mt_error err;

	(void)state;
	memset(&d, 0x5a, sizeof(d));
	before = d;
	assert_int_equal(draft_parse(&d, "{" OK ",\"cc\":\"x\"}",
			     strlen("{" OK ",\"cc\":\"x\"}"), &err),
	    MT_BAD_INPUT);
	assert_memory_equal(&d, &before, sizeof(d));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(errors_have_the_texts_of_the_contract),
	    cmocka_unit_test(checks_come_in_the_order_of_the_contract),
	    cmocka_unit_test(what_is_neither_text_nor_known_is_refused),
	    cmocka_unit_test(no_field_can_end_its_line),
	    cmocka_unit_test(all_fields_are_read),
	    cmocka_unit_test(null_and_empty_count_as_absent),
	    cmocka_unit_test(message_ids_get_their_brackets),
	    cmocka_unit_test(sizes_are_limited),
	    cmocka_unit_test(deep_nesting_is_refused),
	    cmocka_unit_test(a_failed_draft_leaves_the_result_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
