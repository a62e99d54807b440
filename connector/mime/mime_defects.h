/* SPDX-License-Identifier: ISC */
/*
 * The sentences that say what is wrong with a message: each once, a bounded
 * number, one line of UTF-8.  For the worker only.
 */
#ifndef MT_MIME_MIME_DEFECTS_H
#define MT_MIME_MIME_DEFECTS_H

#include "mime_wire.h"

#include <glib.h>
#include <gmime/gmime.h>
#include <stddef.h>

struct mime_defects {
	char *sentences[MIME_WIRE_DEFECTS];
	size_t count;
};

void mime_defects_done(struct mime_defects *defects);

/* Adds a sentence; what a sender wrote may be in it. */
void mime_defects_add(struct mime_defects *defects, const char *format, ...)
    G_GNUC_PRINTF(2, 3);

/* Has what GMime's parser finds wrong added, too. */
void mime_defects_listen(
    struct mime_defects *defects, GMimeParserOptions *options);

#endif
