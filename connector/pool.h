/* SPDX-License-Identifier: ISC */
/*
 * Threads for calls that block on a mail server, beside a loop that never does.
 * They are made when there is work and end when there is none.
 *
 * A dead server must delay nobody else, nor must a thousand of them.  So at most
 * `per_server` threads work for one server at a time, and jobs that are not
 * known to go well have places of their own: those that failed, and those that
 * are new at a server where none has gone well yet.  Of these there may be many,
 * as they do nothing but wait and give up soon; whoever failed least often comes
 * first, so a new one waits for no more than others that are new.  A job that
 * turns out well and has much to do ends and is submitted again, to go on in a
 * place among those that are known to.
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
	unsigned failures;                  /* in a row, until now */
	bool new;                           /* it never went well */
	enum mt_status status;              /* what came of it: by `run` */
	bool doubtful; /* for `run` to know: it is not among the certain ones */

	/* the pool's own */
	struct pool_server *at;
	STAILQ_ENTRY(pool_job) link;
};

struct pool_limits {
	size_t certain;    /* threads for jobs that are known to go well */
	size_t doubtful;   /* and for the others */
	size_t per_server; /* of both kinds */
};

/* On the loop's thread, as everything here.  Signals stay with that thread. */
enum mt_status pool_new(struct pool **ret_pool, uv_loop_t *loop,
    const struct pool_limits *limits, struct mt_error *err) MT_MUST_CHECK;

/* Runs the job when there is a place for it: first come, first served among those
 * that are certain, and among those that failed as often.  Its done() follows in
 * any case. */
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
