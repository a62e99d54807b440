/* SPDX-License-Identifier: ISC */
/*
 * Header fields to text: unfolded, encoded words decoded (RFC 2047), any
 * charset to UTF-8, one line without control characters.  Nothing is refused;
 * what was wrong is said in a set of issues.  For the worker only.
 */
#ifndef MT_MIME_MIME_HEADER_H
#define MT_MIME_MIME_HEADER_H

#include <glib.h>

enum mime_header_issue {
	MIME_HEADER_BROKEN = 1,    /* bytes without meaning in their charset */
	MIME_HEADER_UNKNOWN = 2,   /* an unknown charset */
	MIME_HEADER_GUESSED = 4,   /* raw 8-bit bytes that are no UTF-8 */
	MIME_HEADER_CONTROL = 8,   /* control characters */
	MIME_HEADER_ADDRESSES = 16 /* no list of addresses: taken as text */
};

/* All return a string of their own (g_free) and add to *issues. */

/* An unstructured field: Subject. */
char *mime_header_text(const char *raw, unsigned *issues);

/* A field that has no encoded words: Message-ID, References, Date. */
char *mime_header_plain(const char *raw, unsigned *issues);

/*
 * An address list, with names decoded, and quoted where they need it: a name
 * that looks like an address does not become one.  *ret_first is the first
 * address, bare, "" if there is none.
 */
char *mime_header_addresses(
    const char *raw, char **ret_first, unsigned *issues);

/* A date as ISO 8601, UTC, to the second (2026-02-17T10:00:00Z); NULL if it
 * is none. */
char *mime_header_date(const char *raw);

/* The field with its encoded words and raw bytes all in UTF-8, otherwise as it
 * is, for GMime's parsers of parameters. */
char *mime_header_in_utf8(const char *raw, unsigned *issues);

#endif
