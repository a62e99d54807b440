/* SPDX-License-Identifier: ISC */
/*
 * After a mailbox has been numbered anew: finds by their headers the messages
 * that were delivered before, so that they need not be fetched.  What this
 * leaves is fetched and compared by its bytes (dispatch.h).
 *
 * A header costs some 200 bytes and is enough in nearly all cases; to fetch all
 * mail anew would keep new mail waiting behind gigabytes.
 */
#ifndef MT_INBOUND_REMATCH_H
#define MT_INBOUND_REMATCH_H

#include "inbound/poll.h"

/* Before the first piece of the mailbox. */
enum mt_status rematch_begin(
    struct poll *poll, struct mt_error *err) MT_MUST_CHECK;

/* Marks what is known as done in poll->list, a piece of the mailbox.  A server
 * that fails at it again and again is not asked any more: all is compared by its
 * bytes then. */
enum mt_status rematch_piece(
    struct poll *poll, struct mt_error *err) MT_MUST_CHECK;

/* At the end of the first poll that has got through: reports what became of
 * the mailbox's mail. */
enum mt_status rematch_report(
    struct poll *poll, struct mt_error *err) MT_MUST_CHECK;

#endif
