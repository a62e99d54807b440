/* SPDX-License-Identifier: ISC */
/*
 * A calendar message (iTIP, RFC 5546, as iMIP, RFC 6047), summed up with
 * libical.  Of the calendar, libical is given the few lines that are wanted and
 * nothing else: time zones, recurrences, alarms and attachments never reach it,
 * nor does it ever look for a zone's file.  For the worker only.
 */
#ifndef MT_MIME_MIME_CALENDAR_H
#define MT_MIME_MIME_CALENDAR_H

#include "mime_report.h"

#include <stdbool.h>
#include <stddef.h>

/* Bytes of a calendar; a longer one is not summed up. */
#define MIME_CALENDAR_BYTES_MAX (1024 * 1024)

/* Sets libical up, once in a process, before the lock-down. */
void mime_calendar_init(void);

/* Reports the first event, to-do, journal or free-busy time of a calendar that
 * has a METHOD; `text` is UTF-8, and ends with a NUL.  False if there is
 * none. */
bool mime_calendar_report(struct mime_report *report, const char *text);

#endif
