/* SPDX-License-Identifier: ISC */
/*
 * Takes a handful of messages through the steps of their delivery, in the order
 * that makes a crash harmless at any point:
 *
 *   1. each message streams into memory, or, if it is a large one, into a
 *      staged directory of its own (raw.eml);
 *   2. it is taken apart into its staged directory, and message.json written;
 *   3. all files and directories are synced, together;
 *   4. the state records handles and staged names: one commit, which also
 *      finds what was delivered before the mailbox was numbered anew;
 *   5. the risk manifest gets an entry for each file: one update;
 *   6. the directories are renamed to where agents see them, and synced;
 *   7. the state records them as done, queues their events and moves the
 *      cursor: one commit.
 *
 * What a crash leaves before 4 is swept away and fetched again; after 4 it is
 * published by recover.h.
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

struct batch_message {
	uint32_t uid;
	uint64_t bytes; /* as received, or as announced */
	bool received;  /* false: larger than allowed, it was not fetched */
	bool in_file;   /* its bytes are in raw.eml, and not in `raw` */
	bool recorded;  /* the state knows of it as staged */
	bool known;     /* it was delivered under another number */
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

	/* why step 1 failed; neither: something about the server */
	bool too_large;
	bool disk_failed;
};

/* The arguments must outlive the batch. */
void batch_init(struct batch *batch, const struct inbound *in,
    const struct inbound_mailbox *mailbox, const struct publish_folder *folder);

/* Removes what was staged and is in no record. */
void batch_done(struct batch *batch);

/* Step 1, as what an IMAP connection hands messages to. */
struct imap_fetch_sink batch_sink(struct batch *batch);

/* Instead of step 1: a message that is too large to be fetched.  `bytes` is
 * what is known of its size. */
void batch_add_too_large(struct batch *batch, uint32_t uid, uint64_t bytes);

/* Whether a message is in the batch, whole. */
bool batch_has(const struct batch *batch, uint32_t uid);

/* Whether it is there and has no bytes. */
bool batch_is_empty(const struct batch *batch, uint32_t uid);

/* Takes a message out of a batch that is not delivered yet: what came in was
 * none. */
void batch_drop(struct batch *batch, uint32_t uid);

/* Steps 2 to 7, and the reports.  `cursor` is what it is after them. */
enum mt_status batch_deliver(
    struct batch *batch, uint32_t cursor, struct mt_error *err) MT_MUST_CHECK;

#endif
