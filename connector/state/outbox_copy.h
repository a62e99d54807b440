/* SPDX-License-Identifier: ISC */
/*
 * What the outbox asks of Sent: where the server files there, whether it has a
 * message whose answer was lost; elsewhere, that it keeps our copy of what was
 * sent.  Neither ever sends anything again by itself.
 *
 * As outbox.h's steps, for who holds the sender's lock; by one thread.
 */
#ifndef MT_STATE_OUTBOX_COPY_H
#define MT_STATE_OUTBOX_COPY_H

#include "outbox.h"

#define OUTBOX_COPY_GIVE_UP_S (3 * 86400)

/*
 * Takes the first uncertain entry that is to be looked for now, with its bytes,
 * and writes down that it is looked for again in a minute: as long as nobody
 * answers, that goes on, and nothing is sent.
 */
enum mt_status outbox_take_look(struct state *state,
    const struct outbox_rules *rules, time_t now,
    struct outbox_entry *ret_entry, bool *ret_found,
    struct mt_error *err) MT_MUST_CHECK;

/* The answer.  Found: it was sent.  Not found, 30, 60 and 120 s after it became
 * uncertain: the policy decides. */
enum mt_status outbox_record_look(struct state *state,
    struct outbox_entry *entry, bool found, time_t now,
    struct mt_error *err) MT_MUST_CHECK;

/* Takes the first sent entry whose copy is due, with its bytes, and writes down
 * when it is due again (5 s from now, doubling to 1 h). */
enum mt_status outbox_take_copy(struct state *state,
    const struct outbox_rules *rules, time_t now,
    struct outbox_entry *ret_entry, bool *ret_found,
    struct mt_error *err) MT_MUST_CHECK;

/*
 * What came of it: it is there; or not, for the reason `reply`.  After
 * OUTBOX_COPY_GIVE_UP_S that is the end: the entry's copy is given up.
 */
enum mt_status outbox_record_copy(struct state *state,
    struct outbox_entry *entry, bool there, const char *reply, time_t now,
    struct mt_error *err) MT_MUST_CHECK;

#endif
