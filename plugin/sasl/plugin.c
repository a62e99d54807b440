/* SPDX-License-Identifier: ISC */
/*
 * The SASL module: what libsasl2 loads into every mail program.
 *
 * This file is the adapter and nothing else: it decides whether the mechanisms
 * are offered at all, and translates between libsasl2 and oauth_exchange.  All
 * state lives in what libsasl2 hands back (the module per sasl_client_init(),
 * a conversation per sasl_conn_t), so connections in several threads do not
 * meet.  It runs as root inside daemons that never log in anywhere: when
 * loaded it opens nothing but its settings file.
 */
#include "identity.h"
#include "module_settings.h"
#include "oauth_exchange.h"

#include "base/settings.h"

#include <sasl/sasl.h>
#include <sasl/saslplug.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define MECHANISMS OAUTH_MECHANISMS

/* Behind a mechanism's glob_context. */
struct offered {
	struct module *module;
	enum oauth_mechanism mechanism;
};

struct module {
	struct module_settings settings;
	bool first_step_ok; /* this program takes no CONTINUE on the first */
	int held;           /* mechanisms that libsasl2 has not freed yet */
	struct offered offered[MECHANISMS];
	sasl_client_plug_t table[MECHANISMS];
};

/* One mechanism on one connection. */
struct conversation {
	const struct module *module;
	struct identity identity;
	struct oauth_exchange exchange;
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

/* The socket that the program itself names, or NULL. */
static const char *
own_socket(const sasl_utils_t *utils)
{
	const char *path = NULL;

	if (!utils->getopt || utils->getopt(utils->getopt_context, NULL,
				  "mailtoken_socket", &path, NULL) != SASL_OK)
		return NULL;
	return path && *path ? path : NULL;
}

/* Where helpers may be, in the order in which they are asked. */
static void
search_paths(struct token_paths *paths, const struct module *module,
    const sasl_utils_t *utils)
{
	const char *own = own_socket(utils);

	*paths = (struct token_paths){0};
	if (own)
		token_paths_add(paths, own);
	token_paths_add_environment(paths);
	if (module->settings.socket[0])
		token_paths_add(paths, module->settings.socket);
	token_paths_add_standard(paths);
}

/*
 * Whether this process may use an account.  libsasl2 picks mechanisms by rank
 * before it calls any of ours, so one that is offered without need would break
 * the logins of those who have a password.  Owner and mode of the sockets tell
 * who may use an account.  To root they tell nothing: such a process must be
 * named by the settings or by the environment.
 */
static bool
has_use(const struct module *module, const sasl_utils_t *utils)
{
	struct token_paths paths = {0};

	if (own_socket(utils))
		return true;
	if (geteuid() == 0)
		return token_paths_add_environment(&paths) ||
		       module_settings_lists(module->settings.offer,
			   program_invocation_short_name);
	search_paths(&paths, module, utils);
	for (size_t i = 0; i < paths.count; i++)
		if (faccessat(AT_FDCWD, paths.path[i], W_OK, AT_EACCESS) == 0)
			return true;
	return false;
}

/* The service's name as the helper knows it, or NULL for a service that is
 * none of ours. */
static const char *
mail_service(const struct module *module, const char *service)
{
	static const char *const known[] = {
	    "imap", "smtp", "lmtp", "pop", "sieve"};

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (strcasecmp(service, known[i]) == 0)
			return known[i];
	return module_settings_lists(module->settings.services, service)
		   ? service
		   : NULL;
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
	const char *service = mail_service(module, params->service);

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

static void
dispose(void *context, const sasl_utils_t *utils)
{
	struct conversation *c = context;

	(void)utils;
	if (!c)
		return;
	oauth_exchange_done(&c->exchange);
	free(c);
}

/* Prepares a conversation and asks the helper whether there is an account. */
static enum mt_status
open_conversation(struct conversation *c, enum oauth_mechanism mechanism,
    const struct oauth_server *server, const sasl_utils_t *utils,
    struct mt_error *err)
{
	const struct module_settings *settings = &c->module->settings;
	struct token_paths paths;
	enum mt_status status;
	const char *user;

	search_paths(&paths, c->module, utils);
	status = oauth_exchange_init(&c->exchange, mechanism, server, &paths,
	    settings->trusted_uid, err);
	if (status != MT_OK)
		return status;
	identity_ask_quietly(&c->identity, utils);
	user = c->identity.authname[0] ? c->identity.authname : NULL;
	return oauth_exchange_find(&c->exchange, user, err);
}

/*
 * A program may go on to a password after SASL_NOMECH, so that is returned
 * only when it is certain that nobody has an account for this.
 */
static int
mech_new(void *glob_context, sasl_client_params_t *params, void **conn_context)
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
	if (!c)
		return SASL_NOMEM;
	c->module = offered->module;
	status = open_conversation(
	    c, offered->mechanism, &server, params->utils, &err);
	if (status != MT_OK) {
		dispose(c, params->utils);
		return fail(params->utils, code_of(status), &err);
	}
	*conn_context = c;
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
		mt_fail(err, MT_BAD_INPUT, "'%s' is no usable login name",
		    identity->authname);
	return code;
}

static int
begin(struct conversation *c, sasl_client_params_t *params, bool client_first,
    sasl_interact_t **prompt_need, struct oauth_output *output,
    sasl_out_params_t *oparams)
{
	struct mt_error err = {0};
	enum mt_status status;
	int code = identity_ask(&c->identity, params->utils, prompt_need, &err);

	if (code == SASL_INTERACT)
		return code;
	if (code == SASL_OK)
		code = canonicalize(&c->identity, params, oparams, &err);
	if (code != SASL_OK)
		return fail(params->utils, code, &err);
	status = oauth_exchange_begin(&c->exchange, oparams->authid,
	    oparams->user, client_first, output, &err);
	if (status != MT_OK)
		return fail(params->utils, code_of(status), &err);
	return SASL_OK;
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

static int
mech_step(void *conn_context, sasl_client_params_t *params,
    const char *serverin, unsigned serverinlen, sasl_interact_t **prompt_need,
    const char **clientout, unsigned *clientoutlen, sasl_out_params_t *oparams)
{
	struct conversation *c = conn_context;
	struct oauth_output output = {0};
	struct mt_error err = {0};
	enum mt_status status;
	int code;

	if (!c || !clientout || !clientoutlen)
		return SASL_BADPARAM;
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

static void
mech_free(void *glob_context, const sasl_utils_t *utils)
{
	struct offered *offered = glob_context;

	(void)utils;
	if (--offered->module->held == 0)
		free(offered->module);
}

static const unsigned long only_login_name[] = {
    SASL_CB_AUTHNAME, SASL_CB_LIST_END};

/*
 * The rank (libmailtoken(7)): honest flags, and a max_ssf of 1 or 2, put us
 * above PLAIN and LOGIN, whatever order the modules are loaded in, and beneath
 * all that never sends a secret.  The SSF is not there: mech_new() refuses a
 * program that asks for one.
 */
static void
fill_table(struct module *module)
{
	for (int i = 0; i < MECHANISMS; i++) {
		enum oauth_mechanism mechanism = (enum oauth_mechanism)i;
		module->offered[i] = (struct offered){module, mechanism};
		module->table[i] = (sasl_client_plug_t){
		    .mech_name = oauth_mechanism_name(mechanism),
		    .max_ssf = mechanism == OAUTH_XOAUTH2 ? 1 : 2,
		    .security_flags =
			SASL_SEC_NOANONYMOUS | SASL_SEC_PASS_CREDENTIALS,
		    .features = SASL_FEAT_WANT_CLIENT_FIRST |
				SASL_FEAT_NEEDSERVERFQDN |
				SASL_FEAT_ALLOWS_PROXY,
		    .required_prompts = only_login_name,
		    .glob_context = &module->offered[i],
		    .mech_new = mech_new,
		    .mech_step = mech_step,
		    .mech_dispose = dispose,
		    .mech_free = mech_free,
		};
	}
	module->held = MECHANISMS;
}

/* NULL: offer nothing. */
static struct module *
load_module(const sasl_utils_t *utils)
{
	struct module *module = calloc(1, sizeof(*module));
	struct mt_error err = {0};

	if (!module)
		return NULL;
	module_settings_init(&module->settings);
	if (module_settings_read(&module->settings, MT_SASL_SETTINGS, &err) !=
	    MT_OK) {
		utils->log(NULL, SASL_LOG_WARN,
		    "mailtoken: %s; XOAUTH2 and OAUTHBEARER are not offered",
		    err.text);
		free(module);
		return NULL;
	}
	if (!has_use(module, utils)) {
		free(module);
		return NULL;
	}
	module->first_step_ok = module_settings_lists(
	    module->settings.first_step_ok, program_invocation_short_name);
	fill_table(module);
	return module;
}

__attribute__((visibility("default")))
sasl_client_plug_init_t sasl_client_plug_init;

/* libsasl2 finds this by name.  Without use for us it gets no mechanisms and
 * no error: an error would be logged by every program. */
int
sasl_client_plug_init(const sasl_utils_t *utils, int max_version,
    int *out_version, sasl_client_plug_t **pluglist, int *plugcount)
{
	struct module *module;

	if (max_version < SASL_CLIENT_PLUG_VERSION)
		return SASL_BADVERS;
	module = load_module(utils);
	*out_version = SASL_CLIENT_PLUG_VERSION;
	*pluglist = module ? module->table : NULL;
	*plugcount = module ? MECHANISMS : 0;
	return SASL_OK;
}
