/* SPDX-License-Identifier: ISC */
#include "oauth_message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AUTH_LINE_MAX 512
#define CHALLENGE_MAX 16384 /* bytes of a challenge that are looked at */
#define TOKEN_PIECE 16      /* bytes in common with the token: an echo */

#define FIELD_END "\x01"

const char *
oauth_mechanism_name(enum oauth_mechanism mechanism)
{
	return mechanism == OAUTH_XOAUTH2 ? "XOAUTH2" : "OAUTHBEARER";
}

/* Names may be UTF-8, so only the control characters are refused. */
static enum mt_status
check_name(const char *what, const char *name, size_t max, struct mt_error *err)
{
	size_t len = strlen(name);

	if (!len)
		return mt_fail(err, MT_BAD_INPUT, "the %s is empty", what);
	if (len > max)
		return mt_fail(err, MT_BAD_INPUT,
		    "the %s is longer than %zu bytes", what, max);
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f)
			return mt_fail(err, MT_BAD_INPUT,
			    "the %s holds a control character", what);
	return MT_OK;
}

/* token68 (RFC 7235 section 2.1), which is what RFC 6750 calls b64token. */
static bool
is_token68(const char *token, size_t len)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				       "abcdefghijklmnopqrstuvwxyz"
				       "0123456789-._~+/";
	size_t body = strspn(token, alphabet);

	return body > 0 && body + strspn(token + body, "=") == len;
}

bool
oauth_message_is_token(const struct secret *token)
{
	return token->len <= OAUTH_TOKEN_MAX &&
	       is_token68(secret_expose(token), token->len);
}

static enum mt_status
check_token(const struct secret *token, struct mt_error *err)
{
	if (oauth_message_is_token(token))
		return MT_OK;
	return mt_fail(err, MT_BAD_INPUT,
	    "the access token is empty, longer than %d bytes, or holds "
	    "characters that no bearer token has",
	    OAUTH_TOKEN_MAX);
}

static void
add_text(struct secret *message, const char *text)
{
	secret_add(message, text, strlen(text));
}

static void
add_token(struct secret *message, const struct secret *token)
{
	add_text(message, "auth=Bearer ");
	secret_add(message, secret_expose(token), token->len);
	add_text(message, FIELD_END FIELD_END);
}

static void
encode_xoauth2(struct secret *message, const struct oauth_response *response)
{
	add_text(message, "user=");
	add_text(message, response->user);
	add_text(message, FIELD_END);
	add_token(message, response->token);
}

/* saslname of RFC 5801 section 4 */
static void
add_saslname(struct secret *message, const char *name)
{
	for (; *name; name++) {
		if (*name == ',')
			add_text(message, "=2C");
		else if (*name == '=')
			add_text(message, "=3D");
		else
			secret_add(message, name, 1);
	}
}

static void
encode_oauthbearer(
    struct secret *message, const struct oauth_response *response)
{
	char port[24];

	add_text(message, "n,a=");
	add_saslname(message, response->user);
	add_text(message, "," FIELD_END "host=");
	add_text(message, response->host);
	add_text(message, FIELD_END);
	if (response->port) {
		snprintf(
		    port, sizeof(port), "port=%u" FIELD_END, response->port);
		add_text(message, port);
	}
	add_token(message, response->token);
}

enum mt_status
oauth_message_encode(enum oauth_mechanism mechanism,
    const struct oauth_response *response, struct secret *ret_message,
    struct mt_error *err)
{
	enum mt_status status =
	    check_name("user name", response->user, OAUTH_USER_MAX, err);

	if (status == MT_OK && mechanism == OAUTH_OAUTHBEARER)
		status = check_name(
		    "host name", response->host, OAUTH_HOST_MAX, err);
	if (status == MT_OK)
		status = check_token(response->token, err);
	if (status != MT_OK)
		return status;
	secret_reset(ret_message);
	if (mechanism == OAUTH_XOAUTH2)
		encode_xoauth2(ret_message, response);
	else
		encode_oauthbearer(ret_message, response);
	if (!secret_ok(ret_message))
		return mt_fail(err, MT_NO_MEMORY, "no memory for a response");
	return MT_OK;
}

const char *
oauth_message_acknowledgement(enum oauth_mechanism mechanism)
{
	return mechanism == OAUTH_XOAUTH2 ? "" : "\x01";
}

bool
oauth_message_fits_auth_line(enum oauth_mechanism mechanism, size_t len)
{
	size_t line = strlen("AUTH ") +
		      strlen(oauth_mechanism_name(mechanism)) + strlen(" ") +
		      (len + 2) / 3 * 4 + strlen("\r\n");

	return line <= AUTH_LINE_MAX;
}

/*
 * The refusal: one flat walk through the object's members.  Nested values are
 * skipped by counting brackets, so nothing recurses, and every loop moves on.
 */
struct scan {
	const char *next;
	const char *end;
};

static void
skip_space(struct scan *s)
{
	while (s->next < s->end && memchr(" \t\r\n", *s->next, 4))
		s->next++;
}

static bool
at(const struct scan *s, char c)
{
	return s->next < s->end && *s->next == c;
}

static bool
take(struct scan *s, char c)
{
	if (!at(s, c))
		return false;
	s->next++;
	return true;
}

/* Where a value's text goes, cut to fit; a NULL text drops it. */
struct sink {
	char *text;
	size_t size;
	size_t len;
};

static void
put(struct sink *sink, unsigned c)
{
	if (!sink->text || sink->len + 1 >= sink->size)
		return;
	sink->text[sink->len++] = c < 0x20 || c > 0x7e ? '?' : (char)c;
	sink->text[sink->len] = '\0';
}

/* The character behind a backslash. */
static bool
take_escape(struct scan *s, struct sink *sink)
{
	char digits[5] = "";
	unsigned c;

	if (s->next == s->end)
		return false;
	if (!take(s, 'u')) {
		c = (unsigned char)*s->next++;
		put(sink, memchr("bfnrt", (int)c, 5) ? '?' : c);
		return true;
	}
	if (s->end - s->next < 4)
		return false;
	memcpy(digits, s->next, 4);
	if (strspn(digits, "0123456789abcdefABCDEF") != 4)
		return false;
	s->next += 4;
	put(sink, (unsigned)strtoul(digits, NULL, 16));
	return true;
}

static bool
take_string(struct scan *s, struct sink *sink)
{
	if (!take(s, '"'))
		return false;
	while (s->next < s->end && *s->next != '"') {
		char c = *s->next++;
		if (c != '\\')
			put(sink, (unsigned char)c);
		else if (!take_escape(s, sink))
			return false;
	}
	return take(s, '"');
}

/* An object or array, with all that is in it. */
static bool
skip_nested(struct scan *s)
{
	struct sink nothing = {0};
	size_t depth = 0;

	do {
		if (s->next == s->end)
			return false;
		if (at(s, '"')) {
			if (!take_string(s, &nothing))
				return false;
			continue;
		}
		if (at(s, '{') || at(s, '['))
			depth++;
		else if (at(s, '}') || at(s, ']'))
			depth--;
		s->next++;
	} while (depth);
	return true;
}

static bool
take_value(struct scan *s, struct sink *sink)
{
	if (at(s, '"'))
		return take_string(s, sink);
	if (at(s, '{') || at(s, '['))
		return skip_nested(s);
	while (s->next < s->end && !memchr(",} \t\r\n", *s->next, 6))
		put(sink, (unsigned char)*s->next++);
	return s->next < s->end;
}

/* One `"name": value`; the first of a name counts. */
static bool
take_member(struct scan *s, struct oauth_refusal *refusal)
{
	char name[8] =
	    ""; /* longer than both names, so that a cut one differs */
	struct sink name_sink = {.text = name, .size = sizeof(name)};
	struct sink value = {0};

	if (!take_string(s, &name_sink))
		return false;
	skip_space(s);
	if (!take(s, ':'))
		return false;
	skip_space(s);
	if (strcmp(name, "status") == 0 && !refusal->status[0])
		value =
		    (struct sink){refusal->status, sizeof(refusal->status), 0};
	else if (strcmp(name, "scope") == 0 && !refusal->scope[0])
		value =
		    (struct sink){refusal->scope, sizeof(refusal->scope), 0};
	return take_value(s, &value);
}

static void
drop_echo(char *text, const struct secret *token)
{
	size_t len = strlen(text);

	for (size_t i = 0; i + TOKEN_PIECE <= len; i++)
		if (memmem(secret_expose(token), token->len, text + i,
			TOKEN_PIECE)) {
			explicit_bzero(text, len);
			return;
		}
}

bool
oauth_message_read_refusal(const char *challenge, size_t len,
    const struct secret *token, struct oauth_refusal *ret_refusal)
{
	struct oauth_refusal refusal = {0};
	struct scan s;

	if (len > CHALLENGE_MAX)
		len = CHALLENGE_MAX;
	s = (struct scan){challenge, len ? challenge + len : challenge};
	skip_space(&s);
	if (!take(&s, '{'))
		return false;
	do {
		skip_space(&s);
		if (!take_member(&s, &refusal))
			break;
		skip_space(&s);
	} while (take(&s, ','));
	drop_echo(refusal.status, token);
	drop_echo(refusal.scope, token);
	*ret_refusal = refusal;
	return true;
}
