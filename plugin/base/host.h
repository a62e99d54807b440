/* SPDX-License-Identifier: ISC */
/* Names of servers as people and programs write them. */
#ifndef MT_BASE_HOST_H
#define MT_BASE_HOST_H

#include <stdbool.h>

/* Takes the port from "name:port", and the brackets from "[name]:port", in
 * place; returns the name.  An address with colons needs its brackets. */
char *host_without_port(char *host);

/* Is it this domain, or a host beneath it? */
bool host_is_in(const char *host, const char *domain);

#endif
