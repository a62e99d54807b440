/* SPDX-License-Identifier: ISC */
/*
 * Looks at what a client sent to the loopback listener and says what it is:
 * the answer of a login, or one of the many other things that browsers and
 * strangers send.  Pure: bytes in, verdict out (RFC 9112 sections 2 and 3, as
 * far as a browser's GET needs them).
 */
#ifndef MT_COMMAND_HTTP_REQUEST_H
#define MT_COMMAND_HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

#define HTTP_REQUEST_MAX 8192 /* bytes of a request's whole header */

enum http_request {
	HTTP_INCOMPLETE,   /* more bytes may make it a request */
	HTTP_MALFORMED,    /* no bytes can */
	HTTP_WRONG_METHOD, /* not GET */
	HTTP_ELSEWHERE,    /* GET of another path than "/" */
	HTTP_HOME,         /* GET of "/" without the answer of a login */
	HTTP_ANSWER,       /* GET of "/" with code or error (RFC 6749 s4.1.2) */
};

/* The request target, origin form; points into the bytes looked at. */
struct http_target {
	const char *text;
	size_t len;
};

/* Judges the first `len` bytes of a connection; *ret_target is set for a
 * complete GET. */
enum http_request http_request_judge(
    const char *data, size_t len, struct http_target *ret_target);

/* Whether the query of a URL, or of its path and query, has a parameter of
 * this name.  What follows a '#' does not count. */
bool http_url_has(const char *url, size_t len, const char *name);

#endif
