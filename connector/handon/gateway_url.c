/* SPDX-License-Identifier: ISC */
#include "handon/gateway_url.h"

#include "base/settings.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define HTTP_PORT 80
#define HTTPS_PORT 443

static bool
is_plain(const char *text)
{
	for (; *text; text++)
		if (*text <= ' ' || *text == 0x7f ||
		    strchr("\"<>\\^`{|}#", *text))
			return false;
	return true;
}

/* What follows "scheme://" or "schemes://"; NULL: neither. */
static const char *
skip_scheme(const char *text, const char *scheme, bool *ret_tls)
{
	size_t len = strlen(scheme);

	if (strncasecmp(text, scheme, len) != 0)
		return NULL;
	*ret_tls = text[len] == 's' || text[len] == 'S';
	text += len + *ret_tls;
	return strncmp(text, "://", 3) == 0 ? text + 3 : NULL;
}

static bool
copy(char *to, size_t size, const char *from, size_t len)
{
	if (len >= size)
		return false;
	memcpy(to, from, len);
	to[len] = '\0';
	return true;
}

/* Takes the host and returns what follows it; NULL: there is none. */
static const char *
take_host(const char *text, struct gateway_url *url)
{
	struct in6_addr six;
	size_t len;

	if (*text == '[') {
		len = strcspn(++text, "]");
		if (text[len] != ']' ||
		    !copy(url->host, sizeof(url->host), text, len) ||
		    inet_pton(AF_INET6, url->host, &six) != 1)
			return NULL;
		return text + len + 1;
	}
	len = strcspn(text, ":/?@[]%");
	if (!len || !copy(url->host, sizeof(url->host), text, len))
		return NULL;
	return text + len;
}

static const char *
take_port(const char *text, struct gateway_url *url)
{
	size_t len;
	char number[8];
	long port;

	url->port = url->tls ? HTTPS_PORT : HTTP_PORT;
	if (*text != ':')
		return text;
	len = strcspn(++text, "/?");
	if (!copy(number, sizeof(number), text, len) ||
	    !settings_number(number, 1, 65535, &port))
		return NULL;
	url->port = (uint16_t)port;
	return text + len;
}

bool
gateway_url_parse(
    const char *text, const char *scheme, struct gateway_url *ret_url)
{
	struct gateway_url url;
	const char *rest;

	if (!is_plain(text) || !(rest = skip_scheme(text, scheme, &url.tls)) ||
	    !(rest = take_host(rest, &url)) || !(rest = take_port(rest, &url)))
		return false;
	if ((*rest && *rest != '/') ||
	    !copy(url.path, sizeof(url.path), rest, strlen(rest)))
		return false;
	*ret_url = url;
	return true;
}

bool
gateway_url_is_loopback(const struct gateway_url *url)
{
	struct in_addr v4;

	if (strcasecmp(url->host, "localhost") == 0 ||
	    strcmp(url->host, "::1") == 0)
		return true;
	return inet_pton(AF_INET, url->host, &v4) == 1 &&
	       ntohl(v4.s_addr) >> 24 == 127;
}
