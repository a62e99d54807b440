/* SPDX-License-Identifier: ISC */
/*
 * Transactions and statements on the state's database, for the units of this
 * folder and nobody else.
 *
 * Each access is a transaction, which also keeps other threads out:
 *
 *     status = state_db_begin(state, err);
 *     if (status != MT_OK)
 *             return status;
 *     state_db_prepare(&s, state, "UPDATE x SET a = ? WHERE b = ?");
 *     state_db_bind_number(&s, a);
 *     state_db_bind_text(&s, b);
 *     status = state_db_run(&s, err);
 *     state_db_finish(&s);
 *     return state_db_end(state, status, err);
 *
 * A failure to prepare or bind is kept in the statement and returned by the
 * next state_db_step or state_db_run.
 */
#ifndef MT_STATE_STATE_DB_H
#define MT_STATE_STATE_DB_H

#include "base/status.h"

#include <limits.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct state {
	sqlite3 *db;
	pthread_mutex_t transaction; /* held from begin to end */
	int deliverer_fd;            /* the lock; -1: not held */
	char id[17];
	char dir[PATH_MAX];
};

/*
 * Each unit writes its tables down as SQL.  A database of version n has seen
 * the first n texts of the list in state.c: a change of a table is a new text
 * at the end, never a change of an old one.
 */
extern const char inbound_state_schema_1[];
extern const char outbox_schema_1[];
extern const char done_state_schema_1[];
extern const char mailbox_state_schema_1[];
extern const char match_state_schema_1[];
extern const char suspect_state_schema_1[];
extern const char event_queue_schema_1[];
extern const char outbox_schema_2[];
extern const char move_state_schema_1[];
extern const char draft_state_schema_1[];

/* Enters a staged message into the queues of its account; the parameters are
 * mailbox and UID.  Run before the message is marked as done. */
extern const char event_queue_enter[];

/* Fills `err` from the connection's last failure, `result`. */
enum mt_status state_db_fail(
    sqlite3 *db, int result, const char *what, struct mt_error *err);

/* Begins a transaction that may write; it waits for other threads and, up to
 * 10 s, for other processes.  No second one inside. */
enum mt_status state_db_begin(
    struct state *state, struct mt_error *err) MT_MUST_CHECK;

/*
 * Ends the transaction: commits when `status` is MT_OK, otherwise rolls back
 * and returns `status`.  When it returns MT_OK the changes are on disk; on any
 * failure nothing has changed.
 */
enum mt_status state_db_end(struct state *state, enum mt_status status,
    struct mt_error *err) MT_MUST_CHECK;

struct state_statement {
	struct state *state;
	sqlite3_stmt *stmt;
	int bound;  /* parameters that have a value */
	int result; /* the first failure, or SQLITE_OK */
};

/* `sql` must live as long as the statement. */
void state_db_prepare(
    struct state_statement *s, struct state *state, const char *sql);
void state_db_finish(struct state_statement *s);

/* Give the next parameter its value.  Text (NULL is the SQL NULL) and bytes
 * must live until the statement has run. */
void state_db_bind_number(struct state_statement *s, int64_t number);
void state_db_bind_text(struct state_statement *s, const char *text);
void state_db_bind_bytes(
    struct state_statement *s, const void *bytes, size_t len);

/* Goes to the next row of the result; *ret_row false: there was none. */
enum mt_status state_db_step(struct state_statement *s, bool *ret_row,
    struct mt_error *err) MT_MUST_CHECK;

/* Ends the result, so that the statement can be bound and stepped again. */
void state_db_reset(struct state_statement *s);

/* Runs a statement without a result; it can be bound and run again. */
enum mt_status state_db_run(
    struct state_statement *s, struct mt_error *err) MT_MUST_CHECK;

/* The current row's columns, from 0.  Text is "" for NULL; it and the bytes
 * live until the next step. */
int64_t state_db_number(struct state_statement *s, int column);
const char *state_db_text(struct state_statement *s, int column);
const void *state_db_bytes(
    struct state_statement *s, int column, size_t *ret_len);

#endif
