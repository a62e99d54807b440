/* SPDX-License-Identifier: ISC */
#include "mailbox_state.h"

#include "done_state.h"
#include "inbound_state.h"
#include "state_db.h"

/*
 * mailbox.uidvalidity is negative for an earlier epoch whose number came
 * again.  What was followed before there were digests can only be told from
 * new mail by its age.
 */
const char mailbox_state_schema_1[] =
    "ALTER TABLE mailbox ADD COLUMN renumbered INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE mailbox"
    " ADD COLUMN header_failures INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE mailbox ADD COLUMN matched INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE mailbox ADD COLUMN passed INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE mailbox ADD COLUMN passed_until INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE mailbox ADD COLUMN passed_below INTEGER NOT NULL DEFAULT 0;"
    "UPDATE mailbox SET passed_until = CAST(strftime('%s', 'now') AS INTEGER);";

/* Does UIDNEXT promise a UID that a message of ours has?  One that was moved
 * there may be younger than the server's answer. */
static enum mt_status
goes_back(struct state *state, int64_t mailbox_id, uint32_t uidnext,
    bool *ret_back, struct mt_error *err)
{
	struct state_statement s;
	enum mt_status status;

	state_db_prepare(&s, state,
	    "SELECT 1 FROM message WHERE mailbox = ? AND uid >= ?"
	    " AND size IS NOT NULL AND moved = 0 LIMIT 1");
	state_db_bind_number(&s, mailbox_id);
	state_db_bind_number(&s, uidnext);
	status = state_db_step(&s, ret_back, err);
	state_db_finish(&s);
	return status;
}

/* The latest epoch; *ret_found false: there is none. */
static enum mt_status
find_latest(struct state *state, const char *account, const char *mailbox,
    struct inbound_mailbox *ret_mailbox, bool *ret_found, struct mt_error *err)
{
	struct state_statement s;
	enum mt_status status;

	state_db_prepare(&s, state,
	    "SELECT id, uidvalidity, cursor, renumbered, header_failures"
	    " FROM mailbox WHERE account = ? AND name = ? AND NOT moved_only"
	    " ORDER BY id DESC LIMIT 1");
	state_db_bind_text(&s, account);
	state_db_bind_text(&s, mailbox);
	status = state_db_step(&s, ret_found, err);
	if (status == MT_OK && *ret_found)
		*ret_mailbox = (struct inbound_mailbox){
		    .id = state_db_number(&s, 0),
		    .uidvalidity = (uint32_t)state_db_number(&s, 1),
		    .cursor = (uint32_t)state_db_number(&s, 2),
		    .renumbered = state_db_number(&s, 3),
		    .header_failures = (unsigned)state_db_number(&s, 4),
		};
	state_db_finish(&s);
	return status;
}

enum mt_status
mailbox_state_find(struct state *state, const char *account,
    const char *mailbox, uint32_t uidvalidity, uint32_t uidnext,
    enum inbound_seen *ret_seen, struct inbound_mailbox *ret_mailbox,
    struct mt_error *err)
{
	struct inbound_mailbox latest = {0};
	bool found = false, back = false;
	enum mt_status status = state_db_begin(state, err);

	if (status != MT_OK)
		return status;
	status = find_latest(state, account, mailbox, &latest, &found, err);
	if (status == MT_OK && found && uidnext)
		status = goes_back(state, latest.id, uidnext, &back, err);
	status = state_db_end(state, status, err);
	if (status != MT_OK)
		return status;
	if (!found) {
		*ret_seen = INBOUND_NEVER_SEEN;
	} else if (latest.uidvalidity != uidvalidity) {
		*ret_seen = INBOUND_OTHER_EPOCH;
	} else {
		*ret_seen = back ? INBOUND_GONE_BACK : INBOUND_SEEN;
		*ret_mailbox = latest;
	}
	return MT_OK;
}

/* The epoch that mail was moved into before the mailbox was followed, if it is
 * this one; 0: there is none. */
static enum mt_status
find_moved_only(struct state *state, const char *account, const char *mailbox,
    uint32_t uidvalidity, int64_t *ret_id, struct mt_error *err)
{
	struct state_statement s;
	enum mt_status status;
	bool row = false;

	/* one that is older than an epoch that counted is over */
	state_db_prepare(&s, state,
	    "SELECT id FROM mailbox WHERE account = ?1 AND name = ?2"
	    " AND uidvalidity = ?3 AND moved_only AND id >"
	    " (SELECT coalesce(max(id), 0) FROM mailbox"
	    "  WHERE account = ?1 AND name = ?2 AND NOT moved_only)");
	state_db_bind_text(&s, account);
	state_db_bind_text(&s, mailbox);
	state_db_bind_number(&s, uidvalidity);
	status = state_db_step(&s, &row, err);
	if (status == MT_OK)
		*ret_id = row ? state_db_number(&s, 0) : 0;
	state_db_finish(&s);
	return status;
}

/* Inserts the epoch, or makes the one with the id `known` count. */
static enum mt_status
put_epoch(struct state *state, const char *account, const char *mailbox,
    const struct inbound_start *start, bool renumbered, int64_t known,
    struct mt_error *err)
{
	struct state_statement s;
	enum mt_status status;

	state_db_prepare(&s, state,
	    "INSERT INTO mailbox (id, account, name, uidvalidity, cursor,"
	    " renumbered, passed_until) VALUES (?, ?, ?, ?, ?, ?, ?)"
	    " ON CONFLICT (id) DO UPDATE SET cursor = excluded.cursor,"
	    " renumbered = excluded.renumbered,"
	    " passed_until = excluded.passed_until, moved_only = 0");
	if (known)
		state_db_bind_number(&s, known);
	else
		state_db_bind_text(&s, NULL);
	state_db_bind_text(&s, account);
	state_db_bind_text(&s, mailbox);
	state_db_bind_number(&s, start->uidvalidity);
	state_db_bind_number(&s, start->cursor);
	state_db_bind_number(&s, renumbered);
	state_db_bind_number(&s, start->passed_until);
	status = state_db_run(&s, err);
	state_db_finish(&s);
	return status;
}

static enum mt_status
add_epoch(struct state *state, const char *account, const char *mailbox,
    const struct inbound_start *start, bool renumbered,
    struct inbound_mailbox *ret_mailbox, struct mt_error *err)
{
	int64_t known = 0;
	enum mt_status status = find_moved_only(
	    state, account, mailbox, start->uidvalidity, &known, err);

	if (status == MT_OK)
		status = put_epoch(
		    state, account, mailbox, start, renumbered, known, err);
	*ret_mailbox = (struct inbound_mailbox){
	    .id = known ? known : sqlite3_last_insert_rowid(state->db),
	    .uidvalidity = start->uidvalidity,
	    .cursor = start->cursor,
	    .renumbered = renumbered,
	};
	return status;
}

static enum mt_status
add_passed(struct state *state, int64_t mailbox_id,
    const struct uid_ranges *passed, struct mt_error *err)
{
	enum mt_status status = MT_OK;

	for (size_t i = 0; i < passed->count && status == MT_OK; i++)
		status = done_state_add(state, mailbox_id,
		    passed->ranges[i].first, passed->ranges[i].last, err);
	return status;
}

/* A name that is in use already stays with the one that has it. */
static enum mt_status
add_delivered(struct state *state, int64_t mailbox_id,
    const struct inbound_start *start, struct mt_error *err)
{
	const struct uid_list *delivered = &start->delivered;
	char handle[INBOUND_HANDLE_MAX];
	struct state_statement s;
	enum mt_status status = done_state_add_list(
	    state, mailbox_id, delivered->uids, delivered->count, err);

	state_db_prepare(&s, state,
	    "INSERT OR IGNORE INTO message (mailbox, uid, folder, handle)"
	    " VALUES (?, ?, ?, ?)");
	for (size_t i = 0; i < delivered->count && status == MT_OK; i++) {
		inbound_handle(handle, 0, delivered->uids[i], 0);
		state_db_bind_number(&s, mailbox_id);
		state_db_bind_number(&s, delivered->uids[i]);
		state_db_bind_text(&s, start->folder);
		state_db_bind_text(&s, handle);
		status = state_db_run(&s, err);
	}
	state_db_finish(&s);
	return status;
}

/* Runs a statement about the epochs of one mailbox: ?1 account, ?2 name,
 * ?3 some number. */
static enum mt_status
run_on_epochs(struct state *state, const char *sql, const char *account,
    const char *mailbox, int64_t number, struct mt_error *err)
{
	struct state_statement s;
	enum mt_status status;

	state_db_prepare(&s, state, sql);
	state_db_bind_text(&s, account);
	state_db_bind_text(&s, mailbox);
	state_db_bind_number(&s, number);
	status = state_db_run(&s, err);
	state_db_finish(&s);
	return status;
}

/* What was moved here under other numbers, when nobody followed the mailbox,
 * may still be there. */
static enum mt_status
search_for_moved(struct state *state, const char *account, const char *mailbox,
    int64_t mailbox_id, struct mt_error *err)
{
	return run_on_epochs(state,
	    "UPDATE message SET earlier = 1 WHERE mailbox IN"
	    " (SELECT id FROM mailbox"
	    "  WHERE account = ?1 AND name = ?2 AND id <> ?3)",
	    account, mailbox, mailbox_id, err);
}

enum mt_status
mailbox_state_add(struct state *state, const char *account, const char *mailbox,
    const struct inbound_start *start, struct inbound_mailbox *ret_mailbox,
    struct mt_error *err)
{
	struct inbound_mailbox added = {0};
	enum mt_status status = state_db_begin(state, err);

	if (status != MT_OK)
		return status;
	status = add_epoch(state, account, mailbox, start, false, &added, err);
	if (status == MT_OK)
		status = add_passed(state, added.id, &start->passed, err);
	if (status == MT_OK)
		status = add_delivered(state, added.id, start, err);
	if (status == MT_OK)
		status =
		    search_for_moved(state, account, mailbox, added.id, err);
	status = state_db_end(state, status, err);
	if (status == MT_OK)
		*ret_mailbox = added;
	return status;
}

/* Only their messages are of use from now on. */
static enum mt_status
retire_earlier(struct state *state, const char *account, const char *mailbox,
    int64_t latest, struct mt_error *err)
{
#define EARLIER                                                                \
	" WHERE mailbox IN (SELECT id FROM mailbox"                            \
	" WHERE account = ?1 AND name = ?2 AND id <> ?3)"
	static const char *const statements[] = {
	    "DELETE FROM done" EARLIER,
	    "DELETE FROM suspect" EARLIER,
	};
	enum mt_status status = MT_OK;

	for (size_t i = 0; i < 2 && status == MT_OK; i++)
		status = run_on_epochs(
		    state, statements[i], account, mailbox, latest, err);
	return status;
}

static enum mt_status
set_passed_below(struct state *state, int64_t mailbox_id, uint32_t uidnext,
    struct mt_error *err)
{
	struct state_statement s;
	enum mt_status status;

	state_db_prepare(
	    &s, state, "UPDATE mailbox SET passed_below = ? WHERE id = ?");
	state_db_bind_number(&s, uidnext);
	state_db_bind_number(&s, mailbox_id);
	status = state_db_run(&s, err);
	state_db_finish(&s);
	return status;
}

static enum mt_status
renumber(struct state *state, const char *account, const char *mailbox,
    uint32_t uidvalidity, uint32_t uidnext, struct inbound_mailbox *ret_mailbox,
    struct mt_error *err)
{
	struct inbound_start start = {.uidvalidity = uidvalidity};
	enum mt_status status = run_on_epochs(state,
	    "UPDATE mailbox SET uidvalidity = -id"
	    " WHERE account = ?1 AND name = ?2 AND uidvalidity = ?3"
	    " AND id <= (SELECT max(id) FROM mailbox"
	    "  WHERE account = ?1 AND name = ?2 AND NOT moved_only)",
	    account, mailbox, uidvalidity, err);

	if (status == MT_OK)
		status = add_epoch(
		    state, account, mailbox, &start, true, ret_mailbox, err);
	if (status == MT_OK)
		status = run_on_epochs(state,
		    "UPDATE mailbox SET passed_until ="
		    " (SELECT max(passed_until) FROM mailbox"
		    "  WHERE account = ?1 AND name = ?2) WHERE id = ?3",
		    account, mailbox, ret_mailbox->id, err);
	if (status == MT_OK)
		status = set_passed_below(state, ret_mailbox->id, uidnext, err);
	if (status == MT_OK)
		status = retire_earlier(
		    state, account, mailbox, ret_mailbox->id, err);
	return status;
}

enum mt_status
mailbox_state_renumber(struct state *state, const char *account,
    const char *mailbox, uint32_t uidvalidity, uint32_t uidnext,
    struct inbound_mailbox *ret_mailbox, struct mt_error *err)
{
	struct inbound_mailbox added = {0};
	enum mt_status status = state_db_begin(state, err);

	if (status != MT_OK)
		return status;
	status = renumber(
	    state, account, mailbox, uidvalidity, uidnext, &added, err);
	status = state_db_end(state, status, err);
	if (status == MT_OK)
		*ret_mailbox = added;
	return status;
}

enum mt_status
mailbox_state_reset(struct state *state, int64_t mailbox_id,
    struct inbound_reset *ret_reset, struct mt_error *err)
{
	struct state_statement s;
	bool row = false;
	enum mt_status status = state_db_begin(state, err);

	if (status != MT_OK)
		return status;
	state_db_prepare(&s, state,
	    "SELECT matched, passed, (SELECT count(*) FROM message"
	    " WHERE mailbox = ?1) - matched FROM mailbox WHERE id = ?1");
	state_db_bind_number(&s, mailbox_id);
	status = state_db_step(&s, &row, err);
	if (status == MT_OK)
		*ret_reset = (struct inbound_reset){
		    .matched = (uint64_t)state_db_number(&s, 0),
		    .passed = (uint64_t)state_db_number(&s, 1),
		    .added = (uint64_t)state_db_number(&s, 2),
		};
	state_db_finish(&s);
	return state_db_end(state, status, err);
}

static enum mt_status
update(struct state *state, const char *sql, int64_t mailbox_id,
    struct mt_error *err)
{
	struct state_statement s;
	enum mt_status status = state_db_begin(state, err);

	if (status != MT_OK)
		return status;
	state_db_prepare(&s, state, sql);
	state_db_bind_number(&s, mailbox_id);
	status = state_db_run(&s, err);
	state_db_finish(&s);
	return state_db_end(state, status, err);
}

enum mt_status
mailbox_state_reset_reported(
    struct state *state, int64_t mailbox_id, struct mt_error *err)
{
	return update(state, "UPDATE mailbox SET renumbered = 0 WHERE id = ?",
	    mailbox_id, err);
}

enum mt_status
mailbox_state_header_failed(
    struct state *state, int64_t mailbox_id, struct mt_error *err)
{
	return update(state,
	    "UPDATE mailbox SET header_failures = header_failures + 1"
	    " WHERE id = ?",
	    mailbox_id, err);
}
