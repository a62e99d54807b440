/* SPDX-License-Identifier: ISC */
/*
 * The connection to one gateway (GET /connectors/ws), in a thread of its own:
 * registers, says every half minute that it is well, and comes back after a
 * failure, at first after a second, at last every minute.  All agents at that
 * gateway share it.
 *
 * Flow control is ours, because the gateway has none: a message to an agent
 * that works interrupts it.  So an agent gets one message at a time, and the
 * next when it has answered, or has not for a long while.
 */
#ifndef MT_HANDON_GATEWAY_H
#define MT_HANDON_GATEWAY_H

#include "base/secret.h"
#include "base/status.h"
#include "handon/sink.h"

#include <stdbool.h>
#include <stdint.h>

struct gateway;
struct net_trust;

struct gateway_settings {
	const char *url;   /* ws:// or wss:// */
	const char *agent; /* names the connector: "email-<agent>" */
	const struct secret *token;
	const struct net_trust *trust; /* must outlive it */
	int64_t agent_wait_ms;         /* for an agent's answer */
	/* Called from the thread when a sink should look; `context` is its. */
	void (*wake)(void *context);
	void *context;
};

/* Starts the thread; what is in the settings is copied, the token to where it
 * lies. */
enum mt_status gateway_new(struct gateway **ret_gateway,
    const struct gateway_settings *settings,
    struct mt_error *err) MT_MUST_CHECK;

/* Whether it was made for this address and token, and goes on: one that ends
 * takes nothing from a new sink any more. */
bool gateway_is_for(
    struct gateway *gateway, const char *url, const struct secret *token);

/* Asks the thread to end, which it does within seconds. */
void gateway_stop(struct gateway *gateway);

/* Whether it has ended: then gateway_free does not block. */
bool gateway_is_over(struct gateway *gateway);

/* Waits for the end, and releases it; its sinks must be gone. */
void gateway_free(struct gateway **gateway);

/* Whether it has no sink. */
bool gateway_is_unused(struct gateway *gateway);

/* A sink for one agent there. */
struct sink *gateway_sink_new(struct gateway *gateway, const char *agent);

#endif
