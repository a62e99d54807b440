/* SPDX-License-Identifier: ISC */
#include "outbound/header.h"

#include "unit/cmocka_headers.h"

#include <string.h>

typedef void (*add_function)(struct header_writer *, const char *);

static void
check(add_function add, const char *text, const char *expected)
{
	struct buf b = BUF_INIT(65536);
	struct header_writer w;

	header_begin(&w, &b, "Subject");
	add(&w, text);
	header_end(&w);
	assert_string_equal(buf_text(&b), expected);
	buf_done(&b);
}

static void
plain_text_stays_readable(void **state)
{
	(void)state;
	check(header_add_text, "Hello, world", "Subject: Hello, world\r\n");
	check(header_add_text,
	    "one two three four five six seven eight nine ten eleven twelve "
	    "thirteen fourteen",
	    "Subject: one two three four five six seven eight nine ten eleven "
	    "twelve\r\n thirteen fourteen\r\n");
}

static void
what_folding_would_change_is_encoded(void **state)
{
	(void)state;
	check(header_add_text, "a  b", "Subject: =?utf-8?B?YSAgYg==?=\r\n");
	check(header_add_text, " a", "Subject: =?utf-8?B?IGE=?=\r\n");
	check(header_add_text, "a ", "Subject: =?utf-8?B?YSA=?=\r\n");
	check(header_add_text,
	    "=?utf-8?Q?x?=", "Subject: =?utf-8?B?PT91dGYtOD9RP3g/PQ==?=\r\n");
}

static void
characters_are_not_divided_between_encoded_words(void **state)
{
	struct buf text = BUF_INIT(1000), b = BUF_INIT(65536);
	struct header_writer w;

	(void)state;
	/* four bytes each, so that no length fits evenly */
	for (int i = 0; i < 40; i++)
		buf_add_text(&text, "\xf0\x9f\x93\xa7");
	header_begin(&w, &b, "Subject");
	header_add_text(&w, text.data);
	header_end(&w);
	assert_true(buf_ok(&b));
	for (const char *p = strstr(b.data, "?B?"); p;
	     p = strstr(p + 1, "?B?")) {
		/* each word begins with the whole first character */
		assert_memory_equal(p + 3, "8J+Tp", 5);
	}
	for (const char *p = b.data; *p; p = strstr(p, "\r\n") + 2)
		assert_true(strstr(p, "\r\n") - p <= 76);
	buf_done(&text);
	buf_done(&b);
}

static void
a_long_word_is_encoded_rather_than_left_unfolded(void **state)
{
	struct buf text = BUF_INIT(3000), b = BUF_INIT(65536);
	struct header_writer w;

	(void)state;
	buf_add_format(&text, "%02000d", 0);
	header_begin(&w, &b, "Subject");
	header_add_text(&w, text.data);
	header_end(&w);
	for (const char *p = b.data; *p; p = strstr(p, "\r\n") + 2)
		assert_true(strstr(p, "\r\n") - p <= 76);
	buf_done(&text);
	buf_done(&b);
}

static void
names_are_phrases_quoted_strings_or_encoded_words(void **state)
{
	(void)state;
	check(header_add_name, "A Person", "Subject: A Person\r\n");
	check(header_add_name, "Person, A", "Subject: \"Person, A\"\r\n");
	check(header_add_name, "A  B", "Subject: \"A  B\"\r\n");
	check(
	    header_add_name, "a \"b\" \\", "Subject: \"a \\\"b\\\" \\\\\"\r\n");
	check(header_add_name, "J\xc3\xbcrgen, X",
	    "Subject: =?utf-8?B?SsO8cmdlbiwgWA==?=\r\n");
}

static void
control_characters_are_seen(void **state)
{
	static const char *const dirty[] = {"\r", "a\nb", "a\t", "\x7f", "\x1f",
	    "\xc2\x80", "x\xc2\x9f", "\x0b"};

	(void)state;
	for (size_t i = 0; i < sizeof(dirty) / sizeof(*dirty); i++)
		assert_false(header_text_is_clean(dirty[i], strlen(dirty[i])));
	assert_false(header_text_is_clean("a\0b", 3));
	assert_true(header_text_is_clean("", 0));
	assert_true(header_text_is_clean("\xc2\xa0\xc3\xbc", 4));
	assert_true(header_text_is_clean("\xe2\x82\x80", 3));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(plain_text_stays_readable),
	    cmocka_unit_test(what_folding_would_change_is_encoded),
	    cmocka_unit_test(characters_are_not_divided_between_encoded_words),
	    cmocka_unit_test(a_long_word_is_encoded_rather_than_left_unfolded),
	    cmocka_unit_test(names_are_phrases_quoted_strings_or_encoded_words),
	    cmocka_unit_test(control_characters_are_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
