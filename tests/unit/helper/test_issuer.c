/* SPDX-License-Identifier: ISC */
#include "issuer.h"
#include "clock.h"

#include "unit/cmocka_headers.h"

#include <string.h>

#define ENDPOINT "https://login.example.test/token"

static struct mt_error why = {.status = MT_RETRY_LATER, .text = "HTTP 503"};

static int
setup(void **state)
{
	struct issuers *issuers = NULL;
	struct mt_error err = {0};

	if (issuers_new(&issuers, &err) != MT_OK)
		return -1;
	*state = issuers;
	return 0;
}

static int
teardown(void **state)
{
	struct issuers *issuers = *state;

	issuers_free(&issuers);
	return 0;
}

static enum issuer_turn
turn(const struct issuer *issuer, bool unasked)
{
	int64_t until;

	return issuer_turn(issuer, unasked, &until);
}

static enum issuer_news
send_and_fail(struct issuer *issuer)
{
	return issuer_end(
	    issuer, issuer_begin(issuer), ISSUER_FAILED, -1, &why);
}

static void
host_and_port_make_the_issuer(void **state)
{
	struct issuer *issuer = issuers_get(*state, ENDPOINT);

	assert_ptr_equal(
	    issuer, issuers_get(*state, "https://LOGIN.example.test:443/x"));
	assert_ptr_not_equal(issuer,
	    issuers_get(*state, "https://login.example.test:444/token"));
	assert_ptr_not_equal(
	    issuer, issuers_get(*state, "https://other.example.test/token"));
	assert_string_equal(issuer_host(issuer), "login.example.test:443");
	assert_null(issuers_get(*state, "nonsense"));
}

static void
three_failures_in_a_row_stop_all_but_one(void **state)
{
	struct issuer *issuer = issuers_get(*state, ENDPOINT);

	assert_int_equal(send_and_fail(issuer), ISSUER_AS_BEFORE);
	assert_int_equal(send_and_fail(issuer), ISSUER_AS_BEFORE);
	assert_int_equal(turn(issuer, false), ISSUER_GO);
	assert_int_equal(send_and_fail(issuer), ISSUER_STILL_DOWN);
	assert_int_equal(turn(issuer, false), ISSUER_WAIT);
	assert_true(issuer_view(issuer).down);
	assert_in_range(issuer_view(issuer).next_trial_s, 2, 5);
	issuers_network_changed(*state);
	assert_int_equal(turn(issuer, false), ISSUER_GO);
	assert_true(issuer_begin(issuer));
	assert_int_equal(turn(issuer, false), ISSUER_QUEUE);
	assert_int_equal(turn(issuer, true), ISSUER_QUEUE);
	/* a person's beside it is no trial */
	assert_false(issuer_begin(issuer));
	assert_int_equal(issuer_end(issuer, false, ISSUER_FAILED, -1, &why),
	    ISSUER_AS_BEFORE);
	assert_int_equal(
	    issuer_end(issuer, true, ISSUER_ANSWERED, -1, NULL), ISSUER_BACK);
	assert_int_equal(turn(issuer, false), ISSUER_GO);
	assert_false(issuer_view(issuer).down);
}

static void
answer_of_any_kind_ends_the_row(void **state)
{
	struct issuer *issuer = issuers_get(*state, ENDPOINT);

	for (int i = 0; i < 10; i++) {
		assert_int_equal(send_and_fail(issuer), ISSUER_AS_BEFORE);
		assert_int_equal(send_and_fail(issuer), ISSUER_AS_BEFORE);
		assert_int_equal(issuer_end(issuer, issuer_begin(issuer),
				     ISSUER_ANSWERED, -1, NULL),
		    ISSUER_AS_BEFORE);
	}
}

static void
pause_grows_with_each_trial_but_not_with_stragglers(void **state)
{
	struct issuer *issuer = issuers_get(*state, ENDPOINT);
	long last = 0;

	for (int i = 0; i < 20; i++)
		assert_false(issuer_begin(issuer));
	for (int i = 0; i < 20; i++)
		issuer_end(issuer, false, ISSUER_FAILED, -1, &why);
	assert_in_range(issuer_view(issuer).next_trial_s, 2, 5);
	for (int i = 0; i < 12; i++) {
		send_and_fail(issuer);
		last = issuer_view(issuer).next_trial_s;
	}
	assert_in_range(last, 450, 900);
}

static void
pause_that_the_server_asks_for_is_kept(void **state)
{
	struct issuer *issuer = issuers_get(*state, ENDPOINT);

	for (int i = 0; i < 3; i++)
		issuer_end(
		    issuer, issuer_begin(issuer), ISSUER_FAILED, 100, &why);
	assert_in_range(issuer_view(issuer).next_trial_s, 99, 100);
	issuers_network_changed(*state);
	assert_int_equal(turn(issuer, false), ISSUER_WAIT);
}

static void
few_that_nobody_waits_for_go_out_at_once(void **state)
{
	struct issuer *issuer = issuers_get(*state, ENDPOINT);

	for (int i = 0; i < ISSUER_UNASKED_MAX; i++) {
		assert_int_equal(turn(issuer, true), ISSUER_GO);
		issuer_begin(issuer);
	}
	assert_int_equal(turn(issuer, true), ISSUER_WAIT);
	assert_int_equal(turn(issuer, false), ISSUER_GO);
	issuer_end(issuer, false, ISSUER_FAILED, -1, &why);
	/* in doubt one at a time */
	assert_int_equal(turn(issuer, true), ISSUER_WAIT);
	for (int i = 1; i < ISSUER_UNASKED_MAX; i++)
		issuer_end(issuer, false, ISSUER_ANSWERED, -1, NULL);
	assert_int_equal(turn(issuer, true), ISSUER_GO);
}

static void
trial_without_a_verdict_leaves_the_next_to_others(void **state)
{
	struct issuer *issuer = issuers_get(*state, ENDPOINT);

	for (int i = 0; i < 3; i++)
		send_and_fail(issuer);
	issuers_network_changed(*state);
	assert_true(issuer_begin(issuer));
	assert_int_equal(issuer_end(issuer, true, ISSUER_UNKNOWN, 0, NULL),
	    ISSUER_STILL_DOWN);
	assert_int_equal(turn(issuer, false), ISSUER_GO);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(host_and_port_make_the_issuer),
	    TEST(three_failures_in_a_row_stop_all_but_one),
	    TEST(answer_of_any_kind_ends_the_row),
	    TEST(pause_grows_with_each_trial_but_not_with_stragglers),
	    TEST(pause_that_the_server_asks_for_is_kept),
	    TEST(few_that_nobody_waits_for_go_out_at_once),
	    TEST(trial_without_a_verdict_leaves_the_next_to_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
