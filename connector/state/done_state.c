/* SPDX-License-Identifier: ISC */
#include "done_state.h"

#include "state_db.h"

/* Before, there was no more than the cursor and the messages: everything below
 * the cursor counted as done. */
const char done_state_schema_1[] =
    "CREATE TABLE done ("
    " mailbox INTEGER NOT NULL REFERENCES mailbox (id),"
    " first INTEGER NOT NULL,"
    " last INTEGER NOT NULL,"
    " PRIMARY KEY (mailbox, first)) WITHOUT ROWID;"
    "INSERT INTO done SELECT id, 1, cursor FROM mailbox WHERE cursor > 0;"
    "INSERT INTO done SELECT mailbox, uid, uid FROM message"
    " JOIN mailbox ON mailbox.id = mailbox WHERE uid > cursor;";

/* The range grown by all that it overlaps or touches. */
static enum mt_status
widen(struct state *state, int64_t mailbox_id, struct uid_range *range,
    struct mt_error *err)
{
	struct state_statement s;
	enum mt_status status;
	bool row = false;

	state_db_prepare(&s, state,
	    "SELECT min(first, ?2), max(last, ?3) FROM"
	    " (SELECT min(first) AS first, max(last) AS last FROM done"
	    "  WHERE mailbox = ?1 AND last >= ?2 - 1"
	    "  AND first BETWEEN coalesce((SELECT max(first) FROM done"
	    "   WHERE mailbox = ?1 AND first <= ?2), 0) AND ?3 + 1)"
	    " WHERE first IS NOT NULL");
	state_db_bind_number(&s, mailbox_id);
	state_db_bind_number(&s, range->first);
	state_db_bind_number(&s, range->last);
	status = state_db_step(&s, &row, err);
	if (status == MT_OK && row) {
		range->first = (uint32_t)state_db_number(&s, 0);
		range->last = (uint32_t)state_db_number(&s, 1);
	}
	state_db_finish(&s);
	return status;
}

static enum mt_status
run(struct state *state, const char *sql, int64_t mailbox_id,
    struct uid_range range, struct mt_error *err)
{
	struct state_statement s;
	enum mt_status status;

	state_db_prepare(&s, state, sql);
	state_db_bind_number(&s, mailbox_id);
	state_db_bind_number(&s, range.first);
	state_db_bind_number(&s, range.last);
	status = state_db_run(&s, err);
	state_db_finish(&s);
	return status;
}

enum mt_status
done_state_add(struct state *state, int64_t mailbox_id, uint32_t first,
    uint32_t last, struct mt_error *err)
{
	struct uid_range range = {first, last};
	enum mt_status status = widen(state, mailbox_id, &range, err);

	if (status == MT_OK)
		status = run(state,
		    "DELETE FROM done"
		    " WHERE mailbox = ? AND first BETWEEN ? AND ?",
		    mailbox_id, range, err);
	if (status == MT_OK)
		status = run(state, "INSERT INTO done VALUES (?, ?, ?)",
		    mailbox_id, range, err);
	return status;
}

enum mt_status
done_state_has(struct state *state, int64_t mailbox_id, uint32_t uid,
    bool *ret_has, struct mt_error *err)
{
	struct state_statement s;
	enum mt_status status;
	bool row = false;

	state_db_prepare(&s, state,
	    "SELECT last >= ?2 FROM done WHERE mailbox = ?1 AND first <= ?2"
	    " ORDER BY first DESC LIMIT 1");
	state_db_bind_number(&s, mailbox_id);
	state_db_bind_number(&s, uid);
	status = state_db_step(&s, &row, err);
	if (status == MT_OK)
		*ret_has = row && state_db_number(&s, 0);
	state_db_finish(&s);
	return status;
}

enum mt_status
done_state_add_list(struct state *state, int64_t mailbox_id,
    const uint32_t *uids, size_t count, struct mt_error *err)
{
	enum mt_status status = MT_OK;
	size_t first = 0, last;

	for (; first < count && status == MT_OK; first = last + 1) {
		for (last = first;
		     last + 1 < count && uids[last + 1] == uids[last] + 1;)
			last++;
		status = done_state_add(
		    state, mailbox_id, uids[first], uids[last], err);
	}
	return status;
}

static enum mt_status
read_ranges(
    struct state_statement *s, struct uid_ranges *set, struct mt_error *err)
{
	bool row = false;
	enum mt_status status = state_db_step(s, &row, err);

	while (status == MT_OK && row) {
		status = uid_ranges_append(set, (uint32_t)state_db_number(s, 0),
		    (uint32_t)state_db_number(s, 1), err);
		if (status == MT_OK)
			status = state_db_step(s, &row, err);
	}
	return status;
}

enum mt_status
done_state_read(struct state *state, int64_t mailbox_id, uint32_t first,
    uint32_t last, struct uid_ranges *ret_done, struct mt_error *err)
{
	struct uid_ranges set = {0};
	struct state_statement s;
	enum mt_status status = state_db_begin(state, err);

	if (status != MT_OK)
		return status;
	/* the last range that begins below may reach up to here */
	state_db_prepare(&s, state,
	    "SELECT first, last FROM done WHERE mailbox = ?1 AND last >= ?2"
	    " AND first BETWEEN coalesce((SELECT max(first) FROM done"
	    "  WHERE mailbox = ?1 AND first <= ?2), 0) AND ?3 ORDER BY first");
	state_db_bind_number(&s, mailbox_id);
	state_db_bind_number(&s, first);
	state_db_bind_number(&s, last);
	status = read_ranges(&s, &set, err);
	state_db_finish(&s);
	status = state_db_end(state, status, err);
	if (status == MT_OK)
		*ret_done = set;
	else
		uid_ranges_done(&set);
	return status;
}
