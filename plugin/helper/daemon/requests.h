/* SPDX-License-Identifier: ISC */
/*
 * The requests of docs/protocol.md: a table of verbs, where and by whom they may
 * be asked, and what is answered.
 */
#ifndef MT_DAEMON_REQUESTS_H
#define MT_DAEMON_REQUESTS_H

#include "accounts.h"
#include "login.h"
#include "server.h"
#include "unlock.h"

struct requests {
	uv_loop_t *loop;
	struct secret_arena *arena;
	struct accounts *accounts;
	struct logins *logins;
	struct discovery *discovery;
	const struct provider_dirs *providers;
	struct unlock *unlock; /* for the service to set, and: */
	struct log_limit *refusals;
	/* Reads the settings again and says how many accounts there are, and
	 * files that were left out. */
	enum mt_status (*reload)(void *context, size_t *ret_accounts,
	    size_t *ret_left_out, struct mt_error *err);
	void *reload_context;
	/* The first socket for mail programs and the administration socket, for
	 * the service to set; "": there is none. */
	const char *token_path;
	const char *admin_path;
	/* For the server: what sockets for mail programs answer, and what the
	 * administration socket does. */
	struct server_handler tokens;
	struct server_handler admin;
};

/* Fills `requests`, which must live as long as its server, but for `reload`. */
void requests_init(struct requests *requests, uv_loop_t *loop,
    struct secret_arena *arena, struct accounts *accounts,
    struct logins *logins, struct discovery *discovery,
    const struct provider_dirs *providers);

/* Tells everybody who subscribed that the account changed. */
void requests_announce(
    struct requests *requests, struct server *server, struct account *account);

#endif
