/* SPDX-License-Identifier: ISC */
/*
 * Encoded words (RFC 2047) to UTF-8, for comparing what a server has re-written
 * with what was written.  Pure reading of text.
 *
 * Reading for people is the MIME worker's affair (mime_header.h), which has
 * nothing to lose; here only charsets are read that mail programs write in, and
 * anything else stays as it is.
 */
#ifndef MT_MAIL_ENCODED_WORD_H
#define MT_MAIL_ENCODED_WORD_H

#include "base/buf.h"

#include <stddef.h>

/* Appends `text` to `out` with its encoded words decoded.  A character that is
 * cut in two by words of one charset is put together; what has no meaning in
 * the charset becomes '?'. */
void encoded_word_decode(struct buf *out, const char *text, size_t len);

#endif
