/* SPDX-License-Identifier: ISC */
#include "mail/imap_conn.h"

#include <stdlib.h>
#include <string.h>

#include "mail/guard.h"
#include "mail/imap_priv.h"
#include "mail/stream.h"

#define LOGIN_BYTES 131072   /* that the server may send until it is done */
#define EXAMINE_BYTES 262144 /* flags and keywords of a mailbox */
#define LOGOUT_BYTES 8192
#define LOGOUT_MS 2000

static const char *
feed_meter(void *context, const char *data, size_t len)
{
	return imap_meter_feed(context, data, len);
}

void
imap_conn_begin(struct imap_conn *conn, struct deadline deadline,
    size_t protocol_bytes, uint64_t max_message)
{
	net_begin(conn->net, deadline, SIZE_MAX);
	imap_meter_begin(&conn->meter, protocol_bytes, max_message);
}

static enum mt_status
prepare(struct imap_conn *conn, struct mt_error *err)
{
	conn->imap = mailimap_new(0, NULL);
	if (conn->imap)
		conn->imap->imap_stream = stream_new(conn->net);
	if (!conn->imap || !conn->imap->imap_stream)
		return mt_fail(err, MT_NO_MEMORY, "out of memory");
	conn->imap->imap_connection_info = mailimap_connection_info_new();
	net_watch(conn->net, feed_meter, &conn->meter);
	return MT_OK;
}

static enum mt_status
open_conn(struct imap_conn *conn, const struct mail_server *server,
    const struct net_trust *trust, enum mail_login *ret_login,
    struct deadline deadline, struct mt_error *err)
{
	enum mt_status status =
	    net_connect(&conn->net, server->host, server->port, deadline, err);

	if (status != MT_OK)
		return status;
	imap_conn_begin(conn, deadline, LOGIN_BYTES, 0);
	status = prepare(conn, err);
	if (status == MT_OK)
		status = imap_login(conn, server, trust, ret_login, err);
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

void
imap_conn_close(struct imap_conn **conn)
{
	struct imap_conn *c = *conn;

	if (!c)
		return;
	if (!c->broken && net_error(c->net)->status == MT_OK) {
		imap_conn_begin(c, deadline_in_ms(LOGOUT_MS), LOGOUT_BYTES, 0);
		imap_logout(c);
	}
	if (c->imap) {
		/* first, or mailimap_free sends a LOGOUT of its own */
		stream_free(&c->imap->imap_stream);
		mailimap_free(c->imap);
	}
	net_free(&c->net);
	free(c);
	*conn = NULL;
}

void
imap_conn_abort(struct imap_conn *conn)
{
	net_abort(conn->net);
}

const char *
imap_conn_mechanism(const struct imap_conn *conn)
{
	return conn->mechanism;
}

/* What the server said when it closed the connection, or NULL. */
static const char *
last_words(const struct imap_conn *conn)
{
	static const char bye[] = "* BYE ";
	const char *text = conn->imap->imap_stream_buffer->str;
	const char *found = NULL;

	while (text) {
		if (strncasecmp(text, bye, sizeof(bye) - 1) == 0)
			found = text + sizeof(bye) - 1;
		text = strchr(text, '\n');
		if (text)
			text++;
	}
	return found;
}

/* The text of the last reply; Exchange Online's strangest one explained. */
static enum mt_status
fail_with_text(struct imap_conn *conn, const char *what, struct mt_error *err)
{
	const char *text = conn->imap->imap_response;

	if (!text || !*text)
		text = "no reason given";
	return mt_fail(err, MT_RETRY_LATER, "%s: %s answered: %.200s%s", what,
	    net_name(conn->net), text,
	    strcasestr(text, "authenticated but not connected")
		? " (the mailbox cannot be reached now, or IMAP is switched "
		  "off for it)"
		: "");
}

enum mt_status
imap_conn_result(
    struct imap_conn *conn, int code, const char *what, struct mt_error *err)
{
	const struct mt_error *failure = net_error(conn->net);
	const char *bye;

	if (code == MAILIMAP_NO_ERROR)
		return MT_OK;
	if (failure->status != MT_OK) {
		conn->broken = true;
		bye = last_words(conn);
		return mt_fail(err, failure->status, "%s: %s%s%.*s", what,
		    failure->text, bye ? " and said: " : "",
		    bye ? (int)strcspn(bye, "\r\n") : 0, bye ? bye : "");
	}
	switch (code) {
	case MAILIMAP_ERROR_EXAMINE:
	case MAILIMAP_ERROR_UID_FETCH:
		return fail_with_text(conn, what, err);
	case MAILIMAP_ERROR_PROTOCOL: /* BAD, or an unknown tag */
		conn->broken = true;
		return fail_with_text(conn, what, err);
	default:
		conn->broken = true;
		return mt_fail(err, MT_RETRY_LATER,
		    "%s: %s answered with something that is not understood",
		    what, net_name(conn->net));
	}
}

enum mt_status
imap_conn_examine(struct imap_conn *conn, const char *mailbox,
    struct imap_mailbox *ret_mailbox, struct deadline deadline,
    struct mt_error *err)
{
	const struct mailimap_selection_info *info;
	const char *wrong = guard_mailbox(mailbox);
	enum mt_status status;

	if (wrong)
		return mt_fail(
		    err, MT_BAD_INPUT, "the name of the mailbox %s", wrong);
	imap_conn_begin(conn, deadline, EXAMINE_BYTES, 0);
	status = imap_conn_result(conn, mailimap_examine(conn->imap, mailbox),
	    "cannot open the mailbox", err);
	if (status != MT_OK)
		return status;
	info = conn->imap->imap_selection_info;
	if (!info || !info->sel_uidvalidity)
		return mt_fail(err, MT_RETRY_LATER,
		    "%s does not tell the UIDVALIDITY of %s",
		    net_name(conn->net), mailbox);
	*ret_mailbox = (struct imap_mailbox){
	    .uidvalidity = info->sel_uidvalidity,
	    .uidnext = info->sel_uidnext,
	    .exists = info->sel_exists,
	};
	return MT_OK;
}
