/* SPDX-License-Identifier: ISC */
#include "session.h"

#include "mail/imap_conn.h"
#include "mail/net.h"
#include "mail/sasl_session.h"
#include "mail/smtp_conn.h"

#include <string.h>

enum mt_status
session_open(
    struct session *session, const struct config *config, struct mt_error *err)
{
	const char *socket = NULL;
	enum mt_status status;

	*session = (struct session){.config = config};
	status = net_trust_new(&session->trust, config->ca_file, err);
	if (status == MT_OK && config->auth == CONFIG_AUTH_OAUTH2) {
		status = token_helper_new(&session->helper, config, err);
		if (status == MT_OK)
			socket = token_helper_socket(session->helper);
	}
	if (status == MT_OK)
		status = sasl_library_open(&session->sasl, socket, err);
	if (status != MT_OK)
		session_close(session);
	return status;
}

void
session_close(struct session *session)
{
	sasl_library_close(&session->sasl);
	token_helper_free(&session->helper);
	net_trust_free(&session->trust);
}

enum mt_status
session_prepare(
    struct session *session, struct deadline deadline, struct mt_error *err)
{
	if (!session->helper)
		return MT_OK;
	return token_helper_ensure(session->helper, deadline, err);
}

enum mt_status
session_rejected(struct session *session, const char *service,
    const struct mail_server *server, struct deadline deadline,
    struct mt_error *err)
{
	struct mt_error why;

	if (!session->helper)
		return err->status;
	if (token_helper_reject(
		session->helper, service, server, deadline, &why) != MT_OK)
		return err->status;
	return MT_OK;
}

/* Whose login it is that is over, and how to mend it, when the helper is our
 * own: nobody can guess where it listens. */
static enum mt_status
explain(const struct session *session, enum mt_status status,
    enum mail_login login, struct mt_error *err)
{
	struct mt_error why;

	if (status != MT_NEEDS_LOGIN || login == MAIL_LOGIN_REJECTED ||
	    !session->helper || !config_wants_private_helper(session->config))
		return status;
	why = *err;
	return mt_fail(err, status,
	    "set a new TRI_ONYX_OAUTH2_REFRESH_TOKEN, or log in with mailtoken "
	    "--socket %s login connector (%s)",
	    token_helper_socket(session->helper), why.text);
}

enum mt_status
session_open_imap(struct session *session, struct imap_conn **ret_conn,
    struct deadline deadline, struct mt_error *err)
{
	const struct mail_server *server = &session->config->imap;
	enum mail_login login = MAIL_LOGIN_NOT_TRIED;
	enum mt_status status = session_prepare(session, deadline, err);

	if (status == MT_OK)
		status = imap_conn_open(
		    ret_conn, server, session->trust, &login, deadline, err);
	if (login == MAIL_LOGIN_REJECTED &&
	    session_rejected(session, "imap", server, deadline, err) == MT_OK)
		status = imap_conn_open(
		    ret_conn, server, session->trust, &login, deadline, err);
	return explain(session, status, login, err);
}

enum mt_status
session_open_smtp(struct session *session, struct smtp_conn **ret_conn,
    struct deadline deadline, struct mt_error *err)
{
	const struct mail_server *server = &session->config->smtp;
	enum mail_login login = MAIL_LOGIN_NOT_TRIED;
	enum mt_status status = session_prepare(session, deadline, err);

	if (status == MT_OK)
		status = smtp_conn_open(
		    ret_conn, server, session->trust, &login, deadline, err);
	if (login == MAIL_LOGIN_REJECTED &&
	    session_rejected(session, "smtp", server, deadline, err) == MT_OK)
		status = smtp_conn_open(
		    ret_conn, server, session->trust, &login, deadline, err);
	return explain(session, status, login, err);
}
