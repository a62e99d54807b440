/* SPDX-License-Identifier: ISC */
/*
 * Attachments that are more than files: what TNEF has inside becomes files
 * beside it, a calendar message and a delivery report are summed up.  For the
 * worker only.
 */
#ifndef MT_MIME_MIME_UNPACK_H
#define MT_MIME_MIME_UNPACK_H

#include "mime_attach.h"
#include "mime_report.h"

#include <glib.h>
#include <gmime/gmime.h>
#include <stdbool.h>
#include <stddef.h>

struct mime_unpack {
	struct mime_report *report;
	struct mime_attach *attach;
	bool has_calendar; /* one was summed up; there is one for a message */
	GString *status;   /* the first delivery report, NULL: none yet */
	GString *returned; /* the first message after it */
};

/* Takes part `number`, right after it was reported as an attachment of this
 * name. */
void mime_unpack_part(struct mime_unpack *unpack, GMimePart *part,
    size_t number, const char *name);

/* Reports what had to wait for later parts, and releases it. */
void mime_unpack_end(struct mime_unpack *unpack);

#endif
