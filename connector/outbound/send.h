/* SPDX-License-Identifier: ISC */
/*
 * The whole of `mailtoken-connector send`: reads a draft, queues the message,
 * works the outbox for a while, and says what came of it.
 */
#ifndef MT_OUTBOUND_SEND_H
#define MT_OUTBOUND_SEND_H

#include "base/buf.h"
#include "base/deadline.h"
#include "base/status.h"
#include "compose.h"
#include "submit.h"

struct send_settings {
	const char *from;    /* an address, with a display name or without */
	struct state *state; /* NULL: mail is not configured */
	const struct submit_settings *submit;
	struct deadline deadline;
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
	char message_id[COMPOSE_MESSAGE_ID_MAX]; /* "" if nothing was queued */
	char detail[MT_ERROR_TEXT_MAX + 200];
};

#define SEND_REPORT_INIT                                                       \
	{                                                                      \
		.state = SEND_NOT_QUEUED                                       \
	}

/*
 * Sends the draft at `path` ("-": standard input).  MT_OK: the message is
 * durably queued, and the report says how far it came.  MT_REFUSED: it was
 * queued, and the server refused it for good.  Anything else: nothing was
 * queued.  The report is always filled; `err` on failure.  Blocks as
 * submit_run, and for as long as the draft takes to read.
 */
enum mt_status send_draft(const struct send_settings *settings,
    const char *path, struct send_report *ret_report,
    struct mt_error *err) MT_MUST_CHECK;

/* Appends the report as one JSON object without a line end. */
void send_add_json(struct buf *out, const struct send_report *report);

#endif
