/* SPDX-License-Identifier: ISC */
/*
 * A module of another maker that offers XOAUTH2, too: with the flags that the
 * mechanism has, or, with RIVAL_CLAIMS, with those of sasl-xoauth2, which
 * promise a security layer and no secret in clear.
 */
#include <sasl/sasl.h>
#include <sasl/saslplug.h>

#define WORD "rival"

#ifdef RIVAL_CLAIMS
#define MAX_SSF 60
#define FLAGS                                                                  \
	(SASL_SEC_NOANONYMOUS | SASL_SEC_NOPLAINTEXT |                         \
	    SASL_SEC_PASS_CREDENTIALS)
#else
#define MAX_SSF 0
#define FLAGS (SASL_SEC_NOANONYMOUS | SASL_SEC_PASS_CREDENTIALS)
#endif

static int
new_exchange(void *glob_context, sasl_client_params_t *params, void **context)
{
	(void)glob_context;
	(void)params;
	(void)context;
	return SASL_OK;
}

static int
step(void *context, sasl_client_params_t *params, const char *serverin,
    unsigned serverinlen, sasl_interact_t **prompt_need, const char **clientout,
    unsigned *clientoutlen, sasl_out_params_t *oparams)
{
	(void)context;
	(void)params;
	(void)serverin;
	(void)serverinlen;
	(void)prompt_need;
	(void)oparams;
	*clientout = WORD;
	*clientoutlen = sizeof(WORD) - 1;
	return SASL_CONTINUE;
}

static sasl_client_plug_t table = {
    .mech_name = "XOAUTH2",
    .max_ssf = MAX_SSF,
    .security_flags = FLAGS,
    .features = SASL_FEAT_WANT_CLIENT_FIRST,
    .mech_new = new_exchange,
    .mech_step = step,
};

__attribute__((visibility("default")))
sasl_client_plug_init_t sasl_client_plug_init;

int
sasl_client_plug_init(const sasl_utils_t *utils, int max_version,
    int *out_version, sasl_client_plug_t **pluglist, int *plugcount)
{
	(void)utils;
	(void)max_version;
	*out_version = SASL_CLIENT_PLUG_VERSION;
	*pluglist = &table;
	*plugcount = 1;
	return SASL_OK;
}
