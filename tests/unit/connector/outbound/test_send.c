/* SPDX-License-Identifier: ISC */
#include "outbound/send.h"

#include "unit/cmocka_headers.h"

#include <stdio.h>

/* How each answer begins; success is whether the message is in our hands. */
#define HEAD(success, state)                                                   \
	"{\"type\":\"send_email_response\",\"success\":" success               \
	",\"state\":\"" state "\","

static void
check(enum send_state state, const char *id, const char *detail,
    const char *expected)
{
	struct send_report report = {.state = state};
	struct buf b = BUF_INIT(8192);

	snprintf(report.message_id, sizeof(report.message_id), "%s", id);
	snprintf(report.detail, sizeof(report.detail), "%s", detail);
	send_add_json(&b, &report);
	assert_string_equal(buf_text(&b), expected);
	buf_done(&b);
}

static void
each_state_has_its_word(void **state)
{
	(void)state;
	check(SEND_SENT, "<a@b>", "sent",
	    HEAD("true", "sent") "\"message_id\":\"<a@b>\","
				 "\"detail\":\"sent\"}");
	check(SEND_QUEUED, "<a@b>", "x",
	    HEAD("true", "queued") "\"message_id\":\"<a@b>\","
				   "\"detail\":\"x\"}");
	check(SEND_UNCERTAIN, "<a@b>", "x",
	    HEAD("true", "uncertain") "\"message_id\":\"<a@b>\","
				      "\"detail\":\"x\"}");
	check(SEND_REFUSED, "", "x",
	    HEAD("false", "refused") "\"detail\":\"x\"}");
	check(SEND_NOT_QUEUED, "", "x",
	    HEAD("false", "not_queued") "\"detail\":\"x\"}");
}

static void
what_a_server_says_cannot_break_the_line(void **state)
{
	static const char *const cases[][2] = {
	    {"\"a\\\n\"", "\\\"a\\\\?\\\""},
	    {"\xc3\xbc \xe2\x82\xac \xf0\x9f\x93\xa7 \xed\x9f\xbf",
		"\xc3\xbc \xe2\x82\xac \xf0\x9f\x93\xa7 \xed\x9f\xbf"},
	    {"latin \xfc end", "latin ? end"},
	    {"cut \xf0\x9f\x93", "cut ???"},
	    {"\xc0\xaf \xe0\x80\xaf \xed\xa0\x80 \xf4\x90\x80\x80",
		"?? ??? ??? ????"},
	    {"\xc3(", "?("},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char expected[256];

		snprintf(expected, sizeof(expected),
		    HEAD("false", "refused") "\"detail\":\"%s\"}", cases[i][1]);
		check(SEND_REFUSED, "", cases[i][0], expected);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_state_has_its_word),
	    cmocka_unit_test(what_a_server_says_cannot_break_the_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
