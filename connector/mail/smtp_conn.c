/* SPDX-License-Identifier: ISC */
#include "mail/smtp_conn.h"

#include <stdlib.h>

#include "mail/smtp_priv.h"
#include "mail/stream.h"

#define LOGIN_BYTES 131072 /* that the server may send until it is done */
#define QUIT_MS 2000

static enum mt_status
open_conn(struct smtp_conn *conn, const struct mail_server *server,
    const struct net_trust *trust, enum mail_login *ret_login,
    struct deadline deadline, struct mt_error *err)
{
	enum mt_status status =
	    net_connect(&conn->net, server->host, server->port, deadline, err);

	if (status != MT_OK)
		return status;
	net_begin(conn->net, deadline, LOGIN_BYTES);
	conn->smtp = mailsmtp_new(0, NULL);
	if (conn->smtp)
		conn->smtp->stream = stream_new(conn->net, NULL);
	if (!conn->smtp || !conn->smtp->stream)
		return mt_fail(err, MT_NO_MEMORY, "out of memory");
	return smtp_login(conn, server, trust, ret_login, err);
}

enum mt_status
smtp_conn_open(struct smtp_conn **ret_conn, const struct mail_server *server,
    const struct net_trust *trust, enum mail_login *ret_login,
    struct deadline deadline, struct mt_error *err)
{
	struct smtp_conn *conn = calloc(1, sizeof(*conn));
	enum mt_status status;

	*ret_login = MAIL_LOGIN_NOT_TRIED;
	if (!conn)
		return mt_fail(err, MT_NO_MEMORY, "out of memory");
	status = open_conn(conn, server, trust, ret_login, deadline, err);
	if (status != MT_OK) {
		conn->broken = true;
		smtp_conn_close(&conn);
		return status;
	}
	*ret_conn = conn;
	return MT_OK;
}

/* Says QUIT and waits for the answer, so that the server is not cut off. */
static void
quit(struct smtp_conn *conn)
{
	struct smtp_reply reply = SMTP_REPLY_INIT;

	net_begin(conn->net, deadline_in_ms(QUIT_MS), SMTP_REPLY_BYTES);
	if (stream_send(conn->smtp->stream, conn->net, "QUIT\r\n", NULL) ==
	    MT_OK)
		(void)!smtp_read_reply(conn, &reply, NULL);
	smtp_reply_done(&reply);
}

void
smtp_conn_close(struct smtp_conn **conn)
{
	struct smtp_conn *c = *conn;

	if (!c)
		return;
	if (!c->broken && net_error(c->net)->status == MT_OK)
		quit(c);
	if (c->smtp) {
		/* first, or mailsmtp_free sends a QUIT of its own */
		stream_free(&c->smtp->stream);
		mailsmtp_free(c->smtp);
	}
	net_free(&c->net);
	free(c);
	*conn = NULL;
}

const char *
smtp_conn_mechanism(const struct smtp_conn *conn)
{
	return conn->mechanism;
}
