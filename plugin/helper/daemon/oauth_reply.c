/* SPDX-License-Identifier: ISC */
#include "oauth_reply.h"

#include "base/buf.h"
#include "base/settings.h"

#include <ctype.h>
#include <json-c/json.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define ASSUMED_LIFETIME_S 3600
#define LIFETIME_MAX_S (30L * 24 * 3600)
#define DEVICE_ASSUMED_LIFETIME_S 900
#define DEVICE_LIFETIME_MAX_S 3600
#define DEVICE_INTERVAL_S 5 /* RFC 8628 s3.2 */
#define DEVICE_INTERVAL_MAX_S 60
#define DESCRIPTION_MAX 200
#define WORD_MAX 20 /* longer words of a description could be a secret */

void
oauth_tokens_init(struct oauth_tokens *tokens, struct secret_arena *arena)
{
	*tokens = (struct oauth_tokens){0};
	secret_init(&tokens->access_token, arena);
	secret_init(&tokens->refresh_token, arena);
	secret_init(&tokens->id_token, arena);
}

void
oauth_tokens_done(struct oauth_tokens *tokens)
{
	secret_done(&tokens->access_token);
	secret_done(&tokens->refresh_token);
	secret_done(&tokens->id_token);
}

/* The body as a JSON object, or NULL. */
static struct json_object *
parse(const struct secret *body)
{
	struct json_tokener *tokener = json_tokener_new();
	struct json_object *object;

	if (!tokener)
		return NULL;
	object = json_tokener_parse_ex(
	    tokener, secret_expose(body), (int)body->len + 1);
	if (json_tokener_get_error(tokener) != json_tokener_success ||
	    !json_object_is_type(object, json_type_object)) {
		json_object_put(object);
		object = NULL;
	}
	json_tokener_free(tokener);
	return object;
}

/* The text of a member, or NULL. */
static const char *
member(struct json_object *object, const char *name)
{
	struct json_object *value = json_object_object_get(object, name);

	return json_object_is_type(value, json_type_string)
		   ? json_object_get_string(value)
		   : NULL;
}

/* RFC 6749 appendix A: 1*VSCHAR.  Also keeps TAB and LF out of our frames. */
static bool
take_token(struct json_object *object, const char *name, struct secret *token)
{
	struct json_object *value = json_object_object_get(object, name);
	const char *text = member(object, name);
	size_t len;

	secret_reset(token);
	if (!text || !*text)
		return false;
	len = (size_t)json_object_get_string_len(value);
	for (size_t i = 0; i < len; i++)
		if (text[i] < ' ' || text[i] > '~')
			return false;
	secret_add(token, text, len);
	return secret_ok(token);
}

/* A number, a number in a string, or nothing at all; what cannot be a lifetime
 * counts as nothing. */
static long
lifetime(struct json_object *object)
{
	struct json_object *value =
	    json_object_object_get(object, "expires_in");
	long seconds = ASSUMED_LIFETIME_S;

	if (json_object_is_type(value, json_type_string)) {
		if (!settings_number(
			json_object_get_string(value), 1, LONG_MAX, &seconds))
			seconds = ASSUMED_LIFETIME_S;
	} else if (value) {
		seconds = (long)json_object_get_int64(value);
	}
	if (seconds < 1)
		seconds = ASSUMED_LIFETIME_S;
	return seconds > LIFETIME_MAX_S ? LIFETIME_MAX_S : seconds;
}

static bool
is_bearer(struct json_object *object)
{
	const char *type = member(object, "token_type");

	return !type || strcasecmp(type, "bearer") == 0;
}

static bool
read_tokens(struct json_object *object, struct oauth_tokens *tokens)
{
	const char *scope = member(object, "scope");

	if (!is_bearer(object) ||
	    !take_token(object, "access_token", &tokens->access_token))
		return false;
	if (member(object, "refresh_token") &&
	    !take_token(object, "refresh_token", &tokens->refresh_token))
		return false;
	/* one that is not fit for use is as good as none */
	if (!take_token(object, "id_token", &tokens->id_token))
		secret_reset(&tokens->id_token);
	tokens->expires_in_s = lifetime(object);
	snprintf(
	    tokens->scope, sizeof(tokens->scope), "%s", scope ? scope : "");
	return true;
}

/* "AADSTS70008: ..." or error_codes: [70008] */
static long
microsoft_number(struct json_object *object)
{
	struct json_object *codes =
	    json_object_object_get(object, "error_codes");
	const char *text = member(object, "error_description");
	const char *mark = text ? strstr(text, "AADSTS") : NULL;

	if (json_object_is_type(codes, json_type_array) &&
	    json_object_array_length(codes) > 0)
		return (long)json_object_get_int64(
		    json_object_array_get_idx(codes, 0));
	return mark ? strtol(mark + strlen("AADSTS"), NULL, 10) : 0;
}

/* A word of the protocol: what does not look like one is not repeated. */
static void
add_word(struct buf *text, const char *word)
{
	size_t len = strlen(word);

	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)word[i]) && !strchr("_-.", word[i]))
			len = 0;
	if (len && len <= 64)
		buf_add_text(text, word);
	else
		buf_add_text(text, "an unreadable error");
}

/* Prose of the server; long words are left out, for they could be a token. */
static void
add_description(struct buf *text, const char *description)
{
	size_t start = text->len;

	while (*description && text->len - start < DESCRIPTION_MAX) {
		size_t gap = strspn(description, " \t\r\n");
		size_t len = strcspn(description + gap, " \t\r\n");

		description += gap;
		if (!len)
			break;
		if (text->len > start)
			buf_add_char(text, ' ');
		if (len <= WORD_MAX)
			buf_add_printable(text, description, len, len);
		else
			buf_add_text(text, "[...]");
		description += len;
	}
}

static void
describe_error(struct buf *text, struct json_object *object,
    const struct failure_facts *facts, const struct failure *failure)
{
	const char *description = member(object, "error_description");
	const char *correlation = member(object, "correlation_id");

	buf_add_text(text, "the server says ");
	add_word(text, facts->error);
	if (facts->suberror && *facts->suberror) {
		buf_add_text(text, "/");
		add_word(text, facts->suberror);
	}
	if (facts->number)
		buf_add_format(text, " (AADSTS%ld)", facts->number);
	if (failure->meaning)
		buf_add_format(text, ": %s", failure->meaning);
	if (description && *description && !failure->meaning) {
		buf_add_text(text, "; its words: ");
		add_description(text, description);
	}
	if (correlation && strlen(correlation) == 36) {
		buf_add_text(text, "; correlation id ");
		add_word(text, correlation);
	}
}

static void
describe_http(struct buf *text, const char *endpoint,
    const struct http_reply *reply, const struct failure *failure)
{
	if (reply->broken || !reply->http_status)
		buf_add_format(
		    text, "no answer from the %s: %s", endpoint, reply->why);
	else
		buf_add_format(text, "the %s answered HTTP %ld", endpoint,
		    reply->http_status);
	if (failure->meaning)
		buf_add_format(text, ": %s", failure->meaning);
}

static enum mt_status
read_failure(const char *endpoint, const struct http_reply *reply,
    struct json_object *object, struct failure *ret_failure,
    struct mt_error *err)
{
	struct buf text = BUF_INIT(MT_ERROR_TEXT_MAX * 2);
	const struct failure_facts facts = {
	    .http_status = reply->broken ? 0 : reply->http_status,
	    .sent = reply->sent,
	    .misconfigured = reply->misconfigured,
	    .body_is_empty = reply->body.len == 0,
	    .error = object ? member(object, "error") : NULL,
	    .suberror = object ? member(object, "suberror") : NULL,
	    .number = object ? microsoft_number(object) : 0,
	    .retry_after_s = reply->retry_after_s,
	};
	enum mt_status status;

	*ret_failure = failure_classify(&facts);
	ret_failure->device = failure_of_device(facts.error);
	if (facts.error)
		describe_error(&text, object, &facts, ret_failure);
	else
		describe_http(&text, endpoint, reply, ret_failure);
	status = mt_fail(
	    err, failure_status(ret_failure->class), "%s", buf_text(&text));
	buf_done(&text);
	return status;
}

void
oauth_device_init(struct oauth_device *device, struct secret_arena *arena)
{
	*device = (struct oauth_device){0};
	secret_init(&device->code, arena);
}

void
oauth_device_done(struct oauth_device *device)
{
	secret_done(&device->code);
}

/* Text for a person's eyes, the first that is there; false if there is none, or
 * it is too long, or it is not plain. */
static bool
take_text(struct json_object *object, const char *name, const char *alias,
    char *ret_text, size_t size)
{
	const char *text = member(object, name);

	if (!text)
		text = member(object, alias);
	if (!text || !*text || strlen(text) >= size)
		return false;
	for (const char *c = text; *c; c++)
		if (*c < ' ' || *c > '~')
			return false;
	snprintf(ret_text, size, "%s", text);
	return true;
}

static long
seconds_of(struct json_object *object, const char *name, long most, long none)
{
	struct json_object *value = json_object_object_get(object, name);
	int64_t seconds = value ? json_object_get_int64(value) : 0;

	if (seconds <= 0)
		return none;
	return seconds < most ? (long)seconds : most;
}

/* Google says verification_url. */
static bool
read_device(struct json_object *object, struct oauth_device *device)
{
	if (!take_token(object, "device_code", &device->code) ||
	    !take_text(object, "user_code", "user_code", device->user_code,
		sizeof(device->user_code)) ||
	    !take_text(object, "verification_uri", "verification_url",
		device->address, sizeof(device->address)))
		return false;
	if (!take_text(object, "verification_uri_complete",
		"verification_url_complete", device->whole_address,
		sizeof(device->whole_address)))
		device->whole_address[0] = '\0';
	device->expires_in_s = seconds_of(object, "expires_in",
	    DEVICE_LIFETIME_MAX_S, DEVICE_ASSUMED_LIFETIME_S);
	device->interval_s = seconds_of(
	    object, "interval", DEVICE_INTERVAL_MAX_S, DEVICE_INTERVAL_S);
	return true;
}

enum mt_status
oauth_device_read(const struct http_reply *reply,
    struct oauth_device *ret_device, struct failure *ret_failure,
    struct mt_error *err)
{
	struct json_object *object =
	    reply->body.len ? parse(&reply->body) : NULL;
	enum mt_status status = MT_OK;

	if (reply->http_status != 200 || !object ||
	    !read_device(object, ret_device))
		status = read_failure(
		    "token endpoint", reply, object, ret_failure, err);
	json_object_put(object);
	return status;
}

enum mt_status
oauth_reply_read(const struct http_reply *reply,
    struct oauth_tokens *ret_tokens, struct failure *ret_failure,
    struct mt_error *err)
{
	struct json_object *object =
	    reply->body.len ? parse(&reply->body) : NULL;
	enum mt_status status = MT_OK;

	if (reply->http_status != 200 || !object ||
	    !read_tokens(object, ret_tokens))
		status = read_failure(
		    "token endpoint", reply, object, ret_failure, err);
	json_object_put(object);
	return status;
}

/* Google says invalid_token of one that has ended before. */
enum mt_status
oauth_revocation_read(const struct http_reply *reply,
    struct failure *ret_failure, struct mt_error *err)
{
	struct json_object *object =
	    reply->body.len ? parse(&reply->body) : NULL;
	enum mt_status status = MT_OK;

	if (reply->http_status < 200 || reply->http_status > 299)
		status = read_failure(
		    "revocation endpoint", reply, object, ret_failure, err);
	if (status == MT_NEEDS_LOGIN && object && member(object, "error"))
		status = MT_OK;
	else if (status == MT_NEEDS_LOGIN)
		status = err->status = MT_RETRY_LATER;
	json_object_put(object);
	return status;
}

/*
 * One service may have several names for its addresses: Exchange grants
 * https://outlook.office.com/SMTP.Send where outlook.office365.com was asked
 * for.  Of two addresses, what follows the last '/' counts.
 */
static bool
is_same_scope(const char *a, size_t a_len, const char *b, size_t b_len)
{
	const char *a_name = memrchr(a, '/', a_len);
	const char *b_name = memrchr(b, '/', b_len);

	if (a_len == b_len && memcmp(a, b, a_len) == 0)
		return true;
	if (!a_name || !b_name)
		return false;
	a_len -= (size_t)(++a_name - a);
	b_len -= (size_t)(++b_name - b);
	return a_len && a_len == b_len && memcmp(a_name, b_name, a_len) == 0;
}

static bool
has_scope(const char *words, const char *word, size_t len)
{
	while (*words) {
		size_t gap = strspn(words, " ");
		size_t found = strcspn(words + gap, " ");

		words += gap;
		if (is_same_scope(words, found, word, len))
			return true;
		words += found;
	}
	return false;
}

static bool
is_missing(const char *granted, const char *word, size_t len)
{
	static const char never_granted[] =
	    "offline_access openid profile email";

	return len && !has_scope(granted, word, len) &&
	       !has_scope(never_granted, word, len);
}

bool
oauth_scope_covers(const char *granted, const char *asked, char *ret_missing,
    size_t missing_size)
{
	size_t used = 0;
	bool covers = true;

	ret_missing[0] = '\0';
	while (*asked) {
		size_t gap = strspn(asked, " ");
		size_t len = strcspn(asked + gap, " ");

		asked += gap;
		if (is_missing(granted, asked, len)) {
			covers = false;
			if (used + len + 2 < missing_size)
				used += (size_t)snprintf(ret_missing + used,
				    missing_size - used, "%s%.*s",
				    used ? " " : "", (int)len, asked);
		}
		asked += len;
	}
	return covers;
}
