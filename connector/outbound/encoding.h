/* SPDX-License-Identifier: ISC */
/*
 * Content transfer encodings (RFC 2045 6.7 and 6.8), encoding only.
 */
#ifndef MT_OUTBOUND_ENCODING_H
#define MT_OUTBOUND_ENCODING_H

#include "base/buf.h"

#include <stddef.h>

/* Appends the base64 of `len` bytes without any line end. */
void encoding_add_base64(struct buf *out, const void *bytes, size_t len);

/* Appends base64 in lines of 76, each ended by CRLF. */
void encoding_add_base64_lines(struct buf *out, const void *bytes, size_t len);

/* How many bytes that appends. */
size_t encoding_base64_lines_len(size_t len);

/* Appends text with CRLF line ends as quoted-printable, in lines of at most 76
 * bytes.  A last line without CRLF gets one. */
void encoding_add_quoted_printable(
    struct buf *out, const void *text, size_t len);

#endif
