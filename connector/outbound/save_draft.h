/* SPDX-License-Identifier: ISC */
/*
 * Files a draft in the Drafts mailbox of the IMAP server.
 */
#ifndef MT_OUTBOUND_SAVE_DRAFT_H
#define MT_OUTBOUND_SAVE_DRAFT_H

#include "base/deadline.h"
#include "base/status.h"
#include "compose.h"
#include "draft_source.h"

struct imap_conn;
struct state;

struct save_draft_settings {
	struct state *state;
	const char *account; /* as the state knows it */
	const char *from;    /* an address, with a display name or without */
	const char *mailbox; /* UTF-8; NULL: what the server has for drafts */
	struct deadline deadline;

	/* Logs in; `context` is theirs.  May be called again after the
	 * connection broke. */
	void *context;
	enum mt_status (*open)(void *context, struct imap_conn **ret_conn,
	    struct deadline deadline, struct mt_error *err);
};

struct saved_draft {
	char message_id[COMPOSE_MESSAGE_ID_MAX];
	char mailbox[1024]; /* where it is, UTF-8 */
};

/*
 * Saves the draft.  Its Message-ID is fixed, and with a `request_id` (NULL:
 * none) durable, before the server is asked; a lost answer is resolved by
 * looking for it, so the same request_id makes one draft, however often it
 * comes, for a week at least.
 *
 * MT_BAD_INPUT as draft_source_read, or "request_id was used for another
 * message"; MT_REFUSED: the server will not have it; MT_RETRY_LATER: it may be
 * there or not, the same call finds out.
 */
enum mt_status save_draft(const struct save_draft_settings *settings,
    const char *request_id, const struct draft_source *source,
    struct saved_draft *ret_saved, struct mt_error *err) MT_MUST_CHECK;

#endif
