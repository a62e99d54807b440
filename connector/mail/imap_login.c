/* SPDX-License-Identifier: ISC */
/*
 * From the greeting to the authenticated state.  All of this is lines, and
 * none of it may be left to libetpan: it takes an injected PREAUTH for a
 * login, never sends an initial response and accepts success too early.
 */
#include "mail/imap_command.h"

#include <stdio.h>
#include <string.h>

#include "mail/auth.h"
#include "mail/imap_id.h"
#include "net/guard.h"
#include "mail/mechanism.h"

struct login {
	struct imap_conn *conn;
	const struct mail_server *server;
	struct imap_capabilities capabilities;
	bool has_capabilities;
};

/* Keeps what an untagged line says of the capabilities. */
static void
note_capabilities(void *context, const char *line)
{
	static const char start[] = "* CAPABILITY ";
	struct login *login = context;

	if (strncasecmp(line, start, sizeof(start) - 1) != 0)
		return;
	imap_capabilities_parse(line + sizeof(start) - 1, &login->capabilities);
	login->has_capabilities = true;
}

/* Sends a command without secrets and reads the reply. */
static enum mt_status
command(struct login *login, const char *line, struct imap_reply *ret_reply,
    struct mt_error *err)
{
	enum mt_status status = imap_command_send(login->conn, line, NULL, err);

	if (status == MT_OK)
		status = imap_command_reply(login->conn, note_capabilities,
		    login, NULL, ret_reply, err);
	return status;
}

/* Keeps what the code of an OK says of them. */
static void
note_code(struct login *login, const struct imap_reply *reply)
{
	if (strcasecmp(reply->code, "CAPABILITY") != 0)
		return;
	imap_capabilities_parse(reply->detail, &login->capabilities);
	login->has_capabilities = true;
}

static enum mt_status
read_greeting(struct login *login, struct mt_error *err)
{
	struct imap_reply reply;
	const char *line;
	enum mt_status status = imap_command_line(login->conn, &line, err);

	if (status != MT_OK)
		return status;
	if (!imap_reply_parse(line, "*", &reply))
		return mt_fail(err, MT_RETRY_LATER,
		    "%s does not greet as an IMAP server does",
		    net_name(login->conn->net));
	if (reply.condition == IMAP_PREAUTH)
		return mt_fail(err, MT_BAD_CONFIG,
		    "%s greets with PREAUTH, as if somebody had logged in "
		    "already; this is not accepted",
		    net_name(login->conn->net));
	if (reply.condition != IMAP_OK)
		return imap_command_failed(
		    login->conn, "does not accept the connection", &reply, err);
	note_code(login, &reply);
	return MT_OK;
}

static enum mt_status
need_capabilities(struct login *login, struct mt_error *err)
{
	struct imap_reply reply;
	enum mt_status status;

	if (login->has_capabilities)
		return MT_OK;
	status = command(login, "CAPABILITY", &reply, err);
	if (status != MT_OK)
		return status;
	if (reply.condition != IMAP_OK || !login->has_capabilities)
		return imap_command_failed(
		    login->conn, "does not tell its capabilities", &reply, err);
	return MT_OK;
}

static enum mt_status
start_tls(
    struct login *login, const struct net_trust *trust, struct mt_error *err)
{
	struct imap_conn *conn = login->conn;
	struct imap_reply reply;
	enum mt_status status = need_capabilities(login, err);

	if (status != MT_OK)
		return status;
	if (!login->capabilities.starttls)
		return mt_fail(err, MT_BAD_CONFIG,
		    "%s does not offer STARTTLS, and without TLS nothing is "
		    "sent",
		    net_name(conn->net));
	status = command(login, "STARTTLS", &reply, err);
	if (status != MT_OK)
		return status;
	if (reply.condition != IMAP_OK)
		return imap_command_failed(
		    conn, "refuses to start TLS", &reply, err);
	/* What was said in clear may have been anybody's word. */
	login->has_capabilities = false;
	return stream_start_tls(conn->imap->imap_stream, conn->net, trust, err);
}

static enum mt_status
auth_begin(void *context, const char *mechanism, const struct secret *initial,
    bool *ret_sent, struct mt_error *err)
{
	struct login *login = context;
	char line[64];

	*ret_sent = initial && login->capabilities.sasl_ir;
	snprintf(line, sizeof(line), "AUTHENTICATE %s%s%s", mechanism,
	    *ret_sent ? " " : "", *ret_sent && !initial->len ? "=" : "");
	login->has_capabilities = false; /* from now on they are others */
	return imap_command_send(
	    login->conn, line, *ret_sent ? initial : NULL, err);
}

static enum mt_status
auth_respond(void *context, const struct secret *response, struct mt_error *err)
{
	struct login *login = context;
	struct secret line = SECRET_INIT;
	enum mt_status status;

	secret_copy(&line, response);
	secret_add(&line, "\r\n", 2);
	status = secret_ok(&line)
		     ? stream_send_secret(login->conn->imap->imap_stream,
			   login->conn->net, &line, err)
		     : mt_fail(err, MT_NO_MEMORY, "out of memory");
	secret_done(&line);
	return status;
}

static enum mt_status
auth_receive(void *context, struct auth_reply *ret_reply, struct mt_error *err)
{
	struct login *login = context;
	struct imap_reply reply;
	const char *request;
	enum mt_status status = imap_command_reply(
	    login->conn, note_capabilities, login, &request, &reply, err);

	if (status != MT_OK)
		return status;
	*ret_reply = (struct auth_reply){.kind = AUTH_ACCEPTED};
	if (request) {
		ret_reply->kind = AUTH_CHALLENGE;
		ret_reply->challenge = request;
	} else if (reply.condition != IMAP_OK) {
		imap_reply_refusal(&reply, ret_reply);
	} else {
		note_code(login, &reply);
	}
	return MT_OK;
}

static enum mt_status
authenticate(
    struct login *login, enum mail_login *ret_login, struct mt_error *err)
{
	const struct auth_carrier carrier = {
	    .context = login,
	    .service = "imap",
	    .peer = net_name(login->conn->net),
	    .tls = net_is_tls(login->conn->net),
	    .begin = auth_begin,
	    .respond = auth_respond,
	    .receive = auth_receive,
	};
	const char *mechanism;
	enum mt_status status = mechanism_choose(&mechanism, login->server,
	    login->capabilities.mechanisms, carrier.peer, err);

	if (status == MT_OK)
		status = auth_run(
		    &carrier, login->server, mechanism, ret_login, err);
	if (status == MT_OK)
		snprintf(login->conn->mechanism, sizeof(login->conn->mechanism),
		    "%s", mechanism);
	return status;
}

static enum mt_status
send_login(struct login *login, struct mt_error *err)
{
	struct secret words = SECRET_INIT;
	enum mt_status status;

	imap_command_add_quoted(&words, login->server->authentication_id);
	secret_add(&words, " ", 1);
	imap_command_add_quoted(&words, secret_expose(login->server->password));
	status = secret_ok(&words)
		     ? imap_command_send(login->conn, "LOGIN ", &words, err)
		     : mt_fail(err, MT_NO_MEMORY, "out of memory");
	secret_done(&words);
	return status;
}

/* RFC 3501 section 6.2.3 */
static enum mt_status
login_command(
    struct login *login, enum mail_login *ret_login, struct mt_error *err)
{
	struct imap_conn *conn = login->conn;
	struct auth_reply refusal;
	struct imap_reply reply;
	enum mt_status status = send_login(login, err);

	login->has_capabilities = false; /* from now on they are others */
	if (status == MT_OK)
		status = imap_command_reply(
		    conn, note_capabilities, login, NULL, &reply, err);
	if (status != MT_OK)
		return status;
	if (reply.condition == IMAP_OK) {
		*ret_login = MAIL_LOGIN_DONE;
		note_code(login, &reply);
		snprintf(conn->mechanism, sizeof(conn->mechanism), "LOGIN");
		return MT_OK;
	}
	imap_reply_refusal(&reply, &refusal);
	if (refusal.rejected)
		*ret_login = MAIL_LOGIN_REJECTED;
	return mt_fail(err, refusal.status,
	    "%s refused the login of %s (LOGIN command): %s",
	    net_name(conn->net), login->server->authentication_id,
	    refusal.text);
}

/*
 * Keeps the capabilities after the login (RFC 3501 section 6.1.1), which it is
 * asked for unless it has told them.  Refused, those from before stand.
 */
static enum mt_status
keep_capabilities(struct login *login, struct mt_error *err)
{
	struct imap_conn *conn = login->conn;
	struct imap_reply reply;
	enum mt_status status = MT_OK;

	if (!login->has_capabilities)
		status = command(login, "CAPABILITY", &reply, err);
	if (status != MT_OK)
		return status;
	conn->capabilities = strdup(login->capabilities.words);
	return conn->capabilities ? MT_OK
				  : mt_fail(err, MT_NO_MEMORY, "out of memory");
}

/* Only where no mechanism of the account is offered, and for a password. */
static bool
wants_login_command(const struct login *login)
{
	const struct mail_server *server = login->server;
	const char *mechanism;

	return server->login_command && server->password &&
	       !server->authorization_id &&
	       !login->capabilities.login_disabled &&
	       mechanism_choose(&mechanism, server,
		   login->capabilities.mechanisms, "", NULL) != MT_OK;
}

static enum mt_status
check_credentials(const struct mail_server *server, struct mt_error *err)
{
	const char *wrong = guard_login(server->authentication_id);

	if (wrong)
		return mt_fail(err, MT_BAD_CONFIG, "the login name %s", wrong);
	if (server->authorization_id)
		wrong = guard_login(server->authorization_id);
	if (wrong)
		return mt_fail(err, MT_BAD_CONFIG,
		    "the name to act as (authorization identity) %s", wrong);
	if (server->password && server->login_command)
		wrong = guard_login(secret_expose(server->password));
	if (wrong)
		return mt_fail(err, MT_BAD_CONFIG, "the password %s", wrong);
	return MT_OK;
}

enum mt_status
imap_login(struct imap_conn *conn, const struct mail_server *server,
    const struct net_trust *trust, struct deadline deadline,
    enum mail_login *ret_login, struct mt_error *err)
{
	struct login login = {.conn = conn, .server = server};
	enum mt_status status = check_credentials(server, err);

	if (status == MT_OK && server->tls == MAIL_TLS_IMPLICIT)
		status = net_start_tls(conn->net, trust, err);
	if (status == MT_OK)
		status = read_greeting(&login, err);
	if (status == MT_OK && server->tls == MAIL_TLS_STARTTLS)
		status = start_tls(&login, trust, err);
	if (status == MT_OK)
		status = need_capabilities(&login, err);
	if (status != MT_OK)
		return status;
	net_begin(conn->net, deadline, SIZE_MAX);
	if (wants_login_command(&login))
		status = login_command(&login, ret_login, err);
	else
		status = authenticate(&login, ret_login, err);
	if (status == MT_OK)
		status = keep_capabilities(&login, err);
	if (status == MT_OK)
		status = imap_id_introduce(conn, server->host, err);
	if (status == MT_OK)
		conn->imap->imap_state = MAILIMAP_STATE_AUTHENTICATED;
	return status;
}
