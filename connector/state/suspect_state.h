/* SPDX-License-Identifier: ISC */
/*
 * Suspects are messages that a failed fetch was about, or that the server
 * lists and does not give.  They are to be fetched last and one by one, in the
 * order of *ret_due: the fewest failures first, then the highest UID, because
 * servers send the lowest first and the one that broke a fetch is likely the
 * first that is missing.  One that goes on failing waits before it is tried
 * again, ever longer, up to 6 h; *ret_waiting are these, ascending.  So one that
 * always fails keeps back no other and does not end each connection.
 *
 * Each call is one transaction, durable when it returns.
 */
#ifndef MT_STATE_SUSPECT_STATE_H
#define MT_STATE_SUSPECT_STATE_H

#include "base/status.h"
#include "uid_set.h"

#include <time.h>

struct state;

/* One more failure with each of these. */
enum mt_status suspect_state_add(struct state *state, int64_t mailbox_id,
    const uint32_t *uids, size_t count, time_t now,
    struct mt_error *err) MT_MUST_CHECK;
enum mt_status suspect_state_read(struct state *state, int64_t mailbox_id,
    time_t now, struct uid_list *ret_due, struct uid_list *ret_waiting,
    struct mt_error *err) MT_MUST_CHECK;

/* The server does not list these any more: they are no suspects. */
enum mt_status suspect_state_forget(struct state *state, int64_t mailbox_id,
    const uint32_t *uids, size_t count, struct mt_error *err) MT_MUST_CHECK;

#endif
