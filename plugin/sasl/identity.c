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
	int rc = utils->getcallback(utils->conn, id, &procedure, &context);

	*ret_name = NULL;
	if (rc != SASL_OK)
		return rc == SASL_INTERACT ? rc : SASL_FAIL;
	if (!procedure)
		return SASL_FAIL;
	/* no length: libsasl2's default procedure and its type disagree on
	 * the size of that argument */
	rc = ((sasl_getsimple_t *)(void (*)(void))procedure)(
	    context, (int)id, ret_name, NULL);
	return rc == SASL_OK || rc == SASL_INTERACT || rc < 0 ? rc : SASL_FAIL;
}

void
identity_ask_quietly(struct identity *identity, const sasl_utils_t *utils)
{
	const char *name;

	if (call_back(utils, SASL_CB_AUTHNAME, &name) == SASL_OK && name)
		keep(identity->authname, name, strlen(name));
}

static const sasl_interact_t *
find_prompt(const sasl_interact_t *prompts, unsigned long id)
{
	if (!prompts)
		return NULL;
	for (; prompts->id != SASL_CB_LIST_END; prompts++)
		if (prompts->id == id)
			return prompts;
	return NULL;
}

/*
 * One of the names, from the answered prompts or from the program's procedure.
 * SASL_FAIL: the program has none.
 */
static int
learn(char *to, const sasl_utils_t *utils, unsigned long id,
    const sasl_interact_t *answers)
{
	const sasl_interact_t *answer = find_prompt(answers, id);
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
	return keep(to, name, len) ? SASL_OK : SASL_BADPARAM;
}

static int
fail_name(int code, const char *what, struct mt_error *err)
{
	if (code == SASL_BADPARAM)
		mt_fail(err, MT_BAD_INPUT,
		    "the %s name is longer than %d bytes or holds a NUL", what,
		    OAUTH_USER_MAX);
	else
		mt_fail(err, MT_BAD_INPUT,
		    "the mail program could not give the %s name", what);
	return code;
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

static void
add_prompt(sasl_interact_t **next, unsigned long id, const char *text)
{
	*(*next)++ = (sasl_interact_t){
	    .id = id,
	    .challenge = text,
	    .prompt = text,
	};
}

int
identity_ask(struct identity *identity, const sasl_utils_t *utils,
    sasl_interact_t **prompt_need, struct mt_error *err)
{
	const sasl_interact_t *answers = prompt_need ? *prompt_need : NULL;
	sasl_interact_t *next = identity->prompts;
	int authname = learn_authname(identity, utils, answers, err);
	int authzid;

	if (authname != SASL_OK && authname != SASL_INTERACT)
		return authname;
	authzid = learn_authzid(identity, utils, answers, err);
	if (authzid != SASL_OK && authzid != SASL_INTERACT)
		return authzid;
	if (prompt_need)
		*prompt_need = NULL;
	if (authname == SASL_OK && authzid == SASL_OK)
		return SASL_OK;
	if (!prompt_need) {
		mt_fail(err, MT_BAD_INPUT,
		    "the mail program neither gives the login name nor lets "
		    "anybody be asked for it");
		return SASL_BADPARAM;
	}
	if (authname == SASL_INTERACT)
		add_prompt(&next, SASL_CB_AUTHNAME, "Login name");
	if (authzid == SASL_INTERACT)
		add_prompt(&next, SASL_CB_USER,
		    "Authorization name (empty: the login name)");
	next->id = SASL_CB_LIST_END;
	*prompt_need = identity->prompts;
	return SASL_INTERACT;
}
