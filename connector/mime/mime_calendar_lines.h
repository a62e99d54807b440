/* SPDX-License-Identifier: ISC */
/* Chooses the lines of a calendar that libical may see.  For the worker
 * only. */
#ifndef MT_MIME_MIME_CALENDAR_LINES_H
#define MT_MIME_MIME_CALENDAR_LINES_H

#include "mime_report.h"

/*
 * A calendar made of the METHOD of `text` and the properties of its first
 * event, to-do, journal or free-busy time that a summary is made of; whatever
 * is nested deeper is left out.  It has at most 1,000 attendees, lines of
 * 4,000 bytes, and no control characters; what was left out for that is a
 * defect.  NULL if `text` is no calendar with a METHOD.  g_free.
 */
char *mime_calendar_lines(struct mime_report *report, const char *text);

#endif
