/* SPDX-License-Identifier: ISC */
/*
 * A second pair of hands: does one piece of work in a thread of its own while
 * the caller prepares the next.  Never more than one piece waits, so what the
 * caller prepares is bounded too.
 */
#ifndef MT_INBOUND_RELAY_H
#define MT_INBOUND_RELAY_H

#include "base/status.h"

struct relay;

typedef enum mt_status (*relay_work)(void *context, struct mt_error *err);

/* The thread starts with the first piece of work.  NULL: no memory. */
struct relay *relay_new(void);

/* Waits for what is under way. */
void relay_free(struct relay **relay);

/*
 * Waits until the piece before is done, and hands over this one.  After a
 * failure of any piece nothing more is taken: that failure is the result, and
 * `context` stays the caller's.  MT_RETRY_LATER: there can be no thread.
 */
enum mt_status relay_give(struct relay *relay, relay_work work, void *context,
    struct mt_error *err) MT_MUST_CHECK;

/* Waits until all is done; the first failure of any piece is the result. */
enum mt_status relay_wait(
    struct relay *relay, struct mt_error *err) MT_MUST_CHECK;

#endif
