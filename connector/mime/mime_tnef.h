/* SPDX-License-Identifier: ISC */
/* What is inside of a TNEF stream (winmail.dat): files, and the forms of the
 * message's text that the stream alone has.  For the worker only. */
#ifndef MT_MIME_MIME_TNEF_H
#define MT_MIME_MIME_TNEF_H

#include "mime_report.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of a stream; a larger one is not unpacked. */
#define MIME_TNEF_BYTES_MAX (64 * 1024 * 1024)

struct mime_tnef_file {
	const char *name; /* UTF-8, as the sender said; NULL if not */
	const char *type; /* the same */
	const char *content_id;
	const uint8_t *data;
	size_t len;
};

/* Takes one file.  False: no more. */
typedef bool (*mime_tnef_take)(
    void *context, const struct mime_tnef_file *file);

/*
 * Passes on all files in `bytes`: body.txt, body.html and body.rtf first, then
 * the attachments; of a message that is one of them, what is inside of it.
 * What is broken is left out, with a defect of part `number`.
 */
void mime_tnef_unpack(struct mime_report *report, size_t number,
    const uint8_t *bytes, size_t len, mime_tnef_take take, void *context);

#endif
