/* SPDX-License-Identifier: ISC */
#include "state/move_state.h"

#include "state/arrival_state.h"
#include "state/done_state.h"
#include "state/mailbox_state.h"
#include "state/place_state.h"
#include "state/state.h"
#include "state/suspect_state.h"
#include "unit/cmocka_headers.h"
#include "unit/connector/scratch.h"

#include <stdio.h>
#include <string.h>

#define ACCOUNT "a@example.org"
#define INBOX "agents/email/inbox"
#define SAVED "agents/email/saved"
#define OTHER "agents/email/other"

static struct state *
open_state(const char *dir)
{
	struct state *state = NULL;

	OK(state_open(&state, dir, &err));
	return state;
}

static struct inbound_mailbox
follow(struct state *state, const char *mailbox, uint32_t uidvalidity)
{
	const struct inbound_start start = {.uidvalidity = uidvalidity};
	struct inbound_mailbox box = {0};

	OK(mailbox_state_add(state, ACCOUNT, mailbox, &start, &box, &err));
	return box;
}

/* A message that is number `n` by all that it is known by. */
static struct inbound_identity
identity(uint8_t n)
{
	struct inbound_identity identity = {
	    .internal_date = 1000 + n,
	    .size = 100 + n,
	    .has_digest = true,
	    .has_message_id = true,
	};

	memset(identity.digest, n, sizeof(identity.digest));
	memset(identity.message_id, n, sizeof(identity.message_id));
	return identity;
}

/* Stages a message; false: there was nothing to stage. */
static bool
stage(struct state *state, int64_t mailbox, const char *folder, uint32_t uid,
    const struct inbound_identity *is)
{
	char handle[INBOUND_HANDLE_MAX];
	struct inbound_message m = {
	    .uid = uid,
	    .folder = folder,
	    .handle = handle,
	    .staged = "stage",
	    .sender = "",
	    .subject = "",
	    .identity = *is,
	};
	bool known = false, used = true;

	for (unsigned i = 0; used; i++) {
		inbound_handle(handle, 77, uid, i);
		OK(inbound_state_handle_used(
		    state, folder, handle, &used, &err));
	}
	OK(inbound_state_stage(state, mailbox, &m, 1, &known, &err));
	if (!known)
		OK(inbound_state_published(state, mailbox, uid, &err));
	return !known;
}

static struct move
begin(struct state *state, const char *folder, const char *handle,
    const char *to_mailbox, const char *to_folder, uint32_t uidnext, uint8_t n)
{
	const struct move_intent intent = {
	    .account = ACCOUNT,
	    .folder = folder,
	    .handle = handle,
	    .to_mailbox = to_mailbox,
	    .to_folder = to_folder,
	    .to_uidvalidity = 9,
	    .to_uidnext = uidnext,
	    .identity = identity(n),
	};
	struct move move = MOVE_INIT;

	OK(move_state_begin(state, &intent, 5000, &move, &err));
	return move;
}

/* Ends well, as `handle`. */
static void
arrive(struct state *state, struct move *move, uint32_t uidvalidity,
    uint32_t uid, const char *handle)
{
	bool used = true;

	OK(arrival_state_enter(
	    state, move, uidvalidity, uid, handle, "s", &used, &err));
	assert_false(used);
	OK(move_state_end(state, move, &err));
	move_done(move);
}

static void
assert_place(struct state *state, const char *folder, const char *handle,
    enum place_found expected, const char *now)
{
	enum place_found found = PLACE_UNKNOWN;
	struct place place = {0};
	char text[300] = "";

	OK(place_state_find(
	    state, ACCOUNT, folder, handle, &found, &place, &err));
	assert_int_equal(found, expected);
	if (place.folder)
		snprintf(text, sizeof(text), "%s/%s %s %u/%u", place.folder,
		    place.handle, place.mailbox, place.uidvalidity, place.uid);
	assert_string_equal(text, now);
	place_done(&place);
}

static void
place_follows_the_message(void **scratch)
{
	struct state *state = open_state(*scratch);
	struct inbound_mailbox box = follow(state, "INBOX", 7);
	struct inbound_identity one = identity(1);
	struct move move;

	assert_place(state, INBOX, "5", PLACE_UNKNOWN, "");
	assert_true(stage(state, box.id, INBOX, 5, &one));
	assert_place(state, INBOX, "5", PLACE_KNOWN, INBOX "/5 INBOX 7/5");
	move = begin(state, INBOX, "5", "Saved", SAVED, 1, 1);
	assert_place(state, INBOX, "5", PLACE_KNOWN, INBOX "/5 INBOX 7/5");
	arrive(state, &move, 9, 3, "5");
	assert_place(state, SAVED, "5", PLACE_KNOWN, SAVED "/5 Saved 9/3");
	assert_place(state, INBOX, "5", PLACE_MOVED_ON, SAVED "/5 Saved 9/3");
	move = begin(state, SAVED, "5", "Other", OTHER, 1, 1);
	arrive(state, &move, 9, 1, "9-1");
	assert_place(state, INBOX, "5", PLACE_MOVED_ON, OTHER "/9-1 Other 9/1");
	assert_place(state, SAVED, "5", PLACE_MOVED_ON, OTHER "/9-1 Other 9/1");
	state_close(&state);
}

static void
another_account_is_told_nothing(void **scratch)
{
	struct state *state = open_state(*scratch);
	struct inbound_mailbox box = follow(state, "INBOX", 7);
	struct inbound_identity one = identity(1);
	enum place_found found;
	struct place place = {0};

	assert_true(stage(state, box.id, INBOX, 5, &one));
	OK(place_state_find(
	    state, "b@example.org", INBOX, "5", &found, &place, &err));
	assert_int_equal(found, PLACE_OTHERS);
	assert_null(place.folder);
	state_close(&state);
}

static void
old_handle_is_for_nobody_but_the_same_message(void **scratch)
{
	struct state *state = open_state(*scratch);
	struct inbound_mailbox box = follow(state, "INBOX", 7);
	struct inbound_identity one = identity(1), two = identity(2);
	struct move move;
	bool used = false;

	assert_true(stage(state, box.id, INBOX, 5, &one));
	assert_true(stage(state, box.id, INBOX, 6, &two));
	move = begin(state, INBOX, "5", "Saved", SAVED, 1, 1);
	arrive(state, &move, 9, 3, "5");
	OK(inbound_state_handle_used(state, INBOX, "5", &used, &err));
	assert_true(used);

	move = begin(state, INBOX, "6", "Saved", SAVED, 1, 2);
	OK(arrival_state_enter(state, &move, 9, 4, "5", "s", &used, &err));
	assert_true(used); /* is there */
	arrive(state, &move, 9, 4, "6");
	move = begin(state, SAVED, "6", "INBOX", INBOX, 1, 2);
	OK(arrival_state_enter(state, &move, 7, 9, "5", "s", &used, &err));
	assert_true(used); /* was there */
	arrive(state, &move, 7, 9, "6");
	assert_place(state, INBOX, "6", PLACE_KNOWN, INBOX "/6 INBOX 7/9");
	state_close(&state);
}

static void
arrival_is_done_in_the_target(void **scratch)
{
	struct state *state = open_state(*scratch);
	struct inbound_mailbox box = follow(state, "INBOX", 7);
	struct inbound_mailbox saved = follow(state, "Saved", 9);
	struct inbound_identity one = identity(1), two = identity(2);
	struct move move;

	assert_true(stage(state, box.id, INBOX, 5, &one));
	move = begin(state, INBOX, "5", "Saved", SAVED, 3, 1);
	arrive(state, &move, 9, 3, "5");
	/* a poll that had listed it before */
	assert_false(stage(state, saved.id, SAVED, 3, &one));
	assert_true(stage(state, saved.id, SAVED, 4, &two));
	state_close(&state);
}

static bool
is_waiting(struct state *state, int64_t mailbox, uint32_t uid, time_t now)
{
	struct uid_list due, waiting;
	bool found = false;

	OK(suspect_state_read(state, mailbox, now, &due, &waiting, &err));
	for (size_t i = 0; i < waiting.count; i++)
		found = found || waiting.uids[i] == uid;
	uid_list_done(&due);
	uid_list_done(&waiting);
	return found;
}

/* What a poll of the target does while a move into it is under way. */
static void
what_may_be_moved_is_not_staged(void **scratch)
{
	struct inbound_identity one = identity(1), other = identity(2),
				bare = identity(3), unnamed = identity(1);
	const struct {
		const char *what;
		uint32_t uid;
		const struct inbound_identity *identity;
		bool staged;
	} cases[] = {
	    {"below UIDNEXT, so it was there before", 9, &one, true},
	    {"another Message-ID", 10, &other, true},
	    {"the message", 11, &one, false},
	    {"the same bytes, and no Message-ID", 12, &unnamed, false},
	    {"other bytes, and no Message-ID", 13, &bare, true},
	};
	struct state *state = open_state(*scratch);
	struct inbound_mailbox box = follow(state, "INBOX", 7);
	struct inbound_mailbox saved = follow(state, "Saved", 9);
	struct move move;
	time_t now = time(NULL);

	bare.has_message_id = unnamed.has_message_id = false;
	assert_true(stage(state, box.id, INBOX, 5, &one));
	move = begin(state, INBOX, "5", "Saved", SAVED, 10, 1);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		bool staged = stage(
		    state, saved.id, SAVED, cases[i].uid, cases[i].identity);
		if (staged != cases[i].staged)
			fail_msg("%s", cases[i].what);
		assert_int_equal(
		    is_waiting(state, saved.id, cases[i].uid, now), !staged);
	}
	/* nothing came of it: then it was new mail, and is due */
	OK(move_state_end(state, &move, &err));
	move_done(&move);
	assert_false(is_waiting(state, saved.id, 11, now));
	assert_true(stage(state, saved.id, SAVED, 11, &one));
	state_close(&state);
}

static void
move_is_held_by_one(void **scratch)
{
	struct state *state = open_state(*scratch);
	struct inbound_mailbox box = follow(state, "INBOX", 7);
	struct inbound_identity one = identity(1);
	struct move move, again = MOVE_INIT;
	struct mt_error why = {0};
	bool found = true;

	assert_true(stage(state, box.id, INBOX, 5, &one));
	move = begin(state, INBOX, "5", "Saved", SAVED, 1, 1);
	assert_int_equal(
	    move_state_take_of(state, INBOX, "5", &again, &found, &why),
	    MT_RETRY_LATER);
	OK(move_state_take(state, ACCOUNT, 0, &again, &found, &err));
	assert_false(found);

	move_done(&move); /* as when its process dies */
	OK(move_state_take(state, "b@example.org", 0, &again, &found, &err));
	assert_false(found);
	OK(move_state_take(state, NULL, 0, &again, &found, &err));
	assert_true(found);
	assert_string_equal(again.to_mailbox, "Saved");
	assert_int_equal(again.begun, 5000);
	assert_false(again.placed);
	move_done(&again);
	OK(move_state_take_of(state, INBOX, "5", &again, &found, &err));
	assert_true(found);
	arrive(state, &again, 9, 3, "5");
	OK(move_state_take(state, NULL, 0, &again, &found, &err));
	assert_false(found);
	state_close(&state);
}

static void
directory_on_its_way_is_known_by_its_staged_name(void **scratch)
{
	struct state *state = open_state(*scratch);
	struct inbound_mailbox box = follow(state, "INBOX", 7);
	struct inbound_identity one = identity(1);
	struct move move, again = MOVE_INIT;
	bool used, has = true, found = false;

	assert_true(stage(state, box.id, INBOX, 5, &one));
	move = begin(state, INBOX, "5", "Saved", SAVED, 1, 1);
	OK(move_state_has_staged(state, "abc", &has, &err));
	assert_false(has);
	OK(arrival_state_enter(state, &move, 9, 3, "5", "abc", &used, &err));
	OK(arrival_state_rename(state, &move, "9-3", &used, &err));
	assert_false(used);
	OK(move_state_has_staged(state, "abc", &has, &err));
	assert_true(has);
	move_done(&move);
	/* by its new name, too */
	OK(move_state_take_of(state, SAVED, "9-3", &again, &found, &err));
	assert_true(found && again.placed);
	assert_string_equal(again.to_handle, "9-3");
	assert_string_equal(again.staged, "abc");
	move_done(&again);
	state_close(&state);
}

static void
place_that_nobody_knows_is_found_by_a_poll(void **scratch)
{
	struct state *state = open_state(*scratch);
	struct inbound_mailbox box = follow(state, "INBOX", 7);
	struct inbound_mailbox saved = follow(state, "Saved", 9);
	struct inbound_identity one = identity(1), two = identity(2);
	struct move move;

	assert_true(stage(state, box.id, INBOX, 5, &one));
	assert_true(stage(state, box.id, INBOX, 6, &two));
	move = begin(state, INBOX, "5", "Saved", SAVED, 1, 1);
	arrive(state, &move, 0, 0, "5");
	move = begin(state, INBOX, "6", "Saved", SAVED, 1, 2);
	arrive(state, &move, 0, 0, "6");
	assert_place(state, SAVED, "5", PLACE_KNOWN, SAVED "/5 Saved 0/0");
	assert_false(stage(state, saved.id, SAVED, 8, &two));
	assert_place(state, SAVED, "6", PLACE_KNOWN, SAVED "/6 Saved 9/8");
	assert_place(state, SAVED, "5", PLACE_KNOWN, SAVED "/5 Saved 0/0");
	state_close(&state);
}

static void
target_that_is_followed_later_knows_what_was_moved(void **scratch)
{
	struct state *state = open_state(*scratch);
	struct inbound_mailbox box = follow(state, "INBOX", 7), saved;
	struct inbound_identity one = identity(1), two = identity(2);
	enum inbound_seen seen;
	struct move move;

	assert_true(stage(state, box.id, INBOX, 5, &one));
	assert_true(stage(state, box.id, INBOX, 6, &two));
	move = begin(state, INBOX, "5", "Saved", SAVED, 1, 1);
	arrive(state, &move, 9, 3, "5");
	move = begin(state, INBOX, "6", "Saved", SAVED, 1, 2);
	arrive(state, &move, 8, 3, "6"); /* it was numbered otherwise then */
	OK(mailbox_state_find(
	    state, ACCOUNT, "Saved", 9, 10, &seen, &saved, &err));
	assert_int_equal(seen, INBOUND_NEVER_SEEN);
	saved = follow(state, "Saved", 9);
	assert_false(stage(state, saved.id, SAVED, 3, &one));
	OK(mailbox_state_find(
	    state, ACCOUNT, "Saved", 9, 10, &seen, &saved, &err));
	assert_int_equal(seen, INBOUND_SEEN);
	/* and UIDNEXT may be older than the arrival */
	OK(mailbox_state_find(
	    state, ACCOUNT, "Saved", 9, 3, &seen, &saved, &err));
	assert_int_equal(seen, INBOUND_SEEN);
	state_close(&state);
}

static void
target_that_is_numbered_anew_knows_what_was_moved(void **scratch)
{
	struct state *state = open_state(*scratch);
	struct inbound_mailbox box = follow(state, "INBOX", 7);
	struct inbound_mailbox saved = follow(state, "Saved", 9);
	struct inbound_identity one = identity(1);
	struct move move;

	assert_true(stage(state, box.id, INBOX, 5, &one));
	move = begin(state, INBOX, "5", "Saved", SAVED, 1, 1);
	arrive(state, &move, 10, 3, "5"); /* the poll has not seen that yet */
	OK(mailbox_state_renumber(
	    state, ACCOUNT, "Saved", 10, 4, &saved, &err));
	assert_false(stage(state, saved.id, SAVED, 3, &one));
	OK(mailbox_state_renumber(
	    state, ACCOUNT, "Saved", 11, 4, &saved, &err));
	OK(match_state_prepare(state, saved.id, &err));
	assert_false(stage(state, saved.id, SAVED, 1, &one));
	assert_place(state, SAVED, "5", PLACE_KNOWN, SAVED "/5 Saved 11/1");
	state_close(&state);
}

int
main(void)
{
#define CASE(name)                                                             \
	cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
	const struct CMUnitTest tests[] = {
	    CASE(place_follows_the_message),
	    CASE(another_account_is_told_nothing),
	    CASE(old_handle_is_for_nobody_but_the_same_message),
	    CASE(arrival_is_done_in_the_target),
	    CASE(what_may_be_moved_is_not_staged),
	    CASE(move_is_held_by_one),
	    CASE(directory_on_its_way_is_known_by_its_staged_name),
	    CASE(place_that_nobody_knows_is_found_by_a_poll),
	    CASE(target_that_is_followed_later_knows_what_was_moved),
	    CASE(target_that_is_numbered_anew_knows_what_was_moved),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
