/* SPDX-License-Identifier: ISC */
/*
 * Where the helper listens: for mail programs, for who administers
 * (docs/protocol.md), and as Postfix' table; on sockets that it makes itself, or
 * that the service manager hands over.
 */
#ifndef MT_DAEMON_LISTENING_H
#define MT_DAEMON_LISTENING_H

#include "config.h"
#include "lockdown.h"
#include "options.h"
#include "server.h"

/* A listener that the service manager hands over by one of these names is the
 * administration socket, or Postfix' table; all others are for mail programs. */
#define LISTENING_ADMIN_NAME "admin"
#define LISTENING_SOCKETMAP_NAME "socketmap"

struct listening {
	const struct options *options;
	const struct places *places;
	struct server *server;
	const struct server_handler *tokens; /* for mail programs */
	const struct server_handler *admin;
	const struct server_handler *socketmap;
	bool tokens_are_passed; /* by the service manager */
	bool admin_is_passed;
	/* The first socket for mail programs, whether it is there or not, and
	 * the administration socket; "": none. */
	char token_path[PATH_MAX];
	char admin_path[PATH_MAX];
};

/* Listens on all of them; the fields up to `socketmap` must be set. */
enum mt_status listening_open(struct listening *listening,
    const struct config *config, struct mt_error *err) MT_MUST_CHECK;

/* After a change of the settings: the system's sockets for mail programs exist
 * only while there is an account, because their existence makes the SASL module
 * offer its mechanisms. */
enum mt_status listening_update(struct listening *listening,
    const struct config *config, struct mt_error *err) MT_MUST_CHECK;

/* Adds the sockets that are there, or may have to be made later, and makes their
 * directories, which must be there to be allowed. */
void listening_plan(const struct listening *listening,
    const struct config *config, struct lockdown *plan);

#endif
