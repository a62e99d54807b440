/* SPDX-License-Identifier: ISC */
/* One leaf of a message's tree: what it is called, what it is, and its contents
 * without their transfer encoding.  For the worker only. */
#ifndef MT_MIME_MIME_PART_H
#define MT_MIME_MIME_PART_H

#include "mime_report.h"

#include <glib.h>
#include <gmime/gmime.h>
#include <stdbool.h>
#include <stddef.h>

/* Reports what is wrong with the type and the transfer encoding of part
 * `number`. */
void mime_part_check(
    struct mime_report *report, GMimePart *part, size_t number);

/* The contents from the start, for the caller to unref; NULL if there are
 * none. */
GMimeStream *mime_part_open(GMimePart *part);

/* The next bytes of contents that are open, at most `size`; 0 at the end. */
size_t mime_part_next(GMimeStream *stream, char *bytes, size_t size);

/* The contents, of which it may stop reading after `max` bytes. */
GString *mime_part_read(GMimePart *part, size_t max);

/* type/subtype in lower case; what cannot be a type is unknown.  The caller
 * frees it. */
char *mime_part_type(GMimePart *part);

/* type/subtype in lower case, as RFC 6838 section 4.2 has them. */
bool mime_part_is_type(const char *type);

/* Any case. */
bool mime_part_has_type(GMimePart *part, const char *type, const char *subtype);

/* Text in the type that GMime goes by: an unreadable one counts as text/plain
 * (RFC 2045 section 5.2). */
bool mime_part_is_text(GMimePart *part);
bool mime_part_is_plain(GMimePart *part);
bool mime_part_is_html(GMimePart *part);

/* The file name that the sender gave it, one line, "" if none: `filename` of
 * Content-Disposition, else `name` of Content-Type.  RFC 2231 and RFC 2047 are
 * both decoded.  The caller frees it. */
char *mime_part_file_name(struct mime_report *report, GMimePart *part);

enum mime_disposition {
	MIME_DISPOSITION_NONE,
	MIME_DISPOSITION_INLINE,
	MIME_DISPOSITION_ATTACHMENT, /* and unknown ones, RFC 2183 section 2.8 */
};

enum mime_disposition mime_part_disposition(GMimePart *part);

#endif
