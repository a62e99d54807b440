/* SPDX-License-Identifier: ISC */
#include "outbox_bench.h"

#include "unit/cmocka_headers.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void
a_queued_message_is_there_after_a_restart(void **dir)
{
	struct state *state = open_state(*dir);
	int64_t id = add(state, "<1@example.org>");
	struct outbox_entry entry = OUTBOX_ENTRY_INIT;

	state_close(&state);
	state = open_state(*dir);
	assert_entry(state, id, OUTBOX_QUEUED, 0, NOW);
	assert_true(claim(state, &hold, NOW, &entry));
	assert_int_equal(entry.id, id);
	assert_string_equal(entry.message_id, "<1@example.org>");
	assert_string_equal(entry.mail_from, "a@example.org");
	assert_string_equal(entry.rcpt_to[0], "b@example.org");
	assert_string_equal(entry.rcpt_to[1], "c@example.org");
	assert_null(entry.rcpt_to[2]);
	assert_int_equal(entry.len, sizeof(BYTES) - 1);
	assert_memory_equal(entry.bytes, BYTES, entry.len);
	outbox_entry_done(&entry);
	state_close(&state);
}

static void
a_message_id_is_queued_once(void **dir)
{
	struct state *state = open_state(*dir);
	static const char *const rcpt_to[] = {"b@example.org", NULL};
	const struct outbox_message message = {
	    .account = ACCOUNT,
	    .message_id = "<1@example.org>",
	    .mail_from = "a@example.org",
	    .rcpt_to = rcpt_to,
	    .bytes = "x",
	    .len = 1,
	};
	int64_t id = 77;

	add(state, "<1@example.org>");
	assert_int_not_equal(
	    outbox_add(state, &message, NOW, &id, NULL), MT_OK);
	assert_int_equal(id, 77);
	state_close(&state);
}

/* What each verdict makes of an entry, doubtful or not. */
static void
verdicts_lead_to_states(void **dir)
{
	static const struct {
		enum outbox_verdict first; /* makes it doubtful, or not */
		enum outbox_verdict second;
		enum outbox_state state;
		bool again;
	} cases[] = {
	    {OUTBOX_DEFERRED, OUTBOX_ACCEPTED, OUTBOX_SENT, false},
	    {OUTBOX_DEFERRED, OUTBOX_DEFERRED, OUTBOX_QUEUED, true},
	    {OUTBOX_DEFERRED, OUTBOX_LOST, OUTBOX_UNCERTAIN, true},
	    {OUTBOX_DEFERRED, OUTBOX_REFUSED, OUTBOX_FAILED, false},
	    {OUTBOX_LOST, OUTBOX_ACCEPTED, OUTBOX_SENT, false},
	    {OUTBOX_LOST, OUTBOX_DEFERRED, OUTBOX_UNCERTAIN, true},
	    {OUTBOX_LOST, OUTBOX_LOST, OUTBOX_UNCERTAIN, true},
	    {OUTBOX_LOST, OUTBOX_REFUSED, OUTBOX_UNCERTAIN, false},
	};
	struct state *state = open_state(*dir);
	time_t now = NOW;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char message_id[32];
		struct outbox_entry entry;
		int64_t id;

		snprintf(message_id, sizeof(message_id), "<%zu@x>", i);
		id = add(state, message_id);
		attempt(state, id, cases[i].first, now);
		attempt(state, id, cases[i].second, now + 5);
		entry = get(state, id);
		assert_int_equal(entry.state, cases[i].state);
		assert_int_equal(
		    entry.next_attempt, cases[i].again ? now + 15 : 0);
		assert_int_equal(
		    outbox_is_open(&entry, &retry), cases[i].again);
		assert_int_equal(outbox_is_open(&entry, &hold),
		    cases[i].again && entry.state == OUTBOX_QUEUED);
		assert_string_equal(entry.reply, "reply");
		outbox_entry_done(&entry);
		/* out of the way of the next case */
		if (cases[i].again) {
			assert_true(claim(state, &retry, now + 15, &entry));
			record(state, &retry, &entry, OUTBOX_ACCEPTED, "",
			    now + 15);
		}
		outbox_entry_done(&entry);
	}
	state_close(&state);
}

static void
attempts_come_ever_later_up_to_an_hour(void **dir)
{
	static const int delays[] = {
	    5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600, 3600};
	struct state *state = open_state(*dir);
	struct outbox_entry entry = OUTBOX_ENTRY_INIT;
	int64_t id = add(state, "<1@x>");
	time_t now = NOW;

	for (size_t i = 0; i < sizeof(delays) / sizeof(*delays); i++) {
		attempt(state, id, OUTBOX_DEFERRED, now);
		assert_false(claim(state, &retry, now + delays[i] - 1, &entry));
		now += delays[i];
		assert_entry(state, id, OUTBOX_QUEUED, (unsigned)i + 1, now);
	}
	state_close(&state);
}

static void
a_claim_alone_puts_the_next_attempt_off(void **dir)
{
	bool found = true;
	struct state *state = open_state(*dir);
	struct outbox_entry entry = OUTBOX_ENTRY_INIT;
	int64_t id = add(state, "<1@x>");

	assert_true(claim(state, &retry, NOW, &entry));
	outbox_entry_done(&entry);
	/* its sender died here */
	state_close(&state);
	state = open_state(*dir);
	assert_entry(state, id, OUTBOX_QUEUED, 1, NOW + 5);
	/* as if its sender lived, until somebody knows better */
	assert_false(claim(state, &retry, NOW + 5, &entry));
	OK(outbox_recover(state, &retry, NOW + 1, &entry, &found, &err));
	assert_false(found);
	assert_false(claim(state, &retry, NOW + 4, &entry));
	assert_true(claim(state, &retry, NOW + 5, &entry));
	outbox_entry_done(&entry);
	state_close(&state);
}

static void
entries_are_taken_in_order_when_they_are_due(void **dir)
{
	struct state *state = open_state(*dir);
	int64_t one = add(state, "<1@x>"), two = add(state, "<2@x>");

	attempt(state, one, OUTBOX_DEFERRED, NOW);
	attempt(state, two, OUTBOX_DEFERRED, NOW + 3);
	assert_int_equal(plan(state, &retry, NOW + 3).send_s, 2);
	assert_int_equal(plan(state, &retry, NOW + 3).due, 0);
	assert_int_equal(plan(state, &retry, NOW + 50).send_s, 0);
	assert_int_equal(plan(state, &retry, NOW + 50).due, 2);
	attempt(state, one, OUTBOX_ACCEPTED, NOW + 50);
	attempt(state, two, OUTBOX_REFUSED, NOW + 50);
	assert_int_equal(plan(state, &retry, NOW + 50).send_s, -1);
	state_close(&state);
}

static void
hold_keeps_uncertain_entries_and_sends_the_others(void **dir)
{
	struct state *state = open_state(*dir);
	struct outbox_entry entry = OUTBOX_ENTRY_INIT;
	int64_t lost = add(state, "<1@x>"), fine = 0;

	attempt(state, lost, OUTBOX_LOST, NOW);
	assert_int_equal(plan(state, &hold, NOW + 100).send_s, -1);
	fine = add(state, "<2@x>");
	assert_true(claim(state, &hold, NOW + 100, &entry));
	assert_int_equal(entry.id, fine);
	outbox_entry_done(&entry);
	assert_false(claim(state, &hold, NOW + 100, &entry));
	assert_true(claim(state, &retry, NOW + 100, &entry));
	assert_int_equal(entry.id, lost);
	assert_string_equal(entry.message_id, "<1@x>");
	outbox_entry_done(&entry);
	state_close(&state);
}

static void
a_clock_that_was_set_back_delays_nothing(void **dir)
{
	struct state *state = open_state(*dir);
	struct outbox_entry entry = OUTBOX_ENTRY_INIT;
	int64_t id = add(state, "<1@x>");

	attempt(state, id, OUTBOX_DEFERRED, NOW);
	assert_int_equal(plan(state, &retry, NOW - 30 * DAY).send_s, 0);
	assert_true(claim(state, &retry, NOW - 30 * DAY, &entry));
	outbox_entry_done(&entry);
	state_close(&state);
}

static void
what_is_not_accepted_for_five_days_is_given_up(void **dir)
{
	struct state *state = open_state(*dir);
	struct outbox_entry entry = OUTBOX_ENTRY_INIT;
	int64_t refused = add(state, "<1@x>"), lost = add(state, "<2@x>");
	bool found = true;

	attempt(state, refused, OUTBOX_DEFERRED, NOW);
	attempt(state, lost, OUTBOX_LOST, NOW);
	OK(outbox_give_up(
	    state, &retry, NOW + 5 * DAY - 1, &entry, &found, &err));
	assert_false(found);
	OK(outbox_give_up(state, &retry, NOW + 5 * DAY, &entry, &found, &err));
	assert_true(found);
	assert_int_equal(entry.id, refused);
	assert_string_equal(entry.reply, "given up after 5 days: reply");
	outbox_entry_done(&entry);
	OK(outbox_give_up(state, &retry, NOW + 5 * DAY, &entry, &found, &err));
	assert_true(found);
	outbox_entry_done(&entry);
	OK(outbox_give_up(state, &retry, NOW + 5 * DAY, &entry, &found, &err));
	assert_false(found);
	assert_entry(state, refused, OUTBOX_FAILED, 1, 0);
	assert_entry(state, lost, OUTBOX_UNCERTAIN, 1, 0);
	assert_false(claim(state, &retry, NOW + 6 * DAY, &entry));
	state_close(&state);
}

/* As after a week in which the machine was off. */
static void
what_nobody_could_attempt_is_attempted_before_it_is_given_up(void **dir)
{
	struct state *state = open_state(*dir);
	struct outbox_entry entry = OUTBOX_ENTRY_INIT;
	int64_t waiting = add(state, "<1@x>"), lost = add(state, "<2@x>");
	time_t now = NOW + 6 * DAY;
	bool found = true;

	attempt(state, waiting, OUTBOX_DEFERRED, NOW);
	attempt(state, lost, OUTBOX_LOST, NOW);
	OK(outbox_give_up_tried(state, &retry, now, &entry, &found, &err));
	assert_false(found);
	attempt(state, waiting, OUTBOX_DEFERRED, now);
	OK(outbox_give_up_tried(state, &retry, now, &entry, &found, &err));
	assert_true(found);
	assert_int_equal(entry.id, waiting);
	outbox_entry_done(&entry);
	assert_entry(state, waiting, OUTBOX_FAILED, 2, 0);
	/* held, it is not due at all */
	OK(outbox_give_up_tried(state, &hold, now, &entry, &found, &err));
	assert_true(found);
	assert_int_equal(entry.id, lost);
	outbox_entry_done(&entry);
	state_close(&state);
}

static void
finished_entries_are_kept_for_a_week(void **dir)
{
	struct state *state = open_state(*dir);
	struct outbox_entry entry = OUTBOX_ENTRY_INIT;
	int64_t sent = add(state, "<1@x>"), failed = add(state, "<2@x>");
	int64_t lost = add(state, "<3@x>");
	bool found = false;

	attempt(state, sent, OUTBOX_ACCEPTED, NOW);
	attempt(state, failed, OUTBOX_REFUSED, NOW);
	attempt(state, lost, OUTBOX_LOST, NOW);
	OK(outbox_tidy(state, &retry, NOW + 7 * DAY - 1, &err));
	assert_entry(state, sent, OUTBOX_SENT, 1, 0);
	OK(outbox_tidy(state, &retry, NOW + 7 * DAY, &err));
	OK(outbox_find(state, ACCOUNT, sent, &entry, &found, &err));
	assert_false(found);
	OK(outbox_find(state, ACCOUNT, failed, &entry, &found, &err));
	assert_false(found);
	assert_entry(state, lost, OUTBOX_UNCERTAIN, 1, NOW + 5);
	state_close(&state);
}

static void
a_long_reply_is_cut(void **dir)
{
	struct state *state = open_state(*dir);
	struct outbox_entry entry = OUTBOX_ENTRY_INIT;
	char reply[2000];
	bool found;

	memset(reply, 'r', sizeof(reply) - 1);
	reply[sizeof(reply) - 1] = '\0';
	add(state, "<1@x>");
	assert_true(claim(state, &retry, NOW, &entry));
	record(state, &retry, &entry, OUTBOX_DEFERRED, reply, NOW);
	assert_int_equal(strlen(entry.reply), OUTBOX_REPLY_MAX - 1);
	outbox_entry_done(&entry);
	OK(outbox_give_up(state, &retry, NOW + 5 * DAY, &entry, &found, &err));
	assert_true(found);
	assert_memory_equal(entry.reply, "given up after 5 days: rr", 25);
	outbox_entry_done(&entry);
	state_close(&state);
}

static void
lock_that_cannot_be_had_is_nobody_elses(void **dir)
{
	struct state *state = open_state(*dir);
	struct mt_error why;
	int lock = -1;

	scratch_mkdir(*dir, "sender.lock");
	assert_int_equal(
	    outbox_lock(state, ACCOUNT, &lock, deadline_in_ms(0), &why),
	    MT_BAD_CONFIG);
	assert_non_null(strstr(why.text, "sender.lock"));
	state_close(&state);
}

static void
one_sender_at_a_time_holds_the_lock(void **dir)
{
	struct state *state = open_state(*dir), *other = open_state(*dir);
	struct mt_error why;
	int lock = -1, second = -1;

	OK(outbox_lock(state, ACCOUNT, &lock, deadline_in_ms(0), &err));
	assert_int_equal(
	    outbox_lock(state, ACCOUNT, &second, deadline_in_ms(0), &why),
	    MT_RETRY_LATER);
	assert_int_equal(
	    outbox_lock(other, ACCOUNT, &second, deadline_in_ms(50), &why),
	    MT_RETRY_LATER);
	assert_non_null(strstr(why.text, "another process is sending"));
	outbox_unlock(lock);
	OK(outbox_lock(other, ACCOUNT, &second, deadline_in_ms(0), &err));
	outbox_unlock(second);
	assert_int_equal(scratch_mode(*dir, "sender.lock"), 0600);
	state_close(&other);
	state_close(&state);
}

/* The steps of an attempt, in their order. */
enum step { STEP_LOCK, STEP_CLAIM, STEP_ATTEMPTING, STEP_RECORD, STEPS };

/* Does the first `count` steps and is killed. */
static void
die_after(const char *dir, int count)
{
	struct state *state = open_state(dir);
	struct outbox_entry entry = OUTBOX_ENTRY_INIT;
	bool found;
	int lock;

	for (int step = 0; step < count; step++) {
		if (step == STEP_LOCK)
			OK(outbox_lock(
			    state, ACCOUNT, &lock, deadline_in_ms(0), &err));
		else if (step == STEP_CLAIM)
			OK(outbox_claim(
			    state, &retry, NOW, &entry, &found, &err));
		else if (step == STEP_ATTEMPTING)
			OK(outbox_attempting(state, &entry, NOW, &err));
		else
			record(
			    state, &retry, &entry, OUTBOX_ACCEPTED, "ok", NOW);
	}
	kill(getpid(), SIGKILL);
}

static void
a_sender_killed_after_any_step_leaves_the_truth(void **dir)
{
	/* by the number of steps that were done */
	static const struct {
		enum outbox_state before;
		enum outbox_state after; /* outbox_recover */
	} cases[STEPS + 1] = {
	    {OUTBOX_QUEUED, OUTBOX_QUEUED},
	    {OUTBOX_QUEUED, OUTBOX_QUEUED},
	    {OUTBOX_QUEUED, OUTBOX_QUEUED},
	    {OUTBOX_ATTEMPTING, OUTBOX_UNCERTAIN},
	    {OUTBOX_SENT, OUTBOX_SENT},
	};

	for (int count = 0; count <= STEPS; count++) {
		struct outbox_entry entry = OUTBOX_ENTRY_INIT;
		struct state *state = open_state(*dir);
		int64_t id = add(state, "<1@x>");
		bool found = false;
		int status, lock;
		pid_t pid;

		state_close(&state);
		pid = fork();
		if (pid == 0)
			die_after(*dir, count);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));

		state = open_state(*dir);
		/* the lock has gone with its holder */
		OK(outbox_lock(state, ACCOUNT, &lock, deadline_in_ms(0), &err));
		entry = get(state, id);
		assert_int_equal(entry.state, cases[count].before);
		outbox_entry_done(&entry);
		OK(outbox_recover(state, &retry, NOW, &entry, &found, &err));
		assert_int_equal(
		    found, cases[count].before != cases[count].after);
		outbox_entry_done(&entry);
		entry = get(state, id);
		assert_int_equal(entry.state, cases[count].after);
		/* whatever is tried again is the same message */
		assert_string_equal(entry.message_id, "<1@x>");
		outbox_entry_done(&entry);
		if (cases[count].after != OUTBOX_SENT)
			attempt(state, id, OUTBOX_ACCEPTED, NOW + 5);
		OK(outbox_tidy(state, &retry, NOW + 8 * DAY, &err));
		outbox_unlock(lock);
		state_close(&state);
	}
}

int
main(void)
{
#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
	const struct CMUnitTest tests[] = {
	    TEST(a_queued_message_is_there_after_a_restart),
	    TEST(a_message_id_is_queued_once),
	    TEST(verdicts_lead_to_states),
	    TEST(attempts_come_ever_later_up_to_an_hour),
	    TEST(a_claim_alone_puts_the_next_attempt_off),
	    TEST(entries_are_taken_in_order_when_they_are_due),
	    TEST(hold_keeps_uncertain_entries_and_sends_the_others),
	    TEST(a_clock_that_was_set_back_delays_nothing),
	    TEST(what_is_not_accepted_for_five_days_is_given_up),
	    TEST(what_nobody_could_attempt_is_attempted_before_it_is_given_up),
	    TEST(finished_entries_are_kept_for_a_week),
	    TEST(lock_that_cannot_be_had_is_nobody_elses),
	    TEST(a_long_reply_is_cut),
	    TEST(one_sender_at_a_time_holds_the_lock),
	    TEST(a_sender_killed_after_any_step_leaves_the_truth),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
