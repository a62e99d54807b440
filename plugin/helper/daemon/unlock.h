/* SPDX-License-Identifier: ISC */
/*
 * Takes passphrases that open the store: one at a time, stretched beside the
 * event loop, and after a wrong one the next not at once.
 */
#ifndef MT_DAEMON_UNLOCK_H
#define MT_DAEMON_UNLOCK_H

#include "store_key.h"

#include <stdbool.h>
#include <uv.h>

struct unlock;

/* Somebody waiting; part of the asker's own memory. */
struct unlock_waiter {
	struct unlock *unlock; /* NULL: waits for nothing */
	/* Called once, unless it leaves. */
	void (*answer)(
	    struct unlock_waiter *waiter, const struct mt_error *result);
};

struct unlock {
	uv_loop_t *loop;
	struct store_key *key;
	/* Called when records can be read that could not. */
	void (*opened)(void *context);
	void *context;

	bool busy;
	uv_work_t work;
	struct key_slot slot;
	struct secret passphrase;
	struct secret own;
	bool stretched;
	struct unlock_waiter *waiter;

	unsigned int failures; /* in a row */
	int64_t not_before_ms; /* boot clock */
};

/* Fills `unlock`, which must live until the loop has ended. */
void unlock_init(struct unlock *unlock, uv_loop_t *loop,
    struct secret_arena *arena, struct store_key *key,
    void (*opened)(void *context), void *context);

/* What is said while it is too early, or busy, or nothing is to be unlocked;
 * MT_OK when a passphrase would be tried.  *ret_retry_s with MT_RETRY_LATER. */
enum mt_status unlock_check(const struct unlock *unlock, long *ret_retry_s,
    struct mt_error *err) MT_MUST_CHECK;

/* Tries it, after unlock_check(); takes the contents of `passphrase`. */
void unlock_try(struct unlock *unlock, struct secret *passphrase,
    struct unlock_waiter *waiter);

/* Stops waiting; what was begun goes on. */
void unlock_leave(struct unlock_waiter *waiter);

/* Nothing that it calls exists any more. */
void unlock_end(struct unlock *unlock);

#endif
