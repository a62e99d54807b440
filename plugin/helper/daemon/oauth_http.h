/* SPDX-License-Identifier: ISC */
/*
 * Talks to an OAuth server.  The only user of libcurl, driven by the event loop.  What a reply means is for oauth_reply.h.
 *
 * TLS 1.2 or later, verified; no redirects; every request on a connection of
 * its own, because libcurl repeats a request when a kept connection turns out
 * dead, and a code or a refresh token must not be sent twice unknowingly.
 */
#ifndef MT_DAEMON_OAUTH_HTTP_H
#define MT_DAEMON_OAUTH_HTTP_H

#include "base/secret.h"
#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#define OAUTH_HTTP_BODY_MAX 65536
#define OAUTH_HTTP_CONNECT_MS 10000
#define OAUTH_HTTP_TOTAL_MS 30000

struct oauth_http;

struct http_reply {
	long http_status;   /* 0: none came */
	bool broken;        /* the reply has no proper end, see `why` */
	struct secret body; /* as far as it came */
	long retry_after_s; /* -1: the server did not say */
	int64_t
	    server_time_s;  /* wall clock, by its `Date`; 0: it did not say */
	bool sent;          /* the request may have reached the server */
	bool misconfigured; /* it could not be sent because of our settings */
	char why[256];      /* if broken or none: what happened */
};

/* Called once per request from the loop; `reply` lives until it returns. */
typedef void (*oauth_http_done)(void *context, struct http_reply *reply);

/* `arena` takes forms and bodies. */
enum mt_status oauth_http_new(uv_loop_t *loop, struct secret_arena *arena,
    struct oauth_http **ret_http, struct mt_error *err) MT_MUST_CHECK;

/* Ends the requests under way without calling back. */
void oauth_http_free(struct oauth_http **http);

/* Fetches `url`; otherwise as oauth_http_post. */
enum mt_status oauth_http_get(struct oauth_http *http, const char *url,
    const char *ca_file, oauth_http_done done, void *context,
    struct mt_error *err) MT_MUST_CHECK;

/*
 * Posts `form`, whose contents it takes over, to `url`.  `ca_file` NULL: the
 * system's.  Does not block; `done` is called after OAUTH_HTTP_TOTAL_MS at the
 * latest, and not before this function has returned.
 */
enum mt_status oauth_http_post(struct oauth_http *http, const char *url,
    const char *ca_file, struct secret *form, oauth_http_done done,
    void *context, struct mt_error *err) MT_MUST_CHECK;

#endif
