/* SPDX-License-Identifier: ISC */
/*
 * One mechanism on one connection, as libsasl2 calls it: who logs in where,
 * what the program's password has to say, the steps of the exchange, and each
 * failure as a code of libsasl2 with a text.  Everything is in the context that
 * libsasl2 keeps, so connections in several threads do not meet.
 */
#ifndef MT_SASL_CONVERSATION_H
#define MT_SASL_CONVERSATION_H

#include <sasl/sasl.h>
#include <sasl/saslplug.h>

/* The functions of a sasl_client_plug_t; `glob_context` is a struct offered.
 * The times that they block are those of oauth_exchange.h. */
int conversation_new(
    void *glob_context, sasl_client_params_t *params, void **ret_context);
int conversation_step(void *context, sasl_client_params_t *params,
    const char *serverin, unsigned serverinlen, sasl_interact_t **prompt_need,
    const char **clientout, unsigned *clientoutlen, sasl_out_params_t *oparams);
void conversation_dispose(void *context, const sasl_utils_t *utils);

#endif
