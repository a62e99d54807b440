/* SPDX-License-Identifier: ISC */
/*
 * What the units of an IMAP connection share: imap_conn (life and mailbox),
 * imap_login (up to the login), imap_fetch (reading messages), imap_watch
 * (waiting for them), imap_ask (changing and searching mailboxes).
 */
#ifndef MT_MAIL_IMAP_PRIV_H
#define MT_MAIL_IMAP_PRIV_H

#include "mail/imap_conn.h"
#include "mail/imap_gate.h"
#include "mail/imap_news.h"
#include "mail/imap_reply.h"
#include "mail/imap_watch.h"
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
	char *capabilities; /* words with spaces between; NULL before login */
	struct imap_news_reader reader;
	uint64_t bytes_told; /* of gate.received, in news */
	struct {
		bool on;             /* between begin and end */
		bool ended;          /* ... and the server has ended it */
		bool notify_set;     /* a NOTIFY SET is in force */
		bool notify_refused; /* or has overflowed: never again */
		enum imap_push push;
	} watch;
};

/* Begins a command of our own: until when, and how much it may be answered. */
void imap_conn_begin(
    struct imap_conn *conn, struct deadline deadline, size_t bytes);

/* Lets go of the mailboxes of the last watch (imap_watch.c). */
void imap_watch_forget(struct imap_conn *conn);

/* Everything between the connection and the mailbox (imap_login.c).  `deadline`
 * is that of the login itself; until it can begin, the connection's own holds. */
enum mt_status imap_login(struct imap_conn *conn,
    const struct mail_server *server, const struct net_trust *trust,
    struct deadline deadline, enum mail_login *ret_login,
    struct mt_error *err) MT_MUST_CHECK;

#endif
