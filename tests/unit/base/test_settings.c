/* SPDX-License-Identifier: ISC */
#include "base/settings.h"

#include "base/buf.h"

#include "unit/cmocka_headers.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Writes what it is given down as "[section]" and "section/name=value;". */
static enum mt_status
note(void *context, const struct settings_line *line, struct mt_error *err)
{
	struct buf *notes = context;

	if (!line->name)
		buf_add_format(notes, "[%s]", line->section);
	else if (strcmp(line->name, "refused") == 0)
		return mt_fail(
		    err, MT_BAD_CONFIG, "unknown setting '%s'", line->name);
	else
		buf_add_format(
		    notes, "%s/%s=%s;", line->section, line->name, line->value);
	return MT_OK;
}

static void
lines_are_taken_apart(void **state)
{
	static const struct {
		const char *text;
		const char *notes; /* NULL: an error */
		const char *error;
	} cases[] = {
	    {"", "", NULL},
	    {"# only a comment\n\n   \n", "", NULL},
	    {"a = b", "/a=b;", NULL},
	    {"  a=b c  \r\n", "/a=b c;", NULL},
	    {"a =", "/a=;", NULL},
	    {"a = b = c # no comment", "/a=b = c # no comment;", NULL},
	    {"[ account work ]\nx=1\n[z]\nx=2",
		"[account work]account "
		"work/x=1;[z]z/x=2;",
		NULL},
	    {"a = 1\nnonsense\n", NULL, "f:2: expected 'name = value'"},
	    {"= 1", NULL, "f:1: expected 'name = value'"},
	    {"\n\n[open", NULL, "f:3: the section has no closing ']'"},
	    {"a=1\nrefused = 2", NULL, "f:2: unknown setting 'refused'"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct buf notes = BUF_INIT(1000);
		struct mt_error err = {0};
		enum mt_status status =
		    settings_parse("f", cases[i].text, note, &notes, &err);

		if (cases[i].notes) {
			assert_int_equal(status, MT_OK);
			assert_string_equal(buf_text(&notes), cases[i].notes);
		} else {
			assert_int_equal(status, MT_BAD_CONFIG);
			assert_string_equal(err.text, cases[i].error);
		}
		buf_done(&notes);
	}
}

static void
file_with_a_nul_or_too_long_is_refused(void **state)
{
	char path[] = "/tmp/test_settings.XXXXXX";
	int fd = mkstemp(path);
	struct buf notes = BUF_INIT(1000);
	struct mt_error err = {0};
	bool found;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "a=1\n\0b=2\n", 9), 9);
	assert_int_equal(
	    settings_read(path, NULL, note, &notes, &err), MT_BAD_CONFIG);
	assert_non_null(strstr(err.text, "NUL"));
	assert_int_equal(ftruncate(fd, SETTINGS_FILE_MAX + 1), 0);
	assert_int_equal(
	    settings_read(path, NULL, note, &notes, &err), MT_BAD_CONFIG);
	assert_non_null(strstr(err.text, "longer than"));
	close(fd);
	unlink(path);
	assert_int_equal(
	    settings_read(path, &found, note, &notes, &err), MT_OK);
	assert_false(found);
	assert_int_equal(
	    settings_read(path, NULL, note, &notes, &err), MT_BAD_CONFIG);
	buf_done(&notes);
}

static void
numbers_are_whole_and_within_bounds(void **state)
{
	static const struct {
		const char *text;
		bool good;
		long number;
	} cases[] = {
	    {"0", true, 0},
	    {"65535", true, 65535},
	    {"-1", true, -1},
	    {"65536", false, 0},
	    {"-2", false, 0},
	    {"", false, 0},
	    {" 1", false, 0},
	    {"1 ", false, 0},
	    {"+1", false, 0},
	    {"0x10", false, 0},
	    {"-", false, 0},
	    {"99999999999999999999", false, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		long number = 4711;
		bool good = settings_number(cases[i].text, -1, 65535, &number);

		assert_int_equal(good, cases[i].good);
		assert_int_equal(number, good ? cases[i].number : 4711);
	}
}

static void
booleans_are_words_in_any_case(void **state)
{
	static const char *const yes[] = {"true", "YES", "On", "1"};
	static const char *const no[] = {"false", "NO", "Off", "0"};
	static const char *const neither[] = {"", "2", "tru", "true "};
	bool value;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		value = false;
		assert_true(settings_bool(yes[i], &value) && value);
		value = true;
		assert_true(settings_bool(no[i], &value) && !value);
		assert_false(settings_bool(neither[i], &value));
	}
}

static void
durations_have_a_unit(void **state)
{
	static const struct {
		const char *text;
		long seconds; /* -1: none */
	} cases[] = {
	    {"0", 0},
	    {"0d", 0},
	    {"30s", 30},
	    {"90min", 5400},
	    {"12h", 43200},
	    {"7d", 604800},
	    {"7 d", 604800},
	    {"99999999999d", 8639999999913600},
	    {"7", -1},
	    {"d", -1},
	    {"", -1},
	    {"-1d", -1},
	    {"1.5h", -1},
	    {"7days", -1},
	    {"999999999999d", -1},
	    {"7d ", -1},
	};
	long seconds;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		seconds = -1;
		settings_duration(cases[i].text, &seconds);
		if (seconds != cases[i].seconds)
			fail_msg("'%s': %ld", cases[i].text, seconds);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lines_are_taken_apart),
	    cmocka_unit_test(file_with_a_nul_or_too_long_is_refused),
	    cmocka_unit_test(numbers_are_whole_and_within_bounds),
	    cmocka_unit_test(booleans_are_words_in_any_case),
	    cmocka_unit_test(durations_have_a_unit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
