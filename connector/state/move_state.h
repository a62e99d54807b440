/* SPDX-License-Identifier: ISC */
/*
 * Messages on their way from one mailbox, and directory, to another.
 *
 * A move is recorded before the server is asked for it, and until its directory
 * has its new name.  Until it has arrived (arrival_state.h), mail that may be
 * what is moved is not staged in the target mailbox, or it would be delivered a
 * second time (move_guard.h).
 *
 * Whoever works on a move holds it, by a lock that ends with the process; one
 * that nobody holds was cut short and is to be taken up.
 *
 * Each call is one transaction, durable when it returns.
 */
#ifndef MT_STATE_MOVE_STATE_H
#define MT_STATE_MOVE_STATE_H

#include "base/status.h"
#include "inbound_state.h"
#include "match_state.h"

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

struct state;

#define MOVE_STAGED_MAX 17 /* as PUBLISH_NAME_MAX */

/* What is about to be done. */
struct move_intent {
	const char *account;
	const char *folder; /* the message's directory is folder/handle */
	const char *handle;
	const char *to_mailbox; /* on the server */
	const char *to_folder;  /* in the workspace */

	/* Of the target as it was before: what is moved gets a UID from
	 * to_uidnext on.  0: not told. */
	uint32_t to_uidvalidity;
	uint32_t to_uidnext;

	/* Of the message, as the server describes it. */
	struct inbound_identity identity;
};

/* One that is held; all text is owned by it. */
struct move {
	int64_t id;
	int lock;
	time_t begun;
	bool placed; /* arrival_state_enter was called */
	char *account;
	char *folder;
	char *handle;
	char *to_mailbox;
	char *to_folder;
	char to_handle[INBOUND_HANDLE_MAX]; /* once it is placed */
	char staged[MOVE_STAGED_MAX];       /* likewise */
	uint32_t to_uidvalidity;
	uint32_t to_uidnext;
	struct inbound_identity identity;
};

#define MOVE_INIT                                                              \
	{                                                                      \
		.lock = -1                                                     \
	}

/* Releases it; the record stays. */
void move_done(struct move *move);

/* Records a move and holds it.  MT_RETRY_LATER: there is one of this message
 * that is not finished. */
enum mt_status move_state_begin(struct state *state,
    const struct move_intent *intent, time_t now, struct move *ret_move,
    struct mt_error *err) MT_MUST_CHECK;

/* Takes up the first move of this account (NULL: of any) behind the one with
 * the id `after` that nobody holds; *ret_found false: there is none. */
enum mt_status move_state_take(struct state *state, const char *account,
    int64_t after, struct move *ret_move, bool *ret_found,
    struct mt_error *err) MT_MUST_CHECK;

/* Takes up the move of folder/handle, if there is one.  MT_RETRY_LATER:
 * somebody holds it. */
enum mt_status move_state_take_of(struct state *state, const char *folder,
    const char *handle, struct move *ret_move, bool *ret_found,
    struct mt_error *err) MT_MUST_CHECK;

/* Is this the staged name of a directory that is on its way? */
enum mt_status move_state_has_staged(struct state *state, const char *staged,
    bool *ret_has, struct mt_error *err) MT_MUST_CHECK;

/* It is finished, or nothing came of it: the record goes. */
enum mt_status move_state_end(struct state *state, const struct move *move,
    struct mt_error *err) MT_MUST_CHECK;

#endif
