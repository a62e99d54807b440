/* SPDX-License-Identifier: ISC */
/* The steps of an attempt. */
#include "outbox_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_FIRST_S 30 /* what was accepted takes a moment to be in Sent */

time_t
outbox_backoff(unsigned attempts)
{
	time_t delay = OUTBOX_BACKOFF_MIN_S;

	for (unsigned i = 0; i < attempts; i++)
		if (delay < OUTBOX_BACKOFF_MAX_S)
			delay *= 2;
	return delay > OUTBOX_BACKOFF_MAX_S ? OUTBOX_BACKOFF_MAX_S : delay;
}

/* ---- writing ---- */

enum mt_status
outbox_write(struct state *state, const struct outbox_entry *entry, time_t now,
    struct mt_error *err)
{
	struct state_statement s;
	enum mt_status status;

	state_db_prepare(&s, state,
	    "UPDATE outbox SET state = ?, copy = ?, doubtful = ?, claimed = ?,"
	    " ordered = ?, attempts = ?, attempted = nullif(?, 0),"
	    " tried_since = ?, next_attempt = nullif(?, 0),"
	    " next_look = nullif(?, 0), looks = ?, copy_attempts = ?,"
	    " copy_since = nullif(?, 0), next_copy = nullif(?, 0),"
	    " server_id = ?, reply = ?, copy_reply = ?, changed = ?"
	    " WHERE id = ?");
	state_db_bind_text(&s, outbox_state_name(entry->state));
	state_db_bind_text(&s, outbox_copy_name(entry->copy));
	state_db_bind_number(&s, entry->doubtful);
	state_db_bind_number(&s, entry->claimed);
	state_db_bind_number(&s, entry->ordered);
	state_db_bind_number(&s, entry->attempts);
	state_db_bind_number(&s, entry->attempted);
	state_db_bind_number(&s, entry->tried_since);
	state_db_bind_number(&s, entry->next_attempt);
	state_db_bind_number(&s, entry->next_look);
	state_db_bind_number(&s, entry->looks);
	state_db_bind_number(&s, entry->copy_attempts);
	state_db_bind_number(&s, entry->copy_since);
	state_db_bind_number(&s, entry->next_copy);
	state_db_bind_text(&s, entry->server_id);
	state_db_bind_text(&s, entry->reply);
	state_db_bind_text(&s, entry->copy_reply);
	state_db_bind_number(&s, now);
	state_db_bind_number(&s, entry->id);
	status = state_db_run(&s, err);
	state_db_finish(&s);
	return status;
}

enum mt_status
outbox_step_one(struct state_statement *query, outbox_step step,
    const void *context, time_t now, bool with_bytes,
    struct outbox_entry *ret_entry, bool *ret_found, struct mt_error *err)
{
	struct outbox_entry entry = OUTBOX_ENTRY_INIT;
	struct state *state = query->state;
	bool found = false;
	enum mt_status status = state_db_step(query, &found, err);

	if (status == MT_OK && found)
		status = outbox_read_row(query, &entry, err);
	state_db_finish(query);
	if (status == MT_OK && found)
		status = step(&entry, context, now, err);
	if (status == MT_OK && found)
		status = outbox_write(state, &entry, now, err);
	if (status == MT_OK && found && with_bytes)
		status = outbox_read_bytes(state, &entry, err);
	status = state_db_end(state, status, err);
	if (status != MT_OK) {
		outbox_entry_done(&entry);
		return status;
	}
	if (found)
		*ret_entry = entry;
	*ret_found = found;
	return MT_OK;
}

/* An entry as it is in memory, in a transaction of its own. */
static enum mt_status
commit(struct state *state, const struct outbox_entry *entry, time_t now,
    struct mt_error *err)
{
	enum mt_status status = state_db_begin(state, err);

	if (status != MT_OK)
		return status;
	status = outbox_write(state, entry, now, err);
	return state_db_end(state, status, err);
}

/* ---- the steps ---- */

static void
doubt(struct outbox_entry *entry, const struct outbox_rules *rules, time_t now)
{
	entry->state = OUTBOX_UNCERTAIN;
	entry->doubtful = true;
	entry->ordered = false;
	entry->looks = 0;
	entry->next_look =
	    rules->filing == OUTBOX_FILED_BY_SERVER ? now + LOOK_FIRST_S : 0;
}

static enum mt_status
become_uncertain(struct outbox_entry *entry, const void *rules, time_t now,
    struct mt_error *err)
{
	(void)err;
	doubt(entry, rules, now);
	outbox_say(entry->reply,
	    "the sender ended before the server's answer was known");
	return MT_OK;
}

static enum mt_status
forget_claims(
    struct state *state, const struct outbox_rules *rules, struct mt_error *err)
{
	struct state_statement s;
	enum mt_status status;

	state_db_prepare(&s, state,
	    "UPDATE outbox SET claimed = 0 WHERE account = ? AND claimed");
	state_db_bind_text(&s, rules->account);
	status = state_db_run(&s, err);
	state_db_finish(&s);
	return status;
}

enum mt_status
outbox_recover(struct state *state, const struct outbox_rules *rules,
    time_t now, struct outbox_entry *ret_entry, bool *ret_found,
    struct mt_error *err)
{
	struct state_statement s;
	enum mt_status status = state_db_begin(state, err);

	if (status != MT_OK)
		return status;
	status = forget_claims(state, rules, err);
	if (status != MT_OK)
		return state_db_end(state, status, err);
	state_db_prepare(&s, state,
	    "SELECT " OUTBOX_COLUMNS " FROM outbox"
	    " WHERE account = ? AND state = 'attempting'"
	    " ORDER BY id LIMIT 1");
	state_db_bind_text(&s, rules->account);
	return outbox_step_one(
	    &s, become_uncertain, rules, now, false, ret_entry, ret_found, err);
}

static enum mt_status
count_attempt(struct outbox_entry *entry, const void *context, time_t now,
    struct mt_error *err)
{
	(void)context;
	(void)err;
	entry->claimed = true;
	entry->attempted = now;
	entry->next_attempt = now + outbox_backoff(entry->attempts++);
	return MT_OK;
}

enum mt_status
outbox_claim(struct state *state, const struct outbox_rules *rules, time_t now,
    struct outbox_entry *ret_entry, bool *ret_found, struct mt_error *err)
{
	struct state_statement s;
	size_t room;
	time_t wait_s;
	enum mt_status status = state_db_begin(state, err);

	if (status != MT_OK)
		return status;
	status = outbox_read_room(state, rules, now, &room, &wait_s, err);
	if (status != MT_OK || !room) {
		*ret_found = false;
		return state_db_end(state, status, err);
	}
	state_db_prepare(&s, state,
	    "SELECT " OUTBOX_COLUMNS " FROM outbox WHERE" OUTBOX_IS_OPEN
	    " AND " OUTBOX_DUE("next_attempt") " <= ?2"
					       " ORDER BY id LIMIT 1");
	outbox_bind_rules(&s, rules, now);
	return outbox_step_one(
	    &s, count_attempt, NULL, now, true, ret_entry, ret_found, err);
}

enum mt_status
outbox_attempting(struct state *state, struct outbox_entry *entry, time_t now,
    struct mt_error *err)
{
	enum outbox_state before = entry->state;
	enum mt_status status;

	entry->state = OUTBOX_ATTEMPTING;
	status = commit(state, entry, now, err);
	if (status != MT_OK)
		entry->state = before;
	return status;
}

static void
accept(struct outbox_entry *entry, const struct outbox_rules *rules, time_t now)
{
	entry->state = OUTBOX_SENT;
	entry->next_attempt = entry->next_look = 0;
	if (rules->filing != OUTBOX_FILED_BY_US)
		return;
	entry->copy = OUTBOX_COPY_PENDING;
	entry->copy_since = entry->next_copy = now;
}

static void
apply_verdict(struct outbox_entry *entry, const struct outbox_rules *rules,
    enum outbox_verdict verdict, time_t now)
{
	entry->claimed = false;
	switch (verdict) {
	case OUTBOX_ACCEPTED:
		accept(entry, rules, now);
		return;
	case OUTBOX_DEFERRED:
		entry->state =
		    entry->doubtful ? OUTBOX_UNCERTAIN : OUTBOX_QUEUED;
		return;
	case OUTBOX_LOST:
		doubt(entry, rules, now);
		return;
	case OUTBOX_REFUSED:
		entry->state =
		    entry->doubtful ? OUTBOX_UNCERTAIN : OUTBOX_FAILED;
		entry->next_attempt = 0;
		return;
	}
}

enum mt_status
outbox_record(struct state *state, const struct outbox_rules *rules,
    struct outbox_entry *entry, const struct outbox_result *result, time_t now,
    struct mt_error *err)
{
	struct outbox_entry after = *entry;
	const char *server_id = result->server_id;
	enum mt_status status;

	apply_verdict(&after, rules, result->verdict, now);
	outbox_say(after.reply, result->reply);
	if (server_id && *server_id) {
		after.server_id = strdup(server_id);
		if (!after.server_id) /* it is of use, and not needed */
			after.server_id = entry->server_id;
	}
	status = commit(state, &after, now, err);
	if (after.server_id != entry->server_id)
		free(status == MT_OK ? entry->server_id : after.server_id);
	if (status == MT_OK)
		*entry = after;
	return status;
}

static enum mt_status
give_up(struct outbox_entry *entry, const void *context, time_t now,
    struct mt_error *err)
{
	char last[OUTBOX_REPLY_MAX];

	(void)context;
	(void)now;
	(void)err;
	memcpy(last, entry->reply, sizeof(last));
	if (snprintf(entry->reply, sizeof(entry->reply),
		"given up after %d days: %s", OUTBOX_GIVE_UP_S / 86400,
		last) < 0)
		entry->reply[0] = '\0';
	entry->state = entry->doubtful ? OUTBOX_UNCERTAIN : OUTBOX_FAILED;
	entry->next_attempt = entry->next_look = 0;
	return MT_OK;
}

#define TEXT_OF(number) #number
#define IS_OLD(seconds)                                                        \
	" account = ?1 AND next_attempt IS NOT NULL AND claimed = 0"           \
	" AND state IN ('queued', 'uncertain')"                                \
	" AND tried_since + " TEXT_OF(seconds) " <= ?2"

static enum mt_status
give_up_one(struct state *state, const char *query,
    const struct outbox_rules *rules, time_t now,
    struct outbox_entry *ret_entry, bool *ret_found, struct mt_error *err)
{
	struct state_statement s;
	enum mt_status status = state_db_begin(state, err);

	if (status != MT_OK)
		return status;
	state_db_prepare(&s, state, query);
	outbox_bind_rules(&s, rules, now);
	return outbox_step_one(
	    &s, give_up, NULL, now, false, ret_entry, ret_found, err);
}

enum mt_status
outbox_give_up(struct state *state, const struct outbox_rules *rules,
    time_t now, struct outbox_entry *ret_entry, bool *ret_found,
    struct mt_error *err)
{
	static const char query[] =
	    "SELECT " OUTBOX_COLUMNS " FROM outbox"
	    " WHERE" IS_OLD(OUTBOX_GIVE_UP_S) " ORDER BY id LIMIT 1";

	return give_up_one(state, query, rules, now, ret_entry, ret_found, err);
}

enum mt_status
outbox_give_up_tried(struct state *state, const struct outbox_rules *rules,
    time_t now, struct outbox_entry *ret_entry, bool *ret_found,
    struct mt_error *err)
{
	static const char query[] =
	    "SELECT " OUTBOX_COLUMNS " FROM outbox"
	    " WHERE" IS_OLD(
		OUTBOX_GIVE_UP_S) " AND NOT (" OUTBOX_IS_OPEN
				  " AND " OUTBOX_DUE(
				      "next_attempt") " <= ?2)"
						      " ORDER BY id LIMIT 1";

	return give_up_one(state, query, rules, now, ret_entry, ret_found, err);
}
