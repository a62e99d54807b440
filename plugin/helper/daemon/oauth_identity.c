/* SPDX-License-Identifier: ISC */
#include "oauth_identity.h"

#include "url.h"

#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static int
digit(char c)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789-_";
	const char *found = c ? strchr(digits, c) : NULL;

	return found ? (int)(found - digits) : -1;
}

/* Base64url without padding. */
static bool
decode(const char *text, size_t len, struct secret *ret_bytes)
{
	unsigned int bits = 0;

	for (size_t i = 0; i < len; i++) {
		int value = digit(text[i]);
		char byte;

		if (value < 0)
			return false;
		bits = (bits << 6 | (unsigned int)value) & 0xffffff;
		byte = (char)(bits >> (6 - 2 * (i % 4)) & 0xff);
		if (i % 4)
			secret_add(ret_bytes, &byte, 1);
	}
	return secret_ok(ret_bytes) && len % 4 != 1;
}

/* The middle part of a JWT, as an object; or NULL. */
static struct json_object *
claims_of(const struct secret *id_token)
{
	const char *text = secret_expose(id_token);
	const char *payload = strchr(text, '.');
	struct json_tokener *tokener = json_tokener_new();
	struct json_object *claims = NULL;
	struct secret bytes;

	secret_init(&bytes, id_token->arena);
	if (tokener && payload && strchr(++payload, '.') &&
	    decode(payload, strcspn(payload, "."), &bytes) && bytes.len)
		claims = json_tokener_parse_ex(
		    tokener, secret_expose(&bytes), (int)bytes.len + 1);
	secret_done(&bytes);
	if (tokener)
		json_tokener_free(tokener);
	if (json_object_is_type(claims, json_type_object))
		return claims;
	json_object_put(claims);
	return NULL;
}

static const char *
text_of(struct json_object *value)
{
	return json_object_is_type(value, json_type_string)
		   ? json_object_get_string(value)
		   : NULL;
}

/* What does not fit or is not plain text is as good as not said. */
static void
take_text(
    struct json_object *claims, const char *name, char *ret_text, size_t size)
{
	const char *text = text_of(json_object_object_get(claims, name));

	ret_text[0] = '\0';
	if (!text || strlen(text) >= size)
		return;
	for (const char *c = text; *c; c++)
		if ((unsigned char)*c <= ' ' || *c == 0x7f)
			return;
	snprintf(ret_text, size, "%s", text);
}

static bool
is_for(struct json_object *audience, const char *client_id)
{
	const char *one = text_of(audience);

	if (one)
		return strcmp(one, client_id) == 0;
	if (!json_object_is_type(audience, json_type_array))
		return false;
	for (size_t i = 0; i < json_object_array_length(audience); i++) {
		one = text_of(json_object_array_get_idx(audience, i));
		if (one && strcmp(one, client_id) == 0)
			return true;
	}
	return false;
}

static bool
is_doubted(struct json_object *claims)
{
	struct json_object *verified =
	    json_object_object_get(claims, "email_verified");

	/* some servers say it in words */
	if (text_of(verified))
		return strcmp(text_of(verified), "true") != 0;
	return verified && !json_object_get_boolean(verified);
}

bool
oauth_identity_read(const struct secret *id_token, const char *client_id,
    struct oauth_identity *ret_identity)
{
	static const char *const names[OAUTH_NAMES] = {
	    [OAUTH_NAME_PREFERRED] = "preferred_username",
	    [OAUTH_NAME_UPN] = "upn",
	    [OAUTH_NAME_EMAIL] = "email",
	};
	struct json_object *claims = claims_of(id_token);

	if (!claims)
		return false;
	take_text(
	    claims, "iss", ret_identity->issuer, sizeof(ret_identity->issuer));
	for (size_t i = 0; i < OAUTH_NAMES; i++)
		take_text(claims, names[i], ret_identity->name[i],
		    sizeof(ret_identity->name[i]));
	if (is_doubted(claims))
		ret_identity->name[OAUTH_NAME_EMAIL][0] = '\0';
	ret_identity->for_client =
	    is_for(json_object_object_get(claims, "aud"), client_id);
	json_object_put(claims);
	return true;
}

const char *
oauth_identity_name(const struct oauth_identity *identity)
{
	for (size_t i = 0; i < OAUTH_NAMES; i++)
		if (*identity->name[i])
			return identity->name[i];
	return NULL;
}

static bool
has_name(const struct oauth_identity *identity, const char *name)
{
	for (size_t i = 0; name && i < OAUTH_NAMES; i++)
		if (strcasecmp(identity->name[i], name) == 0)
			return true;
	return false;
}

const char *
oauth_identity_wanted(const struct account_settings *settings)
{
	return settings->login_user ? settings->login_user : settings->user;
}

bool
oauth_identity_fits(const struct oauth_identity *identity,
    const struct account_settings *settings)
{
	if (has_name(identity, oauth_identity_wanted(settings)))
		return true;
	for (size_t i = 0; !settings->login_user && i < SERVICE_COUNT; i++)
		if (has_name(identity, settings->service_user[i]))
			return true;
	return false;
}

bool
oauth_identity_same_server(const char *a, const char *b)
{
	struct url left, right;

	return a && b && url_parse(a, &left) && url_parse(b, &right) &&
	       left.tls == right.tls && left.port == right.port &&
	       strcasecmp(left.host, right.host) == 0;
}

/* As with the answer to the browser; Google may leave the scheme out. */
static bool
is_right_issuer(const struct provider *provider, const char *issuer)
{
	static const char scheme[] = "https://";
	const char *own = provider->issuer;

	if (!own && provider->discovery &&
	    strcmp(issuer, provider->discovery) == 0)
		return true;
	if (!own)
		return oauth_identity_same_server(
			   issuer, provider->authorization_endpoint) ||
		       oauth_identity_same_server(
			   issuer, provider->token_endpoint);
	return strcmp(issuer, own) == 0 ||
	       (strncmp(own, scheme, strlen(scheme)) == 0 &&
		   strcmp(issuer, own + strlen(scheme)) == 0);
}

static enum mt_status
check(const struct account_settings *settings,
    const struct oauth_identity *identity, struct mt_error *err)
{
	const char *name = oauth_identity_name(identity);
	const char *wanted = oauth_identity_wanted(settings);

	if (!identity->for_client)
		return mt_fail(err, MT_BAD_CONFIG,
		    "the server's ID token is for another client");
	if (!is_right_issuer(&settings->provider, identity->issuer))
		return mt_fail(err, MT_BAD_CONFIG,
		    "the ID token is one of %.128s, not of this account's "
		    "server; if that is its right name, set `issuer` to it",
		    identity->issuer);
	if (!name || oauth_identity_fits(identity, settings))
		return MT_OK;
	return mt_fail(err, MT_NEEDS_LOGIN,
	    "it was %.128s who logged in, not %.128s; log in as that person, "
	    "or, if %.128s may use the mailbox, set 'login_user' to that",
	    name, wanted, name);
}

enum mt_status
oauth_identity_judge(const struct account_settings *settings,
    const struct secret *id_token, char ret_name[OAUTH_IDENTITY_NAME_SIZE],
    struct mt_error *err)
{
	struct oauth_identity identity;
	const char *name;
	enum mt_status status;

	ret_name[0] = '\0';
	if (!oauth_identity_read(id_token, settings->client_id, &identity))
		return MT_OK;
	status = check(settings, &identity, err);
	name = oauth_identity_name(&identity);
	if (status == MT_OK && name)
		snprintf(ret_name, OAUTH_IDENTITY_NAME_SIZE, "%s", name);
	return status;
}
