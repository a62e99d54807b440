/* SPDX-License-Identifier: ISC */
#include "identity.h"

#include <string.h>

static bool
keep(char *to, const char *name, size_t len)
{
	if (len > OAUTH_USER_MAX || memchr(name, '\0', len))
		return false;
	memcpy(to, name, len);
	to[len] = '\0';
	return true;
}

/*
 * Calls the program's procedure for `id`.  SASL_OK with *ret_name, which may be
 * NULL; SASL_INTERACT if a person must be asked; SASL_FAIL if the program knows
 * no such name, or what its procedure returned.
 */
static int
call_back(const sasl_utils_t *utils, unsigned long id, const char **ret_name)
{
	sasl_callback_ft procedure;
	void *context;
	int rc = prompts_procedure(utils, id, &procedure, &context);

	*ret_name = NULL;
	if (rc != SASL_OK)
		return rc;
	/* no length: libsasl2's default procedure and its type disagree on
	 * the size of that argument */
	rc = ((sasl_getsimple_t *)(void (*)(void))procedure)(
	    context, (int)id, ret_name, NULL);
	return rc == SASL_OK || rc == SASL_INTERACT || rc < 0 ? rc : SASL_FAIL;
}

/*
 * One of the names, from the answered prompts or from the program's procedure.
 * SASL_FAIL: the program has none.
 */
static int
learn(char *to, const sasl_utils_t *utils, unsigned long id,
    const sasl_interact_t *answers)
{
	const sasl_interact_t *answer = prompts_answer(answers, id);
	const char *name;
	size_t len;
	int rc;

	if (answer) {
		name = answer->result;
		len = answer->len;
	} else {
		rc = call_back(utils, id, &name);
		if (rc != SASL_OK)
			return rc;
		len = name ? strlen(name) : 0;
	}
	if (!name)
		return SASL_FAIL;
	return keep(to, name, len) ? SASL_OK : SASL_BUFOVER;
}

bool
identity_ask_quietly(struct identity *identity, const sasl_utils_t *utils)
{
	int rc = learn(identity->authname, utils, SASL_CB_AUTHNAME, NULL);

	if (rc != SASL_OK || !identity->authname[0])
		return false;
	rc = learn(identity->authzid, utils, SASL_CB_USER, NULL);
	identity->authzid_known = rc == SASL_OK || rc == SASL_FAIL;
	return identity->authzid_known;
}

static int
fail_name(int code, const char *what, struct mt_error *err)
{
	if (code != SASL_BUFOVER) {
		mt_fail(err, MT_BAD_INPUT,
		    "the mail program could not give the %s name", what);
		return code;
	}
	mt_fail(err, MT_BAD_INPUT,
	    "the %s name is longer than %d bytes or holds a NUL", what,
	    OAUTH_USER_MAX);
	return SASL_BADPARAM;
}

static int
learn_authname(struct identity *identity, const sasl_utils_t *utils,
    const sasl_interact_t *answers, struct mt_error *err)
{
	int rc;

	if (identity->authname[0])
		return SASL_OK;
	rc = learn(identity->authname, utils, SASL_CB_AUTHNAME, answers);
	if (rc == SASL_OK && !identity->authname[0])
		rc = SASL_FAIL;
	if (rc == SASL_OK || rc == SASL_INTERACT)
		return rc;
	return fail_name(rc, "login", err);
}

static int
learn_authzid(struct identity *identity, const sasl_utils_t *utils,
    const sasl_interact_t *answers, struct mt_error *err)
{
	int rc;

	if (identity->authzid_known)
		return SASL_OK;
	rc = learn(identity->authzid, utils, SASL_CB_USER, answers);
	if (rc == SASL_INTERACT)
		return rc;
	if (rc != SASL_OK && rc != SASL_FAIL)
		return fail_name(rc, "authorization", err);
	identity->authzid_known = true;
	return SASL_OK;
}

int
identity_ask(struct identity *identity, const sasl_utils_t *utils,
    const sasl_interact_t *answers, struct prompts *prompts,
    struct mt_error *err)
{
	int authname = learn_authname(identity, utils, answers, err);
	int authzid;

	if (authname != SASL_OK && authname != SASL_INTERACT)
		return authname;
	authzid = learn_authzid(identity, utils, answers, err);
	if (authzid != SASL_OK && authzid != SASL_INTERACT)
		return authzid;
	if (authname == SASL_OK && authzid == SASL_OK)
		return SASL_OK; /* `answers` may lie in `prompts` */
	prompts_reset(prompts);
	if (authname == SASL_INTERACT)
		prompts_add(prompts, SASL_CB_AUTHNAME, "Login name");
	if (authzid == SASL_INTERACT)
		prompts_add(prompts, SASL_CB_USER,
		    "Authorization name (empty: the login name)");
	return SASL_INTERACT;
}
