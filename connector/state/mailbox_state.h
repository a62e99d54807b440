/* SPDX-License-Identifier: ISC */
/*
 * The mailboxes that are followed, and their epochs.
 *
 * A mailbox is (account, name).  UIDs mean something within one numbering of
 * it only; each numbering is an epoch, one row here.  A new epoch begins when
 * the server names another UIDVALIDITY (RFC 3501 2.3.1.1), be it one that was
 * there before, and when UIDNEXT says that UIDs are given anew.  The latest
 * epoch counts; of the earlier ones only their messages are kept, so that they
 * are known again (match_state.h).
 *
 * Each call is one transaction, durable when it returns.
 */
#ifndef MT_STATE_MAILBOX_STATE_H
#define MT_STATE_MAILBOX_STATE_H

#include "base/status.h"
#include "uid_set.h"

struct state;

struct inbound_mailbox {
	int64_t id; /* of the epoch */
	uint32_t uidvalidity;

	/* A short cut: up to here nothing is known to be missing, so an
	 * ordinary poll looks above it. */
	uint32_t cursor;

	/* There was an epoch before, and what became of its mail has not been
	 * reported. */
	bool renumbered;
	unsigned header_failures; /* attempts to compare by header */
};

/* What the state knows about a mailbox as the server describes it. */
enum inbound_seen {
	INBOUND_NEVER_SEEN,
	INBOUND_OTHER_EPOCH, /* the server has numbered it anew */
	INBOUND_GONE_BACK,   /* UIDNEXT is the UID of a message that was
				delivered, or below it */
	INBOUND_SEEN,
};

/* Looks a mailbox up.  `uidnext` is 0 if the server does not tell it.
 * *ret_mailbox is filled for the last two results. */
enum mt_status mailbox_state_find(struct state *state, const char *account,
    const char *mailbox, uint32_t uidvalidity, uint32_t uidnext,
    enum inbound_seen *ret_seen, struct inbound_mailbox *ret_mailbox,
    struct mt_error *err) MT_MUST_CHECK;

/* How a mailbox begins to be followed. */
struct inbound_start {
	uint32_t uidvalidity;
	uint32_t cursor;
	struct uid_ranges passed; /* UIDs that are not to be delivered */

	/* UIDs that somebody else has delivered, as directories of that name
	 * in `folder`. */
	const char *folder;
	struct uid_list delivered;

	/* If it is numbered anew: mail that is there then, is not known and was
	 * received by the server before this time is not to be delivered
	 * either; 0: none. */
	int64_t passed_until;
};

enum mt_status mailbox_state_add(struct state *state, const char *account,
    const char *mailbox, const struct inbound_start *start,
    struct inbound_mailbox *ret_mailbox, struct mt_error *err) MT_MUST_CHECK;

/* Begins another epoch of a mailbox that is known.  `uidnext` is 0 if the server
 * does not tell it. */
enum mt_status mailbox_state_renumber(struct state *state, const char *account,
    const char *mailbox, uint32_t uidvalidity, uint32_t uidnext,
    struct inbound_mailbox *ret_mailbox, struct mt_error *err) MT_MUST_CHECK;

/* What has become of the mail of a mailbox since it was numbered anew. */
struct inbound_reset {
	uint64_t matched; /* known from before */
	uint64_t passed;  /* older than passed_until */
	uint64_t added;   /* delivered */
};

enum mt_status mailbox_state_reset(struct state *state, int64_t mailbox_id,
    struct inbound_reset *ret_reset, struct mt_error *err) MT_MUST_CHECK;

/* It has been reported. */
enum mt_status mailbox_state_reset_reported(struct state *state,
    int64_t mailbox_id, struct mt_error *err) MT_MUST_CHECK;

/* Comparing by header has failed once more. */
enum mt_status mailbox_state_header_failed(struct state *state,
    int64_t mailbox_id, struct mt_error *err) MT_MUST_CHECK;

#endif
