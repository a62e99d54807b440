/* SPDX-License-Identifier: ISC */
/*
 * The queue of outgoing messages.
 *
 * A message is written down whole before anything is attempted: its bytes,
 * Message-ID, Date and envelope never change afterwards.  Each step is one
 * transaction, durable when the call returns, so that a crash between any two
 * of them is decided by what is on disk:
 *
 *     queued      not accepted so far; was, if at all, refused for now
 *     attempting  the final dot is about to be sent, or was
 *     sent        accepted by the server
 *     uncertain   the dot may have arrived, the answer did not
 *     failed      refused by a 5xx reply, or given up
 *
 * An entry that was uncertain once stays so until a server accepts it: what
 * becomes of a repetition says nothing about the first copy.
 *
 * This unit knows no SMTP.  Times are the wall clock's, because they outlive
 * the machine's uptime.
 */
#ifndef MT_STATE_OUTBOX_H
#define MT_STATE_OUTBOX_H

#include "base/deadline.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

struct state;

#define OUTBOX_BACKOFF_MIN_S 5
#define OUTBOX_BACKOFF_MAX_S 3600
#define OUTBOX_GIVE_UP_S (5 * 86400) /* RFC 5321 4.5.4.1: at least 4-5 days */
#define OUTBOX_REPLY_MAX 600
#define OUTBOX_KEEP_S (7 * 86400) /* how long a finished entry is kept */

enum outbox_state {
	OUTBOX_QUEUED,
	OUTBOX_ATTEMPTING,
	OUTBOX_SENT,
	OUTBOX_UNCERTAIN,
	OUTBOX_FAILED,
};

/* What becomes of uncertain entries. */
enum outbox_policy {
	OUTBOX_RETRY, /* the same bytes again: may arrive twice, never not */
	OUTBOX_HOLD,  /* kept as they are: may not arrive, never twice */
};

struct outbox_message {
	const char *message_id; /* with its angle brackets, unique */
	time_t date;            /* that of the Date field */
	const char *mail_from;
	const char *const *rcpt_to; /* ended by NULL, at least one */
	const void *bytes;
	size_t len;
};

struct outbox_entry {
	int64_t id;
	enum outbox_state state;
	bool doubtful; /* was uncertain once */
	unsigned attempts;
	time_t created;
	time_t next_attempt; /* 0: there will be none */
	char *message_id;
	char *mail_from;
	char **rcpt_to; /* ended by NULL */
	void *bytes;    /* outbox_claim only, else NULL */
	size_t len;
	char reply[OUTBOX_REPLY_MAX]; /* the last, or what went wrong */
};

#define OUTBOX_ENTRY_INIT                                                      \
	{                                                                      \
		.id = 0                                                        \
	}

void outbox_entry_done(struct outbox_entry *entry);

/* Whether it will be attempted again. */
bool outbox_is_open(
    const struct outbox_entry *entry, enum outbox_policy policy);

/* The word for a state, as it is stored and shown. */
const char *outbox_state_name(enum outbox_state state);

/*
 * Queues a message, due at once.  MT_OK: it is on disk and will be attempted.
 * Any failure: it is not queued.
 */
enum mt_status outbox_add(struct state *state,
    const struct outbox_message *message, time_t now, int64_t *ret_id,
    struct mt_error *err) MT_MUST_CHECK;

/* Looks an entry up.  *ret_found false: never queued, or removed since. */
enum mt_status outbox_find(struct state *state, int64_t id,
    struct outbox_entry *ret_entry, bool *ret_found,
    struct mt_error *err) MT_MUST_CHECK;

/* In how many seconds the next entry is due (0: now); *ret_found false when
 * none will ever be. */
enum mt_status outbox_next_due(struct state *state, enum outbox_policy policy,
    time_t now, time_t *ret_delay_s, bool *ret_found,
    struct mt_error *err) MT_MUST_CHECK;

/*
 * Whoever attempts to send holds the sender's lock, from before the first of
 * the calls below until after the last.  It works between processes and
 * between threads, and ends with its holder.  MT_RETRY_LATER when somebody
 * else holds it until the deadline.
 */
enum mt_status outbox_lock(struct state *state, int *ret_lock,
    struct deadline deadline, struct mt_error *err) MT_MUST_CHECK;
void outbox_unlock(int lock);

/*
 * Takes one entry whose sender died in the middle of an attempt, makes it
 * uncertain and returns it.
 */
enum mt_status outbox_recover(struct state *state, time_t now,
    struct outbox_entry *ret_entry, bool *ret_found,
    struct mt_error *err) MT_MUST_CHECK;

/*
 * Begins an attempt: takes the oldest entry that is due, with its bytes, and
 * writes down when it is due again (5 s from now, doubling to 1 h), so that a
 * message that kills its sender is not attempted in a tight loop.
 */
enum mt_status outbox_claim(struct state *state, enum outbox_policy policy,
    time_t now, struct outbox_entry *ret_entry, bool *ret_found,
    struct mt_error *err) MT_MUST_CHECK;

/* Call it before the final dot is sent; if it fails, the dot must not be. */
enum mt_status outbox_attempting(struct state *state,
    struct outbox_entry *entry, time_t now, struct mt_error *err) MT_MUST_CHECK;

enum outbox_verdict {
	OUTBOX_ACCEPTED,
	OUTBOX_DEFERRED, /* not accepted this time */
	OUTBOX_LOST,     /* the dot may have arrived, the answer did not */
	OUTBOX_REFUSED,  /* by a 5xx reply of the server, and only that */
};

/*
 * Ends an attempt.  `reply` is what the server said, or what went wrong.  A
 * doubtful entry that is refused stays uncertain, without another attempt.
 * The entry is as it was when this fails.
 */
enum mt_status outbox_record(struct state *state, struct outbox_entry *entry,
    enum outbox_verdict verdict, const char *reply, time_t now,
    struct mt_error *err) MT_MUST_CHECK;

/*
 * Takes one entry that was not accepted for OUTBOX_GIVE_UP_S, ends it (failed,
 * or uncertain for ever if it is doubtful) and returns it.
 */
enum mt_status outbox_give_up(struct state *state, time_t now,
    struct outbox_entry *ret_entry, bool *ret_found,
    struct mt_error *err) MT_MUST_CHECK;

/* Removes entries that were sent or failed OUTBOX_KEEP_S ago. */
enum mt_status outbox_tidy(
    struct state *state, time_t now, struct mt_error *err) MT_MUST_CHECK;

#endif
