/* SPDX-License-Identifier: ISC */
#include "state_db.h"

#include <libgen.h>
#include <stdio.h>
#include <unistd.h>

/*
 * Whether a file beside the database could not be made though we may make it:
 * then there is no space.  SQLite has forgotten the errno value by then.
 */
static bool
is_full(const char *database, int result)
{
	char path[PATH_MAX];

	if ((result & 0xff) != SQLITE_CANTOPEN || !database || !*database ||
	    access(database, R_OK | W_OK))
		return false;
	snprintf(path, sizeof(path), "%s", database);
	return !access(dirname(path), W_OK);
}

static enum mt_status
status_of(int result)
{
	switch (result & 0xff) {
	case SQLITE_NOMEM:
		return MT_NO_MEMORY;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
	case SQLITE_FULL:
	case SQLITE_IOERR:
		return MT_RETRY_LATER;
	case SQLITE_PERM:
	case SQLITE_READONLY:
	case SQLITE_CANTOPEN:
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_AUTH:
		return MT_BAD_CONFIG;
	default:
		return MT_BUG;
	}
}

enum mt_status
state_db_fail(sqlite3 *db, int result, const char *what, struct mt_error *err)
{
	const char *name = db ? sqlite3_db_filename(db, "main") : NULL;

	if (is_full(name, result))
		result = SQLITE_FULL;
	return mt_fail(err, status_of(result), "%s%s%s: %s", what,
	    name && *name ? " " : "", name ? name : "",
	    db && result != SQLITE_FULL ? sqlite3_errmsg(db)
					: sqlite3_errstr(result));
}

static int
execute(struct state *state, const char *sql)
{
	return sqlite3_exec(state->db, sql, NULL, NULL, NULL);
}

enum mt_status
state_db_begin(struct state *state, struct mt_error *err)
{
	enum mt_status status;
	int result;

	pthread_mutex_lock(&state->transaction);
	/* IMMEDIATE: a reader that becomes a writer could fail halfway */
	result = execute(state, "BEGIN IMMEDIATE");
	if (result == SQLITE_OK)
		return MT_OK;
	status = state_db_fail(state->db, result, "cannot use", err);
	pthread_mutex_unlock(&state->transaction);
	return status;
}

enum mt_status
state_db_end(struct state *state, enum mt_status status, struct mt_error *err)
{
	if (status == MT_OK) {
		int result = execute(state, "COMMIT");
		if (result != SQLITE_OK)
			status = state_db_fail(
			    state->db, result, "cannot commit to", err);
	}
	/* some failures have ended the transaction already */
	if (status != MT_OK && !sqlite3_get_autocommit(state->db))
		execute(state, "ROLLBACK");
	pthread_mutex_unlock(&state->transaction);
	return status;
}

void
state_db_prepare(
    struct state_statement *s, struct state *state, const char *sql)
{
	*s = (struct state_statement){.state = state};
	s->result = sqlite3_prepare_v2(state->db, sql, -1, &s->stmt, NULL);
}

void
state_db_finish(struct state_statement *s)
{
	sqlite3_finalize(s->stmt);
	s->stmt = NULL;
}

/* Whether another parameter can be bound, and which. */
static bool
next_parameter(struct state_statement *s)
{
	s->bound++;
	return s->result == SQLITE_OK;
}

void
state_db_bind_number(struct state_statement *s, int64_t number)
{
	if (next_parameter(s))
		s->result = sqlite3_bind_int64(s->stmt, s->bound, number);
}

void
state_db_bind_text(struct state_statement *s, const char *text)
{
	if (next_parameter(s))
		s->result = sqlite3_bind_text(
		    s->stmt, s->bound, text, -1, SQLITE_STATIC);
}

void
state_db_bind_bytes(struct state_statement *s, const void *bytes, size_t len)
{
	if (next_parameter(s))
		s->result = sqlite3_bind_blob64(
		    s->stmt, s->bound, bytes, len, SQLITE_STATIC);
}

enum mt_status
state_db_step(struct state_statement *s, bool *ret_row, struct mt_error *err)
{
	int result = s->result;

	if (result == SQLITE_OK)
		result = sqlite3_step(s->stmt);
	if (result != SQLITE_ROW && result != SQLITE_DONE) {
		s->result = result;
		return state_db_fail(s->state->db, result, "cannot use", err);
	}
	*ret_row = result == SQLITE_ROW;
	return MT_OK;
}

void
state_db_reset(struct state_statement *s)
{
	sqlite3_reset(s->stmt);
	s->bound = 0;
}

enum mt_status
state_db_run(struct state_statement *s, struct mt_error *err)
{
	enum mt_status status;
	bool row;

	status = state_db_step(s, &row, err);
	if (status == MT_OK)
		state_db_reset(s);
	return status;
}

int64_t
state_db_number(struct state_statement *s, int column)
{
	return sqlite3_column_int64(s->stmt, column);
}

const char *
state_db_text(struct state_statement *s, int column)
{
	const unsigned char *text = sqlite3_column_text(s->stmt, column);

	return text ? (const char *)text : "";
}

const void *
state_db_bytes(struct state_statement *s, int column, size_t *ret_len)
{
	const void *bytes = sqlite3_column_blob(s->stmt, column);

	*ret_len = (size_t)sqlite3_column_bytes(s->stmt, column);
	return bytes;
}
