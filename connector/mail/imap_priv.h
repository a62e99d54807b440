/* SPDX-License-Identifier: ISC */
/*
 * What the units of an IMAP connection share: imap_conn (life and mailbox),
 * imap_login (up to the login), imap_fetch (reading messages).
 */
#ifndef MT_MAIL_IMAP_PRIV_H
#define MT_MAIL_IMAP_PRIV_H

#include "mail/imap_conn.h"
#include "mail/imap_gate.h"
#include "mail/imap_reply.h"
#include "net/net.h"
#include "mail/stream.h"

#include <libetpan/libetpan.h>
#include <stdbool.h>

struct imap_conn {
	struct net *net;
	mailimap *imap;
	struct imap_gate gate;
	struct stream_source source;
	bool broken; /* nothing may be sent any more */
	char mechanism[32];
};

/* Everything between the connection and the mailbox (imap_login.c). */
enum mt_status imap_login(struct imap_conn *conn,
    const struct mail_server *server, const struct net_trust *trust,
    enum mail_login *ret_login, struct mt_error *err) MT_MUST_CHECK;

#endif
