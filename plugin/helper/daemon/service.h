/* SPDX-License-Identifier: ISC */
/*
 * Puts the parts together and runs them: one event loop, from the first lock to
 * the last request that must not be cut off.
 */
#ifndef MT_DAEMON_SERVICE_H
#define MT_DAEMON_SERVICE_H

#include "options.h"

struct service;

/* Reads the settings, takes the store's lock, opens the sockets. */
enum mt_status service_new(const struct options *options,
    const struct places *places, struct secret_arena *arena,
    struct service **ret_service, struct mt_error *err) MT_MUST_CHECK;

/* Runs until a signal, the end of the lifeline, or with `once` the end of the
 * connection; what was begun is finished and saved first. */
void service_run(struct service *service);

void service_free(struct service **service);

/* Where the settings are read from. */
struct config_source service_config_source(const struct options *options,
    const struct places *places, struct secret_arena *arena);

#endif
