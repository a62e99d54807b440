/* SPDX-License-Identifier: ISC */
/*
 * What a mail program has as password (SASL_CB_PASS).  Two kinds are of use
 * here: "@NAME" chooses an account of the token helper; and a program for which
 * the settings allow it may give an access token of its own.  Anything else is
 * somebody's password, which is wiped and goes nowhere.
 */
#ifndef MT_SASL_PASSWORD_H
#define MT_SASL_PASSWORD_H

#include "base/secret.h"
#include "base/status.h"
#include "prompt.h"
#include "tokensock/token_client.h"

#include <stdbool.h>

struct password {
	bool known;                      /* it has been asked for */
	char account[TOKEN_ACCOUNT_MAX]; /* "": it chooses none */
	struct secret token;             /* empty: it is none */
};

void password_init(struct password *password);

/* Wipes. */
void password_done(struct password *password);

/*
 * Learns it from the program's procedure or from its `answers` (may be NULL) to
 * an earlier prompt, once: when it is known already nobody is asked again.
 * `take_token` keeps one that looks like an access token.  SASL_OK;
 * SASL_INTERACT when a person has to be asked; another SASL code when the
 * program has none.
 */
int password_ask(struct password *password, const sasl_utils_t *utils,
    const sasl_interact_t *answers, bool take_token) MT_MUST_CHECK;

/* The prompt for it. */
void password_prompt(struct prompts *prompts);

#endif
