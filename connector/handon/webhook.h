/* SPDX-License-Identifier: ISC */
/*
 * The gateway's signed webhook (POST /hooks/...), which wakes an agent where no
 * WebSocket is wanted: the body, its signature, and what an answer means.
 */
#ifndef MT_HANDON_WEBHOOK_H
#define MT_HANDON_WEBHOOK_H

#include "base/secret.h"
#include "handon/http_post.h"
#include "handon/sink.h"

#include <time.h>

#define WEBHOOK_SIGNATURE_SIZE 72 /* "sha256=" and 64 hex digits, NUL */

struct webhook_settings {
	const char *url;
	const char *agent;
	const char *ca_file;
	const struct secret *secret;
};

/* What is in the settings is copied, the secret to where it lies. */
struct sink *webhook_new(
    struct http_poster *poster, const struct webhook_settings *settings);

/* HMAC-SHA256 over "<time>.<body>"; the key is the secret as it is written.
 * False: it cannot be computed. */
bool webhook_sign(const struct secret *secret, time_t time, const void *body,
    size_t len, char ret_signature[WEBHOOK_SIGNATURE_SIZE]);

/*
 * What an answer means.  MT_OK: delivered.  Anything else is to be tried again,
 * at the time that *ret_wait_ms says unless it is 0; the text tells what to do.
 */
enum mt_status webhook_verdict(const struct http_answer *answer,
    const char *agent, int64_t *ret_wait_ms,
    struct mt_error *err) MT_MUST_CHECK;

#endif
