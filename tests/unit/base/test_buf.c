/* SPDX-License-Identifier: ISC */
#include "base/buf.h"

#include "unit/cmocka_headers.h"

#include <stdlib.h>
#include <string.h>

static void
appended_bytes_are_followed_by_a_nul(void **state)
{
	struct buf b = BUF_INIT(100);

	(void)state;
	buf_add_text(&b, "ab");
	buf_add_char(&b, 'c');
	buf_add_format(&b, "%d-%s", 7, "x");
	assert_true(buf_ok(&b));
	assert_int_equal(b.len, 6);
	assert_string_equal(buf_text(&b), "abc7-x");
	buf_done(&b);
	assert_string_equal(buf_text(&b), "");
}

static void
maximum_may_be_reached_but_not_passed(void **state)
{
	struct buf b = BUF_INIT(4);

	(void)state;
	buf_add(&b, "1234", 4);
	assert_true(buf_ok(&b));
	buf_add_char(&b, '5');
	assert_false(buf_ok(&b));
	assert_int_equal(b.len, 0);
	buf_done(&b);
}

static void
failure_sticks_until_reset(void **state)
{
	struct buf b = BUF_INIT(2);

	(void)state;
	buf_add_format(&b, "%s", "three");
	buf_add_char(&b, 'a');
	assert_false(buf_ok(&b));
	assert_string_equal(buf_text(&b), "");
	assert_null(buf_take(&b));
	buf_reset(&b);
	buf_add_char(&b, 'a');
	assert_true(buf_ok(&b));
	assert_string_equal(buf_text(&b), "a");
	buf_done(&b);
}

static void
huge_append_does_not_overflow_the_sum(void **state)
{
	struct buf b = BUF_INIT(SIZE_MAX);

	(void)state;
	buf_add_char(&b, 'a');
	buf_add(&b, "x", SIZE_MAX);
	assert_false(buf_ok(&b));
	buf_done(&b);
}

static void
control_characters_become_question_marks(void **state)
{
	struct buf b = BUF_INIT(100);

	(void)state;
	buf_add_printable(&b, "a\r\n\x1b[0m\x7f\xc3\xa9", 10, 100);
	assert_string_equal(buf_text(&b), "a???[0m?\xc3\xa9");
	buf_reset(&b);
	buf_add_printable(&b, "abcdef", 6, 3);
	assert_string_equal(buf_text(&b), "abc");
	buf_reset(&b);
	buf_add_printable(&b, "a\xff\xc3\xa9\xe2\x82z", 7, 100);
	assert_string_equal(buf_text(&b), "a?\xc3\xa9??z");
	buf_reset(&b);
	buf_add_printable(&b, "ab\xc3\xa9", 4, 3);
	assert_string_equal(buf_text(&b), "ab");
	buf_done(&b);
}

static void
consumed_bytes_leave_the_front(void **state)
{
	struct buf b = BUF_INIT(100);

	(void)state;
	buf_consume(&b, 3);
	buf_add_text(&b, "abcdef");
	buf_consume(&b, 2);
	assert_string_equal(buf_text(&b), "cdef");
	buf_consume(&b, 99);
	assert_int_equal(b.len, 0);
	buf_done(&b);
}

static void
taken_memory_belongs_to_the_caller(void **state)
{
	struct buf b = BUF_INIT(100);
	char *text;

	(void)state;
	text = buf_take(&b);
	assert_string_equal(text, "");
	free(text);
	buf_add_text(&b, "mine");
	text = buf_take(&b);
	buf_add_text(&b, "other");
	assert_string_equal(text, "mine");
	free(text);
	buf_done(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(appended_bytes_are_followed_by_a_nul),
	    cmocka_unit_test(maximum_may_be_reached_but_not_passed),
	    cmocka_unit_test(failure_sticks_until_reset),
	    cmocka_unit_test(huge_append_does_not_overflow_the_sum),
	    cmocka_unit_test(control_characters_become_question_marks),
	    cmocka_unit_test(consumed_bytes_leave_the_front),
	    cmocka_unit_test(taken_memory_belongs_to_the_caller),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
