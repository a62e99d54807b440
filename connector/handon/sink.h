/* SPDX-License-Identifier: ISC */
/*
 * A sink announces mail in one way: to the gateway, a webhook, a program, on
 * standard output.  It gets a batch of events, and is looked after until it
 * knows what became of it; where the events come from and when they are tried
 * again is not its business (lane.h).
 *
 * All calls are made by one thread, and none of them blocks.
 */
#ifndef MT_HANDON_SINK_H
#define MT_HANDON_SINK_H

#include "base/status.h"
#include "state/event_queue.h"

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sink_progress {
	SINK_BUSY,
	SINK_ACCEPTED, /* safe with the receiver, who is still at it */
	SINK_DONE,
	SINK_FAILED,
};

struct sink;

struct sink_class {
	size_t batch_max; /* events at a time */
	/* after a failure it gets the same batch again, not a larger one */
	bool keeps_batch;

	/* Whether it can take a batch now; NULL: always. */
	bool (*is_ready)(const struct sink *sink);

	/* Begins with a batch, which lives until the end of it. */
	enum mt_status (*begin)(struct sink *sink,
	    const struct event_list *batch, struct mt_error *err);

	/* What has become of it.  SINK_FAILED fills `err`, and *ret_wait_ms
	 * where the receiver said when to try again. */
	enum sink_progress (*look)(
	    struct sink *sink, int64_t *ret_wait_ms, struct mt_error *err);

	/* What to wait for before the next look, apart from what wakes the
	 * thread by itself: a descriptor (fd -1: none) and a time. */
	void (*wait)(
	    const struct sink *sink, struct pollfd *ret_fd, int64_t *ret_ms);

	/* Gives up the batch that was begun. */
	void (*cancel)(struct sink *sink);

	/* What hinders it apart from a batch; "": nothing.  NULL: never. */
	void (*trouble)(const struct sink *sink, char *ret_text, size_t size);

	void (*free)(struct sink *sink);
};

/* The first member of every sink. */
struct sink {
	const struct sink_class *class;
};

#endif
