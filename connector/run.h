/* SPDX-License-Identifier: ISC */
/*
 * `run`: the service with the accounts and what is done with them.
 */
#ifndef MT_CONNECTOR_RUN_H
#define MT_CONNECTOR_RUN_H

#include "accounts.h"
#include "base/status.h"
#include "resources.h"
#include "socket_users.h"

#include <stdbool.h>

struct run_settings {
	const struct config *config; /* the environment's */
	struct resources *resources;
	struct accounts *accounts;
	const char *control_path;
	struct socket_users socket_users; /* for config->socket */
};

/* As service_run. */
enum mt_status run_service(const struct run_settings *settings, bool *ret_left,
    struct mt_error *err) MT_MUST_CHECK;

#endif
