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
 *     failed      refused by a 5xx reply, given up, or dropped
 *
 * An entry that was uncertain once stays so until a server accepts it, or its
 * copy is found in Sent: what becomes of a repetition says nothing about the
 * first copy.  The copy in Sent is outbox_copy.h's, what an operator does to
 * entries outbox_queue.h's.
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
#define OUTBOX_DIGEST_BYTES 32
#define OUTBOX_REQUEST_ID_MAX 256 /* bytes */

enum outbox_state {
	OUTBOX_QUEUED,
	OUTBOX_ATTEMPTING,
	OUTBOX_SENT,
	OUTBOX_UNCERTAIN,
	OUTBOX_FAILED,
};

/* What becomes of uncertain entries that nobody can decide. */
enum outbox_policy {
	OUTBOX_RETRY, /* the same bytes again: may arrive twice, never not */
	OUTBOX_HOLD,  /* kept as they are: may not arrive, never twice */
};

/* Who files what was sent in Sent. */
enum outbox_filing {
	OUTBOX_FILED_BY_SERVER, /* so that its copy decides uncertain ones */
	OUTBOX_FILED_BY_US,
	OUTBOX_FILED_BY_NOBODY,
};

/* Our copy in Sent. */
enum outbox_copy {
	OUTBOX_COPY_NONE, /* is not ours to make */
	OUTBOX_COPY_PENDING,
	OUTBOX_COPY_DONE,
	OUTBOX_COPY_GIVEN_UP,
};

/* By what the outbox of an account is worked. */
struct outbox_rules {
	const char *account; /* its name in the state */
	enum outbox_policy policy;
	enum outbox_filing filing;
	unsigned per_minute; /* how many are begun at most; 0: no limit */
};

struct outbox_message {
	const char *account;
	const char *message_id; /* with its angle brackets, unique */
	time_t date;            /* that of the Date field */
	const char *mail_from;
	const char *const *rcpt_to; /* ended by NULL, at least one */
	const void *bytes;
	size_t len;
	const char *subject; /* for people */
	bool smtputf8;
	const char *dsn; /* for NOTIFY=; "" or NULL: none */

	/* What the requester calls it, and what it holds; NULL: no name. */
	const char *request_id;
	const unsigned char *digest; /* OUTBOX_DIGEST_BYTES */
};

struct outbox_entry {
	int64_t id;
	enum outbox_state state;
	bool doubtful; /* was uncertain once */
	bool claimed;  /* somebody works with it */
	bool ordered;  /* a person wants it sent though it is uncertain */
	unsigned attempts;
	time_t created;
	time_t changed;
	time_t attempted;    /* the last time; 0: never */
	time_t tried_since;  /* from when on it is given up */
	time_t next_attempt; /* 0: there will be none */
	time_t next_look;    /* for its copy in Sent; 0: there will be none */
	unsigned looks;      /* that were answered, and did not find it */
	enum outbox_copy copy;
	unsigned copy_attempts;
	time_t copy_since; /* as tried_since */
	time_t next_copy;  /* 0: there will be none */
	time_t date;
	bool smtputf8;
	char *message_id;
	char *mail_from;
	char **rcpt_to; /* ended by NULL */
	char *subject;
	char *dsn;        /* "": none */
	char *request_id; /* "": none */
	char *server_id;  /* Message-ID in its reply; "": none */
	void *bytes;      /* of what is claimed or taken, else NULL */
	size_t len;       /* of the message, in any case */
	char reply[OUTBOX_REPLY_MAX];      /* the last, or what went wrong */
	char copy_reply[OUTBOX_REPLY_MAX]; /* the same of the copy */
};

#define OUTBOX_ENTRY_INIT                                                      \
	{                                                                      \
		.id = 0                                                        \
	}

void outbox_entry_done(struct outbox_entry *entry);

/* Whether it will be attempted again, or looked for. */
bool outbox_is_open(
    const struct outbox_entry *entry, const struct outbox_rules *rules);

/* The words for states, as they are stored and shown. */
const char *outbox_state_name(enum outbox_state state);
const char *outbox_copy_name(enum outbox_copy copy);

/* Entries without an account, which an older version has left, are from now on
 * this one's: the environment's. */
enum mt_status outbox_adopt(struct state *state, const char *account,
    struct mt_error *err) MT_MUST_CHECK;

/*
 * Queues a message, due at once.  MT_OK: it is on disk and will be attempted;
 * or the account had an entry of this request with the same digest, and that is
 * *ret_id.  MT_REFUSED: it had one with another digest.  Any failure: it is not
 * queued.
 */
enum mt_status outbox_add(struct state *state,
    const struct outbox_message *message, time_t now, int64_t *ret_id,
    struct mt_error *err) MT_MUST_CHECK;

/* The entry that outbox_add would find.  MT_REFUSED as there. */
enum mt_status outbox_find_request(struct state *state, const char *account,
    const char *request_id, const unsigned char *digest, int64_t *ret_id,
    bool *ret_found, struct mt_error *err) MT_MUST_CHECK;

/* Looks an entry of the account up.  *ret_found false: never queued, removed
 * since, or another account's. */
enum mt_status outbox_find(struct state *state, const char *account, int64_t id,
    struct outbox_entry *ret_entry, bool *ret_found,
    struct mt_error *err) MT_MUST_CHECK;

/* What is to be done, and in how many seconds; 0: now, -1: never. */
struct outbox_plan {
	time_t send_s;
	size_t due; /* entries to be sent now; below the limit of a minute */
	size_t claimed; /* entries that somebody works with */
	time_t file_s;  /* looks and copies */
};

enum mt_status outbox_plan(struct state *state,
    const struct outbox_rules *rules, time_t now, struct outbox_plan *ret_plan,
    struct mt_error *err) MT_MUST_CHECK;

/*
 * Whoever works the outbox of an account holds its sender's lock, from before
 * the first of the calls below until after the last; several threads of the
 * holder may do so at once.  It works between processes and within one, and
 * ends with its holder.  MT_RETRY_LATER when somebody else holds it until the
 * deadline; anything else: it cannot be had at all.
 */
enum mt_status outbox_lock(struct state *state, const char *account,
    int *ret_lock, struct deadline deadline,
    struct mt_error *err) MT_MUST_CHECK;
void outbox_unlock(int lock);

/*
 * When nobody works with any: forgets the claims of a sender that died, takes
 * one entry with which it died in the middle of an attempt, makes that
 * uncertain and returns it.
 */
enum mt_status outbox_recover(struct state *state,
    const struct outbox_rules *rules, time_t now,
    struct outbox_entry *ret_entry, bool *ret_found,
    struct mt_error *err) MT_MUST_CHECK;

/*
 * Begins an attempt: takes the oldest entry that is due and that nobody works
 * with, with its bytes, and writes down when it is due again (5 s from now,
 * doubling to 1 h), so that a message that kills its sender is not attempted in
 * a tight loop.  Ends with outbox_record.
 */
enum mt_status outbox_claim(struct state *state,
    const struct outbox_rules *rules, time_t now,
    struct outbox_entry *ret_entry, bool *ret_found,
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

struct outbox_result {
	enum outbox_verdict verdict;
	const char *reply;     /* what the server said, or what went wrong */
	const char *server_id; /* a Message-ID in that; NULL or "": none */
};

/*
 * Ends an attempt.  A doubtful entry that is refused stays uncertain, without another attempt.
 * What was accepted gets its copy in Sent, what was lost is looked for there,
 * as the rules say.  The entry is as it was when this fails.
 */
enum mt_status outbox_record(struct state *state,
    const struct outbox_rules *rules, struct outbox_entry *entry,
    const struct outbox_result *result, time_t now,
    struct mt_error *err) MT_MUST_CHECK;

/*
 * Takes one entry that was not accepted for OUTBOX_GIVE_UP_S, ends it (failed,
 * or uncertain for ever if it is doubtful) and returns it.
 */
enum mt_status outbox_give_up(struct state *state,
    const struct outbox_rules *rules, time_t now,
    struct outbox_entry *ret_entry, bool *ret_found,
    struct mt_error *err) MT_MUST_CHECK;

/* Likewise, but not one that is due: nobody may have been there to attempt it
 * for all that time. */
enum mt_status outbox_give_up_tried(struct state *state,
    const struct outbox_rules *rules, time_t now,
    struct outbox_entry *ret_entry, bool *ret_found,
    struct mt_error *err) MT_MUST_CHECK;

/* Removes entries that were sent or failed OUTBOX_KEEP_S ago. */
enum mt_status outbox_tidy(struct state *state,
    const struct outbox_rules *rules, time_t now,
    struct mt_error *err) MT_MUST_CHECK;

#endif
