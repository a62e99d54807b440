/* SPDX-License-Identifier: ISC */
/*
 * What the units of an IMAP connection share: imap_conn (life and mailbox),
 * imap_login (up to the login), imap_fetch (reading messages).
 */
#ifndef MT_MAIL_IMAP_PRIV_H
#define MT_MAIL_IMAP_PRIV_H

#include "mail/imap_conn.h"
#include "mail/imap_meter.h"
#include "mail/imap_reply.h"
#include "mail/net.h"

#include <libetpan/libetpan.h>
#include <stdbool.h>

struct imap_conn {
	struct net *net;
	mailimap *imap;
	struct imap_meter meter;
	bool broken; /* nothing may be sent any more */
	char mechanism[32];
};

/* Begins a command: until when, how much the server may answer beside
 * messages, and how large one of these may be (0: none is expected). */
void imap_conn_begin(struct imap_conn *conn, struct deadline deadline,
    size_t protocol_bytes, uint64_t max_message);

/* What came of a libetpan call: MT_OK for `code` 0, else a failure that says
 * what could not be done ("cannot open the mailbox"). */
enum mt_status imap_conn_result(struct imap_conn *conn, int code,
    const char *what, struct mt_error *err) MT_MUST_CHECK;

/* Everything between the connection and the mailbox (imap_login.c). */
enum mt_status imap_login(struct imap_conn *conn,
    const struct mail_server *server, const struct net_trust *trust,
    enum mail_login *ret_login, struct mt_error *err) MT_MUST_CHECK;

/* Says LOGOUT and waits for the answer, within the deadline. */
void imap_logout(struct imap_conn *conn);

#endif
