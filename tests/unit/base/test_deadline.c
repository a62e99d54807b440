/* SPDX-License-Identifier: ISC */
#include "base/deadline.h"

#include "unit/cmocka_headers.h"

#include <limits.h>

static void
passed_deadline_leaves_nothing(void **state)
{
	(void)state;
	assert_int_equal(deadline_left_ms(deadline_in_ms(-5000)), 0);
	assert_true(deadline_passed(deadline_in_ms(0)));
}

static void
time_left_never_exceeds_what_was_given(void **state)
{
	int left = deadline_left_ms(deadline_in_ms(60000));

	(void)state;
	assert_in_range(left, 1, 60000);
}

static void
far_deadline_fits_poll(void **state)
{
	(void)state;
	assert_int_equal(
	    deadline_left_ms(deadline_in_ms(INT64_C(10) * INT_MAX)), INT_MAX);
}

static void
earlier_of_two_wins(void **state)
{
	struct deadline near = deadline_in_ms(1000);
	struct deadline far = deadline_in_ms(90000);

	(void)state;
	assert_true(deadline_min(near, far).at_ms == near.at_ms);
	assert_true(deadline_min(far, near).at_ms == near.at_ms);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(passed_deadline_leaves_nothing),
	    cmocka_unit_test(time_left_never_exceeds_what_was_given),
	    cmocka_unit_test(far_deadline_fits_poll),
	    cmocka_unit_test(earlier_of_two_wins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
