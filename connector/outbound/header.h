/* SPDX-License-Identifier: ISC */
/*
 * Writes header fields (RFC 5322 2.2): folding, and RFC 2047 for what is not
 * ASCII.  A field is a name and words, which are joined by one space or, where
 * a line would become too long, by a fold.
 */
#ifndef MT_OUTBOUND_HEADER_H
#define MT_OUTBOUND_HEADER_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>

/* True if the text holds no control character (C0, DEL, C1), so that it can
 * never end a header field. */
bool header_text_is_clean(const char *text, size_t len);

struct header_writer {
	struct buf *out;
	size_t column; /* bytes on the current line */
	bool empty;    /* nothing stands behind the colon */
};

void header_begin(struct header_writer *w, struct buf *out, const char *name);

/* Adds a word as it is; `len` <= 900 keeps every line within 998. */
void header_add_word(struct header_writer *w, const char *word, size_t len);

/*
 * Adds text that people read (UTF-8, clean), such as a subject: as it is when
 * it is plain ASCII that survives folding, else as encoded words.
 */
void header_add_text(struct header_writer *w, const char *text);

/* As header_add_text, for the display name before an address: a quoted string
 * where needed, which is not folded. */
void header_add_name(struct header_writer *w, const char *name);

/*
 * Adds a parameter (RFC 2045 5.1) whose value is UTF-8 and clean, <= 2048
 * bytes: as a quoted string where every program understands one, else as RFC
 * 2231 has it, in several pieces where it is long.
 */
void header_add_param(
    struct header_writer *w, const char *name, const char *value);

/*
 * The same for programs that do not know RFC 2231, which most programs do
 * against RFC 2047 5: as encoded words.  Nothing if header_add_param says it in
 * a quoted string.
 */
void header_add_old_param(
    struct header_writer *w, const char *name, const char *value);

void header_end(struct header_writer *w);

#endif
