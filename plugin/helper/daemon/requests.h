/* SPDX-License-Identifier: ISC */
/*
 * The requests of docs/protocol.md: a table of verbs, who may ask them, and
 * what is answered.
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
	struct unlock *unlock; /* for the service to set */
	/* Reads the settings again and says how many accounts there are. */
	enum mt_status (*reload)(
	    void *context, size_t *ret_accounts, struct mt_error *err);
	void *reload_context;
	struct server_handler handler; /* for server_new */
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
