/* SPDX-License-Identifier: ISC */
/*
 * The users that the gateway's socket is for, as TRI_ONYX_EMAIL_SOCKET_ALLOW
 * names them: names or numbers, with commas or spaces between.
 */
#ifndef MT_CONNECTOR_SOCKET_USERS_H
#define MT_CONNECTOR_SOCKET_USERS_H

#include "base/status.h"

#include <stddef.h>
#include <sys/types.h>

#define SOCKET_USERS_MAX 64

struct socket_users {
	uid_t list[SOCKET_USERS_MAX];
	size_t count;
};

/* Reads such a text; NULL: there are none.  MT_BAD_CONFIG: there is no such
 * user, or there are too many. */
enum mt_status socket_users_read(struct socket_users *ret_users,
    const char *text, struct mt_error *err) MT_MUST_CHECK;

#endif
