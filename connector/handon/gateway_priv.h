/* SPDX-License-Identifier: ISC */
/*
 * What the two halves of a gateway share: gateway.c, as its sinks see it, and
 * gateway_link.c, the thread with the connection.
 */
#ifndef MT_HANDON_GATEWAY_PRIV_H
#define MT_HANDON_GATEWAY_PRIV_H

#include "base/buf.h"
#include "base/deadline.h"
#include "handon/gateway.h"
#include "handon/gateway_frame.h"
#include "handon/gateway_url.h"

#include <pthread.h>
#include <sys/queue.h>

#define GATEWAY_CONTENT_MAX (1024 * 1024)

struct ws;

/* One message for one agent, on its way. */
enum job_state {
	JOB_NONE,
	JOB_WAITING, /* for its turn on the connection */
	JOB_SENT,
	JOB_ACCEPTED,
	JOB_DONE,
	JOB_FAILED,
};

struct gateway_sink {
	struct sink sink;
	LIST_ENTRY(gateway_sink) link;
	struct gateway *gateway;
	char *agent;
	/* all below: under the gateway's mutex */
	enum job_state state;
	struct buf content;
	char session[GATEWAY_NAME_MAX];
	struct deadline deadline; /* of the present state */
	struct mt_error error;
};

struct gateway {
	char *url;
	struct gateway_url address;
	char *connector_id;
	struct secret token;
	const struct net_trust *trust;
	int64_t agent_wait_ms;
	void (*wake)(void *context);
	void *context;
	pthread_t thread;
	int wake_fd;

	pthread_mutex_t mutex;
	LIST_HEAD(, gateway_sink) sinks;
	bool stop;
	bool over;
	bool registered;
	char trouble[MT_ERROR_TEXT_MAX]; /* why not */

	/* the thread's own */
	struct ws *ws;
	struct deadline health;
	bool refused;
	bool proven; /* the present connection is good for something */
};

/* The thread: `gateway` is a struct gateway. */
void *gateway_link_run(void *gateway);

#endif
