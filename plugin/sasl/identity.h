/* SPDX-License-Identifier: ISC */
/*
 * Who logs in: asks the mail program for its authentication identity (the login
 * name, SASL_CB_AUTHNAME) and authorization identity (as whom to act,
 * SASL_CB_USER), through procedures where it has them and through prompts where
 * it wants them.
 */
#ifndef MT_SASL_IDENTITY_H
#define MT_SASL_IDENTITY_H

#include "base/status.h"
#include "oauth_message.h"
#include "prompt.h"

#include <stdbool.h>

struct identity {
	char authname[OAUTH_USER_MAX + 1]; /* "": not known yet */
	char authzid[OAUTH_USER_MAX + 1];  /* "": the same as authname */
	bool authzid_known;
};

/*
 * Learns what procedures of the program give without asking anybody; the rest,
 * whatever the reason, stays unknown for now.  True when both are known.
 */
bool identity_ask_quietly(struct identity *identity, const sasl_utils_t *utils);

/*
 * Learns both, from the program's procedures or from its `answers` (may be
 * NULL) to earlier prompts.  SASL_OK; SASL_INTERACT with `prompts` filled when
 * the program has to ask first; or another SASL code with `err` filled.
 */
int identity_ask(struct identity *identity, const sasl_utils_t *utils,
    const sasl_interact_t *answers, struct prompts *prompts,
    struct mt_error *err) MT_MUST_CHECK;

#endif
