/* SPDX-License-Identifier: ISC */
#include "inbound_state.h"

#include "done_state.h"
#include "move_guard.h"
#include "state_db.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * message.staged is the name of the directory before publication; NULL: done.
 * sender and subject are kept only until then, to report the message by.
 */
const char inbound_state_schema_1[] =
    "CREATE TABLE mailbox ("
    " id INTEGER PRIMARY KEY,"
    " account TEXT NOT NULL,"
    " name TEXT NOT NULL,"
    " uidvalidity INTEGER NOT NULL,"
    " cursor INTEGER NOT NULL,"
    " UNIQUE (account, name, uidvalidity));"
    "CREATE TABLE message ("
    " mailbox INTEGER NOT NULL REFERENCES mailbox (id),"
    " uid INTEGER NOT NULL,"
    " folder TEXT NOT NULL,"
    " handle TEXT NOT NULL,"
    " staged TEXT,"
    " sender TEXT,"
    " subject TEXT,"
    " PRIMARY KEY (mailbox, uid),"
    " UNIQUE (folder, handle)) WITHOUT ROWID;"
    "CREATE INDEX message_staged ON message (mailbox, uid)"
    " WHERE staged IS NOT NULL;"
    "CREATE TABLE suspect ("
    " mailbox INTEGER NOT NULL REFERENCES mailbox (id),"
    " uid INTEGER NOT NULL,"
    " failures INTEGER NOT NULL,"
    " PRIMARY KEY (mailbox, uid)) WITHOUT ROWID;";

void
inbound_handle(char ret_handle[INBOUND_HANDLE_MAX], uint32_t uidvalidity,
    uint32_t uid, unsigned attempt)
{
	if (attempt == 0)
		snprintf(ret_handle, INBOUND_HANDLE_MAX, "%" PRIu32, uid);
	else if (attempt == 1)
		snprintf(ret_handle, INBOUND_HANDLE_MAX, "%" PRIu32 "-%" PRIu32,
		    uidvalidity, uid);
	else
		snprintf(ret_handle, INBOUND_HANDLE_MAX,
		    "%" PRIu32 "-%" PRIu32 "-%u", uidvalidity, uid, attempt);
}

static void
prepare_used(struct state_statement *s, struct state *state)
{
	state_db_prepare(s, state,
	    "SELECT 1 FROM message WHERE folder = ?1 AND handle = ?2 UNION ALL"
	    " SELECT 1 FROM past_handle WHERE folder = ?1 AND handle = ?2");
}

static enum mt_status
handle_used(struct state_statement *s, const char *folder, const char *handle,
    bool *ret_used, struct mt_error *err)
{
	enum mt_status status;

	state_db_bind_text(s, folder);
	state_db_bind_text(s, handle);
	status = state_db_step(s, ret_used, err);
	state_db_reset(s);
	return status;
}

enum mt_status
inbound_state_handle_used(struct state *state, const char *folder,
    const char *handle, bool *ret_used, struct mt_error *err)
{
	struct state_statement s;
	enum mt_status status = state_db_begin(state, err);

	if (status != MT_OK)
		return status;
	prepare_used(&s, state);
	status = handle_used(&s, folder, handle, ret_used, err);
	state_db_finish(&s);
	return state_db_end(state, status, err);
}

enum mt_status
inbound_state_uids_used(struct state *state, const char *folder,
    const uint32_t *uids, size_t count, bool *ret_used, struct mt_error *err)
{
	char handle[INBOUND_HANDLE_MAX];
	struct state_statement s;
	enum mt_status status = state_db_begin(state, err);

	if (status != MT_OK)
		return status;
	prepare_used(&s, state);
	for (size_t i = 0; i < count && status == MT_OK; i++) {
		inbound_handle(handle, 0, uids[i], 0);
		status = handle_used(&s, folder, handle, &ret_used[i], err);
	}
	state_db_finish(&s);
	return state_db_end(state, status, err);
}

static enum mt_status
stage(struct state_statement *look, struct state_statement *insert,
    int64_t mailbox_id, const struct inbound_message *message,
    struct mt_error *err)
{
	bool used = false;
	enum mt_status status =
	    handle_used(look, message->folder, message->handle, &used, err);

	if (status != MT_OK)
		return status;
	if (used)
		return mt_fail(err, MT_RETRY_LATER,
		    "another message became %s/%s in the meantime",
		    message->folder, message->handle);
	state_db_bind_number(insert, mailbox_id);
	state_db_bind_number(insert, message->uid);
	state_db_bind_text(insert, message->folder);
	state_db_bind_text(insert, message->handle);
	state_db_bind_text(insert, message->staged);
	state_db_bind_text(insert, message->sender);
	state_db_bind_text(insert, message->subject);
	match_state_bind_identity(insert, &message->identity);
	return state_db_run(insert, err);
}

/* Is there nothing to be staged?  What was moved here meanwhile is done; what
 * may be about to be is left for later. */
static enum mt_status
look_for_moved(struct state *state, int64_t mailbox_id,
    const struct move_guard *guard, const struct inbound_message *m,
    bool *ret_known, struct mt_error *err)
{
	enum mt_status status =
	    done_state_has(state, mailbox_id, m->uid, ret_known, err);

	if (status != MT_OK || *ret_known)
		return status;
	*ret_known = move_guard_fits(guard, m->uid, &m->identity);
	return *ret_known ? move_guard_put_off(state, mailbox_id, m->uid, err)
			  : MT_OK;
}

/* Stages what is not known, and adds its UIDs to `done`. */
static enum mt_status
stage_new(struct state *state, int64_t mailbox_id,
    const struct inbound_message *messages, size_t count, bool *ret_known,
    struct uid_list *done, struct mt_error *err)
{
	struct state_statement look, insert;
	struct move_guard guard = {0};
	enum mt_status status = move_guard_read(state, mailbox_id, &guard, err);

	prepare_used(&look, state);
	state_db_prepare(&insert, state,
	    "INSERT INTO message"
	    " (mailbox, uid, folder, handle, staged, sender, subject,"
	    " internal_date, size, message_id, digest)"
	    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
	for (size_t i = 0; i < count && status == MT_OK; i++) {
		const struct inbound_message *m = &messages[i];
		status = look_for_moved(
		    state, mailbox_id, &guard, m, &ret_known[i], err);
		if (status == MT_OK && !ret_known[i])
			status = match_state_fetched(state, mailbox_id, m->uid,
			    &m->identity, &ret_known[i], err);
		if (status != MT_OK || ret_known[i])
			continue;
		status = stage(&look, &insert, mailbox_id, m, err);
		if (status == MT_OK)
			status = uid_list_add(done, m->uid, err);
	}
	state_db_finish(&insert);
	state_db_finish(&look);
	move_guard_done(&guard);
	return status;
}

enum mt_status
inbound_state_stage(struct state *state, int64_t mailbox_id,
    const struct inbound_message *messages, size_t count, bool *ret_known,
    struct mt_error *err)
{
	struct uid_list done = {0};
	enum mt_status status = state_db_begin(state, err);

	if (status != MT_OK)
		return status;
	status = stage_new(
	    state, mailbox_id, messages, count, ret_known, &done, err);
	if (status == MT_OK)
		status = done_state_add_list(
		    state, mailbox_id, done.uids, done.count, err);
	uid_list_done(&done);
	return state_db_end(state, status, err);
}

/* Runs a statement whose parameters are a mailbox and a UID, for each UID. */
static enum mt_status
run_for_each(struct state *state, const char *sql, int64_t mailbox_id,
    const uint32_t *uids, size_t count, struct mt_error *err)
{
	struct state_statement s;
	enum mt_status status = MT_OK;

	state_db_prepare(&s, state, sql);
	for (size_t i = 0; i < count && status == MT_OK; i++) {
		state_db_bind_number(&s, mailbox_id);
		state_db_bind_number(&s, uids[i]);
		status = state_db_run(&s, err);
	}
	state_db_finish(&s);
	return status;
}

static enum mt_status
mark_done(struct state *state, int64_t mailbox_id, const uint32_t *uids,
    size_t count, struct mt_error *err)
{
	enum mt_status status = run_for_each(
	    state, event_queue_enter, mailbox_id, uids, count, err);

	if (status == MT_OK)
		status = run_for_each(state,
		    "UPDATE message SET staged = NULL, sender = NULL,"
		    " subject = NULL WHERE mailbox = ? AND uid = ?",
		    mailbox_id, uids, count, err);
	if (status == MT_OK)
		status = run_for_each(state,
		    "DELETE FROM suspect WHERE mailbox = ? AND uid = ?",
		    mailbox_id, uids, count, err);
	return status;
}

static enum mt_status
move_cursor(struct state *state, int64_t mailbox_id, uint32_t cursor,
    struct mt_error *err)
{
	struct state_statement s;
	enum mt_status status;

	state_db_prepare(
	    &s, state, "UPDATE mailbox SET cursor = ? WHERE id = ?");
	state_db_bind_number(&s, cursor);
	state_db_bind_number(&s, mailbox_id);
	status = state_db_run(&s, err);
	state_db_finish(&s);
	if (status != MT_OK)
		return status;
	/* below the cursor, what was not delivered is gone, or waits */
	return run_for_each(state,
	    "DELETE FROM suspect WHERE mailbox = ? AND uid <= ?"
	    " AND retry_at = 0",
	    mailbox_id, &cursor, 1, err);
}

enum mt_status
inbound_state_finish(struct state *state, int64_t mailbox_id,
    const uint32_t *uids, size_t count, uint32_t cursor, struct mt_error *err)
{
	enum mt_status status = state_db_begin(state, err);

	if (status != MT_OK)
		return status;
	status = mark_done(state, mailbox_id, uids, count, err);
	if (status == MT_OK)
		status = move_cursor(state, mailbox_id, cursor, err);
	return state_db_end(state, status, err);
}

enum mt_status
inbound_state_published(
    struct state *state, int64_t mailbox_id, uint32_t uid, struct mt_error *err)
{
	enum mt_status status = state_db_begin(state, err);

	if (status != MT_OK)
		return status;
	status = mark_done(state, mailbox_id, &uid, 1, err);
	return state_db_end(state, status, err);
}

static void
staged_message_done(struct inbound_message *message)
{
	/* the list owns them; the fields are const for everybody else */
	free((char *)(uintptr_t)message->folder);
	free((char *)(uintptr_t)message->handle);
	free((char *)(uintptr_t)message->staged);
	free((char *)(uintptr_t)message->sender);
	free((char *)(uintptr_t)message->subject);
}

void
inbound_staged_done(struct inbound_staged *staged)
{
	for (size_t i = 0; i < staged->count; i++)
		staged_message_done(&staged->messages[i].message);
	free(staged->messages);
	*staged = (struct inbound_staged){0};
}

static enum mt_status
add_staged(struct inbound_staged *list, struct state_statement *s,
    struct mt_error *err)
{
	struct inbound_staged_message *entry;
	struct inbound_message *message;

	entry = reallocarray(
	    list->messages, list->count + 1, sizeof(*list->messages));
	if (!entry)
		return mt_fail(err, MT_NO_MEMORY, "no memory for messages");
	list->messages = entry;
	entry += list->count++;
	*entry =
	    (struct inbound_staged_message){.mailbox_id = state_db_number(s, 0),
		.uidvalidity = (uint32_t)state_db_number(s, 1)};
	message = &entry->message;
	message->uid = (uint32_t)state_db_number(s, 2);
	message->folder = strdup(state_db_text(s, 3));
	message->handle = strdup(state_db_text(s, 4));
	message->staged = strdup(state_db_text(s, 5));
	message->sender = strdup(state_db_text(s, 6));
	message->subject = strdup(state_db_text(s, 7));
	if (!message->folder || !message->handle || !message->staged ||
	    !message->sender || !message->subject)
		return mt_fail(err, MT_NO_MEMORY, "no memory for messages");
	return MT_OK;
}

static enum mt_status
read_staged(struct state_statement *s, struct inbound_staged *ret_staged,
    struct mt_error *err)
{
	struct inbound_staged list = {0};
	enum mt_status status;
	bool row = false;

	status = state_db_step(s, &row, err);
	while (status == MT_OK && row) {
		status = add_staged(&list, s, err);
		if (status == MT_OK)
			status = state_db_step(s, &row, err);
	}
	if (status != MT_OK)
		inbound_staged_done(&list);
	else
		*ret_staged = list;
	return status;
}

enum mt_status
inbound_state_staged(struct state *state, const char *account,
    const char *mailbox, struct inbound_staged *ret_staged,
    struct mt_error *err)
{
	struct state_statement s;
	enum mt_status status = state_db_begin(state, err);

	if (status != MT_OK)
		return status;
	state_db_prepare(&s, state,
	    "SELECT mailbox, uidvalidity, uid, folder, handle, staged, sender,"
	    " subject FROM message JOIN mailbox ON mailbox.id = mailbox"
	    " WHERE staged IS NOT NULL"
	    " AND (?1 IS NULL OR account = ?1 AND name = ?2)"
	    " ORDER BY mailbox, uid");
	state_db_bind_text(&s, account);
	state_db_bind_text(&s, mailbox);
	status = read_staged(&s, ret_staged, err);
	state_db_finish(&s);
	return state_db_end(state, status, err);
}

enum mt_status
inbound_state_visible(struct state *state, int64_t mailbox_id, uint32_t uid,
    size_t max, struct inbound_staged *ret_messages, struct mt_error *err)
{
	struct state_statement s;
	enum mt_status status = state_db_begin(state, err);

	if (status != MT_OK)
		return status;
	state_db_prepare(&s, state,
	    "SELECT mailbox, 0, uid, folder, handle, '', '', ''"
	    " FROM message WHERE (mailbox, uid) > (?, ?) AND staged IS NULL"
	    " ORDER BY mailbox, uid LIMIT ?");
	state_db_bind_number(&s, mailbox_id);
	state_db_bind_number(&s, uid);
	state_db_bind_number(&s, (int64_t)max);
	status = read_staged(&s, ret_messages, err);
	state_db_finish(&s);
	return state_db_end(state, status, err);
}

static enum mt_status
rename_staged(struct state *state, int64_t mailbox_id, uint32_t uid,
    const char *handle, struct mt_error *err)
{
	struct state_statement s;
	enum mt_status status;

	state_db_prepare(&s, state,
	    "UPDATE message SET handle = ? WHERE mailbox = ? AND uid = ?"
	    " AND staged IS NOT NULL");
	state_db_bind_text(&s, handle);
	state_db_bind_number(&s, mailbox_id);
	state_db_bind_number(&s, uid);
	status = state_db_run(&s, err);
	state_db_finish(&s);
	return status;
}

enum mt_status
inbound_state_rename(struct state *state, int64_t mailbox_id, uint32_t uid,
    const char *handle, struct mt_error *err)
{
	enum mt_status status = state_db_begin(state, err);

	if (status != MT_OK)
		return status;
	status = rename_staged(state, mailbox_id, uid, handle, err);
	return state_db_end(state, status, err);
}
