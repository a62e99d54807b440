/* SPDX-License-Identifier: ISC */
#include "log_limit.h"

#include "unit/cmocka_headers.h"

#include <stdio.h>
#include <stdlib.h>

#define NOW_MS 1000L
#define LATER_MS (NOW_MS + LOG_LIMIT_PAUSE_MS)

static struct log_limit *
make_limit(void)
{
	struct log_limit *limit = calloc(1, sizeof(*limit));

	assert_non_null(limit);
	return limit;
}

/* -1: no line is written; otherwise how many were held back before it. */
static long
ask(struct log_limit *limit, uid_t uid, const char *what, int64_t now_ms)
{
	unsigned long held = 12345;

	return log_limit_takes(limit, uid, what, now_ms, &held) ? (long)held
								: -1;
}

static void
first_line_about_each_uid_and_subject_is_written(void **state)
{
	struct log_limit *limit = make_limit();

	(void)state;
	assert_int_equal(ask(limit, 1, "alice", NOW_MS), 0);
	assert_int_equal(ask(limit, 1, "bob", NOW_MS), 0);
	assert_int_equal(ask(limit, 2, "alice", NOW_MS), 0);
	assert_int_equal(ask(limit, 0, "", NOW_MS), 0);
	free(limit);
}

static void
what_follows_is_counted_and_told_after_the_pause(void **state)
{
	struct log_limit *limit = make_limit();

	(void)state;
	assert_int_equal(ask(limit, 1, "alice", NOW_MS), 0);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(ask(limit, 1, "alice", NOW_MS + i), -1);
	assert_int_equal(ask(limit, 1, "alice", LATER_MS - 1), -1);
	assert_int_equal(ask(limit, 1, "alice", LATER_MS), 1001);
	assert_int_equal(ask(limit, 1, "alice", LATER_MS), -1);
	assert_int_equal(
	    ask(limit, 1, "alice", LATER_MS + LOG_LIMIT_PAUSE_MS), 1);
	free(limit);
}

static void
ask_about_many(struct log_limit *limit, int first, int count, int64_t now_ms)
{
	for (int i = first; i < first + count; i++)
		assert_int_equal(
		    ask(limit, (uid_t)(1000 + i), "alice", now_ms), 0);
}

/* One that is new is never taken for one that is known. */
static void
more_subjects_than_fit_are_written_all_the_same(void **state)
{
	struct log_limit *limit = make_limit();

	(void)state;
	assert_int_equal(ask(limit, 1, "alice", NOW_MS), 0);
	assert_int_equal(ask(limit, 1, "alice", NOW_MS), -1);
	ask_about_many(limit, 0, LOG_LIMIT_SUBJECTS - 1, NOW_MS + 1);
	/* the oldest gives way, and what was held back is not lost */
	assert_int_equal(ask(limit, 2, "alice", NOW_MS + 2), 1);
	assert_int_equal(ask(limit, 1, "alice", NOW_MS + 2), 0);
	free(limit);
}

static void
lines_in_one_pause_are_bounded(void **state)
{
	struct log_limit *limit = make_limit();

	(void)state;
	ask_about_many(limit, 0, LOG_LIMIT_LINES, NOW_MS);
	for (int i = 0; i < 100; i++)
		assert_int_equal(
		    ask(limit, (uid_t)(5000 + i), "alice", NOW_MS + i), -1);
	assert_int_equal(ask(limit, 1, "bob", LATER_MS - 1), -1);
	assert_int_equal(ask(limit, 1, "bob", LATER_MS), 101);
	assert_int_equal(ask(limit, 2, "bob", LATER_MS), 0);
	free(limit);
}

static void
tail_says_how_many_there_were(void **state)
{
	char text[LOG_LIMIT_TAIL_SIZE];

	(void)state;
	assert_string_equal(log_limit_tail(0, text), "");
	assert_string_equal(
	    log_limit_tail(1, text), " (1 more was not logged)");
	assert_string_equal(
	    log_limit_tail(17, text), " (17 more were not logged)");
	log_limit_tail((unsigned long)-1, text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(first_line_about_each_uid_and_subject_is_written),
	    cmocka_unit_test(what_follows_is_counted_and_told_after_the_pause),
	    cmocka_unit_test(more_subjects_than_fit_are_written_all_the_same),
	    cmocka_unit_test(lines_in_one_pause_are_bounded),
	    cmocka_unit_test(tail_says_how_many_there_were),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
