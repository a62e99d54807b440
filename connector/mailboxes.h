/* SPDX-License-Identifier: ISC */
/*
 * The mailboxes that are followed, and the folder of the agent that each of
 * them becomes: what TRI_ONYX_EMAIL_MAILBOXES says.
 */
#ifndef MT_CONNECTOR_MAILBOXES_H
#define MT_CONNECTOR_MAILBOXES_H

#include "base/status.h"

#include <stddef.h>

#define MAILBOXES_MAX 100

struct mailboxes {
	struct mailbox_setting {
		char *name;   /* on the server, UTF-8 */
		char *folder; /* beneath the agent's directory */
	} * list;
	size_t count;
};

/*
 * Reads "NAME[=FOLDER],...".  Without a folder, INBOX is "inbox" and any other
 * has its own name, which must then be one for a directory: letters, digits,
 * '_' and '-'.  MT_BAD_CONFIG says which entry is wrong and why.
 */
enum mt_status mailboxes_read(struct mailboxes *mailboxes, const char *text,
    struct mt_error *err) MT_MUST_CHECK;

void mailboxes_done(struct mailboxes *mailboxes);

#endif
