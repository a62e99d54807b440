/* SPDX-License-Identifier: ISC */
/*
 * The SASL module: what libsasl2 loads into every mail program.
 *
 * This file decides what is offered, and with which rank.  The module runs as
 * root inside daemons that never log in anywhere: when loaded it opens nothing
 * but its settings file.
 */
#include "conversation.h"
#include "module.h"

#include <sasl/sasl.h>
#include <sasl/saslplug.h>

#include <errno.h>
#include <stdlib.h>

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
 * program that asks for one.  The one way to come after PLAIN and LOGIN is to
 * claim less than they do.
 */
static unsigned
security_flags(const struct module *module, const sasl_utils_t *utils)
{
	bool below =
	    module->settings.below_passwords && !module_own_socket(utils);

	return SASL_SEC_PASS_CREDENTIALS | (below ? 0 : SASL_SEC_NOANONYMOUS);
}

static void
fill_table(struct module *module, const sasl_utils_t *utils)
{
	for (int i = 0; i < OAUTH_MECHANISMS; i++) {
		enum oauth_mechanism mechanism = (enum oauth_mechanism)i;
		module->offered[i] = (struct offered){module, mechanism};
		module->table[i] = (sasl_client_plug_t){
		    .mech_name = oauth_mechanism_name(mechanism),
		    .max_ssf = mechanism == OAUTH_XOAUTH2 ? 1 : 2,
		    .security_flags = security_flags(module, utils),
		    .features = SASL_FEAT_WANT_CLIENT_FIRST |
				SASL_FEAT_NEEDSERVERFQDN |
				SASL_FEAT_ALLOWS_PROXY,
		    .required_prompts = only_login_name,
		    .glob_context = &module->offered[i],
		    .mech_new = conversation_new,
		    .mech_step = conversation_step,
		    .mech_dispose = conversation_dispose,
		    .mech_free = mech_free,
		};
	}
	module->held = OAUTH_MECHANISMS;
}

/* NULL: offer nothing. */
static struct module *
load_module(const sasl_utils_t *utils)
{
	const char *program = program_invocation_short_name;
	struct module *module = calloc(1, sizeof(*module));
	struct mt_error err = {0};

	if (!module)
		return NULL;
	if (module_init(module, MT_SASL_SETTINGS, program, &err) != MT_OK) {
		utils->log(NULL, SASL_LOG_WARN,
		    "mailtoken: %s; XOAUTH2 and OAUTHBEARER are not offered",
		    err.text);
		free(module);
		return NULL;
	}
	if (!module_has_use(module, utils)) {
		free(module);
		return NULL;
	}
	fill_table(module, utils);
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
	*plugcount = module ? OAUTH_MECHANISMS : 0;
	return SASL_OK;
}
