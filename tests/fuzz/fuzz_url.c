/* SPDX-License-Identifier: ISC */
/* The input is an address. */
#include "fuzz.h"

#include "url.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
check_parts(const struct url *url, const char *text)
{
	unsigned char six[16];

	FUZZ_CHECK(strnlen(url->host, sizeof(url->host)) < sizeof(url->host));
	FUZZ_CHECK(*url->host && fuzz_is_ascii(url->host, strlen(url->host)));
	FUZZ_CHECK(!strpbrk(url->host, "/?#@%[] "));
	FUZZ_CHECK(url->port >= 1 && url->port <= 65535);
	FUZZ_CHECK(url->path >= text && strlen(url->path) <= strlen(text));
	FUZZ_CHECK(!*url->path || *url->path == '/' || *url->path == '?');
	FUZZ_CHECK(!strchr(text, '#'));
	/* brackets are for IPv6 and for nothing else */
	FUZZ_CHECK((strchr(text, ':')[3] == '[') ==
		   (inet_pton(AF_INET6, url->host, six) == 1));
}

/* Put together again, it is the same address. */
static void
check_again(const struct url *url)
{
	bool is_six = strchr(url->host, ':');
	struct url again;
	char *text;

	if (asprintf(&text, "%s://%s%s%s:%ld%s", url->tls ? "https" : "http",
		is_six ? "[" : "", url->host, is_six ? "]" : "", url->port,
		url->path) < 0)
		abort();
	FUZZ_CHECK(url_parse(text, &again));
	FUZZ_CHECK(again.tls == url->tls && again.port == url->port);
	FUZZ_CHECK(strcmp(again.host, url->host) == 0);
	FUZZ_CHECK(strcmp(again.path, url->path) == 0);
	FUZZ_CHECK(url_is_loopback(&again) == url_is_loopback(url));
	free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = {data, size, false};
	char *text = fuzz_text(&input);
	struct url url;

	if (url_parse(text, &url)) {
		check_parts(&url, text);
		check_again(&url);
	}
	free(text);
	return 0;
}
