/* SPDX-License-Identifier: ISC */
#include "oauth_http.h"

#include "url.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

struct request {
	LIST_ENTRY(request) link;
	struct oauth_http *http;
	CURL *easy;
	struct curl_slist *headers;
	struct secret form;
	struct secret body;
	oauth_http_done done;
	void *context;
	char why[CURL_ERROR_SIZE];
};

/* One socket of libcurl's that the loop watches. */
struct watch {
	uv_poll_t poll;
	struct oauth_http *http;
	curl_socket_t socket;
};

struct oauth_http {
	uv_loop_t *loop;
	struct secret_arena *arena;
	CURLM *multi;
	uv_timer_t *timer;
	LIST_HEAD(, request) requests;
};

static void
request_free(struct request *request)
{
	LIST_REMOVE(request, link);
	curl_multi_remove_handle(request->http->multi, request->easy);
	curl_easy_cleanup(request->easy);
	curl_slist_free_all(request->headers);
	secret_done(&request->form);
	secret_done(&request->body);
	free(request);
}

/* Results that say: nothing of the request left this machine. */
static bool
was_sent(CURL *easy)
{
	long bytes = 0;

	return curl_easy_getinfo(easy, CURLINFO_REQUEST_SIZE, &bytes) ==
		   CURLE_OK &&
	       bytes > 0;
}

static bool
is_our_fault(CURLcode result)
{
	return result == CURLE_SSL_CACERT_BADFILE ||
	       result == CURLE_URL_MALFORMAT ||
	       result == CURLE_UNSUPPORTED_PROTOCOL ||
	       result == CURLE_SSL_ENGINE_NOTFOUND;
}

static int64_t
server_time(CURL *easy)
{
	struct curl_header *date;
	time_t when = -1;

	if (curl_easy_header(easy, "Date", 0, CURLH_HEADER, -1, &date) ==
	    CURLHE_OK)
		when = curl_getdate(date->value, NULL);
	return when > 0 ? when : 0;
}

static void
fill_reply(struct http_reply *reply, struct request *request, CURLcode result)
{
	curl_off_t retry_after = 0;
	const char *why =
	    *request->why ? request->why : curl_easy_strerror(result);

	*reply = (struct http_reply){.retry_after_s = -1};
	secret_init(&reply->body, request->http->arena);
	reply->sent = was_sent(request->easy);
	reply->misconfigured = is_our_fault(result);
	reply->broken = result != CURLE_OK;
	if (reply->broken)
		snprintf(reply->why, sizeof(reply->why), "%s",
		    secret_ok(&request->body) ? why : "the reply is too long");
	curl_easy_getinfo(
	    request->easy, CURLINFO_RESPONSE_CODE, &reply->http_status);
	reply->server_time_s = server_time(request->easy);
	if (curl_easy_getinfo(request->easy, CURLINFO_RETRY_AFTER,
		&retry_after) == CURLE_OK &&
	    retry_after > 0)
		reply->retry_after_s = (long)retry_after;
	secret_move(&reply->body, &request->body);
}

static void
finish(struct request *request, CURLcode result)
{
	oauth_http_done done = request->done;
	void *context = request->context;
	struct http_reply reply;

	fill_reply(&reply, request, result);
	request_free(request);
	done(context, &reply);
	secret_done(&reply.body);
}

static void
collect_finished(struct oauth_http *http)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(http->multi, &left))) {
		CURLcode result = message->data.result;
		struct request *request = NULL;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(
		    message->easy_handle, CURLINFO_PRIVATE, (char **)&request);
		if (request)
			finish(request, result);
	}
}

static void
on_timer(uv_timer_t *timer)
{
	struct oauth_http *http = timer->data;
	int running;

	curl_multi_socket_action(http->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	collect_finished(http);
}

static int
set_timer(CURLM *multi, long timeout_ms, void *context)
{
	struct oauth_http *http = context;

	(void)multi;
	if (timeout_ms < 0)
		uv_timer_stop(http->timer);
	else
		uv_timer_start(http->timer, on_timer, (uint64_t)timeout_ms, 0);
	return 0;
}

static void
on_socket(uv_poll_t *poll, int status, int events)
{
	struct watch *watch = poll->data;
	struct oauth_http *http = watch->http;
	int flags = 0, running;

	if (status < 0)
		flags |= CURL_CSELECT_ERR;
	if (events & UV_READABLE)
		flags |= CURL_CSELECT_IN;
	if (events & UV_WRITABLE)
		flags |= CURL_CSELECT_OUT;
	curl_multi_socket_action(http->multi, watch->socket, flags, &running);
	collect_finished(http);
}

static void
free_handle(uv_handle_t *handle)
{
	free(handle->data);
}

static struct watch *
watch_new(struct oauth_http *http, curl_socket_t socket)
{
	struct watch *watch = calloc(1, sizeof(*watch));

	if (!watch)
		return NULL;
	watch->http = http;
	watch->socket = socket;
	if (uv_poll_init_socket(http->loop, &watch->poll, socket)) {
		free(watch);
		return NULL;
	}
	watch->poll.data = watch;
	curl_multi_assign(http->multi, socket, watch);
	return watch;
}

static int
watch_socket(CURL *easy, curl_socket_t socket, int what, void *context,
    void *socket_context)
{
	struct oauth_http *http = context;
	struct watch *watch = socket_context;
	int events = 0;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (watch) {
			uv_poll_stop(&watch->poll);
			uv_close((uv_handle_t *)&watch->poll, free_handle);
			curl_multi_assign(http->multi, socket, NULL);
		}
		return 0;
	}
	if (!watch && !(watch = watch_new(http, socket)))
		return -1;
	if (what & CURL_POLL_IN)
		events |= UV_READABLE;
	if (what & CURL_POLL_OUT)
		events |= UV_WRITABLE;
	return uv_poll_start(&watch->poll, events, on_socket);
}

static size_t
take_body(char *data, size_t size, size_t count, void *context)
{
	struct request *request = context;

	secret_add(&request->body, data, size * count);
	return secret_ok(&request->body) ? size * count : 0;
}

static bool
init_multi(struct oauth_http *http)
{
	return curl_multi_setopt(http->multi, CURLMOPT_SOCKETFUNCTION,
		   watch_socket) == CURLM_OK &&
	       curl_multi_setopt(http->multi, CURLMOPT_SOCKETDATA, http) ==
		   CURLM_OK &&
	       curl_multi_setopt(http->multi, CURLMOPT_TIMERFUNCTION,
		   set_timer) == CURLM_OK &&
	       curl_multi_setopt(http->multi, CURLMOPT_TIMERDATA, http) ==
		   CURLM_OK;
}

enum mt_status
oauth_http_new(uv_loop_t *loop, struct secret_arena *arena,
    struct oauth_http **ret_http, struct mt_error *err)
{
	struct oauth_http *http = calloc(1, sizeof(*http));

	if (!http || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		free(http);
		return mt_fail(err, MT_NO_MEMORY, "cannot start libcurl");
	}
	LIST_INIT(&http->requests);
	http->loop = loop;
	http->arena = arena;
	http->timer = calloc(1, sizeof(*http->timer));
	http->multi = curl_multi_init();
	if (!http->timer || !http->multi || !init_multi(http)) {
		free(http->timer);
		curl_multi_cleanup(http->multi);
		free(http);
		return mt_fail(err, MT_NO_MEMORY, "cannot start libcurl");
	}
	uv_timer_init(loop, http->timer);
	http->timer->data = http;
	*ret_http = http;
	return MT_OK;
}

static void
free_timer(uv_handle_t *timer)
{
	free(timer);
}

void
oauth_http_free(struct oauth_http **http)
{
	struct oauth_http *h = *http;

	if (!h)
		return;
	while (!LIST_EMPTY(&h->requests))
		request_free(LIST_FIRST(&h->requests));
	curl_multi_cleanup(h->multi);
	uv_close((uv_handle_t *)h->timer, free_timer);
	free(h);
	curl_global_cleanup();
	*http = NULL;
}

/* For this machine itself a proxy is never asked: by plain http it would see
 * the refresh token. */
static bool
is_local(const char *address)
{
	struct url url;

	return url_parse(address, &url) && url_is_loopback(&url);
}

static CURLcode
set_transport(CURL *easy, const char *url, const char *ca_file)
{
	const struct {
		CURLoption option;
		long value;
	} numbers[] = {
	    {CURLOPT_NOSIGNAL, 1},
	    {CURLOPT_FOLLOWLOCATION, 0},
	    {CURLOPT_FRESH_CONNECT, 1},
	    {CURLOPT_FORBID_REUSE, 1},
	    {CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1},
	    {CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2},
	    {CURLOPT_SSL_VERIFYPEER, 1},
	    {CURLOPT_SSL_VERIFYHOST, 2},
	    {CURLOPT_CONNECTTIMEOUT_MS, OAUTH_HTTP_CONNECT_MS},
	    {CURLOPT_TIMEOUT_MS, OAUTH_HTTP_TOTAL_MS},
	};
	bool local = is_local(url);
	CURLcode result = curl_easy_setopt(easy, CURLOPT_URL, url);

	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		if (result == CURLE_OK)
			result = curl_easy_setopt(
			    easy, numbers[i].option, numbers[i].value);
	if (result == CURLE_OK)
		result = curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR,
		    local ? "http,https" : "https");
	if (result == CURLE_OK && local)
		result = curl_easy_setopt(easy, CURLOPT_PROXY, "");
	if (result == CURLE_OK && ca_file)
		result = curl_easy_setopt(easy, CURLOPT_CAINFO, ca_file);
	return result;
}

static CURLcode
set_request(struct request *request)
{
	CURL *easy = request->easy;
	CURLcode result =
	    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, request->headers);

	if (result == CURLE_OK && request->form.len)
		result = curl_easy_setopt(
		    easy, CURLOPT_POSTFIELDSIZE, (long)request->form.len);
	if (result == CURLE_OK && request->form.len)
		result = curl_easy_setopt(
		    easy, CURLOPT_POSTFIELDS, secret_expose(&request->form));
	if (result == CURLE_OK)
		result =
		    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
	if (result == CURLE_OK)
		result = curl_easy_setopt(easy, CURLOPT_WRITEDATA, request);
	if (result == CURLE_OK)
		result =
		    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, request->why);
	if (result == CURLE_OK)
		result = curl_easy_setopt(easy, CURLOPT_PRIVATE, request);
	return result;
}

static bool
set_headers(struct request *request)
{
	/* no "Expect: 100-continue": it only costs a round trip */
	static const char agent[] = "User-Agent: mailtoken/" MT_VERSION;
	static const char *const lines[] = {
	    "Accept: application/json", "Expect:", agent};

	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		struct curl_slist *longer =
		    curl_slist_append(request->headers, lines[i]);
		if (!longer)
			return false;
		request->headers = longer;
	}
	return true;
}

enum mt_status
oauth_http_get(struct oauth_http *http, const char *url, const char *ca_file,
    oauth_http_done done, void *context, struct mt_error *err)
{
	struct secret none;

	secret_init(&none, http->arena);
	return oauth_http_post(http, url, ca_file, &none, done, context, err);
}

enum mt_status
oauth_http_post(struct oauth_http *http, const char *url, const char *ca_file,
    struct secret *form, oauth_http_done done, void *context,
    struct mt_error *err)
{
	struct request *request = calloc(1, sizeof(*request));
	CURLcode result;

	if (!request)
		return mt_fail(err, MT_NO_MEMORY, "no memory");
	request->http = http;
	request->done = done;
	request->context = context;
	secret_init(&request->form, http->arena);
	secret_init(&request->body, http->arena);
	secret_move(&request->form, form);
	LIST_INSERT_HEAD(&http->requests, request, link);
	request->easy = curl_easy_init();
	if (!request->easy || !secret_ok(&request->form) ||
	    !set_headers(request)) {
		request_free(request);
		return mt_fail(err, MT_NO_MEMORY, "no memory");
	}
	result = set_transport(request->easy, url, ca_file);
	if (result == CURLE_OK)
		result = set_request(request);
	if (result == CURLE_OK &&
	    curl_multi_add_handle(http->multi, request->easy) == CURLM_OK)
		return MT_OK;
	request_free(request);
	return mt_fail(err, MT_BAD_CONFIG, "libcurl refuses the request: %s",
	    curl_easy_strerror(result));
}
