/* SPDX-License-Identifier: ISC */
/*
 * The arrival of a message that is moved: its record changes over to the target
 * mailbox, as it does when a mailbox is numbered anew (match_state.h).
 *
 * Each call is one transaction, durable when it returns.
 */
#ifndef MT_STATE_ARRIVAL_STATE_H
#define MT_STATE_ARRIVAL_STATE_H

#include "base/status.h"
#include "move_state.h"

#include <stdbool.h>
#include <stdint.h>

/* Is the message of this UID in the target known as another one, delivered or
 * moved there before? */
enum mt_status arrival_state_is_known(struct state *state,
    const struct move *move, uint32_t uidvalidity, uint32_t uid,
    bool *ret_known, struct mt_error *err) MT_MUST_CHECK;

/*
 * The server has moved it: to this UID of the target, or, if uidvalidity is 0,
 * to where nobody knows.  From now on that UID is done, the message's place is
 * the new one and its directory is to_folder/handle; nobody else gets the old
 * handle.  `staged` is the name that the directory has in between.  *ret_used:
 * the handle is not free, and nothing has changed.
 */
enum mt_status arrival_state_enter(struct state *state, struct move *move,
    uint32_t uidvalidity, uint32_t uid, const char *handle, const char *staged,
    bool *ret_used, struct mt_error *err) MT_MUST_CHECK;

/* Gives it another handle, because something else has its name in the folder.
 * *ret_used as above. */
enum mt_status arrival_state_rename(struct state *state, struct move *move,
    const char *handle, bool *ret_used, struct mt_error *err) MT_MUST_CHECK;

#endif
