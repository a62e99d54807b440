/* SPDX-License-Identifier: ISC */
/*
 * Finds a server's endpoints by its issuer: OpenID Connect Discovery 1.0 s4,
 * and RFC 8414 where that brings nothing.  What was found is kept in memory
 * until discovery_forget(); failures are not kept.
 */
#ifndef MT_DAEMON_DISCOVERY_H
#define MT_DAEMON_DISCOVERY_H

#include "config.h"
#include "oauth_http.h"

#include "base/status.h"

#include <stdbool.h>
#include <sys/queue.h>

struct discovery;
struct discovery_fetch;

enum mt_status discovery_new(struct oauth_http *http,
    struct discovery **ret_discovery, struct mt_error *err) MT_MUST_CHECK;

/* After its oauth_http; whoever waits is not called any more. */
void discovery_free(struct discovery **discovery);

/* Forgets what was found; what is being fetched is not kept either. */
void discovery_forget(struct discovery *discovery);

/* Who waits for endpoints; part of the asker's own memory. */
struct discovery_waiter {
	LIST_ENTRY(discovery_waiter) link;
	struct discovery_fetch *fetch; /* NULL: waits for nothing */
	/* Called once from the loop.  MT_OK and the endpoints, which live
	 * until it returns; MT_BAD_CONFIG for a document that must not be
	 * used, MT_RETRY_LATER for everything else. */
	void (*answer)(struct discovery_waiter *waiter,
	    const struct provider *found, const struct mt_error *result);
};

/*
 * The endpoints for settings with `discovery`, if they are known already; or
 * NULL, and `waiter` is answered later, or there is none because of `err`.
 * Askers for the same document share one request.
 */
const struct provider *discovery_ask(struct discovery *discovery,
    const struct account_settings *settings, struct discovery_waiter *waiter,
    struct mt_error *err);

/* Stops waiting; `answer` is not called any more. */
void discovery_leave(struct discovery_waiter *waiter);

/*
 * Reads the reply for `wanted`, the issuer, into an empty *ret_found.  Its
 * `issuer` is set only if the server says its name with each login (RFC 9207).
 */
enum mt_status discovery_read(const struct http_reply *reply,
    const char *wanted, struct provider *ret_found,
    struct mt_error *err) MT_MUST_CHECK;

#endif
