/* SPDX-License-Identifier: ISC */
/*
 * The inside of the control sockets, for control.c (who is served) and
 * control_connection.c (what is said) only.
 */
#ifndef MT_CONNECTOR_CONTROL_IMPL_H
#define MT_CONNECTOR_CONTROL_IMPL_H

#include "base/buf.h"
#include "control.h"

#include <stdint.h>

struct control {
	uv_pipe_t listener;
	struct control_settings settings;
	struct stat socket;
	struct connection *first;
	size_t connections;
	size_t unsent; /* bytes, of all connections */
	uid_t refused; /* the last user, and when that was said */
	uint64_t refused_ms;
};

/* Lives until its handle is closed and its last request is answered. */
struct connection {
	uv_pipe_t pipe;
	struct control *control; /* NULL: closing */
	struct connection *next;
	uid_t uid;
	struct buf line;
	bool skipping;    /* the rest of a line that is too long */
	bool busy;        /* its lines are being taken */
	bool paused;      /* it is not read */
	bool ended;       /* nothing more will come; it may wait for answers */
	unsigned pending; /* requests that wait for an answer */
	size_t unsent;    /* bytes of answers */
	bool closed;
	char chunk[4096];
};

/* One more connection; NULL: no memory. */
struct connection *connection_new(struct control *control);

/* Takes its requests from now on. */
void connection_begin(struct connection *connection);

void connection_close(struct connection *connection);

/* Says what is wrong with what is no request that could be answered. */
void connection_complain(
    struct connection *connection, const char *request_id, const char *detail);

#endif
