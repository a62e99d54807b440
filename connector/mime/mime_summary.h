/* SPDX-License-Identifier: ISC */
/*
 * What a message that a program wrote for programs says, in a few texts: a
 * bounce (RFC 3464) or a calendar message (RFC 5546).  Both are a row of texts,
 * and further rows for the recipients or the attendees.
 */
#ifndef MT_MIME_MIME_SUMMARY_H
#define MT_MIME_MIME_SUMMARY_H

#include <stddef.h>

enum mime_summary_kind {
	MIME_BOUNCE,
	MIME_CALENDAR,
	MIME_SUMMARIES, /* how many kinds there are */
};

enum mime_bounce_text {
	MIME_BOUNCE_KIND, /* the worst of its recipients' */
	MIME_BOUNCE_ORIGINAL_MESSAGE_ID,
	MIME_BOUNCE_TEXTS,
};

enum mime_recipient_text {
	MIME_RECIPIENT_ADDRESS,
	MIME_RECIPIENT_ACTION,
	MIME_RECIPIENT_STATUS,
	MIME_RECIPIENT_DIAGNOSTIC,
	MIME_RECIPIENT_TEXTS,
};

enum mime_calendar_text {
	MIME_CALENDAR_METHOD,
	MIME_CALENDAR_COMPONENT, /* event, todo, journal, freebusy */
	MIME_CALENDAR_UID,
	MIME_CALENDAR_SEQUENCE, /* decimal */
	MIME_CALENDAR_SUMMARY,
	MIME_CALENDAR_LOCATION,
	MIME_CALENDAR_STATUS,
	MIME_CALENDAR_START, /* ISO 8601; a Z at the end: UTC */
	MIME_CALENDAR_START_TIMEZONE,
	MIME_CALENDAR_END,
	MIME_CALENDAR_END_TIMEZONE,
	MIME_CALENDAR_RECURRENCE_ID,
	MIME_CALENDAR_ORGANIZER,
	MIME_CALENDAR_TEXTS,
};

enum mime_attendee_text {
	MIME_ATTENDEE_ADDRESS,
	MIME_ATTENDEE_NAME,
	MIME_ATTENDEE_PARTSTAT,
	MIME_ATTENDEE_TEXTS,
};

#define MIME_SUMMARY_TEXTS_MAX 13  /* of a row */
#define MIME_SUMMARY_TEXT_LEN 1000 /* bytes of a text, the NUL not counted */
#define MIME_SUMMARY_ROWS_MAX 1000

/* The number of texts of a summary of this kind, and of each of its rows. */
struct mime_summary_shape {
	size_t texts;
	size_t row_texts;
};

extern const struct mime_summary_shape mime_summary_shapes[MIME_SUMMARIES];

/* The kinds of a bounce, the worst first, and last the one of which nothing is
 * known; NULL ends them. */
extern const char *const mime_bounce_kinds[];

struct mime_summary_row {
	char
	    *texts[MIME_SUMMARY_TEXTS_MAX]; /* NULL beyond the shape's number */
};

struct mime_summary {
	struct mime_summary_row *head; /* NULL: the message is no such thing */
	struct mime_summary_row *rows;
	size_t row_count;
	size_t attachment; /* the number of the one it stands in, 0: none */
};

void mime_summary_row_done(struct mime_summary_row *row);
void mime_summary_done(struct mime_summary *summary);

#endif
