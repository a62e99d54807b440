/* SPDX-License-Identifier: ISC */
/*
 * The requests about one account that are under way: each is worked on by a
 * thread of the pool, few at a time, and answered when that has come to an end,
 * or the patience of who asked has.  On the loop.
 */
#ifndef MT_CONNECTOR_REQUEST_JOBS_H
#define MT_CONNECTOR_REQUEST_JOBS_H

#include "base/status.h"
#include "control.h"
#include "pool.h"
#include "request.h"

#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct request_jobs;
struct sender;

#define REQUEST_JOBS_MAX 64 /* of an account, those that wait included */
#define REQUEST_JOBS_AT_ONCE                                                   \
	4 /* that wait for a server; as many of the others */

/* What came of a request. */
struct request_outcome {
	enum mt_status status;
	struct json_object *report; /* the answer, NULL: no memory */
	/* Of the outbox: what becomes of it is the answer.  0: none. */
	int64_t entry;
};

/* What the pointers point to outlives the jobs. */
struct request_jobs_settings {
	void *context;
	const char *server; /* of IMAP, for the pool */
	int64_t patience_ms;
	struct sender *sender; /* NULL: nothing is sent */
	/* Does what is asked, in a thread; may block for a minute. */
	void (*perform)(void *context, const struct request *request,
	    struct request_outcome *ret_outcome);
};

enum mt_status request_jobs_new(struct request_jobs **ret_jobs, uv_loop_t *loop,
    struct pool *pool, const struct request_jobs_settings *settings,
    struct mt_error *err) MT_MUST_CHECK;

/* Takes over the request and answers the peer, at once if there are too many.
 * One that is the same as one under way, request_id and all, is answered with
 * that one. */
void request_jobs_take(struct request_jobs *jobs, struct control_peer *peer,
    struct request *request);

/* Those that are under way or wait. */
size_t request_jobs_count(const struct request_jobs *jobs);

/*
 * Refuses what has not begun, and what comes.  After what is under way, which is
 * answered, `stopped` is called, on the loop; that may be at once.  The sender is
 * not used any more, but must be stopped, too: what it watches is under way.
 */
void request_jobs_stop(
    struct request_jobs *jobs, void (*stopped)(void *context), void *context);

/* When it has stopped, or has nothing to do.  The loop must run once more for
 * the memory of the handle. */
void request_jobs_free(struct request_jobs **jobs);

#endif
