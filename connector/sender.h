/* SPDX-License-Identifier: ISC */
/*
 * Sends what waits in the outbox of one account, on the loop: when it is due,
 * when somebody asks for it, and again when it failed.  What blocks is done by
 * jobs of the pool, several at once, so that a server that owes an answer
 * delays no other message; what is asked of the IMAP server, of its messages
 * and the copies in Sent, by one more.
 *
 * From its first job on it holds the account's sender lock (state/outbox.h),
 * until it is stopped.  As long as another process holds that, it only looks at
 * what is watched, and takes over when the other ends.
 */
#ifndef MT_CONNECTOR_SENDER_H
#define MT_CONNECTOR_SENDER_H

#include "base/status.h"
#include "outbound/send.h"
#include "outbound/submit.h"
#include "pool.h"

#include <stdint.h>
#include <uv.h>

struct json_object;
struct sender;
struct state;

/* What the pointers point to outlives the sender. */
struct sender_settings {
	const char *name;        /* of the account, for people */
	const char *smtp_server; /* for the pool */
	const char *imap_server;
	unsigned connections; /* at once; at least 1 */
	/* What fails because a person must act is tried again so often. */
	int64_t interval_ms;
	struct state *state;
	struct submit_settings submit; /* its `stop` is not used */
};

/* Begins at once with what is due. */
enum mt_status sender_new(struct sender **ret_sender, uv_loop_t *loop,
    struct pool *pool, const struct sender_settings *settings,
    struct mt_error *err) MT_MUST_CHECK;

/* Something was queued, or may be due sooner. */
void sender_wake(struct sender *sender);

/* What has kept it from a server is over: it tries again at once. */
void sender_mended(struct sender *sender);

/* The report is complete, and lives until the call returns. */
typedef void (*sender_told)(
    void *context, int64_t entry, const struct send_report *report);

/*
 * Tells, once, how far this entry is: as soon as it is decided, or nothing can
 * be sent before a person acts, else after `patience_ms`.  Never before this
 * call returns.  Wakes the sender.  A sender that is stopped tells soon.
 * MT_NO_MEMORY: it will not tell.
 */
enum mt_status sender_watch(struct sender *sender, int64_t entry,
    int64_t patience_ms, sender_told told, void *context,
    struct mt_error *err) MT_MUST_CHECK;

/* Likewise, once its copy is in Sent, too, if that is ours to make, or was
 * tried. */
enum mt_status sender_watch_filed(struct sender *sender, int64_t entry,
    int64_t patience_ms, sender_told told, void *context,
    struct mt_error *err) MT_MUST_CHECK;

/* Likewise, once everything that was due has had its attempt, or cannot have
 * it; entry 0, and the report is empty. */
enum mt_status sender_watch_all(struct sender *sender, int64_t patience_ms,
    sender_told told, void *context, struct mt_error *err) MT_MUST_CHECK;

/* What keeps it from sending: the last failure, until it works again. */
enum mt_status sender_trouble(
    const struct sender *sender, struct mt_error *ret_trouble);

/* Adds how it is to the status of its account. */
void sender_describe(const struct sender *sender, struct json_object *status);

/*
 * Begins nothing further.  Tells who still waits; after the jobs under way, if
 * there are any, `stopped` is called, on the loop; that may be at once.  Then,
 * but not before, sender_free.
 */
void sender_stop(struct sender *sender,
    void (*stopped)(void *context, struct sender *sender), void *context);

/* The loop must run once more for the memory of the handles. */
void sender_free(struct sender **sender);

#endif
