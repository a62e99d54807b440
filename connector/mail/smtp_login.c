/* SPDX-License-Identifier: ISC */
/*
 * From the greeting to the login.  Not left to libetpan: it cuts every line of
 * AUTH at 512 bytes and waits for ever, knows no mechanism that is younger
 * than 2000, and takes the bare host name for EHLO.
 */
#include "mail/smtp_priv.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "mail/auth.h"
#include "net/guard.h"
#include "mail/mechanism.h"
#include "mail/stream.h"

/* RFC 4954 section 4: the AUTH command with its CR LF */
#define AUTH_LINE_MAX 512

struct login {
	struct smtp_conn *conn;
	const struct mail_server *server;
	struct smtp_extensions extensions;
	struct smtp_reply reply;
};

enum mt_status
smtp_read_reply(
    struct smtp_conn *conn, struct smtp_reply *reply, struct mt_error *err)
{
	enum mt_status status;
	bool more = true;

	smtp_reply_reset(reply);
	while (more) {
		status = stream_read_line(conn->smtp->stream, conn->net,
		    conn->smtp->line_buffer, err);
		if (status != MT_OK)
			return status;
		if (!smtp_reply_add(
			reply, conn->smtp->line_buffer->str, &more)) {
			net_fail(conn->net, MT_RETRY_LATER,
			    "%s does not answer as an SMTP server does",
			    net_name(conn->net));
			return mt_fail(err, MT_RETRY_LATER, "%s",
			    net_error(conn->net)->text);
		}
	}
	return MT_OK;
}

static enum mt_status
command(struct login *login, const char *line, struct mt_error *err)
{
	enum mt_status status =
	    stream_send(login->conn->smtp->stream, login->conn->net, line, err);

	if (status == MT_OK)
		status = smtp_read_reply(login->conn, &login->reply, err);
	return status;
}

static enum mt_status
fail_with_reply(
    const struct login *login, const char *what, struct mt_error *err)
{
	char text[200];

	smtp_flatten(buf_text(&login->reply.text), text, sizeof(text));
	return mt_fail(err, MT_RETRY_LATER, "%s %s: %d %s",
	    net_name(login->conn->net), what, login->reply.code, text);
}

/*
 * The name that we greet with: this machine's if it is a full one, else our
 * address (RFC 5321 section 4.1.4).  Nothing is looked up for it.
 */
static void
own_name(const struct smtp_conn *conn, char *ret_name, size_t size)
{
	char name[256];

	if (gethostname(name, sizeof(name)) == 0 &&
	    memchr(name, '\0', sizeof(name)) && strchr(name, '.') &&
	    !guard_address(name))
		snprintf(ret_name, size, "%s", name);
	else
		net_local_literal(conn->net, ret_name, size);
}

static enum mt_status
ehlo(struct login *login, struct mt_error *err)
{
	char name[256], line[300];
	enum mt_status status;

	own_name(login->conn, name, sizeof(name));
	snprintf(line, sizeof(line), "EHLO %s\r\n", name);
	status = command(login, line, err);
	if (status != MT_OK)
		return status;
	if (login->reply.code != 250)
		return fail_with_reply(login, "refuses EHLO", err);
	smtp_extensions_parse(buf_text(&login->reply.text), &login->extensions);
	return MT_OK;
}

static enum mt_status
read_greeting(struct login *login, struct mt_error *err)
{
	enum mt_status status =
	    smtp_read_reply(login->conn, &login->reply, err);

	if (status == MT_OK && login->reply.code != 220)
		return fail_with_reply(
		    login, "does not accept the connection", err);
	return status;
}

static enum mt_status
start_tls(
    struct login *login, const struct net_trust *trust, struct mt_error *err)
{
	struct smtp_conn *conn = login->conn;
	enum mt_status status;

	if (!login->extensions.starttls)
		return mt_fail(err, MT_BAD_CONFIG,
		    "%s does not offer STARTTLS, and without TLS nothing is "
		    "sent",
		    net_name(conn->net));
	status = command(login, "STARTTLS\r\n", err);
	if (status != MT_OK)
		return status;
	if (login->reply.code != 220)
		return fail_with_reply(login, "refuses to start TLS", err);
	status = stream_start_tls(conn->smtp->stream, conn->net, trust, err);
	if (status != MT_OK)
		return status;
	/* What was said in clear may have been anybody's word. */
	return ehlo(login, err);
}

static enum mt_status
send_secret(struct login *login, struct secret *line, struct mt_error *err)
{
	enum mt_status status;

	secret_add(line, "\r\n", 2);
	status = secret_ok(line) ? stream_send_secret(login->conn->smtp->stream,
				       login->conn->net, line, err)
				 : mt_fail(err, MT_NO_MEMORY, "out of memory");
	secret_done(line);
	return status;
}

static enum mt_status
auth_begin(void *context, const char *mechanism, const struct secret *initial,
    bool *ret_sent, struct mt_error *err)
{
	struct secret line = SECRET_INIT;
	size_t len;

	secret_add(&line, "AUTH ", 5);
	secret_add(&line, mechanism, strlen(mechanism));
	len = initial ? line.len + 1 + initial->len + 2 : 0;
	*ret_sent = initial && len <= AUTH_LINE_MAX;
	if (*ret_sent) {
		secret_add(&line, " ", 1);
		if (initial->len)
			secret_add(&line, secret_expose(initial), initial->len);
		else
			secret_add(&line, "=", 1);
	}
	return send_secret(context, &line, err);
}

static enum mt_status
auth_respond(void *context, const struct secret *response, struct mt_error *err)
{
	struct secret line = SECRET_INIT;

	secret_copy(&line, response);
	return send_secret(context, &line, err);
}

static enum mt_status
auth_receive(void *context, struct auth_reply *ret_reply, struct mt_error *err)
{
	struct login *login = context;
	enum mt_status status =
	    smtp_read_reply(login->conn, &login->reply, err);

	if (status != MT_OK)
		return status;
	*ret_reply = (struct auth_reply){.kind = AUTH_ACCEPTED};
	if (login->reply.code == 334) {
		ret_reply->kind = AUTH_CHALLENGE;
		ret_reply->challenge = buf_text(&login->reply.text);
	} else if (login->reply.code != 235) {
		smtp_reply_refusal(&login->reply, ret_reply);
	}
	return MT_OK;
}

static enum mt_status
authenticate(
    struct login *login, enum mail_login *ret_login, struct mt_error *err)
{
	const struct auth_carrier carrier = {
	    .context = login,
	    .service = "smtp",
	    .peer = net_name(login->conn->net),
	    .tls = net_is_tls(login->conn->net),
	    .begin = auth_begin,
	    .respond = auth_respond,
	    .receive = auth_receive,
	};
	const char *mechanism;
	enum mt_status status = mechanism_choose(&mechanism, login->server,
	    login->extensions.mechanisms, carrier.peer, err);

	if (status == MT_OK)
		status = auth_run(
		    &carrier, login->server, mechanism, ret_login, err);
	if (status == MT_OK)
		snprintf(login->conn->mechanism, sizeof(login->conn->mechanism),
		    "%s", mechanism);
	return status;
}

static enum mt_status
run(struct login *login, const struct net_trust *trust,
    enum mail_login *ret_login, struct mt_error *err)
{
	enum mail_tls tls = login->server->tls;
	enum mt_status status = MT_OK;

	if (tls == MAIL_TLS_IMPLICIT)
		status = net_start_tls(login->conn->net, trust, err);
	if (status == MT_OK)
		status = read_greeting(login, err);
	if (status == MT_OK)
		status = ehlo(login, err);
	if (status == MT_OK && tls == MAIL_TLS_STARTTLS)
		status = start_tls(login, trust, err);
	if (status == MT_OK)
		status = authenticate(login, ret_login, err);
	login->conn->offered = login->extensions;
	return status;
}

enum mt_status
smtp_login(struct smtp_conn *conn, const struct mail_server *server,
    const struct net_trust *trust, enum mail_login *ret_login,
    struct mt_error *err)
{
	struct login login = {
	    .conn = conn,
	    .server = server,
	    .reply = SMTP_REPLY_INIT,
	};
	enum mt_status status = run(&login, trust, ret_login, err);

	smtp_reply_done(&login.reply);
	return status;
}
