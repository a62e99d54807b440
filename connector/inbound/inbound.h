/* SPDX-License-Identifier: ISC */
/*
 * What the units of this folder work with: one mailbox that is followed, where
 * its messages go, and by what means.
 */
#ifndef MT_INBOUND_INBOUND_H
#define MT_INBOUND_INBOUND_H

#include "base/deadline.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct manifest_watch;
struct mime_pool;
struct publisher;
struct state;

#define INBOUND_MAX_MESSAGE_BYTES (64u * 1024 * 1024)

/* What polls have done; they add to it. */
struct inbound_counts {
	uint64_t delivered;
	uint64_t found; /* of them, below the cursor: found by reconciliation */
	uint64_t matched; /* not delivered again after the mailbox was numbered
			     anew, or too old to be wanted */
	uint64_t gone;    /* listed, but not given when they were fetched */
	uint64_t left;    /* for another poll, as this one had its share */
};

/* A message that agents can see now. */
struct inbound_delivery {
	uint32_t uid;
	const char *handle;  /* the name of its directory */
	const char *path;    /* of message.json, relative to the workspace */
	const char *sender;  /* From, decoded, without control characters */
	const char *subject; /* likewise */
};

/* All members are the caller's. */
struct inbound {
	struct state *state; /* with the deliverer's lock */
	struct publisher *publisher;
	struct mime_pool *mime;
	struct manifest_watch *watch; /* of the risk manifest; may be NULL */

	const char *account; /* as the state knows it; must never change */
	const char *mailbox; /* its name on the server */
	const char *folder;  /* in the workspace: "agents/email/inbox" */

	/*
	 * The directory that holds last_uid, the cursor of the gateway's own
	 * poller ("agents/email/state"); NULL for a mailbox that it never
	 * followed.  What it delivered is taken over when the state knows
	 * nothing of the mailbox, and the file is kept up to date.
	 */
	const char *gateway_state;

	uint64_t max_message_bytes; /* larger ones are announced only */
	bool keep_raw;              /* raw.eml for every message */

	/*
	 * Of a mailbox that the state and the gateway know nothing of: whether
	 * only the newest messages are delivered, and how many; 0: only those
	 * that arrive from now on.
	 */
	bool only_newest;
	uint32_t newest;

	/*
	 * Whether to compare all of the mailbox with what is done, instead of
	 * looking above the cursor only.  To be asked for at each connect, now
	 * and then in a long connection, and at least every hour: mail that
	 * becomes visible late, under a UID that others have passed, is found
	 * by nothing else.
	 */
	bool reconcile;

	struct inbound_counts *counts; /* or NULL */

	/* Nothing further is fetched once it is true; NULL: never. */
	const atomic_bool *stop;

	/* After it the poll ends, well, and leaves the rest to another one: a
	 * mailbox with very much mail keeps out no other.  NULL: never. */
	const struct deadline *share;

	/* Asked before each batch: whether so much is not yet handed on that
	 * the rest has to wait; NULL: never.  `context` is theirs. */
	bool (*is_full)(void *context);

	/* Told of each message, after it is durable; `context` is theirs. */
	void *context;
	void (*delivered)(
	    void *context, const struct inbound_delivery *delivery);
	/* Told how far a poll has come, of how many messages: at its beginning
	 * and after each batch; NULL: nobody is. */
	void (*progress)(void *context, size_t tried, size_t total);
	/* Told what an operator should know though nothing failed. */
	void (*notice)(void *context, const char *sentence);
};

#endif
