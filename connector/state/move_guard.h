/* SPDX-License-Identifier: ISC */
/*
 * For this folder only: keeps mail that is on its way into a mailbox by a move
 * of ours from being delivered there as new.
 */
#ifndef MT_STATE_MOVE_GUARD_H
#define MT_STATE_MOVE_GUARD_H

#include "base/status.h"
#include "match_state.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct state;

/* The moves into one mailbox that the server has not confirmed. */
struct move_guard {
	struct move_guarded {
		uint32_t uidnext; /* what is moved has a UID from here on */
		struct inbound_identity identity;
	} * moves;
	size_t count;
};

/* Inside of a transaction; move_guard_done releases it. */
enum mt_status move_guard_read(struct state *state, int64_t mailbox_id,
    struct move_guard *ret_guard, struct mt_error *err) MT_MUST_CHECK;
void move_guard_done(struct move_guard *guard);

/* May this be one of them? */
bool move_guard_fits(const struct move_guard *guard, uint32_t uid,
    const struct inbound_identity *identity);

/* Inside of a transaction: puts off what may be one of them, as a suspect. */
enum mt_status move_guard_put_off(struct state *state, int64_t mailbox_id,
    uint32_t uid, struct mt_error *err) MT_MUST_CHECK;

/* Inside of a transaction: what was put off in this mailbox is due. */
enum mt_status move_guard_release(struct state *state, const char *account,
    const char *mailbox, struct mt_error *err) MT_MUST_CHECK;

#endif
