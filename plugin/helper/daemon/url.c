/* SPDX-License-Identifier: ISC */
#include "url.h"

#include "base/settings.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>
#include <strings.h>

static bool
take_scheme(const char **text, struct url *url)
{
	static const char *const schemes[] = {"http://", "https://"};

	for (int tls = 0; tls < 2; tls++) {
		size_t len = strlen(schemes[tls]);
		if (strncasecmp(*text, schemes[tls], len) == 0) {
			url->tls = tls;
			url->port = tls ? 443 : 80;
			*text += len;
			return true;
		}
	}
	return false;
}

static bool
all_of(const char *text, size_t len, const char *more)
{
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)text[i]) && !strchr(more, text[i]))
			return false;
	return true;
}

static bool
is_ipv6(const char *host)
{
	struct in6_addr address;

	return inet_pton(AF_INET6, host, &address) == 1;
}

static bool
take_host(const char **text, struct url *url)
{
	bool bracket = **text == '[';
	const char *start = *text + bracket;
	size_t len = strcspn(start, bracket ? "]" : ":/?");

	if (!len || len >= sizeof(url->host) ||
	    !all_of(start, len, bracket ? ":." : "-.") ||
	    (bracket && start[len] != ']'))
		return false;
	memcpy(url->host, start, len);
	url->host[len] = '\0';
	*text = start + len + bracket;
	return !bracket || is_ipv6(url->host);
}

static bool
take_port(const char **text, struct url *url)
{
	char digits[8];
	size_t len;

	if (**text != ':')
		return true;
	len = strcspn(++*text, "/?");
	if (len >= sizeof(digits))
		return false;
	memcpy(digits, *text, len);
	digits[len] = '\0';
	*text += len;
	return settings_number(digits, 1, 65535, &url->port);
}

static bool
is_plain(const char *text)
{
	for (; *text; text++)
		if (*text <= ' ' || *text >= 0x7f || *text == '#')
			return false;
	return true;
}

bool
url_parse(const char *text, struct url *ret_url)
{
	struct url url = {0};

	if (!is_plain(text) || !take_scheme(&text, &url) ||
	    !take_host(&text, &url) || !take_port(&text, &url))
		return false;
	if (*text && *text != '/' && *text != '?')
		return false;
	url.path = text;
	*ret_url = url;
	return true;
}

bool
url_is_loopback(const struct url *url)
{
	struct in_addr four;
	struct in6_addr six;

	if (strcasecmp(url->host, "localhost") == 0)
		return true;
	if (inet_pton(AF_INET, url->host, &four) == 1)
		return ntohl(four.s_addr) >> 24 == 127;
	return inet_pton(AF_INET6, url->host, &six) == 1 &&
	       IN6_IS_ADDR_LOOPBACK(&six);
}
