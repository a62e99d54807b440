/* SPDX-License-Identifier: ISC */
#include "suspect_state.h"

#include "state_db.h"

/* suspect.retry_at: not to be tried before, Unix time; 0: at once. */
const char suspect_state_schema_1[] =
    "ALTER TABLE suspect ADD COLUMN retry_at INTEGER NOT NULL DEFAULT 0;";

/* Reads the first column of all rows; the list is empty after a failure. */
static enum mt_status
read_uids(
    struct state_statement *s, struct uid_list *ret_list, struct mt_error *err)
{
	struct uid_list list = {0};
	enum mt_status status;
	bool row = false;

	status = state_db_step(s, &row, err);
	while (status == MT_OK && row) {
		status =
		    uid_list_add(&list, (uint32_t)state_db_number(s, 0), err);
		if (status == MT_OK)
			status = state_db_step(s, &row, err);
	}
	if (status != MT_OK)
		uid_list_done(&list);
	else
		*ret_list = list;
	return status;
}

/* ?3 is the time.  Three failures may be the network's; from then on the next
 * attempt waits, from a minute to 6 hours. */
static const char suspect_again[] =
    "INSERT INTO suspect (mailbox, uid, failures) VALUES (?1, ?2, 1)"
    " ON CONFLICT DO UPDATE SET failures = failures + 1,"
    " retry_at = CASE WHEN failures < 3 THEN 0"
    "  ELSE ?3 + min(60 << min(failures - 3, 9), 21600) END";

static enum mt_status
add_suspects(struct state *state, int64_t mailbox_id, const uint32_t *uids,
    size_t count, time_t now, struct mt_error *err)
{
	struct state_statement s;
	enum mt_status status = MT_OK;

	state_db_prepare(&s, state, suspect_again);
	for (size_t i = 0; i < count && status == MT_OK; i++) {
		state_db_bind_number(&s, mailbox_id);
		state_db_bind_number(&s, uids[i]);
		state_db_bind_number(&s, now);
		status = state_db_run(&s, err);
	}
	state_db_finish(&s);
	return status;
}

enum mt_status
suspect_state_add(struct state *state, int64_t mailbox_id, const uint32_t *uids,
    size_t count, time_t now, struct mt_error *err)
{
	enum mt_status status = state_db_begin(state, err);

	if (status != MT_OK)
		return status;
	status = add_suspects(state, mailbox_id, uids, count, now, err);
	return state_db_end(state, status, err);
}

static enum mt_status
read_suspects(struct state *state, const char *sql, int64_t mailbox_id,
    time_t now, struct uid_list *ret_list, struct mt_error *err)
{
	struct state_statement s;
	enum mt_status status;

	state_db_prepare(&s, state, sql);
	state_db_bind_number(&s, mailbox_id);
	state_db_bind_number(&s, now);
	status = read_uids(&s, ret_list, err);
	state_db_finish(&s);
	return status;
}

enum mt_status
suspect_state_read(struct state *state, int64_t mailbox_id, time_t now,
    struct uid_list *ret_due, struct uid_list *ret_waiting,
    struct mt_error *err)
{
	struct uid_list due = {0}, waiting = {0};
	enum mt_status status = state_db_begin(state, err);

	if (status != MT_OK)
		return status;
	status = read_suspects(state,
	    "SELECT uid FROM suspect WHERE mailbox = ? AND retry_at <= ?"
	    " ORDER BY failures, uid DESC",
	    mailbox_id, now, &due, err);
	if (status == MT_OK)
		status = read_suspects(state,
		    "SELECT uid FROM suspect WHERE mailbox = ?"
		    " AND retry_at > ? ORDER BY uid",
		    mailbox_id, now, &waiting, err);
	status = state_db_end(state, status, err);
	if (status == MT_OK) {
		*ret_due = due;
		*ret_waiting = waiting;
	} else {
		uid_list_done(&due);
		uid_list_done(&waiting);
	}
	return status;
}

enum mt_status
suspect_state_forget(struct state *state, int64_t mailbox_id,
    const uint32_t *uids, size_t count, struct mt_error *err)
{
	struct state_statement s;
	enum mt_status status = state_db_begin(state, err);

	if (status != MT_OK)
		return status;
	state_db_prepare(
	    &s, state, "DELETE FROM suspect WHERE mailbox = ? AND uid = ?");
	for (size_t i = 0; i < count && status == MT_OK; i++) {
		state_db_bind_number(&s, mailbox_id);
		state_db_bind_number(&s, uids[i]);
		status = state_db_run(&s, err);
	}
	state_db_finish(&s);
	return state_db_end(state, status, err);
}
