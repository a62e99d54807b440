/* SPDX-License-Identifier: ISC */
/* The mailboxes of an account: which there are, what they are for. */
#ifndef MT_MAIL_IMAP_MAILBOXES_H
#define MT_MAIL_IMAP_MAILBOXES_H

#include "mail/imap_conn.h"

#include <stdbool.h>

#define IMAP_MAILBOX_NAME_MAX 1024 /* bytes of UTF-8, with the NUL */

enum imap_role {
	IMAP_ROLE_SENT,
	IMAP_ROLE_DRAFTS,
	IMAP_ROLE_ALL, /* \All, which most servers have not */
};

/*
 * Finds the mailbox for a role: by SPECIAL-USE (RFC 6154), else by the names
 * that are usual in one language or another, at the top or beneath INBOX.
 * Mailboxes of others and such that cannot be opened do not count.
 *
 * *ret_exists false: there is none; `ret_name` is then what to create
 * ("Sent", "INBOX.Drafts"), "" for IMAP_ROLE_ALL.  Names are UTF-8.  A LIST
 * that the server refuses is a failure, MT_REFUSED or MT_RETRY_LATER.
 */
enum mt_status imap_conn_find_role(struct imap_conn *conn, enum imap_role role,
    char ret_name[IMAP_MAILBOX_NAME_MAX], bool *ret_exists,
    struct deadline deadline, struct mt_error *err) MT_MUST_CHECK;

/* Is there a mailbox by this name, which can be opened? */
enum mt_status imap_conn_has_mailbox(struct imap_conn *conn,
    const char *mailbox, bool *ret_exists, struct deadline deadline,
    struct mt_error *err) MT_MUST_CHECK;

/*
 * CREATE, and SUBSCRIBE so that other programs show it.  The name may be
 * UTF-8; it is taken as it is, with the server's delimiter and prefix
 * (imap_conn_namespace).  *ret_existed: it was there before.  MT_REFUSED: the
 * server will not have it; MT_BAD_INPUT: it cannot be a name.  The connection
 * stays usable after both.
 */
enum mt_status imap_conn_create(struct imap_conn *conn, const char *mailbox,
    bool *ret_existed, struct deadline deadline,
    struct mt_error *err) MT_MUST_CHECK;

struct imap_namespace {
	char prefix[128]; /* of one's own mailboxes: "", "INBOX."; UTF-8 */
	char delimiter;   /* '\0': there is no hierarchy */
};

/* What one's own mailboxes begin with (RFC 2342; without NAMESPACE: as LIST
 * tells of INBOX, with no prefix). */
enum mt_status imap_conn_namespace(struct imap_conn *conn,
    struct imap_namespace *ret_namespace, struct deadline deadline,
    struct mt_error *err) MT_MUST_CHECK;

#endif
