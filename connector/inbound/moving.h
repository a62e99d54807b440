/* SPDX-License-Identifier: ISC */
/*
 * One move, from the intent that is recorded to the directory in its new place,
 * and what becomes of one that was cut short.
 */
#ifndef MT_INBOUND_MOVING_H
#define MT_INBOUND_MOVING_H

#include "base/status.h"
#include "inbound/folders.h"
#include "state/move_state.h"
#include "state/place_state.h"

/*
 * Moves the message, which is where `place` says.  *conn is replaced if it
 * breaks; NULL afterwards: there is none.  Results as folders_move.
 */
enum mt_status moving_do(const struct folders *folders, struct imap_conn **conn,
    const struct place *place, const struct folder *from,
    const struct folder *to, struct mt_error *err) MT_MUST_CHECK;

enum moving_patience {
	MOVING_WAIT,   /* a server may still be at it, for a while */
	MOVING_DECIDE, /* what is where it was has not been moved */
};

/* Finishes a move or takes it back; `conn` may be NULL for one that is placed.
 * What is not decided stays recorded, and is no failure. */
enum mt_status moving_resume(const struct folders *folders,
    struct imap_conn *conn, struct move *move, enum moving_patience patience,
    struct mt_error *err) MT_MUST_CHECK;

#endif
