/* SPDX-License-Identifier: ISC */
/* Parts: options, body, a word that could be a secret, two scopes. */
#include "fuzz.h"

#include "oauth_reply.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECRET_LEN 21 /* words from here on are not repeated */
#define LIFETIME_MAX_S (30L * 24 * 3600)

enum {
	OPTION_BROKEN = 1,
	OPTION_SENT = 2,
	OPTION_OUR_FAULT = 4,
};

static const long http_statuses[] = {200, 400, 401, 0, 302, 429, 500, 503};

static void
check_tokens(const struct oauth_tokens *tokens)
{
	FUZZ_CHECK(tokens->access_token.len > 0);
	FUZZ_CHECK(fuzz_is_ascii(
	    secret_expose(&tokens->access_token), tokens->access_token.len));
	FUZZ_CHECK(fuzz_is_ascii(
	    secret_expose(&tokens->refresh_token), tokens->refresh_token.len));
	FUZZ_CHECK(tokens->expires_in_s >= 1 &&
		   tokens->expires_in_s <= LIFETIME_MAX_S);
	FUZZ_CHECK(strnlen(tokens->scope, sizeof(tokens->scope)) <
		   sizeof(tokens->scope));
}

static enum mt_status
read_reply(const struct http_reply *reply, struct mt_error *err)
{
	struct oauth_tokens tokens;
	struct failure failure = {0};
	enum mt_status status;

	oauth_tokens_init(&tokens, NULL);
	status = oauth_reply_read(reply, &tokens, &failure, err);
	if (status == MT_OK) {
		FUZZ_CHECK(reply->http_status == 200);
		check_tokens(&tokens);
	} else {
		FUZZ_CHECK(fuzz_is_sentence(err));
		FUZZ_CHECK(failure.class <= FAILURE_CONFIG);
		FUZZ_CHECK(status == failure_status(failure.class));
		FUZZ_CHECK(failure.retry_after_s >= 0);
	}
	oauth_tokens_done(&tokens);
	return status;
}

static void
read_device(const struct http_reply *reply)
{
	struct oauth_device device;
	struct failure failure = {0};
	struct mt_error err = {0};

	oauth_device_init(&device, NULL);
	if (oauth_device_read(reply, &device, &failure, &err) == MT_OK) {
		FUZZ_CHECK(device.code.len > 0);
		FUZZ_CHECK(
		    fuzz_is_ascii(device.user_code, strlen(device.user_code)));
		FUZZ_CHECK(
		    fuzz_is_ascii(device.address, strlen(device.address)));
		FUZZ_CHECK(device.interval_s >= 1 && device.interval_s <= 60);
		FUZZ_CHECK(
		    device.expires_in_s >= 1 && device.expires_in_s <= 3600);
	} else {
		FUZZ_CHECK(fuzz_is_sentence(&err));
	}
	oauth_device_done(&device);
}

/* A server that says a secret in its prose. */
static void
read_echo(char *secret)
{
	static const char head[] = "{\"error\":\"x\",\"error_description\":"
				   "\"token ";
	struct http_reply reply = {.http_status = 400, .retry_after_s = -1};
	struct mt_error err = {0};

	for (char *c = secret; *c; c++)
		if (!isalnum((unsigned char)*c) && *c != '_' && *c != '-')
			*c = '.';
	if (strlen(secret) < SECRET_LEN)
		return;
	secret_add(&reply.body, head, strlen(head));
	secret_add(&reply.body, secret, strlen(secret));
	secret_add(&reply.body, " is bad\"}", 9);
	FUZZ_CHECK(read_reply(&reply, &err) != MT_OK);
	FUZZ_CHECK(!strstr(err.text, secret));
	secret_done(&reply.body);
}

static void
compare_scopes(const char *granted, const char *asked)
{
	char missing[128];

	if (oauth_scope_covers(granted, asked, missing, sizeof(missing)))
		FUZZ_CHECK(!missing[0]);
	FUZZ_CHECK(strnlen(missing, sizeof(missing)) < sizeof(missing));
	FUZZ_CHECK(oauth_scope_covers(asked, asked, missing, sizeof(missing)));
	FUZZ_CHECK(oauth_scope_covers(granted, "", missing, sizeof(missing)));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = {data, size, false};
	unsigned options = fuzz_number(&input);
	struct http_reply reply = {
	    .http_status = http_statuses[options >> 3 & 7],
	    .broken = options & OPTION_BROKEN,
	    .sent = options & OPTION_SENT,
	    .misconfigured = options & OPTION_OUR_FAULT,
	    .body = fuzz_secret(&input),
	    .retry_after_s = -1,
	    .why = "connection reset",
	};
	char *secret = fuzz_text(&input);
	char *granted = fuzz_text(&input), *asked = fuzz_text(&input);
	struct mt_error err = {0};

	(void)!read_reply(&reply, &err);
	read_device(&reply);
	read_echo(secret);
	compare_scopes(granted, asked);
	secret_done(&reply.body);
	free(secret);
	free(granted);
	free(asked);
	return 0;
}
