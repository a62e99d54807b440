/* SPDX-License-Identifier: ISC */
/* Filing a message in a mailbox (RFC 3501 section 6.3.11). */
#ifndef MT_MAIL_IMAP_APPEND_H
#define MT_MAIL_IMAP_APPEND_H

#include "mail/imap_conn.h"
#include "mail/imap_place.h"

/*
 * APPEND.  `flags` are separated by spaces, such as "\\Seen" ("": none);
 * `date` becomes the INTERNALDATE (0: the server's own).  Where the server
 * answers [TRYCREATE], the mailbox is created, and it is tried once more.  The
 * bytes are sent as they are, with CRLF line ends and without NUL, and not
 * copied.
 *
 * MT_OK: it is there.  MT_REFUSED: it is not, and the server says NO for good
 * (no right, no such thing); the connection stays usable.  MT_BAD_INPUT:
 * nothing was sent.  MT_RETRY_LATER while imap_conn_is_usable(): it is not
 * there, for the server's trouble of the moment, or as the mailbox is full.
 * MT_RETRY_LATER with a connection that is not usable any more: it may be there
 * or not, look for it.
 */
enum mt_status imap_conn_append(struct imap_conn *conn, const char *mailbox,
    const char *flags, time_t date, const void *bytes, size_t len,
    struct imap_place *ret_place, struct deadline deadline,
    struct mt_error *err) MT_MUST_CHECK;

#endif
