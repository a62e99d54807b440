/* SPDX-License-Identifier: ISC */
/*
 * Works what the outbox asks of the IMAP server (state/outbox_copy.h): whether
 * a message whose answer was lost is in Sent, and that our copy of what was
 * sent gets there.
 */
#ifndef MT_OUTBOUND_FILING_H
#define MT_OUTBOUND_FILING_H

#include "submit.h"

/*
 * Does all that is due, on one connection.  MT_OK: everything was answered, or,
 * for copies, what kept them is written down.  Otherwise the failure of
 * `open_imap`, or why a question had no answer: it stays.  For who holds the
 * sender's lock, one thread; blocks until the deadline.
 */
enum mt_status filing_work(struct state *state,
    const struct submit_settings *settings, struct deadline deadline,
    struct mt_error *err) MT_MUST_CHECK;

#endif
