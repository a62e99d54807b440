/* SPDX-License-Identifier: ISC */
#include "state/inbound_state.h"

#include "state/done_state.h"
#include "state/mailbox_state.h"
#include "state/state.h"
#include "state/suspect_state.h"
#include "unit/cmocka_headers.h"
#include "unit/connector/scratch.h"

#include "base/buf.h"

#include <stdio.h>
#include <string.h>

#define INBOX "agents/email/inbox"

static struct state *
open_state(const char *dir)
{
	struct state *state = NULL;

	OK(state_open(&state, dir, &err));
	return state;
}

static struct inbound_mailbox
add(struct state *state, uint32_t uidvalidity, uint32_t cursor)
{
	const struct inbound_start start = {
	    .uidvalidity = uidvalidity, .cursor = cursor};
	struct inbound_mailbox box = {0};

	OK(mailbox_state_add(
	    state, "a@example.org", "INBOX", &start, &box, &err));
	return box;
}

static struct inbound_message
message(uint32_t uid, const char *handle)
{
	return (struct inbound_message){
	    .uid = uid,
	    .folder = INBOX,
	    .handle = handle,
	    .staged = "stage",
	    .sender = "Ann <ann@example.org>",
	    .subject = "Hello",
	};
}

static void
stage(struct state *state, int64_t mailbox, uint32_t uid, const char *handle)
{
	struct inbound_message m = message(uid, handle);

	bool known;

	OK(inbound_state_stage(state, mailbox, &m, 1, &known, &err));
	assert_false(known);
}

/* "1-3 5" */
static void
assert_done(struct state *state, int64_t mailbox, uint32_t first, uint32_t last,
    const char *expected)
{
	struct uid_ranges done;
	struct buf text = BUF_INIT(4096);

	OK(done_state_read(state, mailbox, first, last, &done, &err));
	for (size_t i = 0; i < done.count; i++) {
		buf_add_format(
		    &text, "%s%u", i ? " " : "", done.ranges[i].first);
		if (done.ranges[i].first != done.ranges[i].last)
			buf_add_format(&text, "-%u", done.ranges[i].last);
	}
	assert_string_equal(buf_text(&text), expected);
	buf_done(&text);
	uid_ranges_done(&done);
}

static void
handles_are_tried_in_order(void **scratch)
{
	static const char *const expected[] = {
	    "4294967295",
	    "4294967294-4294967295",
	    "4294967294-4294967295-2",
	    "4294967294-4294967295-3",
	};
	char handle[INBOUND_HANDLE_MAX];

	(void)scratch;
	for (unsigned i = 0; i < 4; i++) {
		inbound_handle(handle, UINT32_MAX - 1, UINT32_MAX, i);
		assert_string_equal(handle, expected[i]);
	}
	inbound_handle(handle, UINT32_MAX, UINT32_MAX, UINT32_MAX);
	assert_string_equal(handle, "4294967295-4294967295-4294967295");
}

static void
handle_belongs_to_one_message_of_a_folder_for_good(void **scratch)
{
	struct state *state = open_state(*scratch);
	struct inbound_mailbox old = add(state, 7, 0), new = add(state, 8, 0);
	struct inbound_message rival[] = {message(1, "8-1"), message(5, "5")};
	struct mt_error why = {0};
	bool used, known[2];

	OK(inbound_state_handle_used(state, INBOX, "5", &used, &err));
	assert_false(used);
	stage(state, old.id, 5, "5");
	OK(inbound_state_handle_used(state, INBOX, "5", &used, &err));
	assert_true(used);
	OK(inbound_state_published(state, old.id, 5, &err));
	OK(inbound_state_handle_used(state, INBOX, "5", &used, &err));
	assert_true(used);
	OK(inbound_state_handle_used(
	    state, "agents/email/work", "5", &used, &err));
	assert_false(used);

	/* nothing of a batch is recorded when one handle is taken */
	assert_int_equal(
	    inbound_state_stage(state, new.id, rival, 2, known, &why),
	    MT_RETRY_LATER);
	assert_non_null(strstr(why.text, INBOX "/5"));
	assert_done(state, new.id, 1, UINT32_MAX, "");
	state_close(&state);
}

static void
staged_message_is_kept_until_it_is_published(void **scratch)
{
	struct state *state = open_state(*scratch);
	struct inbound_mailbox box = add(state, 7, 0);
	struct inbound_staged staged;

	stage(state, box.id, 5, "5");
	state_close(&state);
	state = open_state(*scratch);
	assert_done(state, box.id, 1, UINT32_MAX, "5");
	OK(inbound_state_staged(state, NULL, NULL, &staged, &err));
	assert_int_equal(staged.count, 1);
	assert_int_equal(staged.messages[0].mailbox_id, box.id);
	assert_int_equal(staged.messages[0].uidvalidity, 7);
	assert_int_equal(staged.messages[0].message.uid, 5);
	assert_string_equal(staged.messages[0].message.folder, INBOX);
	assert_string_equal(staged.messages[0].message.handle, "5");
	assert_string_equal(staged.messages[0].message.staged, "stage");
	assert_string_equal(
	    staged.messages[0].message.sender, "Ann <ann@example.org>");
	assert_string_equal(staged.messages[0].message.subject, "Hello");
	inbound_staged_done(&staged);

	OK(inbound_state_rename(state, box.id, 5, "7-5", &err));
	OK(inbound_state_staged(
	    state, "a@example.org", "INBOX", &staged, &err));
	assert_int_equal(staged.count, 1);
	assert_string_equal(staged.messages[0].message.handle, "7-5");
	inbound_staged_done(&staged);
	OK(inbound_state_staged(
	    state, "b@example.org", "INBOX", &staged, &err));
	assert_int_equal(staged.count, 0);

	OK(inbound_state_published(state, box.id, 5, &err));
	OK(inbound_state_staged(state, NULL, NULL, &staged, &err));
	assert_int_equal(staged.count, 0);
	assert_done(state, box.id, 1, UINT32_MAX, "5");
	state_close(&state);
}

static void
done_uids_are_kept_as_ranges(void **scratch)
{
	static const struct {
		uint32_t uids[8]; /* of one batch, ended by 0 */
		const char *done; /* after it */
	} steps[] = {
	    {{5}, "5"},
	    {{7, 8}, "5 7-8"},
	    {{6}, "5-8"},
	    {{1, 2, 3, 20}, "1-3 5-8 20"},
	    {{9, 19}, "1-3 5-9 19-20"},
	    {{4, 10, 11, 12, 18}, "1-12 18-20"},
	    {{UINT32_MAX - 1, UINT32_MAX}, "1-12 18-20 4294967294-4294967295"},
	};
	struct state *state = open_state(*scratch);
	struct inbound_mailbox box = add(state, 7, 0);
	char handles[8][16];
	bool known[8];

	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
		struct inbound_message batch[8];
		size_t count = 0;

		for (; steps[i].uids[count]; count++) {
			snprintf(handles[count], sizeof(handles[count]), "%u",
			    steps[i].uids[count]);
			batch[count] =
			    message(steps[i].uids[count], handles[count]);
		}
		OK(inbound_state_stage(
		    state, box.id, batch, count, known, &err));
		assert_done(state, box.id, 1, UINT32_MAX, steps[i].done);
	}
	assert_done(
	    state, box.id, 9, UINT32_MAX, "1-12 18-20 4294967294-4294967295");
	assert_done(
	    state, box.id, 13, UINT32_MAX, "18-20 4294967294-4294967295");
	assert_done(state, box.id, 12, 18, "1-12 18-20");
	assert_done(state, box.id, 12, 17, "1-12");
	assert_done(state, box.id, 13, 17, "");
	assert_done(state, box.id, 21, 4294967293, "");
	state_close(&state);
}

static void
delivered_by_somebody_else_counts_as_done(void **scratch)
{
	struct state *state = open_state(*scratch);
	struct inbound_mailbox box;
	uint32_t uids[] = {3, 12, 13};
	struct uid_range passed[] = {{1, 4}, {6, 10}};
	const struct inbound_start start = {
	    .uidvalidity = 7,
	    .cursor = 10,
	    .passed = {passed, 2},
	    .folder = INBOX,
	    .delivered = {uids, 3},
	};
	bool used;

	OK(mailbox_state_add(
	    state, "a@example.org", "INBOX", &start, &box, &err));
	assert_int_equal(box.cursor, 10);
	assert_done(state, box.id, 1, UINT32_MAX, "1-4 6-10 12-13");
	OK(inbound_state_handle_used(state, INBOX, "3", &used, &err));
	assert_true(used);
	OK(inbound_state_handle_used(state, INBOX, "4", &used, &err));
	assert_false(used);
	state_close(&state);
}

static void
assert_suspects(struct state *state, int64_t mailbox, time_t now,
    const char *due, const char *waiting)
{
	struct uid_list lists[2];
	const char *expected[] = {due, waiting};

	OK(suspect_state_read(state, mailbox, now, &lists[0], &lists[1], &err));
	for (size_t i = 0; i < 2; i++) {
		struct buf text = BUF_INIT(4096);

		for (size_t j = 0; j < lists[i].count; j++)
			buf_add_format(
			    &text, "%s%u", j ? " " : "", lists[i].uids[j]);
		assert_string_equal(buf_text(&text), expected[i]);
		buf_done(&text);
		uid_list_done(&lists[i]);
	}
}

static void
suspects_end_when_done_or_passed(void **scratch)
{
	struct state *state = open_state(*scratch);
	struct inbound_mailbox box = add(state, 7, 10);
	uint32_t uids[] = {11, 13, 14}, again[] = {13, 20};

	OK(suspect_state_add(state, box.id, uids, 3, 1000, &err));
	OK(suspect_state_add(state, box.id, again, 2, 1000, &err));
	assert_suspects(state, box.id, 1000, "20 14 11 13", "");

	stage(state, box.id, 14, "14");
	OK(inbound_state_published(state, box.id, 14, &err));
	OK(inbound_state_finish(state, box.id, NULL, 0, 13, &err));
	assert_suspects(state, box.id, 1000, "20", "");
	OK(suspect_state_forget(state, box.id, again, 2, &err));
	assert_suspects(state, box.id, 1000, "", "");
	state_close(&state);
}

static void
suspect_that_goes_on_failing_waits_ever_longer(void **scratch)
{
	static const time_t waits[] = {0, 0, 0, 60, 120, 240, 480, 960, 1920,
	    3840, 7680, 15360, 21600, 21600};
	struct state *state = open_state(*scratch);
	struct inbound_mailbox box = add(state, 7, 0);
	uint32_t uid = 5;

	for (size_t i = 0; i < sizeof(waits) / sizeof(*waits); i++) {
		time_t due = 1000 + waits[i];

		OK(suspect_state_add(state, box.id, &uid, 1, 1000, &err));
		if (waits[i])
			assert_suspects(state, box.id, due - 1, "", "5");
		assert_suspects(state, box.id, due, "5", "");
	}
	/* the cursor may pass it while it waits */
	OK(inbound_state_finish(state, box.id, NULL, 0, 9, &err));
	assert_suspects(state, box.id, 1000, "", "5");
	state_close(&state);
}

int
main(void)
{
#define CASE(name)                                                             \
	cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
	const struct CMUnitTest tests[] = {
	    CASE(handles_are_tried_in_order),
	    CASE(handle_belongs_to_one_message_of_a_folder_for_good),
	    CASE(staged_message_is_kept_until_it_is_published),
	    CASE(done_uids_are_kept_as_ranges),
	    CASE(delivered_by_somebody_else_counts_as_done),
	    CASE(suspects_end_when_done_or_passed),
	    CASE(suspect_that_goes_on_failing_waits_ever_longer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
