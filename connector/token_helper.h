/* SPDX-License-Identifier: ISC */
/*
 * The token helper that serves this connector: the one that is configured on
 * the machine, or, when a refresh token was given, a private one on a store in
 * the state directory.  The connector itself asks it for nothing but liveness
 * and events, and reports rejected tokens; tokens are fetched by the SASL
 * module.
 */
#ifndef MT_CONNECTOR_TOKEN_HELPER_H
#define MT_CONNECTOR_TOKEN_HELPER_H

#include "base/deadline.h"
#include "base/status.h"
#include "config.h"
#include "mail/mail_server.h"
#include "tokensock/token_client.h"

struct token_helper;

/* Decides where the helper is; starts nothing.  `config`: of the private one,
 * which it must outlive; NULL: the one of the machine. */
enum mt_status token_helper_new(struct token_helper **ret_helper,
    const struct config *config, struct mt_error *err) MT_MUST_CHECK;

/* Ends a private helper that we started: it finishes a refresh in flight. */
void token_helper_free(struct token_helper **helper);

/* Where the SASL module shall ask; owned by the helper. */
const char *token_helper_socket(const struct token_helper *helper);

/*
 * Makes sure that a helper listens: a private one is started if nobody holds
 * its store, and gets the refresh token once.  Call it before each login.
 * Blocks until the deadline at most.
 */
enum mt_status token_helper_ensure(struct token_helper *helper,
    struct deadline deadline, struct mt_error *err) MT_MUST_CHECK;

/* Reports that `server` refused the present token of its account. */
enum mt_status token_helper_reject(struct token_helper *helper,
    const char *service, const struct mail_server *server,
    struct deadline deadline, struct mt_error *err) MT_MUST_CHECK;

/* The name that the account which `server` is entered with has there. */
enum mt_status token_helper_account(struct token_helper *helper,
    const char *service, const struct mail_server *server,
    char ret_name[TOKEN_ACCOUNT_MAX], struct deadline deadline,
    struct mt_error *err) MT_MUST_CHECK;

/* On a machine there may be several: a user's and the system's. */
size_t token_helper_count(const struct token_helper *helper);

/*
 * Connects `ret_client` (initialised here, the caller's to release) to one of
 * them, counted from 0, and asks for the events of all accounts that we may
 * use; from then on token_client_read yields one whenever its descriptor is
 * readable.
 */
enum mt_status token_helper_subscribe(struct token_helper *helper, size_t index,
    struct token_client *ret_client, struct deadline deadline,
    struct mt_error *err) MT_MUST_CHECK;

#endif
