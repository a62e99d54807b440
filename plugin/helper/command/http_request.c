/* SPDX-License-Identifier: ISC */
#include "http_request.h"

#include <string.h>

#define METHOD_MAX 16

/* A part of the bytes, not NUL-terminated. */
struct span {
	const char *at;
	size_t len;
};

static bool
span_is(struct span s, const char *text)
{
	return s.len == strlen(text) && memcmp(s.at, text, s.len) == 0;
}

/* What comes before `separator`; `rest` moves behind it.  All of it, and an
 * empty rest, if there is none. */
static struct span
take_until(struct span *rest, char separator)
{
	const char *end =
	    rest->len ? memchr(rest->at, separator, rest->len) : NULL;
	struct span taken = {
	    rest->at, end ? (size_t)(end - rest->at) : rest->len};
	size_t used = taken.len + (end != NULL);

	rest->at += used;
	rest->len -= used;
	return taken;
}

static bool
is_method(struct span s)
{
	if (!s.len || s.len > METHOD_MAX)
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (s.at[i] < 'A' || s.at[i] > 'Z')
			return false;
	return true;
}

/* Visible ASCII: a browser percent-encodes everything else. */
static bool
is_visible(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.at[i] <= ' ' || s.at[i] >= 0x7f)
			return false;
	return true;
}

/* Whether a line that has not ended yet may still become a request line, so
 * that garbage (a TLS hello, say) need not be waited for. */
static bool
may_become_request(struct span line)
{
	struct span method = take_until(&line, ' ');

	return is_method(method) || !method.len;
}

static enum http_request
judge_line(struct span line, struct http_target *ret_target)
{
	struct span method = take_until(&line, ' ');
	struct span target = take_until(&line, ' ');
	struct span path = target;

	if (!is_method(method) || !target.len || target.at[0] != '/' ||
	    !is_visible(target))
		return HTTP_MALFORMED;
	if (!span_is(line, "HTTP/1.1") && !span_is(line, "HTTP/1.0"))
		return HTTP_MALFORMED;
	if (!span_is(method, "GET"))
		return HTTP_WRONG_METHOD;
	*ret_target = (struct http_target){target.at, target.len};
	if (!span_is(take_until(&path, '?'), "/"))
		return HTTP_ELSEWHERE;
	if (http_url_has(target.at, target.len, "code") ||
	    http_url_has(target.at, target.len, "error"))
		return HTTP_ANSWER;
	return HTTP_HOME;
}

enum http_request
http_request_judge(const char *data, size_t len, struct http_target *ret_target)
{
	const char *end = len ? memchr(data, '\n', len) : NULL;
	struct span line = {data, end ? (size_t)(end - data) : len};
	struct http_target target = {NULL, 0};
	enum http_request verdict;
	size_t left;

	if (!end)
		return may_become_request(line) ? HTTP_INCOMPLETE
						: HTTP_MALFORMED;
	left = len - line.len;
	if (line.len && line.at[line.len - 1] == '\r')
		line.len--;
	verdict = judge_line(line, &target);
	if (verdict == HTTP_MALFORMED)
		return verdict;
	/* the header ends with an empty line; its fields do not matter here */
	if (!memmem(end, left, "\n\r\n", 3) && !memmem(end, left, "\n\n", 2))
		return HTTP_INCOMPLETE;
	*ret_target = target;
	return verdict;
}

bool
http_url_has(const char *url, size_t len, const char *name)
{
	struct span rest = {url, len};
	struct span query = take_until(&rest, '#');

	take_until(&query, '?');
	while (query.len) {
		struct span parameter = take_until(&query, '&');
		if (span_is(take_until(&parameter, '='), name))
			return true;
	}
	return false;
}
