/* SPDX-License-Identifier: ISC */
/* The inside of the outbox, for outbox*.c only. */
#ifndef MT_STATE_OUTBOX_IMPL_H
#define MT_STATE_OUTBOX_IMPL_H

#include "outbox.h"

#include "state_db.h"

/* What outbox_read_row expects, in its order. */
#define OUTBOX_COLUMNS                                                         \
	"id, state, copy, doubtful, claimed, ordered, attempts, created,"      \
	" changed, attempted, tried_since, next_attempt, next_look, looks,"    \
	" copy_attempts, copy_since, next_copy, date, smtputf8, size,"         \
	" message_id, mail_from, rcpt_to, subject, dsn, request_id,"           \
	" server_id, reply, copy_reply"

/*
 * Conditions of statements whose first parameters are outbox_bind_rules'.  A
 * time that is further away than any delay is from before the clock was set
 * back, and means now.
 */
#define OUTBOX_DUE(time) "iif(" time " > ?3, 0, " time ")"
#define OUTBOX_IS_OPEN                                                         \
	" account = ?1 AND next_attempt IS NOT NULL AND claimed = 0 AND"       \
	" (state = 'queued' OR (state = 'uncertain' AND (?4 OR ordered)"       \
	" AND (next_look IS NULL OR NOT ?5)))"
#define OUTBOX_HAS_LOOK                                                        \
	" account = ?1 AND next_look IS NOT NULL AND state = 'uncertain'"      \
	" AND claimed = 0 AND ?5"
#define OUTBOX_HAS_COPY                                                        \
	" account = ?1 AND next_copy IS NOT NULL AND copy = 'pending' AND ?6"

/* ?1 the account, ?2 now, ?3 the furthest time, ?4 uncertain entries are
 * attempted, ?5 the server files in Sent, ?6 we do; up to the last that the
 * statement has. */
void outbox_bind_rules(
    struct state_statement *s, const struct outbox_rules *rules, time_t now);

/* Copies the row that a statement with OUTBOX_COLUMNS stands on. */
enum mt_status outbox_read_row(struct state_statement *s,
    struct outbox_entry *ret_entry, struct mt_error *err) MT_MUST_CHECK;

/* Reads the bytes of the message, in the caller's transaction. */
enum mt_status outbox_read_bytes(struct state *state,
    struct outbox_entry *entry, struct mt_error *err) MT_MUST_CHECK;

/* Writes down what a step has changed, in the caller's transaction. */
enum mt_status outbox_write(struct state *state,
    const struct outbox_entry *entry, time_t now,
    struct mt_error *err) MT_MUST_CHECK;

/* Changes an entry; MT_OK: it is to be written. */
typedef enum mt_status (*outbox_step)(struct outbox_entry *entry,
    const void *context, time_t now, struct mt_error *err);

/*
 * Takes the entry that `query` finds one step further, and returns it, with its
 * bytes if they are wanted.  Ends the query and the transaction that the caller
 * has begun.
 */
enum mt_status outbox_step_one(struct state_statement *query, outbox_step step,
    const void *context, time_t now, bool with_bytes,
    struct outbox_entry *ret_entry, bool *ret_found,
    struct mt_error *err) MT_MUST_CHECK;

/* How many entries may be begun now, and in how many seconds the next may be;
 * in the caller's transaction. */
enum mt_status outbox_read_room(struct state *state,
    const struct outbox_rules *rules, time_t now, size_t *ret_room,
    time_t *ret_wait_s, struct mt_error *err) MT_MUST_CHECK;

/* What the n-th attempt in a row puts the next one off by. */
time_t outbox_backoff(unsigned attempts);

/* Sets what was said of it last. */
void outbox_say(char text[OUTBOX_REPLY_MAX], const char *reply);

#endif
