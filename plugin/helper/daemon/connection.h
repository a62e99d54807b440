/* SPDX-License-Identifier: ISC */
/*
 * One connected peer: frames in and out, the descriptor that may come with one,
 * deadlines.  What a frame looks like and what it means is for the protocol:
 * requests.h, socketmap.h.
 *
 * One request is under way at a time; the next is not even read before the
 * reply to it is gone.
 */
#ifndef MT_DAEMON_CONNECTION_H
#define MT_DAEMON_CONNECTION_H

#include "access.h"

#include "base/secret.h"
#include "base/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

#define CONNECTION_FRAME_MS 5000

struct connection;

/*
 * How a protocol cuts what it reads into frames: how many of the `len` bytes at
 * `data`, which follow those of `begun`, belong to the same frame; *ret_whole
 * is set if it ends with them.  0: this is no frame, and the connection ends.
 */
typedef size_t (*connection_cut)(
    const struct secret *begun, const char *data, size_t len, bool *ret_whole);

/* What a connection calls. */
struct connection_handler {
	/* A request came: a whole frame, which may be changed and lives until
	 * this returns.  It is answered once by connection_reply, now or
	 * later. */
	void (*request)(void *context, struct connection *connection,
	    char *frame, size_t len);
	/* It ends: nothing may use it after this returns. */
	void (*closed)(void *context, struct connection *connection);
	void *context;
};

/* Serves the connected socket `fd`, which is taken over also on failure; with
 * `data_size` bytes behind connection_data. */
enum mt_status connection_new(uv_loop_t *loop, int fd,
    const struct connection_handler *handler, connection_cut cut,
    size_t data_size, struct secret_arena *arena,
    struct connection **ret_connection, struct mt_error *err) MT_MUST_CHECK;

/* Ends it; `closed` is called. */
void connection_close(struct connection *connection);

const struct peer *connection_peer(const struct connection *connection);

/* Memory of the handler's, zero at first. */
void *connection_data(struct connection *connection);

/* The descriptor that came with the request, the caller's from now on; -1 if
 * none came.  What is not taken is closed with the reply. */
int connection_take_fd(struct connection *connection);

/* Answers the request.  `complete`: false if the reply did not fit. */
void connection_reply(
    struct connection *connection, const struct secret *frame, bool complete);

/* As connection_reply; the connection ends with it. */
void connection_reply_last(
    struct connection *connection, const struct secret *frame, bool complete);

/* Sends an event beside replies; a peer that does not take them is cut off. */
void connection_send_event(
    struct connection *connection, const struct secret *frame, bool complete);

#endif
