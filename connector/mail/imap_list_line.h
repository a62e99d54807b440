/* SPDX-License-Identifier: ISC */
/*
 * What a server tells of its mailboxes: LIST (RFC 3501 section 7.2.2) and
 * NAMESPACE (RFC 2342).  Pure reading of text, no connection.
 */
#ifndef MT_MAIL_IMAP_LIST_LINE_H
#define MT_MAIL_IMAP_LIST_LINE_H

#include <stdbool.h>
#include <stddef.h>

struct imap_list_line {
	char attributes[512]; /* "\HasNoChildren \Sent", without parentheses */
	char delimiter;       /* '\0': no hierarchy */
	bool in_literal;      /* the name is in the next line */
	char name[1024];      /* as on the wire; "": too long for one */
};

/* Reads "* LIST (attributes) delimiter name"; false: the line is something
 * else, or cannot be read. */
bool imap_list_line_begins(const char *line, struct imap_list_line *ret_line);

/* Takes the name from the line behind, which begins with `bytes` of it. */
void imap_list_line_goes_on(
    const char *line, size_t bytes, struct imap_list_line *line_before);

/* Is `attribute`, such as "\Sent", among them, in any case? */
bool imap_list_line_has(
    const struct imap_list_line *line, const char *attribute);

/* Whose mailboxes a namespace has. */
enum imap_owner {
	IMAP_OWN,
	IMAP_OTHER_USERS,
	IMAP_SHARED,
};

/* Reads "* NAMESPACE own others shared" and hands over each prefix, as on the
 * wire, with its delimiter.  False: the line is something else, or cannot be
 * read to its end. */
bool imap_namespace_read(const char *line,
    void (*take)(void *context, enum imap_owner owner, const char *prefix,
	char delimiter),
    void *context);

#endif
