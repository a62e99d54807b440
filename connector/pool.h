/* SPDX-License-Identifier: ISC */
/*
 * Threads for calls that block on a mail server, beside a loop that never does.
 * They are made when there is work and end when there is none.
 *
 * A dead server must delay nobody else.  So at most `per_server` threads work
 * for one server at a time, and jobs that are not known to go well get no more
 * than half of all threads, however many they are: those that failed, and those
 * that are new at a server where none has gone well yet.
 */
#ifndef MT_CONNECTOR_POOL_H
#define MT_CONNECTOR_POOL_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>
#include <uv.h>

struct pool;
struct pool_server;

/* The caller's, and as long as it is submitted not to be touched. */
struct pool_job {
	void (*run)(struct pool_job *job);  /* in a thread; may block */
	void (*done)(struct pool_job *job); /* after it, on the loop */
	const char *server;                 /* whom `run` waits for */
	bool failed;                        /* the last time */
	bool new;                           /* it never went well */
	enum mt_status status;              /* what came of it: by `run` */

	/* the pool's own */
	struct pool_server *at;
	bool doubtful;
	STAILQ_ENTRY(pool_job) link;
};

struct pool_limits {
	size_t threads;
	size_t per_server;
};

/* On the loop's thread, as everything here.  Signals stay with that thread. */
enum mt_status pool_new(struct pool **ret_pool, uv_loop_t *loop,
    const struct pool_limits *limits, struct mt_error *err) MT_MUST_CHECK;

/* Runs the job when there is a thread for it, first come, first served among
 * those that may have one.  Its done() follows in any case. */
void pool_submit(struct pool *pool, struct pool_job *job);

/* How many jobs are submitted and not done. */
size_t pool_pending(const struct pool *pool);

/*
 * Releases the pool; nothing may be pending.  Waits for its threads, which have
 * nothing to do any more.  The loop must run once more for the memory of the
 * handle.
 */
void pool_free(struct pool **pool);

#endif
