/* SPDX-License-Identifier: ISC */
#include "base/status.h"

#include "unit/cmocka_headers.h"

#include <errno.h>
#include <string.h>

static void
failure_is_one_line_with_its_status(void **state)
{
	struct mt_error err;

	(void)state;
	assert_int_equal(
	    mt_fail(&err, MT_BAD_CONFIG, "%s: no", "x"), MT_BAD_CONFIG);
	assert_int_equal(err.status, MT_BAD_CONFIG);
	assert_string_equal(err.text, "x: no");
	assert_int_equal(mt_fail(NULL, MT_REFUSED, "unread"), MT_REFUSED);
}

static void
errno_text_follows_the_sentence(void **state)
{
	struct mt_error err;

	(void)state;
	mt_fail_errno(&err, MT_RETRY_LATER, ENOSPC, "cannot write f");
	assert_string_equal(
	    err.text, "cannot write f: No space left on device");
}

static void
hostile_text_is_cut_and_made_printable(void **state)
{
	struct mt_error err;
	char text[4096];

	(void)state;
	memset(text, '\n', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	mt_fail_errno(&err, MT_REFUSED, EIO, "%s", text);
	assert_int_equal(strlen(err.text), MT_ERROR_TEXT_MAX - 1);
	assert_null(strchr(err.text, '\n'));
	mt_fail(&err, MT_REFUSED, "%s", "\xc3\xa9 \xff\xfe\x80 \xc3");
	assert_string_equal(err.text, "\xc3\xa9 ??? ?");
}

static void
exit_codes_are_those_of_the_manual(void **state)
{
	static const struct {
		enum mt_status status;
		int code;
	} cases[] = {
	    {MT_OK, 0},
	    {MT_REFUSED, 1},
	    {MT_USAGE, 64},
	    {MT_BAD_INPUT, 65},
	    {MT_NO_ACCOUNT, 67},
	    {MT_UNREACHABLE, 69},
	    {MT_RETRY_LATER, 75},
	    {MT_NO_MEMORY, 75},
	    {MT_NEEDS_LOGIN, 77},
	    {MT_NEEDS_ADMIN, 77},
	    {MT_BAD_CONFIG, 78},
	    {MT_BUG, 70},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_int_equal(mt_exit_code(cases[i].status), cases[i].code);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(failure_is_one_line_with_its_status),
	    cmocka_unit_test(errno_text_follows_the_sentence),
	    cmocka_unit_test(hostile_text_is_cut_and_made_printable),
	    cmocka_unit_test(exit_codes_are_those_of_the_manual),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
