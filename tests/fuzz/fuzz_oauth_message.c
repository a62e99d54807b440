/* SPDX-License-Identifier: ISC */
/* Parts: challenge, token, user, host, port. */
#include "fuzz.h"

#include "oauth_message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PIECE 16 /* bytes of a token that give it away */

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			       "abcdefghijklmnopqrstuvwxyz"
			       "0123456789-._~+/";

static bool
is_token(const struct secret *token)
{
	const char *text = secret_expose(token);
	size_t body = strspn(text, alphabet);

	return body && token->len <= OAUTH_TOKEN_MAX &&
	       body + strspn(text + body, "=") == token->len;
}

static bool
is_name(const char *name, size_t max)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < len; i++)
		if ((unsigned char)name[i] < ' ' || name[i] == 0x7f)
			return false;
	return len && len <= max;
}

static bool
gives_away(const char *text, const struct secret *token)
{
	for (size_t i = 0; i + PIECE <= token->len; i++)
		if (memmem(text, strlen(text), secret_expose(token) + i, PIECE))
			return true;
	return false;
}

static void
check_refusal(const struct oauth_refusal *refusal, const struct secret *token)
{
	const char *const texts[] = {refusal->status, refusal->scope};
	const size_t sizes[] = {
	    sizeof(refusal->status), sizeof(refusal->scope)};

	for (size_t i = 0; i < 2; i++) {
		size_t len = strnlen(texts[i], sizes[i]);
		FUZZ_CHECK(len < sizes[i]);
		FUZZ_CHECK(fuzz_is_ascii(texts[i], len));
		FUZZ_CHECK(!gives_away(texts[i], token));
	}
}

static void
read_challenge(const char *challenge, size_t len, const struct secret *token)
{
	struct oauth_refusal refusal = {"as it was", "as it was"};
	size_t space = 0;

	while (space < len && strchr(" \t\r\n", challenge[space]) &&
	       challenge[space])
		space++;
	if (oauth_message_read_refusal(challenge, len, token, &refusal)) {
		FUZZ_CHECK(challenge[space] == '{');
		check_refusal(&refusal, token);
	} else {
		FUZZ_CHECK(
		    space == len || challenge[space] != '{' || space >= 16384);
		FUZZ_CHECK(strcmp(refusal.status, "as it was") == 0);
	}
}

/* A server that sends the token back, behind something. */
static void
read_echo(const char *before, size_t len, const struct secret *token)
{
	struct secret challenge = SECRET_INIT;
	struct oauth_refusal refusal = {0};
	static const char head[] = "{\"status\":\"401\",\"scope\":\"";

	len = len > 64 ? 64 : len;
	secret_add(&challenge, head, strlen(head));
	for (size_t i = 0; i < len; i++)
		if (!strchr("\"\\", before[i]))
			secret_add(&challenge, before + i, 1);
	secret_add(&challenge, secret_expose(token), token->len);
	secret_add(&challenge, "\"}", 2);
	FUZZ_CHECK(oauth_message_read_refusal(
	    secret_expose(&challenge), challenge.len, token, &refusal));
	FUZZ_CHECK(strcmp(refusal.status, "401") == 0 || token->len >= PIECE);
	check_refusal(&refusal, token);
	secret_done(&challenge);
}

static void
check_xoauth2(const struct secret *message, const char *user, const char *token)
{
	char *expected;

	FUZZ_CHECK(asprintf(&expected,
		       "user=%s\x01"
		       "auth=Bearer %s\x01\x01",
		       user, token) > 0);
	FUZZ_CHECK(message->len == strlen(expected));
	FUZZ_CHECK(strcmp(secret_expose(message), expected) == 0);
	free(expected);
}

/* Undoes saslname in place; the text ends at the first comma. */
static void
read_saslname(char *name)
{
	char *out = name;

	for (char *in = name; *in && *in != ','; in++) {
		*out++ = *in;
		if (*in != '=')
			continue;
		FUZZ_CHECK(
		    strncmp(in, "=2C", 3) == 0 || strncmp(in, "=3D", 3) == 0);
		out[-1] = in[1] == '2' ? ',' : '=';
		in += 2;
	}
	*out = '\0';
}

static void
check_oauthbearer(
    const struct secret *message, const struct oauth_response *response)
{
	char *text = strdup(secret_expose(message)), *rest = text, *expected;

	FUZZ_CHECK(text && strlen(text) == message->len);
	FUZZ_CHECK(strncmp(strsep(&rest, "\x01"), "n,a=", 4) == 0);
	read_saslname(text + 4);
	FUZZ_CHECK(strcmp(text + 4, response->user) == 0);
	FUZZ_CHECK(asprintf(&expected,
		       "host=%s\x01"
		       "port=%u\x01",
		       response->host, response->port) > 0);
	if (!response->port)
		*(strchr(expected, '\x01') + 1) = '\0';
	FUZZ_CHECK(rest && strncmp(rest, expected, strlen(expected)) == 0);
	rest += strlen(expected);
	FUZZ_CHECK(strncmp(rest, "auth=Bearer ", 12) == 0);
	rest += 12;
	FUZZ_CHECK(strncmp(rest, secret_expose(response->token),
		       response->token->len) == 0);
	FUZZ_CHECK(strcmp(rest + response->token->len, "\x01\x01") == 0);
	free(expected);
	free(text);
}

static void
encode(enum oauth_mechanism mechanism, const struct oauth_response *response)
{
	bool is_good = is_name(response->user, OAUTH_USER_MAX) &&
		       is_token(response->token) &&
		       (mechanism == OAUTH_XOAUTH2 ||
			   is_name(response->host, OAUTH_HOST_MAX));
	struct secret message = SECRET_INIT;
	struct mt_error err = {0};
	enum mt_status status =
	    oauth_message_encode(mechanism, response, &message, &err);

	FUZZ_CHECK((status == MT_OK) == is_good);
	if (status != MT_OK)
		FUZZ_CHECK(status == MT_BAD_INPUT && fuzz_is_sentence(&err));
	else if (mechanism == OAUTH_XOAUTH2)
		check_xoauth2(
		    &message, response->user, secret_expose(response->token));
	else
		check_oauthbearer(&message, response);
	secret_done(&message);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = {data, size, false};
	size_t len;
	char *challenge = fuzz_bytes(&input, &len);
	struct secret token = fuzz_secret(&input);
	char *user = fuzz_text(&input), *host = fuzz_text(&input);
	const struct oauth_response response = {
	    user, host, fuzz_number(&input), &token};

	read_challenge(challenge, len, &token);
	if (is_token(&token))
		read_echo(challenge, len, &token);
	encode(OAUTH_XOAUTH2, &response);
	encode(OAUTH_OAUTHBEARER, &response);
	free(challenge);
	free(user);
	free(host);
	secret_done(&token);
	return 0;
}
