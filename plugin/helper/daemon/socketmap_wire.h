/* SPDX-License-Identifier: ISC */
/*
 * The protocol of Postfix' socketmap tables (socketmap_table(5)): requests
 * "map key" and replies "WORD data", each a netstring, "length:bytes,".  Pure:
 * no system calls.
 */
#ifndef MT_DAEMON_SOCKETMAP_WIRE_H
#define MT_DAEMON_SOCKETMAP_WIRE_H

#include "base/secret.h"

#include <stdbool.h>
#include <stddef.h>

#define SOCKETMAP_REQUEST_MAX 4096 /* bytes in the netstring */

/* Cuts netstrings, as connection_cut of connection.h. */
size_t socketmap_wire_cut(
    const struct secret *begun, const char *data, size_t len, bool *ret_whole);

/* What is looked up in the table `map`: a mail server, or an address. */
struct socketmap_query {
	const char *map;
	const char *host; /* without the port; NULL: */
	const char *user;
};

/* Takes a whole netstring of a request apart in place.  False if it is none. */
bool socketmap_wire_parse(
    char *frame, size_t len, struct socketmap_query *ret_query) MT_MUST_CHECK;

/* Makes the reply "WORD text". */
void socketmap_wire_reply(
    struct secret *reply, const char *word, const char *text);

/* Makes the reply "OK user:password". */
void socketmap_wire_found(
    struct secret *reply, const char *user, const struct secret *password);

#endif
