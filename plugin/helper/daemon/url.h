/* SPDX-License-Identifier: ISC */
/*
 * Takes http and https addresses apart, strictly: what is not plainly
 * scheme://host[:port][/path][?query] is refused, above all user names before
 * the host and fragments behind the query.  Pure.
 */
#ifndef MT_DAEMON_URL_H
#define MT_DAEMON_URL_H

#include <stdbool.h>

#define URL_HOST_SIZE 256

struct url {
	bool tls;                 /* https */
	char host[URL_HOST_SIZE]; /* without the brackets of an IPv6 address */
	long port;                /* the scheme's own where none is given */
	const char *path; /* "" or from the '/' or '?' on; within the text */
};

/* False if `text` is no such address. */
bool url_parse(const char *text, struct url *ret_url);

/* True if the host is this machine: localhost, 127.0.0.0/8 or ::1. */
bool url_is_loopback(const struct url *url);

#endif
