/* SPDX-License-Identifier: ISC */
#include "account_bench.h"
#include "records.h"
#include "scripted_http.h"

#include "unit/cmocka_headers.h"
#include "unit/connector/scratch.h"

#include <stdlib.h>
#include <string.h>

static void
assert_state(const struct account_bench *bench, enum account_state state)
{
	struct account_view view = account_bench_view(bench);

	if (view.state != state)
		fail_msg(
		    "state %s: %s", account_state_word(view.state), view.text);
}

static void
assert_sent(size_t n, const char *token)
{
	char part[128];

	snprintf(part, sizeof(part), "&refresh_token=%s&", token);
	if (!strstr(scripted_http_form(n), part))
		fail_msg("%zu: %s", n, scripted_http_form(n));
}

static void
askers_share_one_request_and_its_answer(void **state)
{
	struct account_bench *bench = *state;
	struct bench_asker asker[3], late;

	bench_login(bench, "r1");
	account_reject(bench->account, 1);
	for (int i = 0; i < 3; i++)
		bench_get(bench, &asker[i]);
	assert_int_equal(scripted_http_count(), 1);
	assert_state(bench, ACCOUNT_REFRESHING);
	scripted_http_answer(200, TOKENS("a2", "r2"));
	for (int i = 0; i < 3; i++)
		assert_string_equal(asker[i].token, "a2");
	bench_get(bench, &late);
	assert_string_equal(late.token, "a2");
	assert_int_equal(scripted_http_count(), 1);
}

static void
askers_share_the_failure_too(void **state)
{
	struct account_bench *bench = *state;
	struct bench_asker asker[2];

	bench_login(bench, "r1");
	account_reject(bench->account, 1);
	for (int i = 0; i < 2; i++)
		bench_get(bench, &asker[i]);
	scripted_http_answer(400, INVALID_GRANT);
	for (int i = 0; i < 2; i++)
		assert_int_equal(asker[i].result.status, MT_NEEDS_LOGIN);
}

static void
asker_who_leaves_is_not_called_and_the_answer_is_kept(void **state)
{
	struct account_bench *bench = *state;
	struct bench_asker asker;

	bench_login(bench, "r1");
	bench_refresh(bench, &asker);
	account_leave(&asker.waiter);
	scripted_http_answer(200, TOKENS("a2", "r2"));
	assert_false(asker.answered);
	account_bench_restart(bench);
	bench_get(bench, &asker);
	assert_sent(0, "r2");
	account_leave(&asker.waiter);
	scripted_http_lose(false);
}

static void
token_without_rotation_keeps_the_old_one(void **state)
{
	struct account_bench *bench = *state;
	struct bench_asker asker;

	bench_login(bench, "r1");
	bench_refresh(bench, &asker);
	scripted_http_answer(200, "{\"access_token\":\"a2\"}");
	assert_int_equal(asker.result.status, MT_OK);
	bench_refresh(bench, &asker);
	assert_sent(1, "r1");
	scripted_http_answer(200, "{\"access_token\":\"a3\"}");
}

static void
serials_grow_over_restarts(void **state)
{
	struct account_bench *bench = *state;
	struct bench_asker asker;

	bench_login(bench, "r1");
	assert_int_equal(account_bench_view(bench).serial, 1);
	account_bench_restart(bench);
	bench_get(bench, &asker);
	scripted_http_answer(200, TOKENS("a2", "r2"));
	assert_int_equal(account_bench_view(bench).serial, 2);
	/* a refusal of the first one does not hit the second */
	account_reject(bench->account, 1);
	bench_get(bench, &asker);
	assert_string_equal(asker.token, "a2");
}

static void
login_during_a_refresh_wins(void **state)
{
	struct account_bench *bench = *state;
	struct bench_asker asker;

	bench_login(bench, "r1");
	bench_refresh(bench, &asker);
	bench_login(bench, "r9");
	assert_true(asker.answered);
	assert_string_equal(asker.token, "login-access");
	scripted_http_answer(200, TOKENS("a2", "r2"));
	assert_int_equal(account_bench_view(bench).serial, 2);
	bench_refresh(bench, &asker);
	assert_sent(1, "r9");
	scripted_http_answer(200, TOKENS("a3", "r10"));
	assert_string_equal(asker.token, "a3");
}

static void
old_refusal_does_not_hurt_a_new_login(void **state)
{
	struct account_bench *bench = *state;
	struct bench_asker asker;

	bench_login(bench, "r1");
	bench_refresh(bench, &asker);
	bench_login(bench, "r9");
	scripted_http_answer(400, INVALID_GRANT);
	assert_state(bench, ACCOUNT_OK);
	account_bench_restart(bench);
	assert_state(bench, ACCOUNT_OK);
}

static void
seed_during_a_refresh_waits_its_turn(void **state)
{
	struct account_bench *bench = *state;
	struct bench_asker asker;

	bench_login(bench, "r1");
	bench_refresh(bench, &asker);
	bench_seed(bench, "s1");
	scripted_http_answer(200, TOKENS("a2", "r2"));
	assert_string_equal(asker.token, "a2");
	bench_refresh(bench, &asker);
	assert_sent(1, "s1");
	scripted_http_answer(400, INVALID_GRANT);
	/* the rotated login was not lost by it */
	assert_sent(2, "r2");
	scripted_http_answer(200, TOKENS("a3", "r3"));
	assert_string_equal(asker.token, "a3");
}

static void
two_seeds_at_once_are_refused(void **state)
{
	struct account_bench *bench = *state;
	struct bench_asker asker;
	struct mt_error err = {0};
	struct secret seed;

	bench_seed(bench, "s1");
	bench_get(bench, &asker);
	secret_init(&seed, NULL);
	secret_add(&seed, "s2", 2);
	assert_int_equal(
	    account_seed(bench->account, &seed, false, &err), MT_RETRY_LATER);
	scripted_http_answer(200, TOKENS("a1", "r1"));
	assert_int_equal(
	    account_seed(bench->account, &seed, false, &err), MT_OK);
	secret_done(&seed);
}

static void
failed_seed_costs_no_request_of_the_login_without_need(void **state)
{
	struct account_bench *bench = *state;
	struct bench_asker asker;

	bench_login(bench, "r1");
	bench_seed(bench, "s1");
	bench_get(bench, &asker);
	assert_sent(0, "s1");
	scripted_http_answer(500, "");
	/* the good token serves, the seed pauses */
	assert_string_equal(asker.token, "login-access");
	bench_get(bench, &asker);
	assert_string_equal(asker.token, "login-access");
	assert_int_equal(scripted_http_count(), 1);
	/* what was lost was not the login's */
	assert_string_equal(account_bench_view(bench).alarm, "");
	/* whoever wants another gets one of the login */
	bench_refresh(bench, &asker);
	assert_sent(1, "r1");
	scripted_http_answer(200, TOKENS("a2", "r2"));
	assert_string_equal(asker.token, "a2");
}

static void
seed_without_an_answer_keeps_trying_itself(void **state)
{
	struct account_bench *bench = *state;
	struct bench_asker asker;

	bench_seed(bench, "s1");
	bench_get(bench, &asker);
	scripted_http_lose(false);
	assert_int_equal(asker.result.status, MT_RETRY_LATER);
	bench_refresh(bench, &asker);
	assert_sent(1, "s1");
	scripted_http_answer(200, TOKENS("a1", "r1"));
	assert_string_equal(asker.token, "a1");
}

static void
changed_endpoint_gets_nothing_even_after_a_failure(void **state)
{
	struct account_bench *bench = *state;
	struct account_settings *settings;
	struct bench_asker asker;

	bench_login(bench, "r1");
	bench_refresh(bench, &asker);
	settings = account_bench_settings(bench, "ca_file = /x\n");
	free(settings->provider.token_endpoint);
	settings->provider.token_endpoint = strdup("https://evil.test/");
	account_use_settings(bench->account, &settings);
	scripted_http_lose(true);
	bench_refresh(bench, &asker);
	assert_int_equal(asker.result.status, MT_NEEDS_LOGIN);
	assert_int_equal(scripted_http_count(), 1);
}

static void
answer_for_old_settings_is_stored_but_not_served(void **state)
{
	struct account_bench *bench = *state;
	struct account_settings *settings;
	struct bench_asker asker;

	bench_login(bench, "r1");
	bench_refresh(bench, &asker);
	settings = account_bench_settings(bench, "");
	free(settings->client_id);
	settings->client_id = strdup("other");
	account_use_settings(bench->account, &settings);
	scripted_http_answer(200, TOKENS("a2", "r2"));
	assert_int_equal(asker.result.status, MT_NEEDS_LOGIN);
	settings = account_bench_settings(bench, "");
	account_use_settings(bench->account, &settings);
	bench_get(bench, &asker);
	assert_sent(1, "r2");
	scripted_http_answer(200, TOKENS("a3", "r3"));
	assert_string_equal(asker.token, "a3");
}

static void
changed_scope_drops_the_token_only(void **state)
{
	struct account_bench *bench = *state;
	struct account_settings *settings =
	    account_bench_settings(bench, "scope = more\n");
	struct bench_asker asker;

	bench_login(bench, "r1");
	account_use_settings(bench->account, &settings);
	bench_get(bench, &asker);
	assert_sent(0, "r1");
	scripted_http_answer(200, TOKENS("a2", "r2"));
	assert_string_equal(asker.token, "a2");
}

/* The record's place is taken by a directory, so it cannot be replaced. */
static void
answer_that_cannot_be_saved_is_served_and_saved_later(void **state)
{
	struct account_bench *bench = *state;
	struct account_view view;
	struct bench_asker asker;

	bench_login(bench, "r1");
	bench_refresh(bench, &asker);
	scratch_remove(bench->dir, "state/a.token");
	scratch_mkdir(bench->dir, "state/a.token");
	scripted_http_answer(200, TOKENS("a2", "r2"));
	assert_string_equal(asker.token, "a2");
	view = account_bench_view(bench);
	assert_non_null(strstr(view.alarm, "in memory only"));
	assert_true(account_is_busy(bench->account));
	/* no other request before it is safe */
	bench_refresh(bench, &asker);
	assert_int_equal(asker.result.status, MT_RETRY_LATER);
	assert_int_equal(scripted_http_count(), 1);
	scratch_remove(bench->dir, "state/a.token");
	account_flush(bench->account);
	view = account_bench_view(bench);
	assert_string_equal(view.alarm, "");
	assert_false(account_is_busy(bench->account));
	account_bench_restart(bench);
	bench_get(bench, &asker);
	assert_sent(0, "r2");
	scripted_http_answer(200, TOKENS("a3", "r3"));
}

static void
dead_login_stays_dead_and_is_kept(void **state)
{
	struct account_bench *bench = *state;
	struct bench_asker asker;
	struct record *record = NULL;

	bench_login(bench, "r1");
	bench_refresh(bench, &asker);
	scripted_http_answer(400, INVALID_GRANT);
	account_bench_restart(bench);
	assert_state(bench, ACCOUNT_NEEDS_LOGIN);
	bench_get(bench, &asker);
	assert_int_equal(asker.result.status, MT_NEEDS_LOGIN);
	bench_refresh(bench, &asker);
	assert_int_equal(asker.result.status, MT_NEEDS_LOGIN);
	assert_int_equal(scripted_http_count(), 0);
	OK(records_load(bench->env.store, "a", NULL, &record, &err));
	assert_string_equal(secret_expose(&record->refresh_token), "r1");
	record_free(&record);
}

static void
lost_answer_is_remembered_until_one_is_stored(void **state)
{
	struct account_bench *bench = *state;
	struct bench_asker asker;

	bench_login(bench, "r1");
	bench_refresh(bench, &asker);
	scripted_http_lose(true);
	assert_non_null(strstr(account_bench_view(bench).alarm, "interrupted"));
	account_bench_restart(bench);
	assert_non_null(strstr(account_bench_view(bench).alarm, "interrupted"));
	/* a clear failure in between changes nothing about it */
	bench_refresh(bench, &asker);
	scripted_http_answer(429, "");
	bench_refresh(bench, &asker);
	scripted_http_answer(400, INVALID_GRANT);
	assert_non_null(strstr(asker.result.text, "interrupted"));
}

static void
request_that_was_never_sent_leaves_no_doubt(void **state)
{
	struct account_bench *bench = *state;
	struct bench_asker asker;

	bench_login(bench, "r1");
	bench_refresh(bench, &asker);
	scripted_http_lose(false);
	assert_string_equal(account_bench_view(bench).alarm, "");
	bench_refresh(bench, &asker);
	scripted_http_answer(400, INVALID_GRANT);
	assert_null(strstr(asker.result.text, "interrupted"));
}

static void
stored_answer_ends_the_doubt(void **state)
{
	struct account_bench *bench = *state;
	struct bench_asker asker;

	bench_login(bench, "r1");
	bench_refresh(bench, &asker);
	scripted_http_lose(true);
	bench_refresh(bench, &asker);
	scripted_http_answer(200, TOKENS("a2", "r2"));
	assert_string_equal(account_bench_view(bench).alarm, "");
	bench_refresh(bench, &asker);
	scripted_http_answer(400, INVALID_GRANT);
	assert_null(strstr(asker.result.text, "interrupted"));
}

static void
failure_pauses_and_good_token_serves(void **state)
{
	struct account_bench *bench = *state;
	struct bench_asker asker;

	bench_login(bench, "r1");
	bench_refresh(bench, &asker);
	scripted_http_answer(500, "");
	assert_int_equal(asker.result.status, MT_RETRY_LATER);
	assert_state(bench, ACCOUNT_DEGRADED);
	assert_in_range(account_bench_view(bench).next_attempt_s, 1, 5);
	bench_get(bench, &asker);
	assert_string_equal(asker.token, "login-access");
	account_reject(bench->account, 1);
	bench_get(bench, &asker);
	assert_int_equal(asker.result.status, MT_RETRY_LATER);
	assert_int_equal(scripted_http_count(), 1);
}

static void
administrators_matter_is_tried_rarely(void **state)
{
	struct account_bench *bench = *state;
	struct bench_asker asker;

	bench_login(bench, "r1");
	bench_refresh(bench, &asker);
	scripted_http_answer(403, "{\"error\":\"access_denied\"}");
	assert_int_equal(asker.result.status, MT_NEEDS_ADMIN);
	assert_in_range(account_bench_view(bench).next_attempt_s, 3590, 3600);
	account_reject(bench->account, 1);
	bench_get(bench, &asker);
	assert_int_equal(asker.result.status, MT_NEEDS_ADMIN);
	assert_int_equal(scripted_http_count(), 1);
}

static void
nothing_begins_while_the_helper_stops(void **state)
{
	struct account_bench *bench = *state;
	struct bench_asker asker;

	bench_login(bench, "r1");
	bench->env.stopping = true;
	bench_get(bench, &asker);
	assert_string_equal(asker.token, "login-access");
	bench_refresh(bench, &asker);
	assert_int_equal(asker.result.status, MT_RETRY_LATER);
	assert_int_equal(scripted_http_count(), 0);
}

static void
waiting_ends_at_its_deadline(void **state)
{
	struct account_bench *bench = *state;
	struct bench_asker asker;

	bench_login(bench, "r1");
	bench_refresh(bench, &asker);
	account_leave(&asker.waiter);
	account_refresh(bench->account, &asker.waiter, 1);
	bench_run(bench, 50);
	assert_true(asker.answered);
	assert_int_equal(asker.result.status, MT_RETRY_LATER);
	assert_state(bench, ACCOUNT_REFRESHING);
	scripted_http_answer(200, TOKENS("a2", "r2"));
	assert_state(bench, ACCOUNT_OK);
}

static void
damaged_record_is_a_state_that_a_login_cures(void **state)
{
	struct account_bench *bench = *state;
	struct bench_asker asker;

	bench_login(bench, "r1");
	scratch_write(bench->dir, "state/a.token", "{\"schema\":1}");
	account_bench_restart(bench);
	assert_state(bench, ACCOUNT_BROKEN_CONFIG);
	bench_get(bench, &asker);
	assert_int_equal(asker.result.status, MT_BAD_CONFIG);
	assert_non_null(strstr(asker.result.text, "is no sealed record"));
	bench_login(bench, "r2");
	assert_state(bench, ACCOUNT_OK);
	/* and is kept */
	assert_true(scratch_exists(bench->dir, "state/a.damaged"));
}

int
main(void)
{
#define TEST(f)                                                                \
	cmocka_unit_test_setup_teardown(                                       \
	    f, account_bench_setup, account_bench_teardown)
	const struct CMUnitTest tests[] = {
	    TEST(askers_share_one_request_and_its_answer),
	    TEST(askers_share_the_failure_too),
	    TEST(asker_who_leaves_is_not_called_and_the_answer_is_kept),
	    TEST(token_without_rotation_keeps_the_old_one),
	    TEST(serials_grow_over_restarts),
	    TEST(login_during_a_refresh_wins),
	    TEST(old_refusal_does_not_hurt_a_new_login),
	    TEST(seed_during_a_refresh_waits_its_turn),
	    TEST(two_seeds_at_once_are_refused),
	    TEST(failed_seed_costs_no_request_of_the_login_without_need),
	    TEST(seed_without_an_answer_keeps_trying_itself),
	    TEST(changed_endpoint_gets_nothing_even_after_a_failure),
	    TEST(answer_for_old_settings_is_stored_but_not_served),
	    TEST(changed_scope_drops_the_token_only),
	    TEST(answer_that_cannot_be_saved_is_served_and_saved_later),
	    TEST(dead_login_stays_dead_and_is_kept),
	    TEST(lost_answer_is_remembered_until_one_is_stored),
	    TEST(request_that_was_never_sent_leaves_no_doubt),
	    TEST(stored_answer_ends_the_doubt),
	    TEST(failure_pauses_and_good_token_serves),
	    TEST(administrators_matter_is_tried_rarely),
	    TEST(nothing_begins_while_the_helper_stops),
	    TEST(waiting_ends_at_its_deadline),
	    TEST(damaged_record_is_a_state_that_a_login_cures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
