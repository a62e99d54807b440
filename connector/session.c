/* SPDX-License-Identifier: ISC */
#include "session.h"

#include "mail/imap_conn.h"
#include "mail/smtp_conn.h"
#include "resources.h"

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

/* Before a login is tried again because the helper was gone; doubles. */
#define PAUSE_MS 50
#define PAUSE_MAX_MS 1600

enum mt_status
session_open(struct session *session, struct config *config,
    struct resources *resources, struct mt_error *err)
{
	*session = (struct session){
	    .config = config,
	    .helper = resources_token_helper(resources, config),
	};
	if (config_wants_private_helper(config))
		config->imap.token_socket = config->smtp.token_socket =
		    token_helper_socket(session->helper);
	return resources_trust(
	    resources, config->ca_file, &session->trust, err);
}

static bool
has_private_helper(const struct session *session)
{
	return session->helper && config_wants_private_helper(session->config);
}

/* Whose login it is that is over, and how to mend it, when the helper is our
 * own: nobody can guess where it listens. */
static enum mt_status
explain(const struct session *session, enum mt_status status,
    enum mail_login login, struct mt_error *err)
{
	struct mt_error why;

	if (status != MT_NEEDS_LOGIN || login == MAIL_LOGIN_REJECTED ||
	    !has_private_helper(session))
		return status;
	why = *err;
	return mt_fail(err, status,
	    "set a new TRI_ONYX_OAUTH2_REFRESH_TOKEN, or log in with mailtoken "
	    "--socket %s login connector (%s)",
	    token_helper_socket(session->helper), why.text);
}

/* imap_conn_open or smtp_conn_open; `ret_conn` is a pointer to the pointer to
 * its kind of connection. */
typedef enum mt_status (*open_function)(void *ret_conn,
    const struct mail_server *server, const struct net_trust *trust,
    enum mail_login *ret_login, struct deadline deadline, struct mt_error *err);

static enum mt_status
open_imap(void *ret_conn, const struct mail_server *server,
    const struct net_trust *trust, enum mail_login *ret_login,
    struct deadline deadline, struct mt_error *err)
{
	return imap_conn_open(
	    ret_conn, server, trust, ret_login, deadline, err);
}

static enum mt_status
open_smtp(void *ret_conn, const struct mail_server *server,
    const struct net_trust *trust, enum mail_login *ret_login,
    struct deadline deadline, struct mt_error *err)
{
	return smtp_conn_open(
	    ret_conn, server, trust, ret_login, deadline, err);
}

struct login {
	struct session *session;
	const char *service;
	const struct mail_server *server;
	open_function open;
	struct deadline deadline;
	bool reported; /* a token that the server refused */
	int64_t pause_ms;
};

static enum mt_status
attempt(const struct login *login, void *ret_conn, enum mail_login *ret_login,
    struct mt_error *err)
{
	struct session *session = login->session;
	enum mt_status status = MT_OK;

	*ret_login = MAIL_LOGIN_NOT_TRIED;
	if (session->helper)
		status =
		    token_helper_ensure(session->helper, login->deadline, err);
	if (status == MT_OK)
		status = login->open(ret_conn, login->server, session->trust,
		    ret_login, login->deadline, err);
	return status;
}

/* After a failure: whether something has been done about it. */
static bool
is_worth_another(
    struct login *login, enum mt_status status, enum mail_login outcome)
{
	struct session *session = login->session;

	if (session->helper && outcome == MAIL_LOGIN_REJECTED &&
	    !login->reported) {
		login->reported = true;
		return token_helper_reject(session->helper, login->service,
			   login->server, login->deadline, NULL) == MT_OK;
	}
	/* it ended with the process that had started it: the next one that
	 * needs it starts it again */
	if (status != MT_UNREACHABLE || !has_private_helper(session) ||
	    deadline_passed(login->deadline))
		return false;
	poll(NULL, 0, (int)login->pause_ms);
	if (login->pause_ms < PAUSE_MAX_MS)
		login->pause_ms *= 2;
	return true;
}

static enum mt_status
log_in(struct login *login, void *ret_conn, struct mt_error *err)
{
	enum mail_login outcome;
	enum mt_status status;

	login->pause_ms = PAUSE_MS;
	do
		status = attempt(login, ret_conn, &outcome, err);
	while (status != MT_OK && is_worth_another(login, status, outcome));
	return explain(login->session, status, outcome, err);
}

enum mt_status
session_open_imap(struct session *session, struct imap_conn **ret_conn,
    int64_t reach_ms, struct deadline deadline, struct mt_error *err)
{
	struct mail_server server = session->config->imap;
	struct login login = {
	    .session = session,
	    .service = "imap",
	    .server = &server,
	    .open = open_imap,
	    .deadline = deadline,
	};

	server.reach_ms = reach_ms;
	return log_in(&login, ret_conn, err);
}

enum mt_status
session_open_smtp(struct session *session, struct smtp_conn **ret_conn,
    struct deadline deadline, struct mt_error *err)
{
	struct login login = {
	    .session = session,
	    .service = "smtp",
	    .server = &session->config->smtp,
	    .open = open_smtp,
	    .deadline = deadline,
	};

	return log_in(&login, ret_conn, err);
}
