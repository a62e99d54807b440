/* SPDX-License-Identifier: ISC */
/*
 * What the units of this folder work with: one mailbox that is followed, where
 * its messages go, and by what means.
 */
#ifndef MT_INBOUND_INBOUND_H
#define MT_INBOUND_INBOUND_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct manifest_watch;
struct mime_client;
struct publisher;
struct state;

#define INBOUND_MAX_MESSAGE_BYTES (64u * 1024 * 1024)

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
	struct mime_client *mime;
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

	/* Nothing further is fetched once it is true; NULL: never. */
	const atomic_bool *stop;

	/* Asked before each batch: whether so much is not yet handed on that
	 * the rest has to wait; NULL: never.  `context` is theirs. */
	bool (*is_full)(void *context);

	/* Told of each message, after it is durable; `context` is theirs. */
	void *context;
	void (*delivered)(
	    void *context, const struct inbound_delivery *delivery);
	/* Told what an operator should know though nothing failed. */
	void (*notice)(void *context, const char *sentence);
};

#endif
