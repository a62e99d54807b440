/* SPDX-License-Identifier: ISC */
/*
 * Reads the reply of a token endpoint: tokens (RFC 6749 s5.1) or an error
 * (s5.2).  Tolerant where servers differ, strict where a mistake would cost a
 * login.
 */
#ifndef MT_DAEMON_OAUTH_REPLY_H
#define MT_DAEMON_OAUTH_REPLY_H

#include "failure.h"
#include "oauth_http.h"

#include "base/secret.h"
#include "base/status.h"

#define OAUTH_REPLY_SCOPE_SIZE 2048

struct oauth_tokens {
	struct secret access_token;
	struct secret
	    refresh_token;      /* empty: the old one stays (RFC 6749 s6) */
	struct secret id_token; /* empty: none came */
	long expires_in_s;
	char scope[OAUTH_REPLY_SCOPE_SIZE]; /* "": as asked for */
};

void oauth_tokens_init(struct oauth_tokens *tokens, struct secret_arena *arena);
void oauth_tokens_done(struct oauth_tokens *tokens);

/*
 * MT_OK and tokens, or a failure with its class; `err` then is a sentence that
 * names the server's own words, with everything that could be a secret left
 * out.  Tokens that came whole are taken also from a reply that broke off behind
 * them: there may be no other copy of a refresh token.
 */
enum mt_status oauth_reply_read(const struct http_reply *reply,
    struct oauth_tokens *ret_tokens, struct failure *ret_failure,
    struct mt_error *err) MT_MUST_CHECK;

/* MT_OK when the token that was to be revoked (RFC 7009) is not valid any more,
 * or never was; else as oauth_reply_read. */
enum mt_status oauth_revocation_read(const struct http_reply *reply,
    struct failure *ret_failure, struct mt_error *err) MT_MUST_CHECK;

/* What the server says to one who wants a device code, RFC 8628 s3.2. */
struct oauth_device {
	struct secret code; /* of the device, ours */
	char user_code[64];
	char address[1024];
	char whole_address[1024]; /* with the code in it, or "" */
	long expires_in_s;
	long interval_s;
};

void oauth_device_init(struct oauth_device *device, struct secret_arena *arena);
void oauth_device_done(struct oauth_device *device);

/* As oauth_reply_read. */
enum mt_status oauth_device_read(const struct http_reply *reply,
    struct oauth_device *ret_device, struct failure *ret_failure,
    struct mt_error *err) MT_MUST_CHECK;

/*
 * Compares a granted scope with the one asked for; `ret_missing` gets the words
 * that are not granted, as far as they fit.  Words that never show up in a
 * grant (offline_access, openid, profile, email) are not missed.
 */
bool oauth_scope_covers(const char *granted, const char *asked,
    char *ret_missing, size_t missing_size);

#endif
