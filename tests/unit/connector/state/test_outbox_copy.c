/* SPDX-License-Identifier: ISC */
#include "outbox_bench.h"

#include <string.h>

/* The next look that is due, which is to be for `id`, and its answer. */
static void
look(struct state *state, int64_t id, bool found, time_t now)
{
	struct outbox_entry entry = OUTBOX_ENTRY_INIT;
	bool due = false;

	OK(outbox_take_look(state, &filed_by_server, now, &entry, &due, &err));
	assert_true(due);
	assert_int_equal(entry.id, id);
	assert_memory_equal(entry.bytes, BYTES, entry.len);
	OK(outbox_record_look(state, &entry, found, now, &err));
	outbox_entry_done(&entry);
}

static void
uncertain_message_is_looked_for_three_times_before_the_policy(void **dir)
{
	struct state *state = open_state(*dir);
	int64_t id = add(state, "<1@x>");
	struct outbox_entry entry = OUTBOX_ENTRY_INIT;

	attempt_by(state, &filed_by_server, id, OUTBOX_LOST, NOW);
	assert_int_equal(plan(state, &filed_by_server, NOW).send_s, -1);
	assert_int_equal(plan(state, &filed_by_server, NOW).file_s, 30);
	look(state, id, false, NOW + 30);
	assert_int_equal(plan(state, &filed_by_server, NOW + 30).file_s, 30);
	look(state, id, false, NOW + 60);
	assert_int_equal(plan(state, &filed_by_server, NOW + 60).file_s, 60);
	assert_int_equal(plan(state, &filed_by_server, NOW + 60).send_s, -1);
	look(state, id, false, NOW + 120);
	assert_int_equal(plan(state, &filed_by_server, NOW + 120).file_s, -1);
	assert_int_equal(plan(state, &filed_by_server, NOW + 120).due, 1);
	entry = get(state, id);
	assert_non_null(strstr(entry.reply, "not in Sent"));
	outbox_entry_done(&entry);
	/* the same bytes go again, and what is lost again is looked for again
	 */
	attempt_by(state, &filed_by_server, id, OUTBOX_LOST, NOW + 120);
	assert_int_equal(plan(state, &filed_by_server, NOW + 120).file_s, 30);
	assert_int_equal(plan(state, &filed_by_server, NOW + 120).send_s, -1);
	state_close(&state);
}

static void
message_that_is_found_was_sent(void **dir)
{
	struct state *state = open_state(*dir);
	struct outbox_entry entry;
	int64_t id = add(state, "<1@x>");

	attempt_by(state, &filed_by_server, id, OUTBOX_LOST, NOW);
	look(state, id, false, NOW + 30);
	look(state, id, true, NOW + 60);
	assert_entry(state, id, OUTBOX_SENT, 1, 0);
	entry = get(state, id);
	assert_int_equal(entry.copy, OUTBOX_COPY_NONE);
	assert_string_equal(entry.reply, "found in Sent");
	outbox_entry_done(&entry);
	assert_int_equal(plan(state, &filed_by_server, NOW + 900).file_s, -1);
	assert_int_equal(plan(state, &filed_by_server, NOW + 900).send_s, -1);
	state_close(&state);
}

static void
nothing_is_sent_again_as_long_as_nobody_answers(void **dir)
{
	struct state *state = open_state(*dir);
	int64_t id = add(state, "<1@x>");
	time_t now = NOW + 30;

	attempt_by(state, &filed_by_server, id, OUTBOX_LOST, NOW);
	for (; now < NOW + 7200; now += 60) {
		struct outbox_entry entry = OUTBOX_ENTRY_INIT;
		bool due = false;

		OK(outbox_take_look(
		    state, &filed_by_server, now, &entry, &due, &err));
		assert_true(due);
		outbox_entry_done(&entry);
		assert_false(claim(state, &filed_by_server, now, &entry));
		assert_int_equal(plan(state, &filed_by_server, now).file_s, 60);
	}
	assert_entry(state, id, OUTBOX_UNCERTAIN, 1, NOW + 5);
	state_close(&state);
}

static void
message_whose_sender_died_is_looked_for(void **dir)
{
	struct state *state = open_state(*dir);
	struct outbox_entry entry = OUTBOX_ENTRY_INIT;
	int64_t id = add(state, "<1@x>");
	bool found = false;

	assert_true(claim(state, &filed_by_server, NOW, &entry));
	OK(outbox_attempting(state, &entry, NOW, &err));
	outbox_entry_done(&entry);
	OK(outbox_recover(
	    state, &filed_by_server, NOW + 9, &entry, &found, &err));
	assert_true(found);
	outbox_entry_done(&entry);
	assert_int_equal(plan(state, &filed_by_server, NOW + 9).file_s, 30);
	assert_false(claim(state, &filed_by_server, NOW + 9, &entry));
	look(state, id, true, NOW + 39);
	assert_entry(state, id, OUTBOX_SENT, 1, 0);
	state_close(&state);
}

static void
held_message_is_looked_for_too(void **dir)
{
	const struct outbox_rules rules = {
	    ACCOUNT, OUTBOX_HOLD, OUTBOX_FILED_BY_SERVER, 0};
	struct state *state = open_state(*dir);
	struct outbox_entry entry;
	int64_t id = add(state, "<1@x>");

	attempt_by(state, &rules, id, OUTBOX_LOST, NOW);
	entry = get(state, id);
	assert_true(outbox_is_open(&entry, &rules));
	outbox_entry_done(&entry);
	look(state, id, false, NOW + 30);
	look(state, id, false, NOW + 60);
	look(state, id, false, NOW + 120);
	assert_int_equal(plan(state, &rules, NOW + 9999).send_s, -1);
	entry = get(state, id);
	assert_false(outbox_is_open(&entry, &rules));
	outbox_entry_done(&entry);
	state_close(&state);
}

/* The next copy that is due, which is to be of `id`, and what came of it. */
static void
copy(struct state *state, int64_t id, bool there, const char *reply, time_t now)
{
	struct outbox_entry entry = OUTBOX_ENTRY_INIT;
	bool due = false;

	OK(outbox_take_copy(state, &filed_by_us, now, &entry, &due, &err));
	assert_true(due);
	assert_int_equal(entry.id, id);
	assert_memory_equal(entry.bytes, BYTES, entry.len);
	OK(outbox_record_copy(state, &entry, there, reply, now, &err));
	outbox_entry_done(&entry);
}

static void
assert_copy(struct state *state, int64_t id, enum outbox_copy expected)
{
	struct outbox_entry entry = get(state, id);

	assert_string_equal(
	    outbox_copy_name(entry.copy), outbox_copy_name(expected));
	outbox_entry_done(&entry);
}

static void
only_what_we_file_has_a_copy_to_make(void **dir)
{
	static const struct {
		const struct outbox_rules *rules;
		enum outbox_copy copy;
	} cases[] = {
	    {&filed_by_us, OUTBOX_COPY_PENDING},
	    {&filed_by_server, OUTBOX_COPY_NONE},
	    {&retry, OUTBOX_COPY_NONE},
	};
	struct state *state = open_state(*dir);

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char message_id[2] = {(char)('a' + i)};
		int64_t id = add(state, message_id);

		attempt_by(state, cases[i].rules, id, OUTBOX_ACCEPTED, NOW);
		assert_copy(state, id, cases[i].copy);
	}
	state_close(&state);
}

static void
copy_that_fails_comes_again_and_sends_nothing(void **dir)
{
	struct state *state = open_state(*dir);
	int64_t id = add(state, "<1@x>");

	attempt_by(state, &filed_by_us, id, OUTBOX_ACCEPTED, NOW);
	assert_int_equal(plan(state, &filed_by_us, NOW).file_s, 0);
	copy(state, id, false, "over quota", NOW);
	assert_int_equal(plan(state, &filed_by_us, NOW).file_s, 5);
	copy(state, id, false, "over quota", NOW + 5);
	assert_int_equal(plan(state, &filed_by_us, NOW + 5).file_s, 10);
	assert_copy(state, id, OUTBOX_COPY_PENDING);
	assert_entry(state, id, OUTBOX_SENT, 1, 0);
	assert_int_equal(plan(state, &filed_by_us, NOW + 5).send_s, -1);
	copy(state, id, true, "", NOW + 15);
	assert_copy(state, id, OUTBOX_COPY_DONE);
	assert_entry(state, id, OUTBOX_SENT, 1, 0);
	assert_int_equal(plan(state, &filed_by_us, NOW + 999).file_s, -1);
	state_close(&state);
}

static void
copy_is_given_up_after_days_and_not_forgotten_before(void **dir)
{
	struct state *state = open_state(*dir);
	struct outbox_entry entry;
	int64_t id = add(state, "<1@x>");

	attempt_by(state, &filed_by_us, id, OUTBOX_ACCEPTED, NOW);
	copy(state, id, false, "no", NOW + 3 * DAY - 1);
	/* as after a week in which nothing ran */
	OK(outbox_tidy(state, &filed_by_us, NOW + 20 * DAY, &err));
	assert_copy(state, id, OUTBOX_COPY_PENDING);
	copy(state, id, false, "no", NOW + 20 * DAY);
	assert_copy(state, id, OUTBOX_COPY_GIVEN_UP);
	assert_entry(state, id, OUTBOX_SENT, 1, 0);
	assert_int_equal(plan(state, &filed_by_us, NOW + 30 * DAY).file_s, -1);
	/* a person may have made room */
	OK(outbox_retry(state, ACCOUNT, id, NOW + 21 * DAY, &entry, &err));
	outbox_entry_done(&entry);
	copy(state, id, true, "", NOW + 21 * DAY);
	assert_copy(state, id, OUTBOX_COPY_DONE);
	state_close(&state);
}

static void
copy_that_is_not_wanted_any_more_is_forgotten(void **dir)
{
	struct state *state = open_state(*dir);
	int64_t id = add(state, "<1@x>");

	attempt_by(state, &filed_by_us, id, OUTBOX_ACCEPTED, NOW);
	assert_int_equal(plan(state, &filed_by_server, NOW).file_s, -1);
	OK(outbox_tidy(state, &filed_by_server, NOW, &err));
	assert_copy(state, id, OUTBOX_COPY_NONE);
	state_close(&state);
}

static void
answer_about_what_was_dropped_changes_nothing(void **dir)
{
	struct state *state = open_state(*dir);
	struct outbox_entry looked = OUTBOX_ENTRY_INIT, entry;
	int64_t id = add(state, "<1@x>");
	bool due = false;

	attempt_by(state, &filed_by_server, id, OUTBOX_LOST, NOW);
	OK(outbox_take_look(
	    state, &filed_by_server, NOW + 30, &looked, &due, &err));
	OK(outbox_drop(state, ACCOUNT, id, NOW + 30, &entry, &err));
	outbox_entry_done(&entry);
	OK(outbox_record_look(state, &looked, false, NOW + 31, &err));
	assert_int_equal(looked.state, OUTBOX_FAILED);
	outbox_entry_done(&looked);
	assert_entry(state, id, OUTBOX_FAILED, 1, 0);
	state_close(&state);
}

/* Takes a look, after which a person orders the message to be sent again. */
static struct outbox_entry
look_and_order(struct state *state, int64_t id)
{
	struct outbox_entry looked = OUTBOX_ENTRY_INIT, entry;
	bool due = false;

	attempt_by(state, &filed_by_server, id, OUTBOX_LOST, NOW);
	OK(outbox_take_look(
	    state, &filed_by_server, NOW + 30, &looked, &due, &err));
	assert_true(due);
	OK(outbox_retry(state, ACCOUNT, id, NOW + 31, &entry, &err));
	outbox_entry_done(&entry);
	return looked;
}

static void
message_that_is_found_is_not_sent_again_on_order(void **dir)
{
	struct state *state = open_state(*dir);
	int64_t id = add(state, "<1@x>");
	struct outbox_entry looked = look_and_order(state, id);

	OK(outbox_record_look(state, &looked, true, NOW + 32, &err));
	outbox_entry_done(&looked);
	assert_entry(state, id, OUTBOX_SENT, 0, 0);
	state_close(&state);
}

static void
answer_from_before_the_last_attempt_is_no_look(void **dir)
{
	struct state *state = open_state(*dir);
	int64_t id = add(state, "<1@x>");
	struct outbox_entry looked = look_and_order(state, id), entry;

	attempt_by(state, &filed_by_server, id, OUTBOX_LOST, NOW + 31);
	OK(outbox_record_look(state, &looked, false, NOW + 50, &err));
	outbox_entry_done(&looked);
	entry = get(state, id);
	assert_int_equal(entry.looks, 0);
	assert_int_equal(entry.next_look, NOW + 61);
	outbox_entry_done(&entry);
	state_close(&state);
}

int
main(void)
{
#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
	const struct CMUnitTest tests[] = {
	    TEST(uncertain_message_is_looked_for_three_times_before_the_policy),
	    TEST(message_that_is_found_was_sent),
	    TEST(nothing_is_sent_again_as_long_as_nobody_answers),
	    TEST(message_whose_sender_died_is_looked_for),
	    TEST(held_message_is_looked_for_too),
	    TEST(only_what_we_file_has_a_copy_to_make),
	    TEST(copy_that_fails_comes_again_and_sends_nothing),
	    TEST(copy_is_given_up_after_days_and_not_forgotten_before),
	    TEST(copy_that_is_not_wanted_any_more_is_forgotten),
	    TEST(answer_about_what_was_dropped_changes_nothing),
	    TEST(message_that_is_found_is_not_sent_again_on_order),
	    TEST(answer_from_before_the_last_attempt_is_no_look),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
