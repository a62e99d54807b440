/* SPDX-License-Identifier: ISC */
/* Moving a message out of the mailbox that imap_conn_select has opened. */
#ifndef MT_MAIL_IMAP_MOVE_H
#define MT_MAIL_IMAP_MOVE_H

#include "mail/imap_conn.h"
#include "mail/imap_place.h"

/*
 * Moves one message: UID MOVE (RFC 6851), or else UID COPY, then
 * imap_conn_remove.  The target must exist (imap_conn_create).
 *
 * MT_OK: it is there, and not here any more (without MOVE and UIDPLUS: marked
 * as deleted here); *ret_place is where, as far as the server told.  Or
 * *ret_gone: it was not here any more, and nothing was moved.  A server that
 * tells no places cannot be asked whether it was the message or nothing that
 * it moved; then *ret_gone is what was the case right before.
 *
 * A failure with *ret_copied: the target has a copy (*ret_place) of what is
 * still here; ask for imap_conn_remove, not for another move.  MT_REFUSED
 * without it: the server says NO for good, nothing was moved; the connection
 * stays usable.  MT_BAD_INPUT: the name cannot be one.  MT_RETRY_LATER while
 * imap_conn_is_usable(): nothing was moved; else look in both mailboxes.
 */
enum mt_status imap_conn_move(struct imap_conn *conn, uint32_t uid,
    const char *mailbox, struct imap_place *ret_place, bool *ret_gone,
    bool *ret_copied, struct deadline deadline,
    struct mt_error *err) MT_MUST_CHECK;

/*
 * Removes one message: marks it as deleted, and expunges it by its UID where
 * the server can (UIDPLUS).  Never a plain EXPUNGE, which would take what
 * others have marked.  One that is not there any more is no failure.
 */
enum mt_status imap_conn_remove(struct imap_conn *conn, uint32_t uid,
    struct deadline deadline, struct mt_error *err) MT_MUST_CHECK;

#endif
