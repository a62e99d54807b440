/* SPDX-License-Identifier: ISC */
/*
 * Takes messages that have come in (batch.h) through the steps of their
 * delivery, in the order that makes a crash harmless at any point:
 *
 *   1. each message is taken apart into its staged directory (prepare.h);
 *   2. all files and directories are synced, together;
 *   3. the state records handles and staged names: one commit, which also
 *      finds what was delivered before the mailbox was numbered anew;
 *   4. the risk manifest gets an entry for each file: one update;
 *   5. the directories are renamed to where agents see them, and synced;
 *   6. the state records them as done, queues their events and moves the
 *      cursor: one commit.
 *
 * What a crash leaves before 3 is swept away and fetched again; after 3 it is
 * published by recover.h.
 *
 * The manifest is one file that is written anew each time, so its cost grows
 * with all the mail that there is.  When it is large, step 4 waits for more
 * messages than a batch has: until the time since the last time is a multiple of
 * what that took.
 */
#ifndef MT_INBOUND_DISPATCH_H
#define MT_INBOUND_DISPATCH_H

#include "delivery/manifest_text.h"
#include "inbound/batch.h"
#include "inbound/inbound.h"

/* A message between steps 3 and 4. */
struct dispatch_message;

struct dispatch {
	const struct inbound *in;
	const struct inbound_mailbox *mailbox;
	const struct publish_folder *folder;
	uint32_t cursor; /* the state's */

	struct dispatch_message *held;
	size_t count;
	struct manifest_paths paths; /* of their files */
	uint32_t next_cursor;        /* when they are published */
	int64_t began_ms;            /* the first of them was held */
	int64_t cost_ms;             /* of the last step 4 */
	bool failed;                 /* they are left to recover.h */
};

/* The arguments must outlive it. */
void dispatch_init(struct dispatch *dispatch, const struct inbound *in,
    const struct inbound_mailbox *mailbox, const struct publish_folder *folder,
    uint32_t cursor);

/* What is still held is left to recover.h. */
void dispatch_done(struct dispatch *dispatch);

/* Steps 1 to 3, and the rest with the reports, or not yet.  `cursor` is what it
 * is after all of the batch. */
enum mt_status dispatch_batch(struct dispatch *dispatch, struct batch *batch,
    uint32_t cursor, struct mt_error *err) MT_MUST_CHECK;

/* The rest for what is held, if there is anything. */
enum mt_status dispatch_flush(
    struct dispatch *dispatch, struct mt_error *err) MT_MUST_CHECK;

#endif
