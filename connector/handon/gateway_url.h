/* SPDX-License-Identifier: ISC */
/*
 * Takes the addresses of the gateway apart, strictly: what is not plainly
 * scheme://host[:port][/path] is refused, above all user names and fragments.
 * Pure.
 */
#ifndef MT_HANDON_GATEWAY_URL_H
#define MT_HANDON_GATEWAY_URL_H

#include <stdbool.h>
#include <stdint.h>

struct gateway_url {
	bool tls;       /* wss or https */
	char host[256]; /* without the brackets of an IPv6 address */
	uint16_t port;  /* the scheme's own where none is given */
	char path[512]; /* "" or from the '/' on */
};

/* `scheme` is "ws" or "http"; with an 's' it means TLS. */
bool gateway_url_parse(
    const char *text, const char *scheme, struct gateway_url *ret_url);

/* Whether the host is this machine, so that nobody can listen on the way. */
bool gateway_url_is_loopback(const struct gateway_url *url);

#endif
