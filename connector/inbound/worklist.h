/* SPDX-License-Identifier: ISC */
/*
 * What is left to do in a mailbox, in which order, and how far the cursor may
 * move.  Numbers only: knows no server and no disk.
 */
#ifndef MT_INBOUND_WORKLIST_H
#define MT_INBOUND_WORKLIST_H

#include "base/status.h"
#include "mail/imap_conn.h"
#include "state/inbound_state.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WORKLIST_BATCH_MAX 64

struct work {
	uint32_t uid;
	uint32_t size; /* bytes, as the server says */
	bool done;
	bool suspect;
};

struct worklist {
	struct work *items; /* what the server lists, by UID */
	size_t count;
	size_t next;
	struct work **suspects; /* in the order in which to try them */
	size_t suspect_count;
	size_t suspect_next;
	uint32_t cursor; /* the state's */
};

/*
 * `listed` is what the server has above the cursor; what of it the state knows
 * is done.  These two are ascending, and the state may know more than is
 * listed.  Suspects are in the order in which to try them.
 */
enum mt_status worklist_init(struct worklist *list,
    const struct imap_summary *listed, size_t count, uint32_t cursor,
    const struct uid_list *known, const struct uid_list *suspects,
    struct mt_error *err) MT_MUST_CHECK;
void worklist_done(struct worklist *list);

/*
 * The next batch: ascending, at most WORKLIST_BATCH_MAX messages and `max_bytes`
 * in all; a larger message is a batch of its own.  After these, each suspect
 * alone.  0: nothing is left.  Each message is given once, whatever becomes of
 * it.
 */
size_t worklist_take(struct worklist *list, uint64_t max_bytes,
    struct work *ret_batch[WORKLIST_BATCH_MAX]);

/* The highest UID up to which everything that is listed is done; never less
 * than the cursor was. */
uint32_t worklist_cursor(const struct worklist *list);

#endif
