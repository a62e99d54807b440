/* SPDX-License-Identifier: ISC */
/*
 * POST requests, several at a time in one thread; the only user of libcurl in
 * the connector.  TLS 1.2 or later, verified; no redirects.  What an answer
 * means is for webhook.h.
 */
#ifndef MT_HANDON_HTTP_POST_H
#define MT_HANDON_HTTP_POST_H

#include "base/buf.h"
#include "base/status.h"

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_POST_CONNECT_MS 10000
#define HTTP_POST_TOTAL_MS 60000
#define HTTP_POST_ANSWER_MAX 65536 /* bytes; the rest is not looked at */

struct http_poster;
struct http_post;

enum mt_status http_poster_new(
    struct http_poster **ret_poster, struct mt_error *err) MT_MUST_CHECK;
void http_poster_free(struct http_poster **poster);

/*
 * Works on the requests, and waits until something has come of one, one of
 * `fds` is ready (its revents are set), http_poster_wake was called, or
 * `wait_ms` have passed.
 */
void http_poster_wait(struct http_poster *poster, struct pollfd *fds,
    size_t count, int64_t wait_ms);

/* From any thread. */
void http_poster_wake(struct http_poster *poster);

struct http_request {
	const char *url;
	const char *ca_file; /* NULL: the system's certificates */
	/* "Name: value", NULL ends the list */
	const char *const *headers;
	const struct buf *body; /* must outlive the request */
};

struct http_answer {
	long status;            /* 0: none, see `why` */
	int64_t retry_after_ms; /* 0: not said */
	const char *body;
	const char *why;
};

/* Begins a request. */
enum mt_status http_post_new(struct http_post **ret_post,
    struct http_poster *poster, const struct http_request *request,
    struct mt_error *err) MT_MUST_CHECK;

/* False: it is under way.  The answer lives as long as the request. */
bool http_post_is_over(
    const struct http_post *post, struct http_answer *ret_answer);

/* Ends it, be it over or not. */
void http_post_free(struct http_post **post);

#endif
