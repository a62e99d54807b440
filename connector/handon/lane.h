/* SPDX-License-Identifier: ISC */
/*
 * One queue of the state and the sink that empties it: takes a batch, has it
 * announced, removes it, takes the next; after a failure it tries again, ever
 * later, and never gives up.
 *
 * One thread works on a lane; lane_wake may be called from any.
 */
#ifndef MT_HANDON_LANE_H
#define MT_HANDON_LANE_H

#include "base/deadline.h"
#include "handon/sink.h"

#include <stdatomic.h>

#define LANE_RETRY_FIRST_MS 1000
#define LANE_RETRY_MAX_MS 600000

struct state;

struct lane {
	struct state *state;
	const char *name; /* of the sink: "agent", "command", "stdout" */
	char *account;
	int64_t queue;
	struct sink *sink;

	atomic_bool woken;       /* there may be something in the queue */
	atomic_bool uncounted;   /* its length may be another */
	struct event_list batch; /* first of the queue; count 0: none */
	bool busy;               /* the sink has the batch */
	bool accepted;
	int64_t delivered; /* up to this id, but not yet removed; 0: none */
	unsigned failures; /* in a row */
	struct deadline again;
	uint64_t length; /* of the queue, when it was last looked at */
	char trouble[MT_ERROR_TEXT_MAX]; /* the last failure; "": none */
};

/* Takes over the sink.  NULL: no memory; the sink is freed then, too. */
struct lane *lane_new(struct state *state, const char *account,
    const char *name, int64_t queue, struct sink *sink);

/* Ends it.  What the receiver has accepted is done; anything else that is under
 * way is given up, and stays in the queue. */
void lane_free(struct lane **lane);

void lane_wake(struct lane *lane);

/* Does what can be done now; `begin` false: begins nothing.  True if something
 * has changed. */
bool lane_work(struct lane *lane, bool begin);

/* Whether nothing can be done before some time or event outside; then this is
 * what to wait for. */
void lane_wait(const struct lane *lane, struct pollfd *ret_fd, int64_t *ret_ms);

/* Whether all is handed on, or what is not has failed and waits. */
bool lane_is_settled(const struct lane *lane);

/* What hinders it now; "": nothing. */
void lane_trouble(const struct lane *lane, char *ret_text, size_t size);

#endif
