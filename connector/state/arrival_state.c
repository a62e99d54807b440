/* SPDX-License-Identifier: ISC */
#include "arrival_state.h"

#include "done_state.h"
#include "state_db.h"

#include <stdio.h>

/* Runs a query with one row of one number as its result, or no row. */
static enum mt_status
read_one(struct state_statement *s, int64_t *ret_number, bool *ret_found,
    struct mt_error *err)
{
	enum mt_status status = state_db_step(s, ret_found, err);

	if (status == MT_OK && *ret_found)
		*ret_number = state_db_number(s, 0);
	state_db_finish(s);
	return status;
}

/* The epoch of the target with this UIDVALIDITY. */
static enum mt_status
find_epoch(struct state *state, const struct move *move, uint32_t uidvalidity,
    int64_t *ret_id, bool *ret_found, struct mt_error *err)
{
	struct state_statement s;

	state_db_prepare(&s, state,
	    "SELECT id FROM mailbox WHERE account = ? AND name = ?"
	    " AND uidvalidity = ?");
	state_db_bind_text(&s, move->account);
	state_db_bind_text(&s, move->to_mailbox);
	state_db_bind_number(&s, uidvalidity);
	return read_one(&s, ret_id, ret_found, err);
}

static enum mt_status
make_epoch(struct state *state, const struct move *move, uint32_t uidvalidity,
    int64_t *ret_id, struct mt_error *err)
{
	struct state_statement s;
	enum mt_status status;

	state_db_prepare(&s, state,
	    "INSERT INTO mailbox (account, name, uidvalidity, cursor,"
	    " moved_only) VALUES (?, ?, ?, 0, 1)");
	state_db_bind_text(&s, move->account);
	state_db_bind_text(&s, move->to_mailbox);
	state_db_bind_number(&s, uidvalidity);
	status = state_db_run(&s, err);
	state_db_finish(&s);
	*ret_id = sqlite3_last_insert_rowid(state->db);
	return status;
}

static enum mt_status
is_known(struct state *state, int64_t mailbox_id, int64_t uid, bool *ret_known,
    struct mt_error *err)
{
	struct state_statement s;
	int64_t ignored = 0;

	state_db_prepare(
	    &s, state, "SELECT 1 FROM message WHERE mailbox = ? AND uid = ?");
	state_db_bind_number(&s, mailbox_id);
	state_db_bind_number(&s, uid);
	return read_one(&s, &ignored, ret_known, err);
}

enum mt_status
arrival_state_is_known(struct state *state, const struct move *move,
    uint32_t uidvalidity, uint32_t uid, bool *ret_known, struct mt_error *err)
{
	int64_t mailbox_id = 0;
	bool found = false;
	enum mt_status status = state_db_begin(state, err);

	if (status != MT_OK)
		return status;
	*ret_known = false;
	status = find_epoch(state, move, uidvalidity, &mailbox_id, &found, err);
	if (status == MT_OK && found)
		status = is_known(state, mailbox_id, uid, ret_known, err);
	return state_db_end(state, status, err);
}

/* Where its record goes: (mailbox, UID) of the state. */
struct arrival {
	int64_t mailbox_id;
	int64_t uid;
	bool known; /* on the server, too */
};

/* Among those whose place nobody knows. */
static enum mt_status
choose_nowhere(struct state *state, const struct move *move,
    struct arrival *arrival, struct mt_error *err)
{
	struct state_statement s;
	bool found = false;
	enum mt_status status =
	    find_epoch(state, move, 0, &arrival->mailbox_id, &found, err);

	if (status == MT_OK && !found)
		status = make_epoch(state, move, 0, &arrival->mailbox_id, err);
	if (status != MT_OK)
		return status;
	state_db_prepare(&s, state,
	    "SELECT coalesce(max(uid), 0) + 1 FROM message WHERE mailbox = ?");
	state_db_bind_number(&s, arrival->mailbox_id);
	return read_one(&s, &arrival->uid, &found, err);
}

/* A UID that another message has already is none that could be believed. */
static enum mt_status
choose(struct state *state, const struct move *move, uint32_t uidvalidity,
    uint32_t uid, struct arrival *ret_arrival, struct mt_error *err)
{
	struct arrival arrival = {.uid = uid};
	bool found = false, known = false;
	enum mt_status status = MT_OK;

	if (uidvalidity && uid) {
		status = find_epoch(
		    state, move, uidvalidity, &arrival.mailbox_id, &found, err);
		if (status == MT_OK && !found)
			status = make_epoch(
			    state, move, uidvalidity, &arrival.mailbox_id, err);
		if (status == MT_OK)
			status = is_known(
			    state, arrival.mailbox_id, uid, &known, err);
		arrival.known = !known;
	}
	if (status == MT_OK && !arrival.known)
		status = choose_nowhere(state, move, &arrival, err);
	*ret_arrival = arrival;
	return status;
}

/* A message may get a handle again that it had once. */
static enum mt_status
is_used(struct state *state, const struct move *move, const char *handle,
    bool *ret_used, struct mt_error *err)
{
	struct state_statement s;
	int64_t ignored = 0;

	state_db_prepare(&s, state,
	    "SELECT 1 FROM message WHERE folder = ?1 AND handle = ?2"
	    " UNION ALL"
	    " SELECT 1 FROM past_handle WHERE folder = ?1 AND handle = ?2"
	    " AND moved IS NOT (SELECT moved FROM message"
	    "  WHERE folder = ?3 AND handle = ?4 AND moved <> 0)");
	state_db_bind_text(&s, move->to_folder);
	state_db_bind_text(&s, handle);
	state_db_bind_text(&s, move->placed ? move->to_folder : move->folder);
	state_db_bind_text(&s, move->placed ? move->to_handle : move->handle);
	return read_one(&s, &ignored, ret_used, err);
}

/* Runs a statement about the message as it is named now: ?1 folder, ?2 handle,
 * ?3 the move. */
static enum mt_status
run_on_name(struct state *state, const char *sql, const struct move *move,
    struct mt_error *err)
{
	struct state_statement s;
	enum mt_status status;

	state_db_prepare(&s, state, sql);
	state_db_bind_text(&s, move->placed ? move->to_folder : move->folder);
	state_db_bind_text(&s, move->placed ? move->to_handle : move->handle);
	state_db_bind_number(&s, move->id);
	status = state_db_run(&s, err);
	state_db_finish(&s);
	return status;
}

/* What leads from its old name to it, for whoever knows no other. */
static enum mt_status
keep_name(struct state *state, const struct move *move, struct mt_error *err)
{
	enum mt_status status = run_on_name(state,
	    "UPDATE message SET moved = ?3"
	    " WHERE folder = ?1 AND handle = ?2 AND moved = 0",
	    move, err);

	if (status == MT_OK)
		status = run_on_name(state,
		    "INSERT OR REPLACE INTO past_handle (folder, handle, moved)"
		    " SELECT folder, handle, moved FROM message"
		    " WHERE folder = ?1 AND handle = ?2 AND ?3",
		    move, err);
	return status;
}

/* What waits to be announced leads to where it is. */
static enum mt_status
rename_events(struct state *state, const struct move *move, const char *handle,
    struct mt_error *err)
{
	struct state_statement s;
	enum mt_status status;

	state_db_prepare(&s, state,
	    "UPDATE event SET folder = ?1, handle = ?2"
	    " WHERE folder = ?3 AND handle = ?4");
	state_db_bind_text(&s, move->to_folder);
	state_db_bind_text(&s, handle);
	state_db_bind_text(&s, move->placed ? move->to_folder : move->folder);
	state_db_bind_text(&s, move->placed ? move->to_handle : move->handle);
	status = state_db_run(&s, err);
	state_db_finish(&s);
	return status;
}

/* Of those whose place nobody knows a poll may find out (match_state.c): they
 * are searched for like what was there before a new epoch. */
static enum mt_status
change_over(struct state *state, const struct move *move,
    const struct arrival *arrival, const char *handle, struct mt_error *err)
{
	const struct inbound_identity *identity = &move->identity;
	struct state_statement s;
	enum mt_status status;

	state_db_prepare(&s, state,
	    "UPDATE message SET mailbox = ?1, uid = ?2, earlier = ?3,"
	    " folder = ?4, handle = ?5,"
	    " internal_date = coalesce(internal_date, ?8),"
	    " size = coalesce(size, ?9),"
	    " message_id = coalesce(message_id, ?10),"
	    " digest = coalesce(digest, ?11)"
	    " WHERE folder = ?6 AND handle = ?7");
	state_db_bind_number(&s, arrival->mailbox_id);
	state_db_bind_number(&s, arrival->uid);
	state_db_bind_number(&s, !arrival->known);
	state_db_bind_text(&s, move->to_folder);
	state_db_bind_text(&s, handle);
	state_db_bind_text(&s, move->folder);
	state_db_bind_text(&s, move->handle);
	match_state_bind_identity(&s, identity);
	status = state_db_run(&s, err);
	if (status == MT_OK && sqlite3_changes(state->db) != 1)
		status = mt_fail(err, MT_BUG,
		    "the state has no message %s in %s any more", move->handle,
		    move->folder);
	state_db_finish(&s);
	return status;
}

static enum mt_status
note_placed(struct state *state, const struct move *move, const char *handle,
    const char *staged, struct mt_error *err)
{
	struct state_statement s;
	enum mt_status status;

	state_db_prepare(&s, state,
	    "UPDATE move SET placed = 1, to_handle = ?, staged = ?"
	    " WHERE id = ?");
	state_db_bind_text(&s, handle);
	state_db_bind_text(&s, staged);
	state_db_bind_number(&s, move->id);
	status = state_db_run(&s, err);
	state_db_finish(&s);
	return status;
}

/* No poll needs to look at it. */
static enum mt_status
settle(struct state *state, const struct arrival *arrival, struct mt_error *err)
{
	struct state_statement s;
	enum mt_status status = done_state_add(state, arrival->mailbox_id,
	    (uint32_t)arrival->uid, (uint32_t)arrival->uid, err);

	if (status != MT_OK)
		return status;
	state_db_prepare(
	    &s, state, "DELETE FROM suspect WHERE mailbox = ? AND uid = ?");
	state_db_bind_number(&s, arrival->mailbox_id);
	state_db_bind_number(&s, arrival->uid);
	status = state_db_run(&s, err);
	state_db_finish(&s);
	return status;
}

static enum mt_status
enter(struct state *state, const struct move *move,
    const struct arrival *arrival, const char *handle, const char *staged,
    struct mt_error *err)
{
	enum mt_status status = keep_name(state, move, err);

	if (status == MT_OK)
		status = rename_events(state, move, handle, err);
	if (status == MT_OK)
		status = change_over(state, move, arrival, handle, err);
	if (status == MT_OK && arrival->known)
		status = settle(state, arrival, err);
	if (status == MT_OK)
		status = note_placed(state, move, handle, staged, err);
	return status;
}

enum mt_status
arrival_state_enter(struct state *state, struct move *move,
    uint32_t uidvalidity, uint32_t uid, const char *handle, const char *staged,
    bool *ret_used, struct mt_error *err)
{
	struct arrival arrival = {0};
	enum mt_status status = state_db_begin(state, err);

	if (status != MT_OK)
		return status;
	status = is_used(state, move, handle, ret_used, err);
	if (status == MT_OK && !*ret_used)
		status = choose(state, move, uidvalidity, uid, &arrival, err);
	if (status == MT_OK && !*ret_used)
		status = enter(state, move, &arrival, handle, staged, err);
	status = state_db_end(state, status, err);
	if (status != MT_OK || *ret_used)
		return status;
	move->placed = true;
	snprintf(move->to_handle, sizeof(move->to_handle), "%s", handle);
	snprintf(move->staged, sizeof(move->staged), "%s", staged);
	return MT_OK;
}

static enum mt_status
rename_message(struct state *state, const struct move *move, const char *handle,
    struct mt_error *err)
{
	struct state_statement s;
	enum mt_status status;

	state_db_prepare(&s, state,
	    "UPDATE message SET handle = ? WHERE folder = ? AND handle = ?");
	state_db_bind_text(&s, handle);
	state_db_bind_text(&s, move->to_folder);
	state_db_bind_text(&s, move->to_handle);
	status = state_db_run(&s, err);
	state_db_finish(&s);
	return status;
}

enum mt_status
arrival_state_rename(struct state *state, struct move *move, const char *handle,
    bool *ret_used, struct mt_error *err)
{
	enum mt_status status = state_db_begin(state, err);

	if (status != MT_OK)
		return status;
	status = is_used(state, move, handle, ret_used, err);
	if (status == MT_OK && !*ret_used)
		status = rename_events(state, move, handle, err);
	if (status == MT_OK && !*ret_used)
		status = rename_message(state, move, handle, err);
	if (status == MT_OK && !*ret_used)
		status = note_placed(state, move, handle, move->staged, err);
	status = state_db_end(state, status, err);
	if (status == MT_OK && !*ret_used)
		snprintf(
		    move->to_handle, sizeof(move->to_handle), "%s", handle);
	return status;
}
