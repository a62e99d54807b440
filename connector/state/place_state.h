/* SPDX-License-Identifier: ISC */
/*
 * Where each message that agents see is on the server: its directory, a folder
 * and a handle in it, leads to its mailbox and UID, also after it was moved.
 *
 * A mailbox into which mail was moved has its epoch (mailbox_state.h) like one
 * that is followed; it begins to be followed where that is.  One with the
 * UIDVALIDITY 0 is for messages of which the server did not tell where in the
 * mailbox they went.
 */
#ifndef MT_STATE_PLACE_STATE_H
#define MT_STATE_PLACE_STATE_H

#include "base/status.h"
#include "match_state.h"

#include <stdint.h>

struct state;

enum place_found {
	PLACE_UNKNOWN,  /* no message has ever had this directory */
	PLACE_OTHERS,   /* one of another account has it */
	PLACE_STAGED,   /* it is not published yet */
	PLACE_KNOWN,    /* this is its directory */
	PLACE_MOVED_ON, /* it was; `folder` and `handle` are where it is now */
};

/* All text is owned by it. */
struct place {
	char *folder; /* in the workspace */
	char *handle;
	char *mailbox;        /* on the server, UTF-8 */
	uint32_t uidvalidity; /* 0: nobody knows the UID */
	uint32_t uid;
	struct inbound_identity identity;
};

void place_done(struct place *place);

/* Looks up what folder/handle is.  *ret_place is filled for PLACE_KNOWN and
 * PLACE_MOVED_ON.  One transaction. */
enum mt_status place_state_find(struct state *state, const char *account,
    const char *folder, const char *handle, enum place_found *ret_found,
    struct place *ret_place, struct mt_error *err) MT_MUST_CHECK;

#endif
