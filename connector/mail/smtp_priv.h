/* SPDX-License-Identifier: ISC */
/*
 * What the units of a submission connection share: smtp_conn (life),
 * smtp_login (up to the login), smtp_send (one message).
 */
#ifndef MT_MAIL_SMTP_PRIV_H
#define MT_MAIL_SMTP_PRIV_H

#include "net/net.h"
#include "mail/smtp_conn.h"
#include "mail/smtp_reply.h"

#include <libetpan/libetpan.h>
#include <stdbool.h>

#define SMTP_REPLY_BYTES 65536 /* that the server may send in one reply */

struct smtp_conn {
	struct net *net;
	mailsmtp *smtp;
	struct smtp_extensions offered;
	bool broken;      /* nothing may be sent any more */
	bool transaction; /* MAIL was said, and not ended */
	char mechanism[32];
};

/* Reads one reply.  Fails if there is none, or it is no SMTP. */
enum mt_status smtp_read_reply(struct smtp_conn *conn, struct smtp_reply *reply,
    struct mt_error *err) MT_MUST_CHECK;

/* Everything before the first message (smtp_login.c). */
enum mt_status smtp_login(struct smtp_conn *conn,
    const struct mail_server *server, const struct net_trust *trust,
    enum mail_login *ret_login, struct mt_error *err) MT_MUST_CHECK;

#endif
