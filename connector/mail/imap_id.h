/* SPDX-License-Identifier: ISC */
/* Says who we are (RFC 2971) to those servers that open no mailbox before. */
#ifndef MT_MAIL_IMAP_ID_H
#define MT_MAIL_IMAP_ID_H

#include "mail/imap_priv.h"

/* Does the server of this name want to know?  It may still not offer ID. */
bool imap_id_is_wanted(const char *host);

/*
 * After the login: sends ID where it is wanted and offered.  What the server
 * makes of it does not matter; MT_RETRY_LATER: the connection broke.
 */
enum mt_status imap_id_introduce(struct imap_conn *conn, const char *host,
    struct mt_error *err) MT_MUST_CHECK;

#endif
