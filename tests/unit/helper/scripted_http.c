/* SPDX-License-Identifier: ISC */
#include "scripted_http.h"

#include "unit/cmocka_headers.h"

#include <string.h>

#define REQUESTS_MAX 64

static struct {
	struct {
		char form[1024];
		oauth_http_done done;
		void *context;
	} request[REQUESTS_MAX];
	size_t count, answered;
} script;

enum mt_status
oauth_http_new(uv_loop_t *loop, struct secret_arena *arena,
    struct oauth_http **ret_http, struct mt_error *err)
{
	(void)loop;
	(void)arena;
	(void)ret_http;
	return mt_fail(err, MT_BUG, "not here");
}

void
oauth_http_free(struct oauth_http **http)
{
	(void)http;
}

enum mt_status
oauth_http_post(struct oauth_http *http, const char *url, const char *ca_file,
    struct secret *form, oauth_http_done done, void *context,
    struct mt_error *err)
{
	(void)http;
	(void)url;
	(void)ca_file;
	(void)err;
	assert_true(script.count < REQUESTS_MAX);
	snprintf(
	    script.request[script.count].form, 1024, "%s", secret_expose(form));
	script.request[script.count].done = done;
	script.request[script.count].context = context;
	script.count++;
	secret_done(form);
	return MT_OK;
}

enum mt_status
oauth_http_get(struct oauth_http *http, const char *url, const char *ca_file,
    oauth_http_done done, void *context, struct mt_error *err)
{
	struct secret address;

	secret_init(&address, NULL);
	secret_add(&address, url, strlen(url));
	return oauth_http_post(
	    http, url, ca_file, &address, done, context, err);
}

size_t
scripted_http_pending(void)
{
	return script.count - script.answered;
}

size_t
scripted_http_count(void)
{
	return script.count;
}

const char *
scripted_http_form(size_t n)
{
	assert_true(n < script.count);
	return script.request[n].form;
}

static void
answer(struct http_reply *reply)
{
	size_t n = script.answered++;

	assert_true(n < script.count);
	script.request[n].done(script.request[n].context, reply);
	secret_done(&reply->body);
}

void
scripted_http_answer(long http_status, const char *body)
{
	struct http_reply reply = {
	    .http_status = http_status, .sent = true, .retry_after_s = -1};

	secret_init(&reply.body, NULL);
	secret_add(&reply.body, body, strlen(body));
	answer(&reply);
}

void
scripted_http_lose(bool sent)
{
	struct http_reply reply = {
	    .sent = sent, .retry_after_s = -1, .why = "lost"};

	secret_init(&reply.body, NULL);
	answer(&reply);
}

void
scripted_http_reset(void)
{
	memset(&script, 0, sizeof(script));
}
