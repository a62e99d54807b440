/* SPDX-License-Identifier: ISC */
/*
 * One connected peer: frames in and out, the descriptor that may come with one,
 * deadlines.  What a request means is for requests.h.
 *
 * One request is under way at a time; the next is not even read before the
 * reply to it is gone.
 */
#ifndef MT_DAEMON_CONNECTION_H
#define MT_DAEMON_CONNECTION_H

#include "access.h"

#include "base/secret.h"
#include "base/status.h"
#include "tokensock/token_wire.h"

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

#define CONNECTION_FRAME_MS 5000

struct connection;

/* What a connection calls. */
struct connection_handler {
	/* A request came.  It is answered once by connection_reply, now or
	 * later; `message` lives until this returns. */
	void (*request)(void *context, struct connection *connection,
	    const struct token_wire_message *message);
	/* It ends: nothing may use it after this returns. */
	void (*closed)(void *context, struct connection *connection);
	void *context;
	size_t data_size; /* bytes behind connection_data */
};

/* Serves the connected socket `fd`, which is taken over also on failure. */
enum mt_status connection_new(uv_loop_t *loop, int fd,
    const struct connection_handler *handler, struct secret_arena *arena,
    struct connection **ret_connection, struct mt_error *err) MT_MUST_CHECK;

/* Ends it; `closed` is called. */
void connection_close(struct connection *connection);

const struct peer *connection_peer(const struct connection *connection);

/* Memory of the handler's, zero at first. */
void *connection_data(struct connection *connection);

/* The descriptor that came with the request, the caller's from now on; -1 if
 * none came.  What is not taken is closed with the reply. */
int connection_take_fd(struct connection *connection);

/* Answers the request.  `complete`: what token_wire_end() said. */
void connection_reply(
    struct connection *connection, const struct secret *frame, bool complete);

/* Sends an event beside replies; a peer that does not take them is cut off. */
void connection_send_event(
    struct connection *connection, const struct secret *frame, bool complete);

#endif
