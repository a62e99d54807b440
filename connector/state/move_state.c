/* SPDX-License-Identifier: ISC */
#include "move_state.h"

#include "move_guard.h"
#include "state_claim.h"
#include "state_db.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * mailbox.moved_only: it was never followed, mail was moved into it.
 * message.moved: 0, or what tells a message that was moved from all others;
 * past_handle has the directories that it had, which nobody else gets.
 */
const char move_state_schema_1[] =
    "ALTER TABLE mailbox ADD COLUMN moved_only INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE message ADD COLUMN moved INTEGER NOT NULL DEFAULT 0;"
    "CREATE INDEX message_moved ON message (moved) WHERE moved <> 0;"
    "CREATE TABLE past_handle ("
    " folder TEXT NOT NULL,"
    " handle TEXT NOT NULL,"
    " moved INTEGER NOT NULL,"
    " PRIMARY KEY (folder, handle)) WITHOUT ROWID;"
    "CREATE TABLE move ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " account TEXT NOT NULL,"
    " folder TEXT NOT NULL,"
    " handle TEXT NOT NULL,"
    " to_mailbox TEXT NOT NULL,"
    " to_folder TEXT NOT NULL,"
    " to_uidvalidity INTEGER NOT NULL,"
    " to_uidnext INTEGER NOT NULL,"
    " begun INTEGER NOT NULL,"
    " internal_date INTEGER,"
    " size INTEGER,"
    " message_id BLOB,"
    " digest BLOB,"
    " placed INTEGER NOT NULL DEFAULT 0,"
    " to_handle TEXT,"
    " staged TEXT,"
    " UNIQUE (folder, handle));";

#define LOCK_FILE "moves.lock"

void
move_done(struct move *move)
{
	if (move->lock >= 0)
		close(move->lock);
	free(move->account);
	free(move->folder);
	free(move->handle);
	free(move->to_mailbox);
	free(move->to_folder);
	*move = (struct move)MOVE_INIT;
}

/* ---- taking up -------------------------------------------------------------- */

#define COLUMNS                                                                \
	"SELECT id, begun, placed, account, folder, handle, to_mailbox,"       \
	" to_folder, to_handle, staged, to_uidvalidity, to_uidnext,"           \
	" internal_date, size, message_id, digest FROM move"

static enum mt_status
read_move(
    struct state_statement *s, int lock, struct move *ret, struct mt_error *err)
{
	*ret = (struct move){
	    .id = state_db_number(s, 0),
	    .lock = lock,
	    .begun = state_db_number(s, 1),
	    .placed = state_db_number(s, 2),
	    .account = strdup(state_db_text(s, 3)),
	    .folder = strdup(state_db_text(s, 4)),
	    .handle = strdup(state_db_text(s, 5)),
	    .to_mailbox = strdup(state_db_text(s, 6)),
	    .to_folder = strdup(state_db_text(s, 7)),
	    .to_uidvalidity = (uint32_t)state_db_number(s, 10),
	    .to_uidnext = (uint32_t)state_db_number(s, 11),
	};
	snprintf(
	    ret->to_handle, sizeof(ret->to_handle), "%s", state_db_text(s, 8));
	snprintf(ret->staged, sizeof(ret->staged), "%s", state_db_text(s, 9));
	match_state_read_identity(s, 12, &ret->identity);
	if (ret->account && ret->folder && ret->handle && ret->to_mailbox &&
	    ret->to_folder)
		return MT_OK;
	move_done(ret);
	return mt_fail(err, MT_NO_MEMORY, "no memory for a move");
}

/* The first of the rows that nobody holds; *ret_rows: how many there were
 * before it, it included. */
static enum mt_status
take_first(struct state *state, struct state_statement *s, struct move *ret,
    bool *ret_found, size_t *ret_rows, struct mt_error *err)
{
	enum mt_status status;
	bool row = false;
	int lock = -1;

	*ret_found = false;
	*ret_rows = 0;
	status = state_db_step(s, &row, err);
	while (status == MT_OK && row && !*ret_found) {
		++*ret_rows;
		status = state_claim(state, LOCK_FILE, state_db_number(s, 0),
		    ret_found, &lock, err);
		if (status == MT_OK && *ret_found)
			status = read_move(s, lock, ret, err);
		else if (status == MT_OK)
			status = state_db_step(s, &row, err);
	}
	return status;
}

static enum mt_status
end_taking(struct state *state, enum mt_status status, struct move *move,
    bool *found, struct mt_error *err)
{
	status = state_db_end(state, status, err);
	if (status == MT_OK)
		return MT_OK;
	if (*found)
		move_done(move);
	*found = false;
	return status;
}

enum mt_status
move_state_take(struct state *state, const char *account, int64_t after,
    struct move *ret_move, bool *ret_found, struct mt_error *err)
{
	struct state_statement s;
	size_t rows;
	enum mt_status status = state_db_begin(state, err);

	*ret_move = (struct move)MOVE_INIT;
	*ret_found = false;
	if (status != MT_OK)
		return status;
	state_db_prepare(&s, state,
	    COLUMNS " WHERE (?1 IS NULL OR account = ?1) AND id > ?2"
		    " ORDER BY id");
	state_db_bind_text(&s, account);
	state_db_bind_number(&s, after);
	status = take_first(state, &s, ret_move, ret_found, &rows, err);
	state_db_finish(&s);
	return end_taking(state, status, ret_move, ret_found, err);
}

enum mt_status
move_state_take_of(struct state *state, const char *folder, const char *handle,
    struct move *ret_move, bool *ret_found, struct mt_error *err)
{
	struct state_statement s;
	size_t rows = 0;
	enum mt_status status = state_db_begin(state, err);

	*ret_move = (struct move)MOVE_INIT;
	*ret_found = false;
	if (status != MT_OK)
		return status;
	/* by its old name and, once that has changed, by the new one */
	state_db_prepare(&s, state,
	    COLUMNS " WHERE folder = ?1 AND handle = ?2"
		    " OR placed AND to_folder = ?1 AND to_handle = ?2");
	state_db_bind_text(&s, folder);
	state_db_bind_text(&s, handle);
	status = take_first(state, &s, ret_move, ret_found, &rows, err);
	if (status == MT_OK && rows && !*ret_found)
		status = mt_fail(err, MT_RETRY_LATER,
		    "email %s in %s is being moved already", handle, folder);
	state_db_finish(&s);
	return end_taking(state, status, ret_move, ret_found, err);
}

/* ---- beginning and ending --------------------------------------------------- */

static enum mt_status
insert(struct state *state, const struct move_intent *intent, time_t now,
    int64_t *ret_id, struct mt_error *err)
{
	struct state_statement s;
	enum mt_status status;
	bool row = false;

	state_db_prepare(&s, state,
	    "INSERT INTO move (account, folder, handle, to_mailbox, to_folder,"
	    " to_uidvalidity, to_uidnext, begun, internal_date, size,"
	    " message_id, digest) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
	    " ON CONFLICT DO NOTHING RETURNING id");
	state_db_bind_text(&s, intent->account);
	state_db_bind_text(&s, intent->folder);
	state_db_bind_text(&s, intent->handle);
	state_db_bind_text(&s, intent->to_mailbox);
	state_db_bind_text(&s, intent->to_folder);
	state_db_bind_number(&s, intent->to_uidvalidity);
	state_db_bind_number(&s, intent->to_uidnext);
	state_db_bind_number(&s, now);
	match_state_bind_identity(&s, &intent->identity);
	status = state_db_step(&s, &row, err);
	if (status == MT_OK && !row)
		status = mt_fail(err, MT_RETRY_LATER,
		    "email %s in %s is being moved already", intent->handle,
		    intent->folder);
	if (status == MT_OK)
		*ret_id = state_db_number(&s, 0);
	state_db_finish(&s);
	return status;
}

static enum mt_status
take_new(struct state *state, int64_t id, struct move *ret_move,
    struct mt_error *err)
{
	struct state_statement s;
	bool found = false;
	size_t rows;
	enum mt_status status;

	state_db_prepare(&s, state, COLUMNS " WHERE id = ?");
	state_db_bind_number(&s, id);
	status = take_first(state, &s, ret_move, &found, &rows, err);
	state_db_finish(&s);
	if (status == MT_OK && !found)
		return mt_fail(err, MT_BUG, "a new move is held by another");
	return status;
}

enum mt_status
move_state_begin(struct state *state, const struct move_intent *intent,
    time_t now, struct move *ret_move, struct mt_error *err)
{
	struct move move = MOVE_INIT;
	int64_t id = 0;
	enum mt_status status = state_db_begin(state, err);

	if (status != MT_OK)
		return status;
	status = insert(state, intent, now, &id, err);
	/* before anybody else can see it */
	if (status == MT_OK)
		status = take_new(state, id, &move, err);
	status = state_db_end(state, status, err);
	if (status == MT_OK)
		*ret_move = move;
	else
		move_done(&move);
	return status;
}

enum mt_status
move_state_has_staged(struct state *state, const char *staged, bool *ret_has,
    struct mt_error *err)
{
	struct state_statement s;
	enum mt_status status = state_db_begin(state, err);

	if (status != MT_OK)
		return status;
	state_db_prepare(&s, state, "SELECT 1 FROM move WHERE staged = ?");
	state_db_bind_text(&s, staged);
	status = state_db_step(&s, ret_has, err);
	state_db_finish(&s);
	return state_db_end(state, status, err);
}

static enum mt_status
remove_move(struct state *state, int64_t id, struct mt_error *err)
{
	struct state_statement s;
	enum mt_status status;

	state_db_prepare(&s, state, "DELETE FROM move WHERE id = ?");
	state_db_bind_number(&s, id);
	status = state_db_run(&s, err);
	state_db_finish(&s);
	return status;
}

enum mt_status
move_state_end(
    struct state *state, const struct move *move, struct mt_error *err)
{
	enum mt_status status = state_db_begin(state, err);

	if (status != MT_OK)
		return status;
	status = remove_move(state, move->id, err);
	if (status == MT_OK)
		status = move_guard_release(
		    state, move->account, move->to_mailbox, err);
	return state_db_end(state, status, err);
}
