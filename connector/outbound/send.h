/* SPDX-License-Identifier: ISC */
/*
 * From a request to an entry of the outbox, and from an entry to the answer.
 * What sends it is the sender (sender.h).
 */
#ifndef MT_OUTBOUND_SEND_H
#define MT_OUTBOUND_SEND_H

#include "base/buf.h"
#include "base/status.h"
#include "compose.h"
#include "draft_source.h"
#include "state/outbox.h"

struct state;

struct send_request {
	/* What the requester calls it; NULL or "": nothing.  A request that
	 * comes again with the same name and the same draft is the same
	 * message, for OUTBOX_KEEP_S at least. */
	const char *request_id;
	struct draft_source draft;
};

struct send_settings {
	const char *from;    /* an address, with a display name or without */
	struct state *state; /* NULL: mail is not configured */
	const struct outbox_rules *rules;
};

enum send_state {
	SEND_SENT,
	SEND_QUEUED,     /* durably; will be attempted again */
	SEND_UNCERTAIN,  /* durably; perhaps sent */
	SEND_REFUSED,    /* for good, by the server or because of the draft */
	SEND_NOT_QUEUED, /* for now: nothing happened, try again */
};

struct send_report {
	enum send_state state;
	/* Nothing will change it any more, by itself. */
	bool decided;
	bool unfiled; /* our copy in Sent has not been tried yet */
	char message_id[COMPOSE_MESSAGE_ID_MAX]; /* "" if nothing was queued */
	char detail[MT_ERROR_TEXT_MAX + 200]; /* "queued" of what is queued */
	char reason[MT_ERROR_TEXT_MAX + 200]; /* why that waits; "": no news */
};

#define SEND_REPORT_INIT                                                       \
	{                                                                      \
		.state = SEND_NOT_QUEUED                                       \
	}

/*
 * Reads the draft, fixes the message and queues it, or finds the entry that an
 * earlier request of this name has made.  MT_OK: it is in the outbox, as
 * *ret_entry; the report says how far it is.  Anything else: nothing was
 * queued; MT_REFUSED: the request's name was used for another message.  The
 * report is always filled; `err` on failure.  Blocks for as long as the disk
 * does, and at the command line for as long as the draft takes to read.
 */
enum mt_status send_queue(const struct send_settings *settings,
    const struct send_request *request, int64_t *ret_entry,
    struct send_report *ret_report, struct mt_error *err) MT_MUST_CHECK;

/*
 * How far the entry is.  `why` is what keeps all messages from being sent, ""
 * or NULL if nothing does.  MT_BUG: it has left the outbox.
 */
enum mt_status send_look(const struct send_settings *settings, int64_t entry,
    const char *why, struct send_report *ret_report,
    struct mt_error *err) MT_MUST_CHECK;

/* The report of a message that is queued, and of which no more can be said just
 * now. */
void send_unknown(struct send_report *ret_report, const struct mt_error *why);

/* MT_REFUSED for a message that the server refused for good, else MT_OK: what
 * the caller of a queued message is told. */
enum mt_status send_outcome(
    const struct send_report *report, struct mt_error *err) MT_MUST_CHECK;

/* Appends the report as one JSON object without a line end: the frame
 * send_email_response, without a request_id. */
void send_add_json(struct buf *out, const struct send_report *report);

#endif
