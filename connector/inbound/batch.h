/* SPDX-License-Identifier: ISC */
/*
 * A handful of messages that come in together: each streams into memory, or, if
 * it is a large one, into a staged directory of its own (raw.eml).  What is done
 * with them then: dispatch.h.
 */
#ifndef MT_INBOUND_BATCH_H
#define MT_INBOUND_BATCH_H

#include "base/buf.h"
#include "base/status.h"
#include "delivery/publish.h"
#include "inbound/identity.h"
#include "inbound/inbound.h"
#include "inbound/worklist.h"
#include "mail/imap_conn.h"
#include "state/inbound_state.h"
#include "state/mailbox_state.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BATCH_RAW_NAME "raw.eml"

struct batch_message {
	uint32_t uid;
	uint64_t bytes; /* as received, or as announced */
	bool received;  /* false: larger than allowed, it was not fetched */
	bool in_file;   /* its bytes are in raw.eml, and not in `raw` */
	bool
	    recorded; /* the state knows of it as staged, and others see to it */
	bool known;   /* it was delivered under another number */
	struct inbound_identity identity;
	struct buf raw;
	struct publish_stage stage; /* without a name: not made yet */
	char handle[INBOUND_HANDLE_MAX];
	char *sender; /* for the report; owned */
	char *subject;
};

struct batch {
	const struct inbound *in;
	const struct inbound_mailbox *mailbox;
	const struct publish_folder *folder;
	struct batch_message messages[WORKLIST_BATCH_MAX];
	size_t count;

	bool coming; /* one more than counted has begun to come in */
	int raw_fd;  /* raw.eml of that one; -1: it is in memory */
	struct identity_digest digest; /* of that one */
	size_t memory; /* bytes of all messages that are there */

	/* why nothing more came in; neither: something about the server */
	bool too_large;
	bool disk_failed;
};

/* The arguments must outlive the batch. */
void batch_init(struct batch *batch, const struct inbound *in,
    const struct inbound_mailbox *mailbox, const struct publish_folder *folder);

/* Removes what was staged and is in no record. */
void batch_done(struct batch *batch);

/* What an IMAP connection hands messages to. */
struct imap_fetch_sink batch_sink(struct batch *batch);

/* A message that is too large to be fetched.  `bytes` is what is known of its
 * size. */
void batch_add_too_large(struct batch *batch, uint32_t uid, uint64_t bytes);

/* Whether a message is in the batch, whole. */
bool batch_has(const struct batch *batch, uint32_t uid);

/* Whether it is there and has no bytes. */
bool batch_is_empty(const struct batch *batch, uint32_t uid);

/* Takes a message out of a batch that is not delivered yet: what came in was
 * none. */
void batch_drop(struct batch *batch, uint32_t uid);

#endif
