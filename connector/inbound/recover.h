/* SPDX-License-Identifier: ISC */
/*
 * Finishes what a crash or a failure has cut short: messages that the state has
 * as staged are published, or were.
 */
#ifndef MT_INBOUND_RECOVER_H
#define MT_INBOUND_RECOVER_H

#include "base/status.h"
#include "inbound/inbound.h"

/*
 * While nothing is polled: finishes the messages of all mailboxes, and removes
 * what is staged and in no record, be it of a move.  Of `in` it uses the means and the callbacks
 * only.
 */
enum mt_status recover_all(
    const struct inbound *in, struct mt_error *err) MT_MUST_CHECK;

/* Finishes the messages of this mailbox. */
enum mt_status recover_mailbox(
    const struct inbound *in, struct mt_error *err) MT_MUST_CHECK;

#endif
