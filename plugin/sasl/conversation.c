/* SPDX-License-Identifier: ISC */
#include "conversation.h"

#include "identity.h"
#include "module.h"
#include "oauth_exchange.h"
#include "password.h"

#include "base/settings.h"

#include <stdlib.h>
#include <string.h>

/* One mechanism on one connection. */
struct conversation {
	const struct module *module;
	struct identity identity;
	struct password password;
	struct prompts prompts; /* lent to the mail program */
	struct oauth_exchange exchange;
	struct mt_error
	    undecided; /* why the password has to decide, or MT_OK */
};

/* The code of which the text, as mail programs print it, fits best. */
static int
code_of(enum mt_status status)
{
	switch (status) {
	case MT_OK:
		return SASL_OK;
	case MT_REFUSED:
		return SASL_BADAUTH;
	case MT_USAGE:
	case MT_BAD_INPUT:
		return SASL_BADPARAM;
	case MT_NO_ACCOUNT:
		return SASL_NOMECH;
	case MT_UNREACHABLE:
	case MT_RETRY_LATER:
		return SASL_UNAVAIL;
	case MT_NEEDS_LOGIN:
		return SASL_EXPIRED;
	case MT_NEEDS_ADMIN:
		return SASL_NOAUTHZ;
	case MT_BAD_CONFIG:
		return SASL_CONFIGERR;
	case MT_NO_MEMORY:
		return SASL_NOMEM;
	case MT_BUG:
		return SASL_FAIL;
	}
	return SASL_FAIL;
}

/* Must be the last call into libsasl2 before the return: others overwrite the
 * text.  Programs log it, so it names the account and holds no secret. */
static int
fail(const sasl_utils_t *utils, int code, const struct mt_error *err)
{
	utils->seterror(utils->conn, 0, "mailtoken: %s", err->text);
	return code;
}

/* From "address;port". */
static unsigned
remote_port(const sasl_client_params_t *params)
{
	const char *semicolon =
	    params->ipremoteport ? strrchr(params->ipremoteport, ';') : NULL;
	long port;

	return semicolon && settings_number(semicolon + 1, 1, 65535, &port)
		   ? (unsigned)port
		   : 0;
}

/* What can be refused without asking anybody. */
static int
check_server(const struct module *module, const sasl_client_params_t *params,
    struct oauth_server *ret_server, struct mt_error *err)
{
	const char *service = module_mail_service(module, params->service);

	if (!service || !params->serverFQDN) {
		mt_fail(err, MT_NO_ACCOUNT, "no tokens for service '%s'%s",
		    params->service,
		    service ? " on a server without a name" : "");
		return SASL_NOMECH;
	}
	if (params->props.min_ssf > params->external_ssf) {
		mt_fail(err, MT_REFUSED,
		    "a token gives no security layer, but the mail program "
		    "wants one (SSF %u)",
		    params->props.min_ssf);
		return SASL_TOOWEAK;
	}
	*ret_server = (struct oauth_server){
	    .service = service,
	    .host = params->serverFQDN,
	    .port = remote_port(params),
	};
	return SASL_OK;
}

void
conversation_dispose(void *context, const sasl_utils_t *utils)
{
	struct conversation *c = context;

	(void)utils;
	if (!c)
		return;
	oauth_exchange_done(&c->exchange);
	password_done(&c->password);
	free(c);
}

/* What is known by now. */
static struct oauth_login
login_of(const struct conversation *c)
{
	const struct identity *identity = &c->identity;

	return (struct oauth_login){
	    .user = identity->authname[0] ? identity->authname : NULL,
	    .authzid = identity->authzid[0] &&
			       strcmp(identity->authzid, identity->authname)
			   ? identity->authzid
			   : NULL,
	    .account = c->password.account[0] ? c->password.account : NULL,
	};
}

/*
 * The login name alone selects no account.  A procedure of the program may have
 * a password that does, if there is any account at this server: others keep
 * theirs for themselves.  `err` holds why, and keeps it unless an account is
 * chosen.
 */
static enum mt_status
choose_quietly(struct conversation *c, const sasl_utils_t *utils,
    enum mt_status status, struct mt_error *err)
{
	const struct oauth_login nobody = {0};
	struct oauth_login login;

	if (status == MT_NO_ACCOUNT && !c->module->pass_through &&
	    oauth_exchange_find(&c->exchange, &nobody, false, NULL) != MT_OK)
		return status;
	/* a person has to be asked first, which is for the first step */
	if (!c->identity.authzid_known ||
	    password_ask(&c->password, utils, NULL, c->module->pass_through) ==
		SASL_INTERACT)
		return MT_OK;
	login = login_of(c);
	return login.account
		   ? oauth_exchange_find(&c->exchange, &login, true, err)
		   : status;
}

/* Whether the program's password, if it is a token, may serve where the helper
 * has none. */
static bool
may_pass_through(const struct conversation *c, enum mt_status status)
{
	return c->module->pass_through &&
	       (status == MT_NO_ACCOUNT || status == MT_UNREACHABLE) &&
	       (!c->password.known || c->password.token.len);
}

/* Prepares a conversation and asks the helper whether there is an account. */
static enum mt_status
open_conversation(struct conversation *c, enum oauth_mechanism mechanism,
    const struct oauth_server *server, const sasl_utils_t *utils,
    struct mt_error *err)
{
	struct token_paths paths;
	struct oauth_login login;
	enum mt_status status;
	bool complete;

	module_search_paths(c->module, utils, &paths);
	password_init(&c->password);
	status = oauth_exchange_init(&c->exchange, mechanism, server, &paths,
	    c->module->settings.trusted_uid, err);
	if (status != MT_OK)
		return status;
	complete = identity_ask_quietly(&c->identity, utils);
	login = login_of(c);
	status = oauth_exchange_find(&c->exchange, &login, complete, err);
	if (status != MT_OK && login.user && c->exchange.undecided)
		status = choose_quietly(c, utils, status, err);
	return may_pass_through(c, status) ? MT_OK : status;
}

/*
 * A program may go on to a password after SASL_NOMECH, so that is returned
 * only when it is certain that nobody has an account for this.
 */
int
conversation_new(
    void *glob_context, sasl_client_params_t *params, void **ret_context)
{
	const struct offered *offered = glob_context;
	struct mt_error err = {0};
	struct oauth_server server;
	struct conversation *c;
	enum mt_status status;
	int code = check_server(offered->module, params, &server, &err);

	if (code != SASL_OK)
		return fail(params->utils, code, &err);
	c = calloc(1, sizeof(*c));
	if (!c) {
		mt_fail(&err, MT_NO_MEMORY, "no memory for a login");
		return fail(params->utils, SASL_NOMEM, &err);
	}
	c->module = offered->module;
	status = open_conversation(
	    c, offered->mechanism, &server, params->utils, &err);
	if (status != MT_OK) {
		conversation_dispose(c, params->utils);
		return fail(params->utils, code_of(status), &err);
	}
	*ret_context = c;
	return SASL_OK;
}

/* libsasl2 keeps the names, in its own spelling, in `oparams`. */
static int
canonicalize(const struct identity *identity, sasl_client_params_t *params,
    sasl_out_params_t *oparams, struct mt_error *err)
{
	const sasl_utils_t *utils = params->utils;
	const char *authzid =
	    identity->authzid[0] ? identity->authzid : identity->authname;
	int code = params->canon_user(
	    utils->conn, identity->authname, 0, SASL_CU_AUTHID, oparams);

	if (code == SASL_OK)
		code = params->canon_user(
		    utils->conn, authzid, 0, SASL_CU_AUTHZID, oparams);
	if (code != SASL_OK)
		mt_fail(err, MT_BAD_INPUT, "'%.64s' is no usable login name",
		    identity->authname);
	return code;
}

/* Has the program ask a person, if it can, and call this step again. */
static int
ask_person(
    struct conversation *c, sasl_interact_t **prompt_need, struct mt_error *err)
{
	if (prompt_need) {
		*prompt_need = c->prompts.list;
		return SASL_INTERACT;
	}
	mt_fail(err, MT_BAD_INPUT,
	    "the mail program neither gives the login name nor lets anybody "
	    "be asked for it");
	return SASL_BADPARAM;
}

/*
 * The last resort when the login selects no account: the program's password, if
 * it names one, or is a token that may be passed on.  Otherwise the error is
 * what it was before.
 */
static int
decide_by_password(struct conversation *c, const sasl_utils_t *utils,
    const sasl_interact_t *answers, sasl_interact_t **prompt_need,
    struct mt_error *err)
{
	bool pass_through = may_pass_through(c, c->undecided.status);
	struct oauth_login login;
	enum mt_status status;

	if (password_ask(&c->password, utils, answers, pass_through) ==
		SASL_INTERACT &&
	    prompt_need) {
		password_prompt(&c->prompts);
		return ask_person(c, prompt_need, err);
	}
	login = login_of(c);
	if (login.account)
		status = oauth_exchange_fetch(&c->exchange, &login, err);
	else if (pass_through && c->password.token.len)
		status = oauth_exchange_take_token(
		    &c->exchange, &login, &c->password.token, err);
	else
		status =
		    mt_fail(err, c->undecided.status, "%s", c->undecided.text);
	return code_of(status);
}

static int
fetch_token(struct conversation *c, const sasl_utils_t *utils,
    const sasl_interact_t *answers, sasl_interact_t **prompt_need,
    struct mt_error *err)
{
	struct oauth_login login = login_of(c);
	enum mt_status status;

	if (c->undecided.status == MT_OK) {
		status = oauth_exchange_fetch(&c->exchange, &login, err);
		if (login.account ||
		    (!c->exchange.undecided && !may_pass_through(c, status)))
			return code_of(status);
		c->undecided = *err;
	}
	return decide_by_password(c, utils, answers, prompt_need, err);
}

static int
begin(struct conversation *c, sasl_client_params_t *params, bool client_first,
    sasl_interact_t **prompt_need, struct oauth_output *output,
    sasl_out_params_t *oparams)
{
	const sasl_interact_t *answers = prompt_need ? *prompt_need : NULL;
	const sasl_utils_t *utils = params->utils;
	struct mt_error err = {0};
	int code;

	if (prompt_need)
		*prompt_need = NULL;
	code = identity_ask(&c->identity, utils, answers, &c->prompts, &err);
	if (code == SASL_INTERACT)
		code = ask_person(c, prompt_need, &err);
	if (code == SASL_OK)
		code = canonicalize(&c->identity, params, oparams, &err);
	if (code == SASL_OK)
		code = fetch_token(c, utils, answers, prompt_need, &err);
	if (code == SASL_OK)
		code = code_of(oauth_exchange_begin(
		    &c->exchange, client_first, output, &err));
	if (code == SASL_OK || code == SASL_INTERACT)
		return code;
	return fail(utils, code, &err);
}

static void
set_done(sasl_out_params_t *oparams)
{
	oparams->doneflag = 1;
	oparams->mech_ssf = 0;
	oparams->maxoutbuf = 0;
	oparams->encode_context = NULL;
	oparams->encode = NULL;
	oparams->decode_context = NULL;
	oparams->decode = NULL;
	oparams->param_version = 0;
}

/* What a step that went well returns. */
static int
next_code(const struct conversation *c, sasl_out_params_t *oparams)
{
	if (c->exchange.state == OAUTH_DONE) {
		set_done(oparams);
		return SASL_OK;
	}
	if (c->exchange.state == OAUTH_SENT && c->module->first_step_ok)
		return SASL_OK;
	return SASL_CONTINUE;
}

int
conversation_step(void *context, sasl_client_params_t *params,
    const char *serverin, unsigned serverinlen, sasl_interact_t **prompt_need,
    const char **clientout, unsigned *clientoutlen, sasl_out_params_t *oparams)
{
	struct conversation *c = context;
	struct oauth_output output = {0};
	struct mt_error err = {0};
	enum mt_status status;
	int code;

	if (!c || !clientout || !clientoutlen) {
		mt_fail(&err, MT_BUG, "a step without a place for its output");
		return fail(params->utils, SASL_BADPARAM, &err);
	}
	*clientout = NULL;
	*clientoutlen = 0;
	if (c->exchange.state == OAUTH_ASK) {
		/* sasl_client_start() brings no challenge, not even an empty
		 * one: then the output goes beside the mechanism's name */
		code =
		    begin(c, params, !serverin, prompt_need, &output, oparams);
		if (code != SASL_OK)
			return code;
	} else {
		status = oauth_exchange_answer(
		    &c->exchange, serverin, serverinlen, &output, &err);
		if (status != MT_OK)
			return fail(params->utils, code_of(status), &err);
	}
	*clientout = output.data;
	*clientoutlen = (unsigned)output.len;
	return next_code(c, oparams);
}
