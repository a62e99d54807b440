/* SPDX-License-Identifier: ISC */
#include "socketmap_wire.h"

#include "unit/cmocka_headers.h"

#include <stdio.h>
#include <string.h>

/* Feeds `text` in pieces of `step` bytes, as a connection does: how many bytes
 * the first frame has, 0 if there is none, SIZE_MAX if it has not ended. */
static size_t
cut(const char *text, size_t len, size_t step)
{
	struct secret begun = SECRET_INIT;
	size_t at = 0, taken, total = SIZE_MAX;
	bool whole = false;

	while (at < len && !whole) {
		size_t piece = len - at < step ? len - at : step;

		taken = socketmap_wire_cut(&begun, text + at, piece, &whole);
		assert_true(taken <= piece);
		if (!taken) {
			total = 0;
			break;
		}
		secret_add(&begun, text + at, taken);
		assert_true(secret_ok(&begun));
		at += taken;
	}
	if (whole)
		total = begun.len;
	secret_done(&begun);
	return total;
}

static void
frames_are_cut_whatever_the_pieces(void **state)
{
	static const struct {
		const char *text;
		size_t size;
	} cases[] = {
	    {"6:smtp x,", 9},
	    {"6:smtp x,6:smtp y,", 9},
	    {"0:,", 3},
	    {"0:,x", 3},
	    {"3:a,b,", 6},
	    {"10:smtp x,xxx,y", 14},
	    {"6:smtp xx", 9}, /* no comma: seen when it is parsed */
	    {"6:smtp x", SIZE_MAX},
	    {"6:", SIZE_MAX},
	    {"6", SIZE_MAX},
	    {"4096:", SIZE_MAX},
	    {"4097:", 0},
	    {"9999999999999999999999:", 0},
	    {"00:,", 0},
	    {"06:smtp x,", 0},
	    {":,", 0},
	    {"-1:,", 0},
	    {" 6:smtp x,", 0},
	    {"6 :smtp x,", 0},
	    {"1\ttest\n", 0},
	    {"GET / HTTP/1.1\r\n", 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		size_t len = strlen(cases[i].text);

		for (size_t step = 1; step <= len; step++)
			assert_int_equal(
			    cut(cases[i].text, len, step), cases[i].size);
	}
}

static void
longest_request_is_taken(void **state)
{
	char text[SOCKETMAP_REQUEST_MAX + 16];
	struct socketmap_query query;
	int head =
	    snprintf(text, sizeof(text), "%d:smtp ", SOCKETMAP_REQUEST_MAX);
	size_t len = strlen("4096:") + SOCKETMAP_REQUEST_MAX + 1;

	(void)state;
	memset(text + head, 'x', sizeof(text) - (size_t)head);
	text[len - 1] = ',';
	assert_int_equal(cut(text, sizeof(text), 1), len);
	assert_int_equal(cut(text, sizeof(text), 1000), len);
	assert_true(socketmap_wire_parse(text, len, &query));
	assert_int_equal(strlen(query.host), SOCKETMAP_REQUEST_MAX - 5);
}

static bool
parse(const char *text, struct socketmap_query *query)
{
	static char frame[256];

	snprintf(frame, sizeof(frame), "%zu:%s,", strlen(text), text);
	return socketmap_wire_parse(frame, strlen(frame), query);
}

static void
key_is_a_server_or_an_address(void **state)
{
	static const struct {
		const char *text, *map, *host, *user;
	} cases[] = {
	    {"smtp mx.x.test", "smtp", "mx.x.test", NULL},
	    {"smtp [mx.x.test]:587", "smtp", "mx.x.test", NULL},
	    {"smtp [mx.x.test]", "smtp", "mx.x.test", NULL},
	    {"lmtp mx.x.test:24", "lmtp", "mx.x.test", NULL},
	    {"smtp a@x.test", "smtp", NULL, "a@x.test"},
	    {"smtp @x.test", "smtp", NULL, "@x.test"},
	    {"smtp a b@x.test", "smtp", NULL, "a b@x.test"},
	    {"smtp ", "smtp", "", NULL},
	    {" mx", "", "mx", NULL},
	    {"smtp  ", "smtp", " ", NULL},
	};
	struct socketmap_query query;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_true(parse(cases[i].text, &query));
		assert_string_equal(query.map, cases[i].map);
		assert_string_equal(query.host ? query.host : "(null)",
		    cases[i].host ? cases[i].host : "(null)");
		assert_string_equal(query.user ? query.user : "(null)",
		    cases[i].user ? cases[i].user : "(null)");
	}
}

static void
what_is_no_request_is_refused(void **state)
{
	static const char *const bad[] = {
	    "0:,", "4:smtp,", "6:smtp x;", "6:smtp x", "6:smtp x,,", "6:", ""};
	struct socketmap_query query;
	char frame[32];
	char nul[] = "7:smtp\0 x,";

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		snprintf(frame, sizeof(frame), "%s", bad[i]);
		assert_false(
		    socketmap_wire_parse(frame, strlen(frame), &query));
	}
	assert_false(socketmap_wire_parse(nul, sizeof(nul) - 1, &query));
}

static void
replies_are_netstrings(void **state)
{
	struct secret reply = SECRET_INIT, token = SECRET_INIT;

	(void)state;
	socketmap_wire_reply(&reply, "NOTFOUND", "");
	assert_string_equal(secret_expose(&reply), "9:NOTFOUND ,");
	socketmap_wire_reply(&reply, "TEMP", "later, please");
	assert_string_equal(secret_expose(&reply), "18:TEMP later, please,");
	secret_add(&token, "ya29:x,y", 8);
	socketmap_wire_found(&reply, "a@x.test", &token);
	assert_string_equal(secret_expose(&reply), "20:OK a@x.test:ya29:x,y,");
	secret_done(&reply);
	secret_done(&token);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(frames_are_cut_whatever_the_pieces),
	    cmocka_unit_test(longest_request_is_taken),
	    cmocka_unit_test(key_is_a_server_or_an_address),
	    cmocka_unit_test(what_is_no_request_is_refused),
	    cmocka_unit_test(replies_are_netstrings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
