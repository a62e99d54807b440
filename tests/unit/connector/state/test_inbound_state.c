/* SPDX-License-Identifier: ISC */
#include "state/inbound_state.h"

#include "state/state.h"
#include "unit/cmocka_headers.h"
#include "unit/connector/scratch.h"

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
	struct inbound_mailbox box = {0};

	OK(inbound_state_add(state, "a@example.org", "INBOX", uidvalidity,
	    cursor, INBOX, NULL, &box, &err));
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

	OK(inbound_state_stage(state, mailbox, &m, 1, &err));
}

static void
assert_uids(const struct uid_list *list, size_t count, ...)
{
	va_list args;

	assert_int_equal(list->count, count);
	va_start(args, count);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(list->uids[i], va_arg(args, unsigned));
	va_end(args);
}

static void
assert_known(struct state *state, const struct inbound_mailbox *box,
    size_t count, uint32_t first)
{
	struct uid_list known;

	OK(inbound_state_known(state, box->id, box->cursor, &known, &err));
	assert_int_equal(known.count, count);
	if (count)
		assert_int_equal(known.uids[0], first);
	uid_list_done(&known);
}

static void
each_uidvalidity_has_a_cursor_of_its_own(void **scratch)
{
	struct state *state = open_state(*scratch);
	struct inbound_mailbox box, found = {0};
	enum inbound_seen seen;

	OK(inbound_state_find(
	    state, "a@example.org", "INBOX", 7, &seen, &found, &err));
	assert_int_equal(seen, INBOUND_NEVER_SEEN);
	box = add(state, 7, 41);
	OK(inbound_state_find(
	    state, "a@example.org", "INBOX", 9, &seen, &found, &err));
	assert_int_equal(seen, INBOUND_OTHER_EPOCH);
	add(state, 9, 0);
	OK(inbound_state_finish(state, box.id, NULL, 0, 42, &err));
	state_close(&state);

	state = open_state(*scratch);
	OK(inbound_state_find(
	    state, "a@example.org", "INBOX", 7, &seen, &found, &err));
	assert_int_equal(seen, INBOUND_SEEN);
	assert_int_equal(found.cursor, 42);
	assert_int_equal(found.uidvalidity, 7);
	OK(inbound_state_find(
	    state, "a@example.org", "INBOX", 9, &seen, &found, &err));
	assert_int_equal(seen, INBOUND_SEEN);
	assert_int_equal(found.cursor, 0);
	OK(inbound_state_find(
	    state, "b@example.org", "INBOX", 7, &seen, &found, &err));
	assert_int_equal(seen, INBOUND_NEVER_SEEN);
	state_close(&state);
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
	bool used;

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
	    inbound_state_stage(state, new.id, rival, 2, &why), MT_RETRY_LATER);
	assert_non_null(strstr(why.text, INBOX "/5"));
	assert_known(state, &new, 0, 0);
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
	assert_known(state, &box, 1, 5);
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
	assert_known(state, &box, 1, 5);
	state_close(&state);
}

static void
done_messages_above_the_cursor_stay_known(void **scratch)
{
	struct state *state = open_state(*scratch);
	struct inbound_mailbox box = add(state, 7, 10);
	struct inbound_message batch[] = {
	    message(12, "12"), message(15, "15"), message(11, "11")};
	struct uid_list known;
	uint32_t done[] = {12, 15};

	OK(inbound_state_stage(state, box.id, batch, 3, &err));
	OK(inbound_state_finish(state, box.id, done, 2, 10, &err));
	OK(inbound_state_known(state, box.id, 10, &known, &err));
	assert_uids(&known, 3, 11, 12, 15);
	uid_list_done(&known);
	OK(inbound_state_known(state, box.id, 12, &known, &err));
	assert_uids(&known, 1, 15);
	uid_list_done(&known);
	state_close(&state);
}

static void
delivered_by_somebody_else_counts_as_done(void **scratch)
{
	struct state *state = open_state(*scratch);
	struct inbound_mailbox box;
	uint32_t uids[] = {3, 12};
	struct uid_list delivered = {uids, 2}, known;
	bool used;

	OK(inbound_state_add(state, "a@example.org", "INBOX", 7, 10, INBOX,
	    &delivered, &box, &err));
	assert_int_equal(box.cursor, 10);
	OK(inbound_state_known(state, box.id, box.cursor, &known, &err));
	assert_uids(&known, 1, 12);
	uid_list_done(&known);
	OK(inbound_state_handle_used(state, INBOX, "3", &used, &err));
	assert_true(used);
	state_close(&state);
}

static void
suspects_end_when_done_or_passed(void **scratch)
{
	struct state *state = open_state(*scratch);
	struct inbound_mailbox box = add(state, 7, 10);
	uint32_t uids[] = {11, 13, 14}, again[] = {13, 20};
	struct uid_list suspects;

	OK(inbound_state_suspect(state, box.id, uids, 3, &err));
	OK(inbound_state_suspect(state, box.id, again, 2, &err));
	OK(inbound_state_suspects(state, box.id, &suspects, &err));
	assert_uids(&suspects, 4, 20, 14, 11, 13);
	uid_list_done(&suspects);

	stage(state, box.id, 14, "14");
	OK(inbound_state_published(state, box.id, 14, &err));
	OK(inbound_state_finish(state, box.id, NULL, 0, 13, &err));
	OK(inbound_state_suspects(state, box.id, &suspects, &err));
	assert_uids(&suspects, 1, 20);
	uid_list_done(&suspects);
	state_close(&state);
}

int
main(void)
{
#define CASE(name)                                                             \
	cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
	const struct CMUnitTest tests[] = {
	    CASE(each_uidvalidity_has_a_cursor_of_its_own),
	    CASE(handles_are_tried_in_order),
	    CASE(handle_belongs_to_one_message_of_a_folder_for_good),
	    CASE(staged_message_is_kept_until_it_is_published),
	    CASE(done_messages_above_the_cursor_stay_known),
	    CASE(delivered_by_somebody_else_counts_as_done),
	    CASE(suspects_end_when_done_or_passed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
