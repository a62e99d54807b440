/* SPDX-License-Identifier: ISC */
/*
 * What the worker says of one message, within the limits: frames, and the
 * sentences on what is wrong, each once.  For the worker only.
 */
#ifndef MT_MIME_MIME_REPORT_H
#define MT_MIME_MIME_REPORT_H

#include "mime_extract.h"
#include "mime_wire.h"

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

struct mime_report {
	const struct mime_limits *limits;
	mime_extract_emit emit;
	void *context;
	bool stopped;   /* nobody listens any more */
	bool truncated; /* a limit cut something */
	char *defects[MIME_WIRE_DEFECTS];
	size_t defect_count;
};

/* Emits bytes in as many frames as they need; nothing if there are none. */
void mime_report_bytes(struct mime_report *report, enum mime_frame_kind kind,
    const void *data, size_t len);

/* Cuts `text` at `max` bytes, between characters; if that takes something away,
 * a defect says so of `name`. */
void mime_report_limit(
    struct mime_report *report, GString *text, size_t max, const char *name);

/* Emits a summary's head (MIME_FRAME_SUMMARY) or one of its rows
 * (MIME_FRAME_ROW), each text made a line and cut where it is too long; a NULL
 * is an empty one. */
void mime_report_row(struct mime_report *report, enum mime_frame_kind frame,
    enum mime_summary_kind kind, const char *const *texts);

/* Adds a sentence; what a sender wrote may be in it. */
void mime_report_defect(struct mime_report *report, const char *format, ...)
    MT_PRINTF(2, 3);

/* Adds what is wrong with a header field: a set of enum mime_header_issue. */
void mime_report_issues(
    struct mime_report *report, const char *field, unsigned issues);

/* Emits the defects, and DONE; releases everything. */
void mime_report_end(struct mime_report *report, bool parsed);

#endif
