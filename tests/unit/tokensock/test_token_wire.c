/* SPDX-License-Identifier: ISC */
#include "tokensock/token_wire.h"

#include "unit/cmocka_headers.h"

#include <stdlib.h>
#include <string.h>

static void
built_frame_reads_back(void **state)
{
	struct secret frame = SECRET_INIT, token = SECRET_INIT;
	struct token_wire_message message;

	(void)state;
	secret_add(&token, "ya29.a\\b", 8);
	token_wire_begin(&frame, "ok");
	token_wire_add(&frame, "text", "tab\there\nand \\ there");
	token_wire_add(&frame, "empty", "");
	token_wire_add_number(&frame, "serial", 42);
	token_wire_add_secret(&frame, "token", &token);
	assert_true(token_wire_end(&frame));
	assert_string_equal(secret_expose(&frame),
	    "1\tok\ttext=tab\\there\\nand \\\\ there\tempty=\tserial=42\t"
	    "token=ya29.a\\\\b\n");
	assert_true(token_wire_parse(frame.data, frame.len, &message));
	assert_string_equal(message.verb, "ok");
	assert_string_equal(
	    token_wire_get(&message, "text"), "tab\there\nand \\ there");
	assert_string_equal(token_wire_get(&message, "empty"), "");
	assert_string_equal(token_wire_get(&message, "token"), "ya29.a\\b");
	assert_null(token_wire_get(&message, "missing"));
	assert_int_equal(token_wire_number(&message, "serial", 100, -1), 42);
	assert_int_equal(token_wire_number(&message, "serial", 41, -1), -1);
	assert_int_equal(token_wire_number(&message, "text", 100, -1), -1);
	secret_done(&frame);
	secret_done(&token);
}

static void
malformed_frames_are_refused(void **state)
{
	static const struct {
		const char *text;
		size_t len; /* 0: strlen */
	} cases[] = {
	    {"", 0},
	    {"\n", 0},
	    {"1\n", 0},
	    {"1\t\n", 0},
	    {"1\tget", 0},
	    {"2\tget\n", 0},
	    {"get\n", 0},
	    {"1\tget\t\n", 0},
	    {"1\tget\tname\n", 0},
	    {"1\tget\t=value\n", 0},
	    {"1\tget\ta=\\x\n", 0},
	    {"1\tget\ta=b\\\n", 0},
	    {"1\tget\n1\tget\n", 0},
	    {"1\tget\ta=\0b\n", 11},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		size_t len =
		    cases[i].len ? cases[i].len : strlen(cases[i].text);
		char *line = malloc(len + 1);
		struct token_wire_message message;

		memcpy(line, cases[i].text, len);
		line[len] = '\0';
		if (token_wire_parse(line, len, &message))
			fail_msg("case %zu was taken", i);
		free(line);
	}
}

static void
fields_beyond_the_limit_are_refused(void **state)
{
	struct secret frame = SECRET_INIT;
	struct token_wire_message message;

	(void)state;
	for (int count = TOKEN_WIRE_FIELDS_MAX;
	     count <= TOKEN_WIRE_FIELDS_MAX + 1; count++) {
		token_wire_begin(&frame, "get");
		for (int i = 0; i < count; i++)
			token_wire_add(&frame, "a", "b");
		assert_true(token_wire_end(&frame));
		assert_int_equal(
		    token_wire_parse(frame.data, frame.len, &message),
		    count <= TOKEN_WIRE_FIELDS_MAX);
	}
	secret_done(&frame);
}

static void
frame_beyond_64_kib_does_not_end(void **state)
{
	struct secret frame = SECRET_INIT;
	char *value = malloc(TOKEN_WIRE_FRAME_MAX);

	(void)state;
	memset(value, 'x', TOKEN_WIRE_FRAME_MAX);
	/* "1 ok a=" and the line end take 8 bytes */
	value[TOKEN_WIRE_FRAME_MAX - 7] = '\0';
	token_wire_begin(&frame, "ok");
	token_wire_add(&frame, "a", value);
	assert_false(token_wire_end(&frame));
	value[TOKEN_WIRE_FRAME_MAX - 8] = '\0';
	token_wire_begin(&frame, "ok");
	token_wire_add(&frame, "a", value);
	assert_true(token_wire_end(&frame));
	free(value);
	secret_done(&frame);
}

static void
statuses_and_words_match_both_ways(void **state)
{
	static const enum mt_status statuses[] = {MT_OK, MT_RETRY_LATER,
	    MT_NEEDS_LOGIN, MT_NEEDS_ADMIN, MT_BAD_CONFIG, MT_NO_ACCOUNT,
	    MT_BAD_INPUT};

	(void)state;
	for (size_t i = 0; i < sizeof(statuses) / sizeof(*statuses); i++)
		assert_int_equal(
		    token_wire_status(token_wire_status_word(statuses[i])),
		    statuses[i]);
	assert_string_equal(token_wire_status_word(MT_NO_MEMORY), "later");
	assert_int_equal(token_wire_status("event"), MT_BUG);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(built_frame_reads_back),
	    cmocka_unit_test(malformed_frames_are_refused),
	    cmocka_unit_test(fields_beyond_the_limit_are_refused),
	    cmocka_unit_test(frame_beyond_64_kib_does_not_end),
	    cmocka_unit_test(statuses_and_words_match_both_ways),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
