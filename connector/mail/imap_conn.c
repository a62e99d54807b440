/* SPDX-License-Identifier: ISC */
#include "mail/imap_conn.h"

#include <stdlib.h>
#include <string.h>

#include "mail/imap_command.h"

#define LOGIN_BYTES 131072 /* that the server may send until it is done */
#define LOGOUT_BYTES 8192
#define LOGOUT_MS 2000

static ssize_t
read_gate(void *context, void *data, size_t len)
{
	return imap_gate_read(context, data, len);
}

static bool
gate_has_unread(void *context)
{
	return imap_gate_has_unread(context);
}

void
imap_conn_begin(struct imap_conn *conn, struct deadline deadline, size_t bytes)
{
	net_begin(conn->net, deadline, SIZE_MAX);
	imap_gate_begin(&conn->gate, bytes);
}

static enum mt_status
prepare(struct imap_conn *conn, struct mt_error *err)
{
	conn->gate = (struct imap_gate)IMAP_GATE_INIT(conn->net);
	conn->source =
	    (struct stream_source){&conn->gate, read_gate, gate_has_unread};
	conn->imap = mailimap_new(0, NULL);
	if (conn->imap)
		conn->imap->imap_stream = stream_new(conn->net, &conn->source);
	if (!conn->imap || !conn->imap->imap_stream)
		return mt_fail(err, MT_NO_MEMORY, "out of memory");
	return MT_OK;
}

static enum mt_status
open_conn(struct imap_conn *conn, const struct mail_server *server,
    const struct net_trust *trust, enum mail_login *ret_login,
    struct deadline deadline, struct mt_error *err)
{
	struct deadline reached =
	    server->reach_ms
		? deadline_min(deadline, deadline_in_ms(server->reach_ms))
		: deadline;
	enum mt_status status =
	    net_connect(&conn->net, server->host, server->port, reached, err);

	if (status != MT_OK)
		return status;
	status = prepare(conn, err);
	imap_conn_begin(conn, reached, LOGIN_BYTES);
	if (status == MT_OK)
		status =
		    imap_login(conn, server, trust, deadline, ret_login, err);
	return status;
}

enum mt_status
imap_conn_open(struct imap_conn **ret_conn, const struct mail_server *server,
    const struct net_trust *trust, enum mail_login *ret_login,
    struct deadline deadline, struct mt_error *err)
{
	struct imap_conn *conn = calloc(1, sizeof(*conn));
	enum mt_status status;

	*ret_login = MAIL_LOGIN_NOT_TRIED;
	if (!conn)
		return mt_fail(err, MT_NO_MEMORY, "out of memory");
	status = open_conn(conn, server, trust, ret_login, deadline, err);
	if (status != MT_OK) {
		conn->broken = true;
		imap_conn_close(&conn);
		return status;
	}
	*ret_conn = conn;
	return MT_OK;
}

static void
log_out(struct imap_conn *conn)
{
	struct imap_reply reply;

	imap_conn_begin(conn, deadline_in_ms(LOGOUT_MS), LOGOUT_BYTES);
	if (imap_command_send(conn, "LOGOUT", NULL, NULL) == MT_OK)
		/* "* BYE" or the tagged reply: either will do */
		(void)!imap_command_reply(conn, NULL, NULL, NULL, &reply, NULL);
}

void
imap_conn_close(struct imap_conn **conn)
{
	struct imap_conn *c = *conn;

	if (!c)
		return;
	if (!c->broken && !c->watch.on && net_error(c->net)->status == MT_OK)
		log_out(c);
	if (c->imap) {
		/* first, or mailimap_free sends a LOGOUT of its own */
		stream_free(&c->imap->imap_stream);
		mailimap_free(c->imap);
	}
	imap_gate_done(&c->gate);
	imap_watch_forget(c);
	free(c->capabilities);
	net_free(&c->net);
	free(c);
	*conn = NULL;
}

void
imap_conn_drop(struct imap_conn **conn)
{
	if (*conn)
		(*conn)->broken = true;
	imap_conn_close(conn);
}

const char *
imap_conn_mechanism(const struct imap_conn *conn)
{
	return conn->mechanism;
}
