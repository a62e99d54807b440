/* SPDX-License-Identifier: ISC */
/*
 * The listening sockets, of one or several protocols, and the connections that
 * came of them.
 *
 * The number of connections is bounded, for each uid that is neither root nor
 * ours more tightly, so that nobody can keep others out; and some are kept for
 * these two, whom many users together could keep out.
 */
#ifndef MT_DAEMON_SERVER_H
#define MT_DAEMON_SERVER_H

#include "connection.h"

struct server;

/* A protocol: what the server calls. */
struct server_handler {
	/* As connection.h has them. */
	connection_cut cut;
	void (*request)(void *context, struct connection *connection,
	    char *frame, size_t len);
	void (*closed)(void *context, struct connection *connection);
	void *context;
	size_t data_size; /* bytes behind server_data */
};

/* All handlers that it is given must live as long as the server. */
enum mt_status server_new(uv_loop_t *loop, struct secret_arena *arena,
    struct server **ret_server, struct mt_error *err) MT_MUST_CHECK;

/* Ends everything; removes the sockets that it made. */
void server_free(struct server **server);

/*
 * Listens on a new socket at `path`, whose directory is made if it is missing.
 * `group` (gid_t)-1: the socket is its owner's only (0600), otherwise 0660.  A
 * socket that nobody listens on is replaced; MT_RETRY_LATER if somebody does.
 */
enum mt_status server_listen(struct server *server,
    const struct server_handler *handler, const char *path, gid_t group,
    struct mt_error *err) MT_MUST_CHECK;

/* Makes the directory for it, if it is missing; as server_listen() does. */
enum mt_status server_make_directory(
    const char *path, gid_t group, struct mt_error *err) MT_MUST_CHECK;

/* Listens on a socket that somebody else made (socket activation). */
enum mt_status server_adopt_listener(struct server *server,
    const struct server_handler *handler, int fd,
    struct mt_error *err) MT_MUST_CHECK;

/* Serves a connected socket. */
enum mt_status server_adopt_connection(struct server *server,
    const struct server_handler *handler, int fd,
    struct mt_error *err) MT_MUST_CHECK;

/* Stops listening for this protocol, NULL: for all; connections go on. */
void server_close_listeners(
    struct server *server, const struct server_handler *handler);

bool server_is_listening(
    const struct server *server, const struct server_handler *handler);

size_t server_connections(const struct server *server);

/* Memory of the handler's for one connection, zero at first. */
void *server_data(struct connection *connection);

/* Calls `visit` for each connection of this protocol; it may send events. */
void server_each(struct server *server, const struct server_handler *handler,
    void (*visit)(void *context, struct connection *connection), void *context);

#endif
