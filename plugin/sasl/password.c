/* SPDX-License-Identifier: ISC */
#include "password.h"

#include "oauth_message.h"

#include "tokensock/account_name.h"

#include <string.h>

#define TOKEN_LEN_MIN 40 /* bytes; shorter ones are taken for passwords */

void
password_init(struct password *password)
{
	*password = (struct password){0};
	secret_init(&password->token, NULL);
}

void
password_done(struct password *password)
{
	secret_done(&password->token);
	password_init(password);
}

static void
take(struct password *password, const char *text, size_t len, bool take_token)
{
	password->known = true;
	/* what is none is a password, whatever it begins with */
	if (len && text[0] == '@' && account_name_is_good(text + 1, len - 1)) {
		memcpy(password->account, text + 1, len - 1);
		password->account[len - 1] = '\0';
		return;
	}
	if (!take_token || len < TOKEN_LEN_MIN)
		return;
	secret_add(&password->token, text, len);
	if (!oauth_message_is_token(&password->token))
		secret_done(&password->token);
}

static int
call_back(const sasl_utils_t *utils, sasl_secret_t **ret_secret)
{
	sasl_callback_ft procedure;
	void *context;
	int code = prompts_procedure(utils, SASL_CB_PASS, &procedure, &context);

	*ret_secret = NULL;
	if (code != SASL_OK)
		return code;
	code = ((sasl_getsecret_t *)(void (*)(void))procedure)(
	    utils->conn, context, SASL_CB_PASS, ret_secret);
	return code == SASL_OK && !*ret_secret ? SASL_FAIL : code;
}

int
password_ask(struct password *password, const sasl_utils_t *utils,
    const sasl_interact_t *answers, bool take_token)
{
	const sasl_interact_t *answer = prompts_answer(answers, SASL_CB_PASS);
	sasl_secret_t *secret;
	int code;

	if (password->known)
		return SASL_OK;
	if (answer) {
		if (!answer->result)
			return SASL_FAIL;
		take(password, answer->result, answer->len, take_token);
		return SASL_OK;
	}
	code = call_back(utils, &secret);
	if (code == SASL_OK)
		take(password, (const char *)secret->data, secret->len,
		    take_token);
	return code;
}

void
password_prompt(struct prompts *prompts)
{
	prompts_reset(prompts);
	prompts_add(prompts, SASL_CB_PASS,
	    "Password (@NAME: the token of that account)");
}
