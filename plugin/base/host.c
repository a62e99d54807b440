/* SPDX-License-Identifier: ISC */
#include "host.h"

#include <string.h>
#include <strings.h>

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

bool
host_is_in(const char *host, const char *domain)
{
	size_t host_len = strlen(host), len = strlen(domain);

	if (host_len < len || strcasecmp(host + host_len - len, domain) != 0)
		return false;
	return host_len == len || host[host_len - len - 1] == '.';
}
