/* SPDX-License-Identifier: ISC */
/*
 * Who logs in: asks the mail program for its authentication identity (the login
 * name, SASL_CB_AUTHNAME) and authorization identity (as whom to act,
 * SASL_CB_USER), through callbacks where it has procedures and through prompts
 * where it wants them.  Never asks for a password.
 */
#ifndef MT_SASL_IDENTITY_H
#define MT_SASL_IDENTITY_H

#include "base/status.h"
#include "oauth_message.h"

#include <sasl/sasl.h>
#include <sasl/saslplug.h>

#include <stdbool.h>

struct identity {
	char authname[OAUTH_USER_MAX + 1]; /* "": not known yet */
	char authzid[OAUTH_USER_MAX + 1];  /* "": the same as authname */
	bool authzid_known;
	sasl_interact_t prompts[3]; /* lent to the mail program */
};

/*
 * Learns the login name if a procedure of the program gives it without asking
 * anybody; otherwise, whatever the reason, it stays unknown for now.
 */
void identity_ask_quietly(struct identity *identity, const sasl_utils_t *utils);

/*
 * Learns both.  SASL_OK; SASL_INTERACT with *prompt_need set when the program
 * has to ask first, and calls the same step again with the answers in it; or
 * another SASL code with `err` filled.
 */
int identity_ask(struct identity *identity, const sasl_utils_t *utils,
    sasl_interact_t **prompt_need, struct mt_error *err) MT_MUST_CHECK;

#endif
