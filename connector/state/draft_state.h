/* SPDX-License-Identifier: ISC */
/*
 * Drafts that are filed at the IMAP server: the Message-ID and the date that
 * each request has been given, so that the same request means the same message.
 *
 * Each call is one transaction, durable when it returns.
 */
#ifndef MT_STATE_DRAFT_STATE_H
#define MT_STATE_DRAFT_STATE_H

#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

struct state;

#define DRAFT_STATE_KEEP_S (7 * 86400) /* how long a request is remembered */
#define DRAFT_STATE_DIGEST_BYTES 32

struct draft_request {
	const char *account;
	const char *request_id;
	const unsigned char *digest; /* of the draft */
	const char *message_id;      /* what it gets if it is new */
	time_t now;                  /* likewise its date */
};

/* All text is owned by it. */
struct draft_record {
	int64_t id;
	int claim;  /* -1: another one works on it, or nobody needs to */
	bool fresh; /* nothing was ever tried */
	char *message_id;
	time_t date;
	char *mailbox; /* where it has been saved; NULL: not yet */
};

#define DRAFT_RECORD_INIT                                                      \
	{                                                                      \
		.claim = -1                                                    \
	}

void draft_record_done(struct draft_record *record);

/*
 * Records the request, or finds it.  What is not saved yet is claimed
 * (state_claim.h), unless another one works on it.  MT_REFUSED: "request_id was
 * used for another message".
 */
enum mt_status draft_state_begin(struct state *state,
    const struct draft_request *request, struct draft_record *ret_record,
    struct mt_error *err) MT_MUST_CHECK;

/* It is in this mailbox. */
enum mt_status draft_state_saved(struct state *state, int64_t id,
    const char *mailbox, struct mt_error *err) MT_MUST_CHECK;

#endif
