/* SPDX-License-Identifier: ISC */
#include "mail/auth.h"

#include "mail/sasl_session.h"

#define CHALLENGES_MAX 20 /* no mechanism needs more than a few */

struct dialogue {
	const struct auth_carrier *carrier;
	const struct mail_server *server;
	const char *mechanism;
	struct sasl_session *session;
	struct secret response;
	bool pending; /* the initial response waits for the first challenge */
};

static enum mt_status
refused(const struct dialogue *d, const struct auth_reply *reply,
    enum mail_login *ret_login, struct mt_error *err)
{
	const char *reason = sasl_session_server_error(d->session);

	if (reply->rejected)
		*ret_login = MAIL_LOGIN_REJECTED;
	return mt_fail(err, reply->status,
	    "%s refused the login of %s (%s): %s%s%s", d->carrier->peer,
	    d->server->authentication_id, d->mechanism, reply->text,
	    *reason ? " " : "", reason);
}

/*
 * Ends an exchange that cannot go on, so that the server is not left waiting.
 * If it had given a reason to fail, its verdict counts more than ours.
 */
static enum mt_status
cancel(struct dialogue *d, enum mt_status failure, enum mail_login *ret_login,
    struct mt_error *err)
{
	struct auth_reply reply = {.kind = AUTH_CHALLENGE};
	enum mt_status status;

	secret_reset(&d->response);
	secret_add(&d->response, "*", 1);
	status = d->carrier->respond(d->carrier->context, &d->response, NULL);
	if (status == MT_OK)
		status = d->carrier->receive(d->carrier->context, &reply, NULL);
	if (status != MT_OK || reply.kind != AUTH_REFUSED ||
	    !*sasl_session_server_error(d->session))
		return failure;
	return refused(d, &reply, ret_login, err);
}

/* What follows a challenge: the pending initial response or the next step. */
static enum mt_status
answer(struct dialogue *d, const char *challenge, enum mail_login *ret_login,
    struct mt_error *err)
{
	enum mt_status status = MT_OK;

	if (d->pending)
		d->pending = false;
	else
		status =
		    sasl_session_step(d->session, challenge, &d->response, err);
	if (status != MT_OK)
		return cancel(d, status, ret_login, err);
	return d->carrier->respond(d->carrier->context, &d->response, err);
}

static enum mt_status
accepted(const struct dialogue *d, struct mt_error *err)
{
	if (d->pending)
		return mt_fail(err, MT_RETRY_LATER,
		    "%s reports success before it has seen any credentials",
		    d->carrier->peer);
	return sasl_session_finish(d->session, err);
}

static enum mt_status
converse(struct dialogue *d, enum mail_login *ret_login, struct mt_error *err)
{
	const struct auth_carrier *carrier = d->carrier;
	struct auth_reply reply;
	enum mt_status status;

	for (int i = 0; i < CHALLENGES_MAX; i++) {
		status = carrier->receive(carrier->context, &reply, err);
		if (status != MT_OK)
			return status;
		if (reply.kind == AUTH_REFUSED)
			return refused(d, &reply, ret_login, err);
		if (reply.kind == AUTH_ACCEPTED)
			return accepted(d, err);
		status = answer(d, reply.challenge, ret_login, err);
		if (status != MT_OK)
			return status;
	}
	return mt_fail(err, MT_RETRY_LATER,
	    "%s does not come to an end of the login", carrier->peer);
}

static enum mt_status
run(struct dialogue *d, enum mail_login *ret_login, struct mt_error *err)
{
	bool has_initial, sent = false;
	enum mt_status status =
	    sasl_session_start(d->session, &has_initial, &d->response, err);

	if (status != MT_OK)
		return status;
	status = d->carrier->begin(d->carrier->context, d->mechanism,
	    has_initial ? &d->response : NULL, &sent, err);
	if (status != MT_OK)
		return status;
	d->pending = has_initial && !sent;
	return converse(d, ret_login, err);
}

enum mt_status
auth_run(const struct auth_carrier *carrier, const struct mail_server *server,
    const char *mechanism, enum mail_login *ret_login, struct mt_error *err)
{
	struct dialogue d = {
	    .carrier = carrier,
	    .server = server,
	    .mechanism = mechanism,
	    .response = SECRET_INIT,
	};
	enum mt_status status = sasl_session_new(
	    &d.session, carrier->service, server, mechanism, carrier->tls, err);

	if (status == MT_OK)
		status = run(&d, ret_login, err);
	if (status == MT_OK)
		*ret_login = MAIL_LOGIN_DONE;
	sasl_session_free(&d.session);
	secret_done(&d.response);
	return status;
}
