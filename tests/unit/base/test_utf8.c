/* SPDX-License-Identifier: ISC */
#include "base/utf8.h"

#include "unit/cmocka_headers.h"

#include <string.h>

static const struct {
	const char *text;
	size_t valid;
} cases[] = {
    {"", 0},
    {"plain", 5},
    {"\xc3\xa9", 2},
    {"\xe2\x82\xac!", 4},
    {"\xf0\x9f\x98\x80", 4},
    {"\xf4\x8f\xbf\xbf", 4},
    {"\xef\xbf\xbe", 3},
    {"ab\x80", 2},
    {"ab\xff", 2},
    {"\xc3", 0},
    {"\xc3(", 0},
    {"\xe2\x82", 0},
    {"\xe2\x82(", 0},
    {"\xf0\x9f\x98", 0},
    /* longer than need be */
    {"\xc0\x80", 0},
    {"\xc1\xbf", 0},
    {"\xe0\x9f\xbf", 0},
    {"\xf0\x8f\xbf\xbf", 0},
    /* surrogates, and beyond U+10FFFF */
    {"\xed\xa0\x80", 0},
    {"\xed\x9f\xbf", 3},
    {"\xf4\x90\x80\x80", 0},
    {"\xf5\x80\x80\x80", 0},
};

static void
only_rfc3629_is_valid(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		size_t valid =
		    utf8_valid_len(cases[i].text, strlen(cases[i].text));

		if (valid != cases[i].valid)
			fail_msg("case %zu: %zu bytes are valid, not %zu", i,
			    valid, cases[i].valid);
	}
	assert_int_equal(utf8_valid_len("a\0b", 3), 3);
}

static void
text_is_cut_between_characters(void **state)
{
	static const char text[] = "a\xc3\xa9\xe2\x82\xac"
				   "b";
	static const size_t wanted[] = {0, 1, 1, 3, 3, 3, 6, 7, 7};

	(void)state;
	for (size_t max = 0; max < sizeof(wanted) / sizeof(*wanted); max++)
		assert_int_equal(
		    utf8_cut_len(text, sizeof(text) - 1, max), wanted[max]);
}

static void
controls_of_both_sets_are_known(void **state)
{
	static const struct {
		const char *text;
		size_t len;
	} texts[] = {
	    {"", 1}, /* the NUL that ends it */
	    {"\n", 1},
	    {"\x1f", 1},
	    {" ", 0},
	    {"~", 0},
	    {"\x7f", 1},
	    {"\xc2\x80", 2},
	    {"\xc2\x9f", 2},
	    {"\xc2\xa0", 0},
	    {"\xc3\x80", 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		assert_int_equal(utf8_control_len(texts[i].text), texts[i].len);
}

static void
line_is_valid_and_without_controls(void **state)
{
	(void)state;
	assert_true(utf8_is_line("", 0));
	assert_true(utf8_is_line("a \xc3\xa4~", 5));
	assert_false(utf8_is_line("a\n", 2));
	assert_false(utf8_is_line("a\0", 2));
	assert_false(utf8_is_line("\xc2\x85", 2));
	assert_false(utf8_is_line("a\xff", 2));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(only_rfc3629_is_valid),
	    cmocka_unit_test(text_is_cut_between_characters),
	    cmocka_unit_test(controls_of_both_sets_are_known),
	    cmocka_unit_test(line_is_valid_and_without_controls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
