/* SPDX-License-Identifier: ISC */
/*
 * What an operator sees of the outbox, and does to it.  Nobody needs a lock for
 * that: an entry that is being sent is left alone.
 */
#ifndef MT_STATE_OUTBOX_QUEUE_H
#define MT_STATE_OUTBOX_QUEUE_H

#include "outbox.h"

/* Calls `each` for every entry of the account, oldest first, within the
 * transaction: it must not use the state, and not keep the entry. */
enum mt_status outbox_list(struct state *state, const char *account,
    void (*each)(void *context, const struct outbox_entry *entry),
    void *context, struct mt_error *err) MT_MUST_CHECK;

/* Calls `each`, as above, for every account that has messages which are not
 * sent yet, with their number. */
enum mt_status outbox_count_waiting(struct state *state,
    void (*each)(void *context, const char *account, size_t count),
    void *context, struct mt_error *err) MT_MUST_CHECK;

/*
 * Makes an entry due that waits, is held, has failed or was given up, or, if it
 * was sent, its copy that was given up.  An uncertain one is sent again, once,
 * whatever the policy: the person who says so has looked.  MT_REFUSED: there
 * is no such entry, or nothing to try again; MT_RETRY_LATER: it is being sent.
 */
enum mt_status outbox_retry(struct state *state, const char *account,
    int64_t id, time_t now, struct outbox_entry *ret_entry,
    struct mt_error *err) MT_MUST_CHECK;

/* Ends an entry that is not sent yet: it fails; or its copy, if that is
 * pending.  Fails as outbox_retry. */
enum mt_status outbox_drop(struct state *state, const char *account, int64_t id,
    time_t now, struct outbox_entry *ret_entry,
    struct mt_error *err) MT_MUST_CHECK;

#endif
