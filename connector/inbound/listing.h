/* SPDX-License-Identifier: ISC */
/*
 * What a mailbox has that is not done.  An ordinary poll looks above the
 * cursor.  A reconciliation compares all UIDs with those that are done, and so
 * finds what became visible late, below the cursor.
 */
#ifndef MT_INBOUND_LISTING_H
#define MT_INBOUND_LISTING_H

#include "inbound/poll.h"

/* Fills poll->list.  Memory: 6 bytes for each message of a mailbox, and 30 for
 * each that is above the cursor or missing below it. */
enum mt_status listing_make(
    struct poll *poll, struct mt_error *err) MT_MUST_CHECK;

#endif
