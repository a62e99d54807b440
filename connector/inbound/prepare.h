/* SPDX-License-Identifier: ISC */
/*
 * Makes of the bytes of a message what agents will see: it is taken apart in its
 * staged directory, by the MIME worker, and message.json is written there.
 */
#ifndef MT_INBOUND_PREPARE_H
#define MT_INBOUND_PREPARE_H

#include "inbound/batch.h"

/*
 * One message of a batch, with a handle if its plain UID is free.  What is
 * staged is not yet synced.  MT_RETRY_LATER: the disk, or no MIME worker in five
 * minutes.
 */
enum mt_status prepare_message(struct batch *batch,
    struct batch_message *message, struct mt_error *err) MT_MUST_CHECK;

#endif
