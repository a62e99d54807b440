/* SPDX-License-Identifier: ISC */
#include "discovery.h"

#include "url.h"

#include "base/buf.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ADDRESS_MAX 8192
#define TENANT_MARK "{tenantid}" /* Microsoft's, in an issuer */

/* Where the document lies, in the order in which it is looked for. */
enum place {
	PLACE_OPENID, /* behind the issuer */
	PLACE_OAUTH,  /* RFC 8414 s3.1: between its host and its path */
	PLACE_COUNT
};

/* One document that is being fetched or was found. */
struct discovery_fetch {
	LIST_ENTRY(discovery_fetch) link;
	struct discovery *discovery;
	char *at;      /* the address to look beneath */
	char *wanted;  /* the issuer that it must name */
	char *ca_file; /* or NULL */
	enum place place;
	bool found;     /* `provider` is good */
	bool forgotten; /* not for those who ask from now on */
	struct provider provider;
	LIST_HEAD(, discovery_waiter) waiters;
};

struct discovery {
	struct oauth_http *http;
	LIST_HEAD(, discovery_fetch) fetches;
};

enum mt_status
discovery_new(struct oauth_http *http, struct discovery **ret_discovery,
    struct mt_error *err)
{
	struct discovery *discovery = calloc(1, sizeof(*discovery));

	if (!discovery)
		return mt_fail(err, MT_NO_MEMORY, "no memory");
	discovery->http = http;
	LIST_INIT(&discovery->fetches);
	*ret_discovery = discovery;
	return MT_OK;
}

static void
fetch_free(struct discovery_fetch *fetch)
{
	LIST_REMOVE(fetch, link);
	while (!LIST_EMPTY(&fetch->waiters))
		discovery_leave(LIST_FIRST(&fetch->waiters));
	provider_done(&fetch->provider);
	free(fetch->at);
	free(fetch->wanted);
	free(fetch->ca_file);
	free(fetch);
}

void
discovery_free(struct discovery **discovery)
{
	struct discovery *d = *discovery;

	if (!d)
		return;
	while (!LIST_EMPTY(&d->fetches))
		fetch_free(LIST_FIRST(&d->fetches));
	free(d);
	*discovery = NULL;
}

void
discovery_forget(struct discovery *discovery)
{
	struct discovery_fetch *fetch, *next;

	for (fetch = LIST_FIRST(&discovery->fetches); fetch; fetch = next) {
		next = LIST_NEXT(fetch, link);
		if (fetch->found)
			fetch_free(fetch);
		else
			fetch->forgotten = true;
	}
}

void
discovery_leave(struct discovery_waiter *waiter)
{
	if (!waiter->fetch)
		return;
	LIST_REMOVE(waiter, link);
	waiter->fetch = NULL;
}

/* ---- the document ---- */

/* The same, but that one path segment of `wanted` may stand for the tenant:
 * .../common/v2.0 and .../{tenantid}/v2.0. */
static bool
is_wanted(const char *issuer, const char *wanted)
{
	const char *mark = strstr(issuer, TENANT_MARK);
	size_t before, segment;

	if (!mark)
		return strcmp(issuer, wanted) == 0;
	before = (size_t)(mark - issuer);
	if (strncmp(issuer, wanted, before) != 0)
		return false;
	segment = strcspn(wanted + before, "/?");
	return segment && strcmp(mark + strlen(TENANT_MARK),
			      wanted + before + segment) == 0;
}

static const char *
text_member(struct json_object *document, const char *name)
{
	struct json_object *value = json_object_object_get(document, name);

	return json_object_is_type(value, json_type_string)
		   ? json_object_get_string(value)
		   : NULL;
}

/* The endpoints have the names of our settings; each is checked like one. */
static enum mt_status
take_endpoints(
    struct json_object *document, struct provider *found, struct mt_error *err)
{
	static const char *const names[] = {"authorization_endpoint",
	    "device_authorization_endpoint", "token_endpoint",
	    "revocation_endpoint"};
	enum mt_status status = MT_OK;

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		const char *value = text_member(document, names[i]);

		if (status == MT_OK && value)
			status = setting_apply(
			    provider_settings, found, names[i], value, err);
	}
	if (status == MT_OK && !found->token_endpoint)
		status =
		    mt_fail(err, MT_BAD_CONFIG, "it names no token_endpoint");
	return status;
}

static enum mt_status
take_document(struct json_object *document, const char *wanted,
    struct provider *found, struct mt_error *err)
{
	const char *issuer = text_member(document, "issuer");
	bool says_iss = json_object_get_boolean(json_object_object_get(
	    document, "authorization_response_iss_parameter_supported"));

	if (!issuer || !is_wanted(issuer, wanted))
		return mt_fail(err, MT_BAD_CONFIG,
		    "it is that of %.128s; if that is right, set `issuer` to "
		    "it",
		    issuer ? issuer : "nobody");
	if (says_iss && !strstr(issuer, TENANT_MARK) &&
	    setting_apply(provider_settings, found, "issuer", issuer, err) !=
		MT_OK)
		return MT_BAD_CONFIG;
	return take_endpoints(document, found, err);
}

static struct json_object *
parse(const struct secret *body)
{
	struct json_tokener *tokener = json_tokener_new();
	struct json_object *document = NULL;

	if (!tokener)
		return NULL;
	if (body->len)
		document = json_tokener_parse_ex(
		    tokener, secret_expose(body), (int)body->len + 1);
	if (json_tokener_get_error(tokener) != json_tokener_success ||
	    !json_object_is_type(document, json_type_object)) {
		json_object_put(document);
		document = NULL;
	}
	json_tokener_free(tokener);
	return document;
}

enum mt_status
discovery_read(const struct http_reply *reply, const char *wanted,
    struct provider *ret_found, struct mt_error *err)
{
	struct json_object *document;
	struct mt_error why = {0};
	enum mt_status status;

	if (reply->misconfigured)
		return mt_fail(err, MT_BAD_CONFIG, "%s", reply->why);
	if (reply->broken || !reply->http_status)
		return mt_fail(err, MT_RETRY_LATER, "%s", reply->why);
	if (reply->http_status != 200)
		return mt_fail(err, MT_RETRY_LATER,
		    "the server answered HTTP %ld", reply->http_status);
	document = parse(&reply->body);
	if (!document)
		return mt_fail(err, MT_RETRY_LATER,
		    "what came is no such document; something between us and "
		    "the server may have answered");
	status = take_document(document, wanted, ret_found, &why);
	json_object_put(document);
	if (status == MT_OK)
		return MT_OK;
	provider_done(ret_found);
	return mt_fail(err, status, "%s", why.text);
}

/* ---- fetching ---- */

static bool
write_address(const struct discovery_fetch *fetch, struct buf *address)
{
	struct url url;
	size_t len = strlen(fetch->at), host;

	while (len && fetch->at[len - 1] == '/')
		len--;
	if (!url_parse(fetch->at, &url))
		return false;
	host = (size_t)(url.path - fetch->at);
	if (fetch->place == PLACE_OPENID) {
		buf_add(address, fetch->at, len);
		buf_add_text(address, "/.well-known/openid-configuration");
		return buf_ok(address);
	}
	buf_add(address, fetch->at, host);
	buf_add_text(address, "/.well-known/oauth-authorization-server");
	if (len > host)
		buf_add(address, url.path, len - host);
	return buf_ok(address);
}

/* Answers everybody.  Who asks again at once after a failure is for another
 * fetch. */
static void
finish(struct discovery_fetch *fetch, const struct mt_error *result)
{
	struct discovery_waiter *waiter;

	fetch->forgotten |= !fetch->found;
	while ((waiter = LIST_FIRST(&fetch->waiters))) {
		discovery_leave(waiter);
		waiter->answer(waiter,
		    result->status == MT_OK ? &fetch->provider : NULL, result);
	}
	if (fetch->forgotten)
		fetch_free(fetch);
}

static enum mt_status fetch_start(
    struct discovery_fetch *fetch, struct mt_error *err);

/* So that nobody takes it for the document of another server. */
static bool
note_origin(struct discovery_fetch *fetch, struct mt_error *err)
{
	return setting_apply(provider_settings, &fetch->provider, "discovery",
		   fetch->at, err) == MT_OK;
}

static void
on_reply(void *context, struct http_reply *reply)
{
	struct discovery_fetch *fetch = context;
	struct mt_error result = {0}, why = {0};

	if (discovery_read(reply, fetch->wanted, &fetch->provider, &why) ==
	    MT_OK)
		fetch->found = note_origin(fetch, &why);
	if (!fetch->found)
		mt_fail(&result, why.status,
		    "the discovery document of %s cannot be used: %s",
		    fetch->at, why.text);
	if (reply->http_status == 404 && ++fetch->place < PLACE_COUNT &&
	    fetch_start(fetch, &result) == MT_OK)
		return;
	finish(fetch, &result);
}

static enum mt_status
fetch_start(struct discovery_fetch *fetch, struct mt_error *err)
{
	struct buf address = BUF_INIT(ADDRESS_MAX);
	enum mt_status status;

	if (!write_address(fetch, &address))
		status = mt_fail(err, MT_NO_MEMORY, "no memory");
	else
		status = oauth_http_get(fetch->discovery->http,
		    buf_text(&address), fetch->ca_file, on_reply, fetch, err);
	buf_done(&address);
	return status;
}

static const char *
wanted_issuer(const struct provider *provider)
{
	return provider->issuer ? provider->issuer : provider->discovery;
}

static bool
same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static struct discovery_fetch *
find(struct discovery *discovery, const struct account_settings *settings)
{
	struct discovery_fetch *fetch;

	LIST_FOREACH(fetch, &discovery->fetches, link)
	if (!fetch->forgotten &&
	    strcmp(fetch->at, settings->provider.discovery) == 0 &&
	    strcmp(fetch->wanted, wanted_issuer(&settings->provider)) == 0 &&
	    same_text(fetch->ca_file, settings->ca_file))
		return fetch;
	return NULL;
}

static struct discovery_fetch *
fetch_new(struct discovery *discovery, const struct account_settings *settings,
    struct mt_error *err)
{
	struct discovery_fetch *fetch = calloc(1, sizeof(*fetch));

	if (!fetch) {
		mt_fail(err, MT_NO_MEMORY, "no memory");
		return NULL;
	}
	fetch->discovery = discovery;
	LIST_INIT(&fetch->waiters);
	LIST_INSERT_HEAD(&discovery->fetches, fetch, link);
	fetch->at = strdup(settings->provider.discovery);
	fetch->wanted = strdup(wanted_issuer(&settings->provider));
	if (settings->ca_file)
		fetch->ca_file = strdup(settings->ca_file);
	if (!fetch->at || !fetch->wanted ||
	    (settings->ca_file && !fetch->ca_file))
		mt_fail(err, MT_NO_MEMORY, "no memory");
	else if (fetch_start(fetch, err) == MT_OK)
		return fetch;
	fetch_free(fetch);
	return NULL;
}

const struct provider *
discovery_ask(struct discovery *discovery,
    const struct account_settings *settings, struct discovery_waiter *waiter,
    struct mt_error *err)
{
	struct discovery_fetch *fetch = find(discovery, settings);

	if (fetch && fetch->found)
		return &fetch->provider;
	if (!fetch)
		fetch = fetch_new(discovery, settings, err);
	if (fetch) {
		waiter->fetch = fetch;
		LIST_INSERT_HEAD(&fetch->waiters, waiter, link);
	}
	return NULL;
}
