/* SPDX-License-Identifier: ISC */
#include "handon/webhook.h"

#include "handon/event_text.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BODY_MAX 1048576 /* what the gateway takes */
#define BATCH_MAX 100
#define RETRY_AFTER_MAX_MS 3600000

struct webhook {
	struct sink sink;
	struct http_poster *poster;
	char *url;
	char *agent;
	char *ca_file;
	struct secret secret;
	struct buf body;
	struct http_post *post;
};

static struct webhook *
of(struct sink *sink)
{
	return (struct webhook *)sink;
}

bool
webhook_sign(const struct secret *secret, time_t time, const void *body,
    size_t len, char ret_signature[WEBHOOK_SIGNATURE_SIZE])
{
	unsigned char digest[32];
	gnutls_hmac_hd_t hmac;
	char stamp[32];
	int n = snprintf(stamp, sizeof(stamp), "%lld.", (long long)time);

	if (gnutls_hmac_init(&hmac, GNUTLS_MAC_SHA256, secret_expose(secret),
		secret->len) != 0)
		return false;
	gnutls_hmac(hmac, stamp, (size_t)n);
	gnutls_hmac(hmac, body, len);
	gnutls_hmac_deinit(hmac, digest);
	n = snprintf(ret_signature, WEBHOOK_SIGNATURE_SIZE, "sha256=");
	for (size_t i = 0; i < sizeof(digest); i++)
		n += snprintf(ret_signature + n, 3, "%02x", digest[i]);
	return true;
}

/* ---- answers ---- */

static struct json_object *
member(struct json_object *o, const char *name)
{
	struct json_object *value = NULL;

	if (json_object_is_type(o, json_type_object))
		json_object_object_get_ex(o, name, &value);
	return value;
}

static const char *
text_member(struct json_object *o, const char *name)
{
	struct json_object *value = member(o, name);

	return json_object_is_type(value, json_type_string)
		   ? json_object_get_string(value)
		   : "";
}

/* Whether "failed" names the agent; if it does not say whom, it does. */
static bool
is_failed(struct json_object *answer, const char *agent)
{
	struct json_object *failed = member(answer, "failed");

	if (!json_object_is_type(failed, json_type_array))
		return true;
	for (size_t i = 0; i < json_object_array_length(failed); i++) {
		struct json_object *one = json_object_array_get_idx(failed, i);
		const char *name = json_object_is_type(one, json_type_string)
				       ? json_object_get_string(one)
				       : text_member(one, "agent");
		if (!*name || strcmp(name, agent) == 0)
			return true;
	}
	return false;
}

static enum mt_status
judge_success(struct json_object *body, const char *agent, struct mt_error *err)
{
	if (strcmp(text_member(body, "status"), "partial") == 0 &&
	    is_failed(body, agent))
		return mt_fail(err, MT_RETRY_LATER,
		    "the gateway could not wake agent %s", agent);
	return MT_OK;
}

static const struct {
	long status;
	const char *meaning;
} refusals[] = {
    {400, "the gateway does not understand it"},
    {401, "the gateway refuses the signature: TRI_ONYX_EMAIL_HOOK_SECRET must "
	  "be the endpoint's, and the clocks must agree"},
    {403, "the gateway refuses this address, or the endpoint is switched off"},
    {404, "the gateway has no such endpoint: see TRI_ONYX_EMAIL_HOOK_URL"},
    {413, "it is too large for the gateway"},
    {429, "the gateway wants fewer requests"},
};

static enum mt_status
judge_refusal(const struct http_answer *answer, struct json_object *body,
    struct mt_error *err)
{
	const char *reason = text_member(body, "reason");
	const char *meaning = answer->status >= 500
				  ? "the gateway has failed"
				  : "the gateway gives no sensible answer";

	if (answer->status >= 300 && answer->status < 400)
		meaning = "redirects are not followed";
	if (!*reason)
		reason = text_member(body, "error");
	for (size_t i = 0; i < sizeof(refusals) / sizeof(*refusals); i++)
		if (refusals[i].status == answer->status)
			meaning = refusals[i].meaning;
	return mt_fail(err, MT_RETRY_LATER, "%s (%ld%s%.60s)", meaning,
	    answer->status, *reason ? " " : "", reason);
}

static int64_t
retry_after(const struct http_answer *answer, struct json_object *body)
{
	int64_t ms = answer->retry_after_ms;
	struct json_object *value = member(body, "retry_after");

	if (!ms && json_object_is_type(value, json_type_int))
		ms = json_object_get_int64(value);
	if (!answer->retry_after_ms && ms > 0 && ms < RETRY_AFTER_MAX_MS)
		ms *= 1000;
	return ms < 0 ? 0 : ms > RETRY_AFTER_MAX_MS ? RETRY_AFTER_MAX_MS : ms;
}

enum mt_status
webhook_verdict(const struct http_answer *answer, const char *agent,
    int64_t *ret_wait_ms, struct mt_error *err)
{
	struct json_object *body;
	enum mt_status status;

	*ret_wait_ms = 0;
	if (!answer->status)
		return mt_fail(
		    err, MT_RETRY_LATER, "no answer: %s", answer->why);
	body = json_tokener_parse(answer->body);
	if (answer->status >= 200 && answer->status < 300)
		status = judge_success(body, agent, err);
	else
		status = judge_refusal(answer, body, err);
	if (answer->status == 429 || answer->status == 503)
		*ret_wait_ms = retry_after(answer, body);
	json_object_put(body);
	return status;
}

/* ---- the sink ---- */

static enum mt_status
post(struct webhook *w, const char *id, struct mt_error *err)
{
	char signature[WEBHOOK_SIGNATURE_SIZE];
	char lines[3][128];
	time_t now = time(NULL);
	const char *const headers[] = {"Content-Type: application/json",
	    "Accept: application/json",
	    "Expect:", "User-Agent: mailtoken/" MT_VERSION, lines[0], lines[1],
	    lines[2], NULL};
	const struct http_request request = {
	    .url = w->url,
	    .ca_file = w->ca_file,
	    .headers = headers,
	    .body = &w->body,
	};

	if (!webhook_sign(
		&w->secret, now, w->body.data, w->body.len, signature))
		return mt_fail(err, MT_RETRY_LATER, "cannot sign");
	snprintf(lines[0], sizeof(lines[0]), "X-Webhook-Timestamp: %lld",
	    (long long)now);
	snprintf(
	    lines[1], sizeof(lines[1]), "X-Webhook-Signature: %s", signature);
	snprintf(lines[2], sizeof(lines[2]), "Idempotency-Key: %s", id);
	return http_post_new(&w->post, w->poster, &request, err);
}

static enum mt_status
begin(struct sink *sink, const struct event_list *batch, struct mt_error *err)
{
	struct webhook *w = of(sink);
	char id[EVENT_ID_SIZE];

	buf_reset(&w->body);
	event_text_body(&w->body, batch, w->agent);
	if (!buf_ok(&w->body) || !w->body.len)
		return mt_fail(err, MT_RETRY_LATER, "no memory for a request");
	event_text_id(batch->events, batch->count, id);
	return post(w, id, err);
}

static enum sink_progress
look(struct sink *sink, int64_t *ret_wait_ms, struct mt_error *err)
{
	struct webhook *w = of(sink);
	struct http_answer answer;
	enum mt_status status;

	if (!http_post_is_over(w->post, &answer))
		return SINK_BUSY;
	status = webhook_verdict(&answer, w->agent, ret_wait_ms, err);
	http_post_free(&w->post);
	return status == MT_OK ? SINK_DONE : SINK_FAILED;
}

static void
cancel(struct sink *sink)
{
	http_post_free(&of(sink)->post);
}

static void
webhook_free(struct sink *sink)
{
	struct webhook *w = of(sink);

	http_post_free(&w->post);
	buf_done(&w->body);
	secret_done(&w->secret);
	free(w->url);
	free(w->agent);
	free(w->ca_file);
	free(w);
}

static const struct sink_class webhook_class = {
    .batch_max = BATCH_MAX,
    .keeps_batch = true,
    .begin = begin,
    .look = look,
    .cancel = cancel,
    .free = webhook_free,
};

struct sink *
webhook_new(struct http_poster *poster, const struct webhook_settings *settings)
{
	struct webhook *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->sink.class = &webhook_class;
	w->poster = poster;
	w->body = (struct buf)BUF_INIT(BODY_MAX);
	w->url = strdup(settings->url);
	w->agent = strdup(settings->agent);
	w->ca_file = settings->ca_file ? strdup(settings->ca_file) : NULL;
	secret_init(&w->secret, settings->secret->arena);
	secret_copy(&w->secret, settings->secret);
	if (!w->url || !w->agent || !secret_ok(&w->secret) ||
	    (settings->ca_file && !w->ca_file)) {
		webhook_free(&w->sink);
		return NULL;
	}
	return &w->sink;
}
