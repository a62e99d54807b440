/* SPDX-License-Identifier: ISC */
/*
 * Answers Postfix, whose table of passwords can be a socketmap: the key is a
 * mail server or a login name, the name of the map a service, and the answer
 * "user:token".  For SASL modules that take the token for a password.
 */
#ifndef MT_DAEMON_SOCKETMAP_H
#define MT_DAEMON_SOCKETMAP_H

#include "accounts.h"
#include "server.h"

struct socketmap {
	struct secret_arena *arena;
	struct accounts *accounts;
	struct log_limit *refusals;
	struct server_handler handler; /* for server_listen */
};

/* Fills `socketmap`, which must live as long as its server, as must what it is
 * given. */
void socketmap_init(struct socketmap *socketmap, struct secret_arena *arena,
    struct accounts *accounts, struct log_limit *refusals);

#endif
