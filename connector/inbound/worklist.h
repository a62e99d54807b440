/* SPDX-License-Identifier: ISC */
/*
 * What is left to do in a mailbox, in which order, and how far the cursor may
 * move.  Numbers only: knows no server and no disk.
 *
 * A mailbox comes in pieces, in the order of its UIDs; only one is in memory.
 * Suspects are left out of them and come at the very end.
 */
#ifndef MT_INBOUND_WORKLIST_H
#define MT_INBOUND_WORKLIST_H

#include "base/status.h"
#include "mail/imap_conn.h"
#include "state/uid_set.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WORKLIST_BATCH_MAX 256

struct work {
	uint32_t uid;
	uint32_t size; /* bytes, as the server says */
	bool done;
	bool suspect;
	bool waiting; /* not to be tried for some time */
};

struct worklist {
	struct work *items; /* what the server lists, by UID */
	size_t count;
	size_t next;
	struct work **suspects; /* in the order in which to try them */
	size_t suspect_count;
	size_t suspect_next;
	uint32_t cursor;      /* the state's */
	uint32_t reached;     /* by the pieces before, if all was done */
	struct uid_list open; /* above the cursor, of the pieces before: what is
				 not done and does not wait */
};

/* What the state knows, ascending.  It may be of more than is listed. */
struct worklist_known {
	const struct uid_ranges *done;
	const struct uid_list *suspects;
	const struct uid_list *waiting;
};

/* Nothing is listed yet. */
void worklist_init(struct worklist *list, uint32_t cursor);
void worklist_done(struct worklist *list);

/*
 * The next piece in the place of the one before.  `listed`, ascending, is what
 * the server has there above the cursor, and what of the rest is to be looked
 * at.
 */
enum mt_status worklist_load(struct worklist *list,
    const struct imap_summary *listed, size_t count,
    const struct worklist_known *known, struct mt_error *err) MT_MUST_CHECK;

/* The last piece: the suspects that are listed, in the order of `suspects`,
 * which are all that there were. */
enum mt_status worklist_load_suspects(struct worklist *list,
    const struct imap_summary *listed, size_t count,
    const struct uid_list *suspects, struct mt_error *err) MT_MUST_CHECK;

/* How many messages of this piece worklist_take would still give. */
size_t worklist_left(const struct worklist *list);

/* Nothing needs to be done about this one. */
void worklist_mark_done(struct worklist *list, uint32_t uid);

/*
 * The next batch: ascending, at most WORKLIST_BATCH_MAX messages and `max_bytes`
 * in all; a larger message is a batch of its own, and so is each suspect.  0:
 * nothing is left of this piece.  Each message is given once, whatever becomes
 * of it.
 */
size_t worklist_take(struct worklist *list, uint64_t max_bytes,
    struct work *ret_batch[WORKLIST_BATCH_MAX]);

/* The highest UID up to which everything that is listed above the cursor is done
 * or waits; never less than the cursor was. */
uint32_t worklist_cursor(const struct worklist *list);

#endif
