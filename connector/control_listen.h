/* SPDX-License-Identifier: ISC */
/*
 * Where the control sockets are in the file system.
 */
#ifndef MT_CONNECTOR_CONTROL_LISTEN_H
#define MT_CONNECTOR_CONTROL_LISTEN_H

#include "base/status.h"

#include <stdbool.h>
#include <sys/stat.h>

#define CONTROL_BACKLOG 64

struct control_place {
	const char *path;
	const char *setting; /* the variable that says where; for errors */
	/* 0660 with the group of its directory, and one that somebody listens on
	 * is left alone; else 0600, and whatever is there is replaced: nobody
	 * else can be listening. */
	bool shared;
};

/*
 * Listens: a descriptor that does not block, and what to know the socket again
 * by.  MT_BAD_CONFIG: there cannot be a socket there.  MT_RETRY_LATER: somebody
 * listens there.
 */
enum mt_status control_listen(const struct control_place *place, int *ret_fd,
    struct stat *ret_socket, struct mt_error *err) MT_MUST_CHECK;

/* Removes the socket, if it is still the same one. */
void control_unlisten(const char *path, const struct stat *socket);

#endif
