/* SPDX-License-Identifier: ISC */
/*
 * Brings one batch from the server on its way to the agents: it is fetched, and
 * handed to the thread that delivers it (relay.h, dispatch.h) while the next one
 * comes in.  What a fetch does not bring is remembered as suspect, so that it
 * keeps back no other.
 */
#ifndef MT_INBOUND_TRANSFER_H
#define MT_INBOUND_TRANSFER_H

#include "inbound/poll.h"

#define TRANSFER_BYTES (4u * 1024 * 1024) /* of a batch of several */

/* Fetches and hands over.  A failure may be that of a batch before. */
enum mt_status transfer_batch(struct poll *poll, struct work *const *work,
    size_t count, struct mt_error *err) MT_MUST_CHECK;

/* Waits until all that has come in is delivered. */
enum mt_status transfer_finish(
    struct poll *poll, struct mt_error *err) MT_MUST_CHECK;

/* After that: the cursor also passes what is no longer there. */
enum mt_status transfer_move_cursor(
    struct poll *poll, struct mt_error *err) MT_MUST_CHECK;

#endif
