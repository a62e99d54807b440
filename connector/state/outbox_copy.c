/* SPDX-License-Identifier: ISC */
#include "outbox_copy.h"

#include "outbox_impl.h"

#include <stdlib.h>

#define LOOK_AGAIN_S 60 /* when nobody has answered */

/* After each look that did not find it; then no more. */
static const time_t look_delays_s[] = {30, 60};
#define LOOKS (sizeof(look_delays_s) / sizeof(*look_delays_s) + 1)

static enum mt_status
postpone_look(struct outbox_entry *entry, const void *context, time_t now,
    struct mt_error *err)
{
	(void)context;
	(void)err;
	entry->next_look = now + LOOK_AGAIN_S;
	return MT_OK;
}

enum mt_status
outbox_take_look(struct state *state, const struct outbox_rules *rules,
    time_t now, struct outbox_entry *ret_entry, bool *ret_found,
    struct mt_error *err)
{
	struct state_statement s;
	enum mt_status status = state_db_begin(state, err);

	if (status != MT_OK)
		return status;
	state_db_prepare(&s, state,
	    "SELECT " OUTBOX_COLUMNS " FROM outbox WHERE" OUTBOX_HAS_LOOK
	    " AND " OUTBOX_DUE(
		"next_look") " <= ?2 ORDER BY next_look LIMIT 1");
	outbox_bind_rules(&s, rules, now);
	return outbox_step_one(
	    &s, postpone_look, NULL, now, true, ret_entry, ret_found, err);
}

static enum mt_status
count_copy(struct outbox_entry *entry, const void *context, time_t now,
    struct mt_error *err)
{
	(void)context;
	(void)err;
	entry->next_copy = now + outbox_backoff(entry->copy_attempts++);
	return MT_OK;
}

enum mt_status
outbox_take_copy(struct state *state, const struct outbox_rules *rules,
    time_t now, struct outbox_entry *ret_entry, bool *ret_found,
    struct mt_error *err)
{
	struct state_statement s;
	enum mt_status status = state_db_begin(state, err);

	if (status != MT_OK)
		return status;
	state_db_prepare(&s, state,
	    "SELECT " OUTBOX_COLUMNS " FROM outbox WHERE" OUTBOX_HAS_COPY
	    " AND " OUTBOX_DUE(
		"next_copy") " <= ?2 ORDER BY next_copy LIMIT 1");
	outbox_bind_rules(&s, rules, now);
	return outbox_step_one(
	    &s, count_copy, NULL, now, true, ret_entry, ret_found, err);
}

/* ---- answers ---- */

struct answer {
	bool yes;
	const char *reply;
	time_t asked; /* next_look of the question */
};

/* Somebody may have done something to it meanwhile.  That it is there is true
 * all the same; that it is not, is about what is no more. */
static enum mt_status
take_look_answer(struct outbox_entry *entry, const void *context, time_t now,
    struct mt_error *err)
{
	const struct answer *answer = context;

	(void)err;
	if (entry->state != OUTBOX_UNCERTAIN || entry->claimed)
		return MT_OK;
	if (answer->yes) {
		entry->state = OUTBOX_SENT;
		entry->next_attempt = entry->next_look = 0;
		outbox_say(entry->reply, "found in Sent");
		return MT_OK;
	}
	if (!entry->next_look || entry->next_look != answer->asked)
		return MT_OK;
	entry->looks++;
	if (entry->looks < LOOKS) {
		entry->next_look = now + look_delays_s[entry->looks - 1];
		return MT_OK;
	}
	entry->next_look = 0;
	/* unless it is being kept from that by what was said already */
	if (entry->next_attempt)
		entry->next_attempt = now;
	outbox_say(entry->reply,
	    "the server's answer was lost, and the message is not in Sent");
	return MT_OK;
}

static enum mt_status
take_copy_answer(struct outbox_entry *entry, const void *context, time_t now,
    struct mt_error *err)
{
	const struct answer *answer = context;

	(void)err;
	if (entry->copy != OUTBOX_COPY_PENDING)
		return MT_OK;
	outbox_say(entry->copy_reply, answer->reply);
	if (answer->yes)
		entry->copy = OUTBOX_COPY_DONE;
	else if (now - entry->copy_since >= OUTBOX_COPY_GIVE_UP_S)
		entry->copy = OUTBOX_COPY_GIVEN_UP;
	if (entry->copy != OUTBOX_COPY_PENDING)
		entry->next_copy = 0;
	return MT_OK;
}

/* The entry is read again: an operator may have changed it. */
static enum mt_status
record(struct state *state, const struct answer *answer, outbox_step step,
    struct outbox_entry *entry, time_t now, struct mt_error *err)
{
	struct outbox_entry after = OUTBOX_ENTRY_INIT;
	struct state_statement s;
	bool found = false;
	enum mt_status status = state_db_begin(state, err);

	if (status != MT_OK)
		return status;
	state_db_prepare(
	    &s, state, "SELECT " OUTBOX_COLUMNS " FROM outbox WHERE id = ?");
	state_db_bind_number(&s, entry->id);
	status =
	    outbox_step_one(&s, step, answer, now, false, &after, &found, err);
	if (status != MT_OK || !found)
		return status;
	outbox_entry_done(entry);
	*entry = after;
	return MT_OK;
}

enum mt_status
outbox_record_look(struct state *state, struct outbox_entry *entry, bool found,
    time_t now, struct mt_error *err)
{
	const struct answer answer = {found, "", entry->next_look};

	return record(state, &answer, take_look_answer, entry, now, err);
}

enum mt_status
outbox_record_copy(struct state *state, struct outbox_entry *entry, bool there,
    const char *reply, time_t now, struct mt_error *err)
{
	const struct answer answer = {there, reply, 0};

	return record(state, &answer, take_copy_answer, entry, now, err);
}
