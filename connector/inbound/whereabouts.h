/* SPDX-License-Identifier: ISC */
/*
 * Finds a message on the server, by its UID or by what it is known by.
 */
#ifndef MT_INBOUND_WHEREABOUTS_H
#define MT_INBOUND_WHEREABOUTS_H

#include "base/deadline.h"
#include "base/status.h"
#include "mail/imap_conn.h"
#include "state/match_state.h"
#include "state/place_state.h"

#include <stdbool.h>
#include <stdint.h>

struct whereabouts {
	uint32_t uid;                     /* 0: it is not there */
	struct inbound_identity identity; /* as the server describes it */
};

/*
 * In the mailbox that is open, from UID `first` on, the one message with this
 * Message-ID and size, or, where it has none, this date and size; the first, if
 * there are several of one Message-ID.  `is_other` (NULL: nothing is) tells of
 * UIDs that mean another one.
 */
struct whereabouts_search {
	uint32_t first;
	const struct inbound_identity *identity;
	enum mt_status (*is_other)(
	    void *context, uint32_t uid, bool *ret_other, struct mt_error *err);
	void *context;
};

enum mt_status whereabouts_search(struct imap_conn *conn,
    const struct whereabouts_search *search, struct whereabouts *ret_found,
    struct deadline deadline, struct mt_error *err) MT_MUST_CHECK;

/* Where a message of ours is in its mailbox, which is open: by its UID or, if
 * the mailbox was numbered anew or the UID was never known, by the above. */
enum mt_status whereabouts_find(struct imap_conn *conn,
    const struct imap_mailbox *opened, const struct place *place,
    struct whereabouts *ret_found, struct deadline deadline,
    struct mt_error *err) MT_MUST_CHECK;

#endif
