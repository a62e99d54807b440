/* SPDX-License-Identifier: ISC */
/*
 * Which UIDs of a mailbox are accounted for: delivered or about to be, passed
 * over at the first start, or found to be old mail under a new number.  What
 * is not here is to be delivered whenever it becomes visible, at whatever UID.
 *
 * Kept as ranges: neighbours are one row, so a mailbox without gaps has one.
 */
#ifndef MT_STATE_DONE_STATE_H
#define MT_STATE_DONE_STATE_H

#include "base/status.h"
#include "uid_set.h"

#include <stdbool.h>

struct state;

/* The ranges that have a UID from `first` to `last`, whole. */
enum mt_status done_state_read(struct state *state, int64_t mailbox_id,
    uint32_t first, uint32_t last, struct uid_ranges *ret_done,
    struct mt_error *err) MT_MUST_CHECK;

/* For this folder only, inside of a transaction: adds the UIDs from `first` to
 * `last`, some of which may be there already. */
enum mt_status done_state_add(struct state *state, int64_t mailbox_id,
    uint32_t first, uint32_t last, struct mt_error *err) MT_MUST_CHECK;

/* Likewise: is it there? */
enum mt_status done_state_has(struct state *state, int64_t mailbox_id,
    uint32_t uid, bool *ret_has, struct mt_error *err) MT_MUST_CHECK;

/* Likewise, adds these UIDs, ascending. */
enum mt_status done_state_add_list(struct state *state, int64_t mailbox_id,
    const uint32_t *uids, size_t count, struct mt_error *err) MT_MUST_CHECK;

#endif
