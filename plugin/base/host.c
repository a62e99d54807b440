/* SPDX-License-Identifier: ISC */
#include "host.h"

#include <string.h>

char *
host_without_port(char *host)
{
	char *colon = strrchr(host, ':'), *bracket = strrchr(host, ']');

	if (*host == '[' && bracket) {
		*bracket = '\0';
		return host + 1;
	}
	/* more than one colon: an address that is not in brackets */
	if (colon && colon == strchr(host, ':'))
		*colon = '\0';
	return host;
}
