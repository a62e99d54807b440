/* SPDX-License-Identifier: ISC */
/* The answer to SEARCH (RFC 3501 section 7.2.5).  Pure reading of text. */
#ifndef MT_MAIL_IMAP_SEARCH_LINE_H
#define MT_MAIL_IMAP_SEARCH_LINE_H

#include <stdbool.h>
#include <stdint.h>

/* Is the line "* SEARCH", whatever follows? */
bool imap_search_line_begins(const char *line);

/* Hands over the numbers of such a line.  False: it cannot be read, or `take`
 * returned false. */
bool imap_search_line_read(const char *line,
    bool (*take)(void *context, uint32_t number), void *context);

#endif
