/* SPDX-License-Identifier: ISC */
/* What an account does without being asked. */
#include "account_bench.h"
#include "account_impl.h"
#include "clock.h"
#include "scripted_http.h"

#include "unit/cmocka_headers.h"

#include <stdio.h>
#include <string.h>

#define DAY_S 86400L

/* The moment for a refresh ahead of need comes in a moment; runs until then. */
static void
let_token_age(struct account_bench *bench)
{
	bench->account->ahead_ms = clock_boot_ms() + 5;
	account_plan(bench->account);
	bench_run(bench, 30);
}

static void
token_in_use_is_replaced_before_its_end(void **state)
{
	struct account_bench *bench = *state;
	struct bench_asker asker;

	bench_login(bench, "r1");
	bench_get(bench, &asker);
	assert_true(account_bench_view(bench).in_use);
	assert_int_equal(scripted_http_count(), 0);
	let_token_age(bench);
	assert_int_equal(scripted_http_count(), 1);
	/* who asks meanwhile gets the old one at once */
	bench_get(bench, &asker);
	assert_string_equal(asker.token, "login-access");
	scripted_http_answer(200, TOKENS("a2", "r2"));
	bench_get(bench, &asker);
	assert_string_equal(asker.token, "a2");
}

static void
token_that_nobody_uses_is_left_to_expire(void **state)
{
	struct account_bench *bench = *state;

	bench_login(bench, "r1");
	assert_false(account_bench_view(bench).in_use);
	let_token_age(bench);
	assert_int_equal(scripted_http_count(), 0);
}

static void
use_is_looked_at_for_each_token_anew(void **state)
{
	struct account_bench *bench = *state;
	struct bench_asker asker;

	bench_login(bench, "r1");
	bench_get(bench, &asker);
	let_token_age(bench);
	assert_int_equal(scripted_http_count(), 1);
	scripted_http_answer(200, TOKENS("a2", "r2"));
	assert_false(account_bench_view(bench).in_use);
	let_token_age(bench);
	assert_int_equal(scripted_http_count(), 1);
}

static void
wish_for_a_long_life_brings_the_refresh_forward(void **state)
{
	struct account_bench *bench = *state;
	struct bench_asker asker;

	bench_login(bench, "r1");
	bench_get(bench, &asker);
	assert_in_range(
	    account_bench_view(bench).next_refresh_s, 2700 - 1, 2880 + 1);
	account_note_use(bench->account, 1800);
	assert_in_range(
	    account_bench_view(bench).next_refresh_s, 1620 - 1, 1800 + 1);
}

static void
failed_refresh_ahead_is_repeated_after_its_pause(void **state)
{
	struct account_bench *bench = *state;
	struct bench_asker asker;

	bench_login(bench, "r1");
	bench_get(bench, &asker);
	let_token_age(bench);
	scripted_http_answer(503, "");
	assert_true(account_bench_view(bench).in_use);
	assert_in_range(account_bench_view(bench).next_refresh_s, 2, 6);
	bench->account->next_attempt_ms = clock_boot_ms() + 20;
	account_plan(bench->account);
	bench_run(bench, 100);
	assert_int_equal(scripted_http_count(), 2);
	scripted_http_answer(200, TOKENS("a2", "r2"));
}

static void
rejected_token_is_replaced_when_somebody_asks(void **state)
{
	struct account_bench *bench = *state;
	struct bench_asker asker;

	bench_login(bench, "r1");
	bench_get(bench, &asker);
	account_reject(bench->account, 1);
	bench_run(bench, 50);
	assert_int_equal(scripted_http_count(), 0);
}

static void
give_settings(struct account_bench *bench, const char *more)
{
	struct account_settings *settings = account_bench_settings(bench, more);

	account_use_settings(bench->account, &settings);
}

static void
login_that_nobody_uses_is_kept_alive(void **state)
{
	struct account_bench *bench = *state;

	bench_login(bench, "r1");
	/* seven days, less a quarter by chance */
	assert_in_range(account_bench_view(bench).next_refresh_s,
	    7 * DAY_S * 3 / 4 - 301, 7 * DAY_S + 1);
	give_settings(bench, "keep_alive = 1s\n");
	bench_run(bench, 1100);
	assert_int_equal(scripted_http_count(), 1);
	assert_false(account_bench_view(bench).in_use);
	scripted_http_answer(200, TOKENS("a2", "r2"));
}

static void
keep_alive_can_be_switched_off(void **state)
{
	struct account_bench *bench = *state;

	bench_login(bench, "r1");
	give_settings(bench, "keep_alive = 0\n");
	assert_int_equal(account_bench_view(bench).next_refresh_s, 0);
}

static void
nothing_keeps_a_dead_or_missing_login_alive(void **state)
{
	struct account_bench *bench = *state;
	struct bench_asker asker;

	assert_int_equal(account_bench_view(bench).next_refresh_s, 0);
	bench_login(bench, "r1");
	bench_refresh(bench, &asker);
	scripted_http_answer(400, INVALID_GRANT);
	give_settings(bench, "keep_alive = 1s\n");
	bench_run(bench, 1100);
	assert_int_equal(scripted_http_count(), 1);
}

static void
keep_alive_goes_on_where_it_was_after_a_restart(void **state)
{
	struct account_bench *bench = *state;

	bench_login(bench, "r1");
	account_bench_restart(bench);
	assert_in_range(account_bench_view(bench).next_refresh_s,
	    7 * DAY_S * 3 / 4 - 301, 7 * DAY_S + 1);
	/* used in the future, says the disk: the clock was wrong */
	bench->account->refreshed_at += 1000 * DAY_S;
	account_plan_keep_alive(bench->account);
	account_plan(bench->account);
	assert_in_range(
	    account_bench_view(bench).next_refresh_s, 1, 7 * DAY_S / 2 + 1);
}

static void
what_fell_due_in_a_sleep_is_spread(void **state)
{
	struct account_bench *bench = *state;
	struct bench_asker asker;
	long most = 0;

	bench_login(bench, "r1");
	bench_get(bench, &asker);
	bench->env.account_count = 10000;
	for (int i = 0; i < 20; i++) {
		bench->account->postponed_ms = 0;
		bench->account->ahead_ms = clock_boot_ms() - 60000;
		schedule_set(bench->env.schedule, &bench->account->timer,
		    clock_boot_ms() - 60000);
		bench_run(bench, 1);
		if (scripted_http_pending())
			scripted_http_answer(200, TOKENS("a2", "r2"));
		if (account_bench_view(bench).next_refresh_s > most &&
		    bench->account->postponed_ms)
			most = account_bench_view(bench).next_refresh_s;
		bench_get(bench, &asker);
	}
	assert_in_range(most, 20, 61);
	assert_in_range(scripted_http_count(), 0, 2);
}

static void
account_that_is_gone_does_nothing_more(void **state)
{
	struct account_bench *bench = *state;

	bench_login(bench, "r1");
	account_note_use(bench->account, 0);
	account_retire(bench->account);
	let_token_age(bench);
	assert_int_equal(scripted_http_count(), 0);
}

/* ---- what a person has to know ---- */

/* The events so far, each with a space behind it. */
static char events[256];

static void
note_event(void *context, const struct account *account, const char *event)
{
	size_t len = strlen(events);

	(void)context;
	(void)account;
	snprintf(events + len, sizeof(events) - len, "%s ", event);
}

static void
listen_to_events(struct account_bench *bench)
{
	events[0] = '\0';
	bench->env.announce = note_event;
	bench->env.announce_again_s = 3600;
	bench_login(bench, "r1");
}

static void
ignore_answer(struct account_waiter *waiter, struct account *account,
    const struct mt_error *result)
{
	(void)waiter;
	(void)account;
	assert_int_equal(result->status, MT_OK);
}

static void
log_out(struct account_bench *bench)
{
	struct account_waiter waiter = {.answer = ignore_answer};

	account_logout(bench->account, &waiter, true);
	assert_int_equal(account_bench_view(bench).state, ACCOUNT_NEEDS_LOGIN);
}

static void
logout_is_no_news(void **state)
{
	struct account_bench *bench = *state;

	listen_to_events(bench);
	log_out(bench);
	account_bench_restart(bench);
	bench_login(bench, "r2");
	assert_string_equal(events, "");
}

static void
login_that_was_given_up_is_told_no_more_but_its_end_is(void **state)
{
	struct account_bench *bench = *state;
	struct bench_asker asker;

	listen_to_events(bench);
	bench_refresh(bench, &asker);
	scripted_http_answer(400, INVALID_GRANT);
	assert_string_equal(events, "needs-login ");
	bench->account->announce_ms = clock_boot_ms() + 5;
	log_out(bench);
	bench_run(bench, 30);
	assert_string_equal(events, "needs-login ");
	/* nor does the time for it come again and again */
	assert_true(!bench->account->timer.planned ||
		    bench->account->timer.due_ms > clock_boot_ms());
	bench_login(bench, "r2");
	assert_string_equal(events, "needs-login recovered ");
}

int
main(void)
{
#define TEST(f)                                                                \
	cmocka_unit_test_setup_teardown(                                       \
	    f, account_bench_setup, account_bench_teardown)
	const struct CMUnitTest tests[] = {
	    TEST(token_in_use_is_replaced_before_its_end),
	    TEST(token_that_nobody_uses_is_left_to_expire),
	    TEST(use_is_looked_at_for_each_token_anew),
	    TEST(wish_for_a_long_life_brings_the_refresh_forward),
	    TEST(failed_refresh_ahead_is_repeated_after_its_pause),
	    TEST(rejected_token_is_replaced_when_somebody_asks),
	    TEST(login_that_nobody_uses_is_kept_alive),
	    TEST(keep_alive_can_be_switched_off),
	    TEST(nothing_keeps_a_dead_or_missing_login_alive),
	    TEST(keep_alive_goes_on_where_it_was_after_a_restart),
	    TEST(what_fell_due_in_a_sleep_is_spread),
	    TEST(account_that_is_gone_does_nothing_more),
	    TEST(logout_is_no_news),
	    TEST(login_that_was_given_up_is_told_no_more_but_its_end_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
