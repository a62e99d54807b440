/* SPDX-License-Identifier: ISC */
#include "outbox_bench.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

/* ---- requests ---- */

static const unsigned char digests[2][OUTBOX_DIGEST_BYTES] = {{1}, {2}};

static enum mt_status
request(struct state *state, const char *account, const char *request_id,
    int digest, const char *message_id, int64_t *ret_id)
{
	static const char *const rcpt_to[] = {"b@example.org", NULL};
	const struct outbox_message message = {
	    .account = account,
	    .message_id = message_id,
	    .mail_from = "a@example.org",
	    .rcpt_to = rcpt_to,
	    .bytes = "x",
	    .len = 1,
	    .request_id = request_id,
	    .digest = digests[digest],
	};

	return outbox_add(state, &message, NOW, ret_id, NULL);
}

static void
request_that_comes_again_is_the_same_message(void **dir)
{
	static const struct {
		const char *account, *request_id;
		int digest;
		enum mt_status status;
		bool same; /* as the first */
	} cases[] = {
	    {ACCOUNT, "r1", 0, MT_OK, true},
	    {ACCOUNT, "r1", 1, MT_REFUSED, false},
	    {ACCOUNT, "r2", 0, MT_OK, false},
	    {ACCOUNT, "R1", 0, MT_OK, false},
	    {"bob", "r1", 1, MT_OK, false},
	    {ACCOUNT, NULL, 0, MT_OK, false},
	    {ACCOUNT, NULL, 0, MT_OK, false},
	    {ACCOUNT, "r1", 0, MT_OK, true},
	};
	struct state *state = open_state(*dir);
	int64_t first = 0;

	OK(request(state, ACCOUNT, "r1", 0, "<first@x>", &first));
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char message_id[32];
		int64_t id = 77;

		snprintf(message_id, sizeof(message_id), "<%zu@x>", i);
		assert_int_equal(
		    request(state, cases[i].account, cases[i].request_id,
			cases[i].digest, message_id, &id),
		    cases[i].status);
		assert_int_equal(id == first, cases[i].same);
		if (cases[i].status != MT_OK)
			assert_int_equal(id, 77);
	}
	state_close(&state);
}

static void
request_is_known_as_long_as_its_message_is_kept(void **dir)
{
	struct state *state = open_state(*dir);
	int64_t first = 0, again = 0;
	bool found = true;

	OK(request(state, ACCOUNT, "r1", 0, "<1@x>", &first));
	attempt(state, first, OUTBOX_ACCEPTED, NOW);
	OK(outbox_tidy(state, &retry, NOW + 7 * DAY - 1, &err));
	OK(outbox_find_request(
	    state, ACCOUNT, "r1", digests[0], &again, &found, &err));
	assert_true(found);
	assert_int_equal(again, first);
	OK(outbox_tidy(state, &retry, NOW + 7 * DAY, &err));
	OK(outbox_find_request(
	    state, ACCOUNT, "r1", digests[0], &again, &found, &err));
	assert_false(found);
	state_close(&state);
}

#define THREADS 8

struct requester {
	struct state *state;
	int number;
	int64_t id;
	pthread_t thread;
};

static void *
ask(void *context)
{
	struct requester *r = context;
	char message_id[32];

	snprintf(message_id, sizeof(message_id), "<%d@x>", r->number);
	OK(request(r->state, ACCOUNT, "r1", 0, message_id, &r->id));
	return NULL;
}

static void
requests_at_the_same_time_make_one_message(void **dir)
{
	struct requester requesters[THREADS];

	for (int i = 0; i < THREADS; i++) {
		requesters[i] = (struct requester){open_state(*dir), i, 0, 0};
		pthread_create(
		    &requesters[i].thread, NULL, ask, &requesters[i]);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(requesters[i].thread, NULL);
	for (int i = 0; i < THREADS; i++) {
		assert_int_equal(requesters[i].id, requesters[0].id);
		state_close(&requesters[i].state);
	}
}

/* ---- several at once ---- */

static void
each_entry_is_claimed_once(void **dir)
{
	struct state *state = open_state(*dir);
	struct outbox_entry first = OUTBOX_ENTRY_INIT;
	struct outbox_entry second = OUTBOX_ENTRY_INIT;
	int64_t one = add(state, "<1@x>"), two = add(state, "<2@x>");

	assert_true(claim(state, &retry, NOW, &first));
	/* however long it takes */
	assert_true(claim(state, &retry, NOW + DAY, &second));
	assert_int_equal(first.id, one);
	assert_int_equal(second.id, two);
	assert_int_equal(plan(state, &retry, NOW + DAY).due, 0);
	assert_int_equal(plan(state, &retry, NOW + DAY).claimed, 2);
	record(state, &retry, &second, OUTBOX_DEFERRED, "later", NOW + DAY);
	assert_int_equal(plan(state, &retry, NOW + 2 * DAY).due, 1);
	record(state, &retry, &first, OUTBOX_ACCEPTED, "ok", NOW + DAY);
	assert_int_equal(plan(state, &retry, NOW + DAY).claimed, 0);
	outbox_entry_done(&first);
	outbox_entry_done(&second);
	state_close(&state);
}

static void
accounts_have_outboxes_of_their_own(void **dir)
{
	const struct outbox_rules bob = {
	    "bob", OUTBOX_RETRY, OUTBOX_FILED_BY_NOBODY, 0};
	struct state *state = open_state(*dir);
	struct outbox_entry entry = OUTBOX_ENTRY_INIT;
	int64_t id = add(state, "<1@x>"), his = 0;
	bool found = true;
	int mine_lock = -1, his_lock = -1;

	OK(request(state, "bob", NULL, 0, "<2@x>", &his));
	OK(outbox_find(state, "bob", id, &entry, &found, &err));
	assert_false(found);
	assert_int_equal(plan(state, &bob, NOW).due, 1);
	assert_true(claim(state, &bob, NOW, &entry));
	assert_int_equal(entry.id, his);
	outbox_entry_done(&entry);
	/* whoever begins to send for one says nothing about another */
	OK(outbox_recover(state, &retry, NOW, &entry, &found, &err));
	assert_int_equal(plan(state, &bob, NOW).claimed, 1);
	OK(outbox_lock(state, ACCOUNT, &mine_lock, deadline_in_ms(0), &err));
	OK(outbox_lock(state, "bob", &his_lock, deadline_in_ms(0), &err));
	outbox_unlock(mine_lock);
	outbox_unlock(his_lock);
	state_close(&state);
}

static void
no_more_are_begun_in_a_minute_than_the_provider_takes(void **dir)
{
	const struct outbox_rules three = {
	    ACCOUNT, OUTBOX_RETRY, OUTBOX_FILED_BY_NOBODY, 3};
	struct state *state = open_state(*dir);
	struct outbox_entry entry = OUTBOX_ENTRY_INIT;

	for (int i = 0; i < 5; i++) {
		char message_id[32];

		snprintf(message_id, sizeof(message_id), "<%d@x>", i);
		add(state, message_id);
	}
	assert_int_equal(plan(state, &three, NOW).due, 3);
	for (int i = 0; i < 3; i++) {
		assert_true(claim(state, &three, NOW + 10 * i, &entry));
		record(state, &three, &entry, OUTBOX_ACCEPTED, "", NOW);
		outbox_entry_done(&entry);
	}
	assert_false(claim(state, &three, NOW + 20, &entry));
	assert_int_equal(plan(state, &three, NOW + 20).due, 0);
	assert_int_equal(plan(state, &three, NOW + 20).send_s, 40);
	assert_true(claim(state, &three, NOW + 60, &entry));
	outbox_entry_done(&entry);
	assert_false(claim(state, &three, NOW + 60, &entry));
	/* a clock that was set back does not count what is to come */
	assert_true(claim(state, &three, NOW, &entry));
	outbox_entry_done(&entry);
	state_close(&state);
}

/* ---- operators ---- */

enum way { AS_IT_IS, DEFERRED, CLAIMED, ATTEMPTING, SENT, HELD, REFUSED };

/* An entry in this condition, under `hold`. */
static int64_t
make(struct state *state, const char *message_id, enum way way)
{
	struct outbox_entry entry = OUTBOX_ENTRY_INIT;
	int64_t id = add(state, message_id);

	if (way == AS_IT_IS)
		return id;
	assert_true(claim(state, &hold, NOW, &entry));
	assert_int_equal(entry.id, id);
	if (way == ATTEMPTING)
		OK(outbox_attempting(state, &entry, NOW, &err));
	else if (way != CLAIMED)
		record(state, &hold, &entry,
		    way == DEFERRED ? OUTBOX_DEFERRED
		    : way == SENT   ? OUTBOX_ACCEPTED
		    : way == HELD   ? OUTBOX_LOST
				    : OUTBOX_REFUSED,
		    "reply", NOW);
	outbox_entry_done(&entry);
	return id;
}

static void
operators_change_what_nobody_works_with(void **dir)
{
	static const struct {
		enum way way;
		enum mt_status retry, drop;
		enum outbox_state retried;
	} cases[] = {
	    {CLAIMED, MT_RETRY_LATER, MT_RETRY_LATER, 0},
	    {ATTEMPTING, MT_RETRY_LATER, MT_RETRY_LATER, 0},
	    {SENT, MT_REFUSED, MT_REFUSED, 0},
	    {REFUSED, MT_OK, MT_REFUSED, OUTBOX_QUEUED},
	    {DEFERRED, MT_OK, MT_OK, OUTBOX_QUEUED},
	    {HELD, MT_OK, MT_OK, OUTBOX_UNCERTAIN},
	    {AS_IT_IS, MT_OK, MT_OK, OUTBOX_QUEUED},
	};
	struct state *state = open_state(*dir);

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct outbox_entry entry = OUTBOX_ENTRY_INIT;
		char message_id[2][32];
		int64_t id[2];

		for (int j = 0; j < 2; j++) {
			snprintf(message_id[j], 32, "<%zu.%d@x>", i, j);
			id[j] = make(state, message_id[j], cases[i].way);
		}
		assert_int_equal(
		    outbox_retry(state, ACCOUNT, id[0], NOW + 1, &entry, NULL),
		    cases[i].retry);
		if (cases[i].retry == MT_OK) {
			assert_int_equal(entry.state, cases[i].retried);
			assert_int_equal(entry.next_attempt, NOW + 1);
			assert_true(outbox_is_open(&entry, &hold));
			outbox_entry_done(&entry);
			assert_true(claim(state, &hold, NOW + 1, &entry));
			assert_int_equal(entry.id, id[0]);
			record(
			    state, &hold, &entry, OUTBOX_ACCEPTED, "", NOW + 1);
		}
		outbox_entry_done(&entry);
		assert_int_equal(
		    outbox_drop(state, ACCOUNT, id[1], NOW + 1, &entry, NULL),
		    cases[i].drop);
		if (cases[i].drop == MT_OK) {
			assert_entry(
			    state, id[1], OUTBOX_FAILED, entry.attempts, 0);
			outbox_entry_done(&entry);
		}
	}
	assert_int_equal(plan(state, &hold, NOW + DAY).due, 0);
	state_close(&state);
}

static void
order_to_send_what_is_held_counts_once(void **dir)
{
	struct state *state = open_state(*dir);
	struct outbox_entry entry = OUTBOX_ENTRY_INIT;
	int64_t id = make(state, "<1@x>", HELD);

	OK(outbox_retry(state, ACCOUNT, id, NOW + 9, &entry, &err));
	outbox_entry_done(&entry);
	/* for now: it is still ordered */
	attempt_by(state, &hold, id, OUTBOX_DEFERRED, NOW + 9);
	assert_int_equal(plan(state, &hold, NOW + 9).send_s, 5);
	/* lost again: somebody has to look again */
	attempt_by(state, &hold, id, OUTBOX_LOST, NOW + 14);
	assert_int_equal(plan(state, &hold, NOW + DAY).send_s, -1);
	state_close(&state);
}

static void
what_was_given_up_gets_its_whole_time_again(void **dir)
{
	struct state *state = open_state(*dir);
	struct outbox_entry entry = OUTBOX_ENTRY_INIT;
	int64_t id = make(state, "<1@x>", DEFERRED);
	bool found = false;

	OK(outbox_give_up(state, &retry, NOW + 5 * DAY, &entry, &found, &err));
	outbox_entry_done(&entry);
	assert_entry(state, id, OUTBOX_FAILED, 1, 0);
	OK(outbox_retry(state, ACCOUNT, id, NOW + 6 * DAY, &entry, &err));
	outbox_entry_done(&entry);
	OK(outbox_give_up(
	    state, &retry, NOW + 11 * DAY - 1, &entry, &found, &err));
	assert_false(found);
	assert_entry(state, id, OUTBOX_QUEUED, 0, NOW + 6 * DAY);
	state_close(&state);
}

static void
other_accounts_and_unknown_entries_are_refused(void **dir)
{
	struct state *state = open_state(*dir);
	struct outbox_entry entry;
	int64_t id = add(state, "<1@x>");

	assert_int_equal(
	    outbox_drop(state, "bob", id, NOW, &entry, NULL), MT_REFUSED);
	assert_int_equal(
	    outbox_retry(state, "bob", id, NOW, &entry, NULL), MT_REFUSED);
	assert_int_equal(
	    outbox_drop(state, ACCOUNT, id + 1, NOW, &entry, NULL), MT_REFUSED);
	assert_entry(state, id, OUTBOX_QUEUED, 0, NOW);
	state_close(&state);
}

static void
count(void *context, const struct outbox_entry *entry)
{
	int64_t *last = context;

	assert_true(entry->id > *last);
	assert_null(entry->bytes);
	assert_int_equal(entry->len, sizeof(BYTES) - 1);
	*last = entry->id;
}

static void
list_is_in_order_and_of_one_account(void **dir)
{
	struct state *state = open_state(*dir);
	int64_t last = 0, his, third;

	add(state, "<1@x>");
	add(state, "<2@x>");
	third = add(state, "<3@x>");
	OK(request(state, "bob", NULL, 0, "<4@x>", &his));
	OK(outbox_list(state, ACCOUNT, count, &last, &err));
	assert_int_equal(last, third);
	state_close(&state);
}

int
main(void)
{
#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
	const struct CMUnitTest tests[] = {
	    TEST(request_that_comes_again_is_the_same_message),
	    TEST(request_is_known_as_long_as_its_message_is_kept),
	    TEST(requests_at_the_same_time_make_one_message),
	    TEST(each_entry_is_claimed_once),
	    TEST(accounts_have_outboxes_of_their_own),
	    TEST(no_more_are_begun_in_a_minute_than_the_provider_takes),
	    TEST(operators_change_what_nobody_works_with),
	    TEST(order_to_send_what_is_held_counts_once),
	    TEST(what_was_given_up_gets_its_whole_time_again),
	    TEST(other_accounts_and_unknown_entries_are_refused),
	    TEST(list_is_in_order_and_of_one_account),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
