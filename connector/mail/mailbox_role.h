/* SPDX-License-Identifier: ISC */
/*
 * Which of an account's mailboxes is the one for what is sent, or for drafts:
 * by what the server says (RFC 6154), or by its name.  Pure choosing, no
 * connection.
 */
#ifndef MT_MAIL_MAILBOX_ROLE_H
#define MT_MAIL_MAILBOX_ROLE_H

#include "mail/imap_list_line.h"
#include "mail/imap_mailboxes.h"

#define MAILBOX_FOREIGN_MAX 8

/* What belongs to whom. */
struct mailbox_spaces {
	struct imap_namespace own;
	bool has_own;                           /* told, the first one */
	char foreign[MAILBOX_FOREIGN_MAX][128]; /* prefixes of others, UTF-8 */
	size_t foreign_count;
};

/* Takes a namespace, as imap_namespace_read hands it over. */
void mailbox_spaces_take(
    void *spaces, enum imap_owner owner, const char *prefix, char delimiter);

struct mailbox_choice {
	enum imap_role role;
	const struct mailbox_spaces *spaces;
	unsigned rank; /* of what was found: the less, the better */
	char name[IMAP_MAILBOX_NAME_MAX]; /* UTF-8; "": nothing so far */
};

/* Looks at one more mailbox. */
void mailbox_choice_take(
    struct mailbox_choice *choice, const struct imap_list_line *line);

/* What the mailbox is to be called where there is none ("": nothing). */
const char *mailbox_role_name(enum imap_role role);

/* Can it be opened? */
bool mailbox_is_real(const struct imap_list_line *line);

#endif
