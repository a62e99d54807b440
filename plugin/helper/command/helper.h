/* SPDX-License-Identifier: ISC */
/*
 * Finds the helper to ask: those that listen, in the order of docs/protocol.md,
 * or, where none does and none was named, a private one.
 */
#ifndef MT_COMMAND_HELPER_H
#define MT_COMMAND_HELPER_H

#include "base/deadline.h"
#include "base/status.h"
#include "tokensock/token_client.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define HELPER_CALL_MS 20000 /* for a request that the helper answers itself */
#define HELPER_NETWORK_MS 60000 /* for one that takes it to the network */

struct helper {
	struct token_client client; /* connected to the present helper */
	struct token_paths paths;
	size_t next;                     /* index into paths */
	bool named;                      /* by the person: no other will do */
	bool somebody;                   /* at least one listens */
	bool only_running;               /* start no private one */
	const char *config;              /* for a private one */
	pid_t private_pid;               /* 0: none */
	char account[TOKEN_ACCOUNT_MAX]; /* that was found */
	struct mt_error failure; /* first reason why one could not be asked */
};

/* Only the helper at `socket`, or if NULL the one that MAILTOKEN_SOCKET names
 * and the standard ones.  Both strings must outlive the helper. */
void helper_init(struct helper *helper, const char *socket, const char *config);

/*
 * Connects to the next helper.  MT_NO_ACCOUNT after the last of those that
 * listen, or the reason why another could not be asked.  MT_UNREACHABLE when
 * one was named and none listens.
 */
enum mt_status helper_next(struct helper *helper, struct deadline deadline,
    struct mt_error *err) MT_MUST_CHECK;

/* Goes on until one knows the account, and stays connected to it. */
enum mt_status helper_find(struct helper *helper, const char *account,
    struct deadline deadline, struct mt_error *err) MT_MUST_CHECK;

/* As helper_find, for an account that permits `use` (NULL: whatever it
 * permits); its name is in helper->account then. */
enum mt_status helper_find_for(struct helper *helper,
    const struct token_query *query, const char *use, struct deadline deadline,
    struct mt_error *err) MT_MUST_CHECK;

/* Adds both to the request that is begun in the client's frame. */
void helper_add_query(
    struct helper *helper, const struct token_query *query, const char *use);

/*
 * Disconnects.  If the private helper could not do its work, and `status` (that
 * of the last request, with its `err`) only says that no answer came, the
 * reason takes its place.  Returns what the status is then.
 */
enum mt_status helper_done(
    struct helper *helper, enum mt_status status, struct mt_error *err);

#endif
