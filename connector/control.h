/* SPDX-License-Identifier: ISC */
/*
 * The Unix sockets on which a running connector takes requests: JSON lines, one
 * object a line, several requests on a connection.  docs/trionyx.md has the
 * requests.
 *
 * Nothing that a peer does costs more than a bounded amount of memory, or
 * delays another one: connections are counted by user, what waits for an answer
 * or for being read by connection, and who has too much of it is not listened
 * to until it is less.
 */
#ifndef MT_CONNECTOR_CONTROL_H
#define MT_CONNECTOR_CONTROL_H

#include "base/status.h"
#include "control_listen.h"

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <uv.h>

#define CONTROL_LINE_MAX 262144     /* of a request */
#define CONTROL_REPLY_MAX 16777216  /* it may name all messages of a mailbox */
#define CONTROL_CONNECTIONS_MAX 512 /* at one socket */
#define CONTROL_CONNECTIONS_OF_ONE 256 /* of them of one user */
#define CONTROL_PENDING_MAX 16 /* requests of a connection without an answer */
#define CONTROL_UNSENT_MAX 1048576  /* before its next request is taken */
#define CONTROL_UNSENT_ALL 67108864 /* of all connections; then one ends */

struct control;
struct control_peer; /* who asked; answered once */

/*
 * Called on the loop for each well-formed request.  The request is borrowed.
 * Answer with control_reply, now or later.
 */
typedef void (*control_handler)(void *context, struct control_peer *peer,
    const char *type, struct json_object *request);

struct control_settings {
	struct control_place place;
	/* Who is served, beside root and our own user. */
	const uid_t *allowed;
	size_t allowed_count;
	control_handler handler;
	void *context;
};

/* Listens.  Copied, but for what `settings` point to, which must outlive it.
 * Fails as control_listen. */
enum mt_status control_open(struct control **ret_control, uv_loop_t *loop,
    const struct control_settings *settings,
    struct mt_error *err) MT_MUST_CHECK;

/* Stops listening and closes all connections; the loop must run once more for
 * the memory to be released. */
void control_close(struct control **control);

/* NULL: it gave none.  Lives until the answer. */
const char *control_request_id(const struct control_peer *peer);

/* Sends one line; takes over a reference to `reply`, which may be the answer to
 * others as well.  A peer that has left is no error. */
void control_reply(struct control_peer *peer, struct json_object *reply);

/* The same with an "error": what is wrong with the request. */
void control_refuse(struct control_peer *peer, const char *detail);

#endif
