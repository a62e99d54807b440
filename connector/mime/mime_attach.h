/* SPDX-License-Identifier: ISC */
/* The attachments of one message as frames, within the limits: their number,
 * the bytes of all, the lengths of names.  For the worker only. */
#ifndef MT_MIME_MIME_ATTACH_H
#define MT_MIME_MIME_ATTACH_H

#include "mime_report.h"
#include "mime_wire.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mime_attach {
	struct mime_report *report;
	size_t count;    /* reported */
	size_t left_out; /* beyond the limit */
	uint64_t bytes;  /* reported, of all */
};

/* Begins an attachment.  Its name and Content-ID may be whatever the sender
 * wrote; its type is one.  False if the message has too many: its contents are
 * then not wanted. */
bool mime_attach_begin(
    struct mime_attach *attach, const struct mime_wire_attachment *said);

/* Adds contents to the attachment begun last.  False if there is no room for
 * more. */
bool mime_attach_data(struct mime_attach *attach, const void *data, size_t len);

/* Reports how many were left out. */
void mime_attach_end(struct mime_attach *attach);

#endif
