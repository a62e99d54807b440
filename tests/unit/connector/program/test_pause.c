/* SPDX-License-Identifier: ISC */
#include "pause.h"

#include "unit/cmocka_headers.h"

#define NOW 1000000
#define MINUTE 60000

static struct pause
paused(void)
{
	struct pause pause;

	pause_init(&pause, "a try", "an account", MINUTE);
	return pause;
}

static void
fail_with(struct pause *pause, uint64_t now, enum mt_status status)
{
	const struct mt_error err = {.status = status, .text = "on purpose"};

	pause_note(pause, now, status, &err);
}

/* The pause after so many failures is at most `most`, and not much less. */
static void
pauses_grow(void **state)
{
	static const struct {
		enum mt_status status;
		unsigned failures;
		uint64_t most;
	} cases[] = {
	    {MT_RETRY_LATER, 1, 5000},
	    {MT_RETRY_LATER, 2, 10000},
	    {MT_UNREACHABLE, 3, 20000},
	    {MT_RETRY_LATER, 9, MINUTE},
	    {MT_NEEDS_LOGIN, 1, MINUTE},
	    {MT_BAD_CONFIG, 2, 2 * MINUTE},
	    {MT_NEEDS_LOGIN, 20, 60 * MINUTE},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct pause pause = paused();
		uint64_t now = NOW;

		for (unsigned n = 0; n < cases[i].failures; n++) {
			now += 2 * 60 * MINUTE;
			fail_with(&pause, now, cases[i].status);
		}
		assert_in_range(pause_left(&pause, now),
		    cases[i].most - cases[i].most / 8, cases[i].most);
		assert_false(pause_is_over(&pause, now));
		assert_true(pause_is_over(&pause, now + cases[i].most));
		assert_int_equal(pause_is_a_persons(&pause),
		    cases[i].status == MT_NEEDS_LOGIN ||
			cases[i].status == MT_BAD_CONFIG);
	}
}

static void
failures_of_the_same_moment_count_once(void **state)
{
	struct pause pause = paused();

	(void)state;
	fail_with(&pause, NOW, MT_RETRY_LATER);
	fail_with(&pause, NOW + 10, MT_RETRY_LATER);
	assert_int_equal(pause.failures, 1);
	pause_note(&pause, NOW + 20, MT_OK, NULL);
	assert_int_equal(pause.failures, 0);
	assert_true(pause_is_over(&pause, NOW + 20));
}

static void
news_shorten_a_pause_unless_the_failure_is_fresh(void **state)
{
	static const struct {
		enum mt_status status;
		uint64_t after;
		bool over;
	} cases[] = {
	    {MT_NEEDS_LOGIN, 30000, false},
	    {MT_NEEDS_LOGIN, 59999, false},
	    {MT_NEEDS_LOGIN, 60000, true},
	    {MT_RETRY_LATER, 4000, false},
	    {MT_RETRY_LATER, 5000, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct pause pause = paused();

		pause.interval_ms = 100 * MINUTE;
		for (int n = 0; n < 12; n++)
			fail_with(&pause, NOW + (uint64_t)n * 200 * MINUTE,
			    cases[i].status);
		pause_shorten(&pause, pause.failed_at + cases[i].after);
		assert_int_equal(
		    pause_is_over(&pause, pause.failed_at + cases[i].after),
		    cases[i].over);
		pause_end(&pause);
		assert_true(pause_is_over(&pause, pause.failed_at));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(pauses_grow),
	    cmocka_unit_test(failures_of_the_same_moment_count_once),
	    cmocka_unit_test(news_shorten_a_pause_unless_the_failure_is_fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
