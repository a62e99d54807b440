/* SPDX-License-Identifier: ISC */
#include "inbound/watch.h"

#include "unit/cmocka_headers.h"

#define MINUTE 60000
#define HOUR (60 * MINUTE)
#define START 1000000
#define HIGHEST UINT32_MAX /* of the dice: the earliest time */

static const struct watch_settings settings = {
    .poll_ms = 30 * MINUTE,
    .renew_ms = 9 * MINUTE,
    .reconcile_ms = HOUR,
};

static struct watch
make(void)
{
	struct watch watch;

	watch_init(&watch, &settings, START);
	return watch;
}

static void
end(struct watch *watch, enum mt_status status, bool listening, int64_t now_ms)
{
	const struct watch_result result = {
	    .status = status, .entered = true, .listening = listening};

	watch_end(watch, &result, now_ms, 0);
}

/* After a first visit that left an idle session. */
static struct watch
listening(void)
{
	struct watch watch = make();

	watch_begin(&watch);
	end(&watch, MT_OK, true, START);
	return watch;
}

static void
first_visit_is_due_at_once_and_compares(void **state)
{
	struct watch watch = make();
	struct watch_visit visit;

	(void)state;
	assert_int_equal(watch.due_ms, START);
	visit = watch_begin(&watch);
	assert_true(visit.reconcile);
	assert_false(visit.news_only);
	assert_false(visit.log_in_again);
}

static void
idle_session_is_renewed_and_a_server_without_push_polled(void **state)
{
	struct watch watch = listening();

	(void)state;
	assert_int_equal(watch.state, WATCH_LISTENED);
	assert_int_equal(watch.due_ms, START + settings.renew_ms);
	watch_begin(&watch);
	end(&watch, MT_OK, false, START);
	assert_int_equal(watch.state, WATCH_AWAY);
	assert_int_equal(watch.due_ms, START + settings.poll_ms);
}

static void
spread_only_ever_shortens(void **state)
{
	const struct watch_result result = {
	    .status = MT_OK, .entered = true, .listening = true};

	(void)state;
	for (uint32_t dice = 0; dice < 3000; dice += 7) {
		struct watch watch = make();
		watch_begin(&watch);
		watch_end(&watch, &result, START, dice);
		assert_in_range(watch.due_ms - START,
		    settings.renew_ms - settings.renew_ms / 8,
		    settings.renew_ms);
	}
}

static void
comparison_comes_each_hour_and_again_when_it_failed(void **state)
{
	struct watch watch = listening();
	int64_t now = START;
	bool compared = false;

	(void)state;
	while (!compared) {
		now = watch.due_ms;
		compared = watch_begin(&watch).reconcile;
		end(&watch, compared ? MT_RETRY_LATER : MT_OK, true, now);
	}
	assert_in_range(now, START + HOUR, START + HOUR + settings.renew_ms);
	assert_true(watch_begin(&watch).reconcile);
	end(&watch, MT_OK, true, now);
	assert_false(watch_begin(&watch).reconcile);
}

static void
failures_are_tried_again_ever_later(void **state)
{
	static const struct {
		enum mt_status status;
		int64_t first, last;
	} cases[] = {
	    {MT_RETRY_LATER, 5000, 30 * MINUTE},
	    {MT_UNREACHABLE, 5000, 30 * MINUTE},
	    {MT_NEEDS_LOGIN, 30 * MINUTE, HOUR},
	    {MT_BAD_CONFIG, 30 * MINUTE, HOUR},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct watch watch = make();
		int64_t before = 0;
		for (int n = 0; n < 100; n++) {
			watch_begin(&watch);
			end(&watch, cases[i].status, false, START);
			if (n == 0)
				assert_int_equal(
				    watch.due_ms, START + cases[i].first);
			assert_true(watch.due_ms >= before);
			before = watch.due_ms;
		}
		assert_int_equal(before, START + cases[i].last);
		watch_begin(&watch);
		end(&watch, MT_OK, true, START);
		watch_begin(&watch);
		end(&watch, cases[i].status, false, START);
		assert_int_equal(watch.due_ms, START + cases[i].first);
	}
}

static void
news_bring_a_look_where_they_are(void **state)
{
	struct watch watch = listening();

	(void)state;
	watch_hear(&watch, START + 1005);
	watch_hear(&watch, START + 1006);
	assert_in_range(watch.due_ms, START + 1005, START + 1006);
	assert_true(watch_begin(&watch).news_only);
	end(&watch, MT_OK, true, START + 1007);
	assert_false(watch_begin(&watch).news_only);
}

static void
news_without_end_bring_no_more_than_some_visits(void **state)
{
	struct watch watch = listening();
	int64_t now = START;

	(void)state;
	for (int i = 0; i < 40; i++) {
		watch_hear(&watch, now);
		assert_true(watch.due_ms <= now + 1000);
		now = watch.due_ms;
		assert_true(watch_begin(&watch).news_only);
		end(&watch, MT_OK, true, now);
	}
	assert_true(now - START >= 4 * 1000);
	/* nor are they a reason to put off what is due anyway */
	now = watch.due_ms - 1;
	watch_hear(&watch, now);
	assert_in_range(watch.due_ms, now, now + 1);
}

static void
news_during_a_visit_bring_another(void **state)
{
	struct watch watch = listening();

	(void)state;
	watch_begin(&watch);
	watch_hear(&watch, START + 5);
	end(&watch, MT_OK, true, START + 7);
	assert_int_equal(watch.due_ms, START + 7);
	watch_begin(&watch);
	watch_ask(&watch, START + 8);
	end(&watch, MT_RETRY_LATER, false, START + 9);
	assert_int_equal(watch.due_ms, START + 9);
}

/* A mailbox with very much mail is visited in pieces. */
static void
visit_with_more_to_do_is_followed_by_another(void **state)
{
	const struct watch_result more = {
	    .status = MT_OK, .listening = true, .more = true};
	struct watch watch = make();

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_true(watch_begin(&watch).reconcile);
		watch_end(&watch, &more, START + i, 0);
		assert_int_equal(watch.due_ms, START + i);
	}
	watch_begin(&watch);
	end(&watch, MT_OK, true, START + 9);
	assert_false(watch_begin(&watch).reconcile);
}

static void
who_asks_gets_a_look_at_everything(void **state)
{
	struct watch watch = listening();

	(void)state;
	watch_hear(&watch, START + 5);
	watch_ask(&watch, START + 6);
	assert_int_equal(watch.due_ms, START + 6);
	assert_false(watch_begin(&watch).news_only);
}

static void
good_session_that_ends_is_entered_again_at_once(void **state)
{
	struct watch watch = listening();

	(void)state;
	watch_lose(&watch, START + HOUR, HIGHEST);
	assert_in_range(watch.due_ms, START + HOUR, START + HOUR + 2000);
	assert_true(watch_begin(&watch).reconcile);
}

/* A server that lets everybody in and drops them again is no reason for a
 * storm of logins. */
static void
sessions_that_end_soon_are_entered_ever_later(void **state)
{
	struct watch watch = listening();
	int64_t now = START, pause = 0;

	(void)state;
	for (int i = 0; i < 20; i++) {
		watch_lose(&watch, now, 0);
		assert_true(watch.due_ms - now >= pause);
		pause = watch.due_ms - now;
		now = watch.due_ms;
		watch_begin(&watch);
		end(&watch, MT_OK, true, now);
	}
	assert_int_equal(pause, settings.poll_ms);
	watch_lose(&watch, now + HOUR, 0);
	assert_true(watch.due_ms - now - HOUR <= 2000);
}

/* The same of one that has news, and drops who comes for them. */
static void
sessions_that_break_at_news_are_entered_ever_later(void **state)
{
	const struct watch_result broken = {.status = MT_OK,
	    .entered = true,
	    .listening = true,
	    .lost = {MT_RETRY_LATER, "closed"}};
	struct watch watch = listening();
	int64_t now = START + 1000, pause = 0;

	(void)state;
	for (int i = 0; i < 8; i++) {
		watch_hear(&watch, now);
		assert_true(watch.due_ms - now >= pause);
		pause = watch.due_ms - now;
		now = watch.due_ms;
		watch_begin(&watch);
		watch_end(&watch, &broken, now, 0);
	}
	assert_int_equal(pause, 64 * 5000);
	/* by now each lasts long enough */
	watch_hear(&watch, now);
	assert_true(watch.due_ms - now <= 2000);
}

static void
new_token_brings_a_new_login_in_time(void **state)
{
	struct watch watch = listening();

	(void)state;
	/* the one that this login was for */
	watch_renew_token(&watch, START + 10, 0);
	assert_false(watch.log_in_again);
	watch_renew_token(&watch, START + 6000, 19999);
	assert_int_equal(watch.due_ms, START + 6000 + 19999);
	assert_true(watch_begin(&watch).log_in_again);
	end(&watch, MT_OK, true, START + 70000);
	assert_false(watch_begin(&watch).log_in_again);
}

static void
new_login_is_no_visit_to_news_only(void **state)
{
	struct watch watch = listening();
	struct watch_visit visit;

	(void)state;
	watch_renew_token(&watch, START + 6000, 19999);
	watch_hear(&watch, START + 6001);
	visit = watch_begin(&watch);
	assert_true(visit.log_in_again);
	assert_false(visit.news_only);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(first_visit_is_due_at_once_and_compares),
	    cmocka_unit_test(
		idle_session_is_renewed_and_a_server_without_push_polled),
	    cmocka_unit_test(spread_only_ever_shortens),
	    cmocka_unit_test(
		comparison_comes_each_hour_and_again_when_it_failed),
	    cmocka_unit_test(failures_are_tried_again_ever_later),
	    cmocka_unit_test(news_bring_a_look_where_they_are),
	    cmocka_unit_test(news_without_end_bring_no_more_than_some_visits),
	    cmocka_unit_test(news_during_a_visit_bring_another),
	    cmocka_unit_test(visit_with_more_to_do_is_followed_by_another),
	    cmocka_unit_test(who_asks_gets_a_look_at_everything),
	    cmocka_unit_test(good_session_that_ends_is_entered_again_at_once),
	    cmocka_unit_test(sessions_that_end_soon_are_entered_ever_later),
	    cmocka_unit_test(
		sessions_that_break_at_news_are_entered_ever_later),
	    cmocka_unit_test(new_token_brings_a_new_login_in_time),
	    cmocka_unit_test(new_login_is_no_visit_to_news_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
