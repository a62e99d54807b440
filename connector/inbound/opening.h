/* SPDX-License-Identifier: ISC */
/*
 * The beginning of a poll: opens the mailbox and finds it in the state.  What
 * is to become of the mail that is there when a mailbox is seen for the first
 * time is decided here, once.
 */
#ifndef MT_INBOUND_OPENING_H
#define MT_INBOUND_OPENING_H

#include "inbound/poll.h"

/* Fills poll->opened and poll->mailbox; results as fetch_poll's. */
enum mt_status opening_do(
    struct poll *poll, struct mt_error *err) MT_MUST_CHECK;

#endif
