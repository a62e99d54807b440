/* SPDX-License-Identifier: ISC */
/*
 * What a mailbox has that is not done.  An ordinary poll looks above the
 * cursor.  A reconciliation compares all UIDs with those that are done, and so
 * finds what became visible late, below the cursor.
 *
 * A large mailbox comes in pieces of about IMAP_PIECE messages, in the order of
 * its UIDs, so that memory does not grow with it; suspects come at the end.
 */
#ifndef MT_INBOUND_LISTING_H
#define MT_INBOUND_LISTING_H

#include "inbound/poll.h"

struct listing;

/* Asks how the mailbox is divided, unless it is small. */
enum mt_status listing_begin(struct listing **ret_listing, struct poll *poll,
    struct mt_error *err) MT_MUST_CHECK;

/* Loads the next piece into poll->list, in the place of the one before; to be
 * called when that one has been tried.  *ret_more false: there was none. */
enum mt_status listing_next(struct listing *listing, bool *ret_more,
    struct mt_error *err) MT_MUST_CHECK;

/* About how many messages above the cursor are in the pieces to come. */
size_t listing_expected(const struct listing *listing);

void listing_end(struct listing **listing);

#endif
