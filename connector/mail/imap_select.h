/* SPDX-License-Identifier: ISC */
/* Opening a mailbox to change what is in it. */
#ifndef MT_MAIL_IMAP_SELECT_H
#define MT_MAIL_IMAP_SELECT_H

#include "mail/imap_conn.h"

/*
 * SELECT.  The name may be UTF-8.  MT_REFUSED: the server says NO for good
 * (there is no such mailbox), or would let it be read only; the connection
 * stays usable, with no mailbox opened.  MT_BAD_INPUT: it cannot be a name,
 * nothing was sent.  Otherwise as imap_conn_examine.
 */
enum mt_status imap_conn_select(struct imap_conn *conn, const char *mailbox,
    struct imap_mailbox *ret_mailbox, struct deadline deadline,
    struct mt_error *err) MT_MUST_CHECK;

#endif
