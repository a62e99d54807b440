/* SPDX-License-Identifier: ISC */
/*
 * Notices when the network may be back: the kernel tells of new addresses,
 * routes and links (rtnetlink(7)).
 */
#ifndef MT_DAEMON_NETWORK_H
#define MT_DAEMON_NETWORK_H

#include "schedule.h"

#include "base/status.h"

#include <uv.h>

struct network;

/* Calls `changed` from the loop a second after the first of several changes, and
 * not more often than every ten seconds. */
enum mt_status network_new(uv_loop_t *loop, struct schedule *schedule,
    void (*changed)(void *context), void *context, struct network **ret_network,
    struct mt_error *err) MT_MUST_CHECK;

void network_free(struct network **network);

#endif
