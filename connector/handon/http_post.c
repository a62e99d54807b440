/* SPDX-License-Identifier: ISC */
#include "handon/http_post.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#define FDS_MAX 16 /* sinks that wait for one are few */

struct http_poster {
	CURLM *multi;
};

struct http_post {
	struct http_poster *poster;
	CURL *easy;
	struct curl_slist *headers;
	struct buf answer;
	char why[CURL_ERROR_SIZE];
	bool over;
	CURLcode result;
};

enum mt_status
http_poster_new(struct http_poster **ret_poster, struct mt_error *err)
{
	struct http_poster *p = calloc(1, sizeof(*p));

	if (p && curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK) {
		p->multi = curl_multi_init();
		if (p->multi) {
			*ret_poster = p;
			return MT_OK;
		}
		curl_global_cleanup();
	}
	free(p);
	return mt_fail(err, MT_NO_MEMORY, "cannot start libcurl");
}

void
http_poster_free(struct http_poster **poster)
{
	if (!*poster)
		return;
	curl_multi_cleanup((*poster)->multi);
	curl_global_cleanup();
	free(*poster);
	*poster = NULL;
}

static void
collect(struct http_poster *p)
{
	struct http_post *post;
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(p->multi, &left))) {
		if (message->msg != CURLMSG_DONE)
			continue;
		post = NULL;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE,
		    (char **)(void *)&post);
		if (post) {
			post->over = true;
			post->result = message->data.result;
		}
	}
}

static size_t
to_curl(const struct pollfd *fds, size_t count, struct curl_waitfd *ret)
{
	if (count > FDS_MAX)
		count = FDS_MAX;
	for (size_t i = 0; i < count; i++)
		ret[i] = (struct curl_waitfd){
		    .fd = fds[i].fd,
		    .events =
			(short)((fds[i].events & POLLIN ? CURL_WAIT_POLLIN
							: 0) |
				(fds[i].events & POLLOUT ? CURL_WAIT_POLLOUT
							 : 0)),
		};
	return count;
}

void
http_poster_wait(
    struct http_poster *p, struct pollfd *fds, size_t count, int64_t wait_ms)
{
	struct curl_waitfd extra[FDS_MAX];
	int running = 0;

	curl_multi_perform(p->multi, &running);
	collect(p);
	count = to_curl(fds, count, extra);
	curl_multi_poll(p->multi, extra, (unsigned)count,
	    wait_ms > INT32_MAX ? INT32_MAX : (int)wait_ms, NULL);
	curl_multi_perform(p->multi, &running);
	collect(p);
}

void
http_poster_wake(struct http_poster *p)
{
	curl_multi_wakeup(p->multi);
}

static size_t
take_answer(char *data, size_t size, size_t count, void *context)
{
	struct http_post *post = context;
	size_t len = size * count, room = post->answer.max - post->answer.len;

	buf_add(&post->answer, data, len < room ? len : room);
	return len;
}

static CURLcode
set_numbers(CURL *easy)
{
	static const struct {
		CURLoption option;
		long value;
	} numbers[] = {
	    {CURLOPT_NOSIGNAL, 1},
	    {CURLOPT_POST, 1},
	    {CURLOPT_FOLLOWLOCATION, 0},
	    {CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1},
	    {CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2},
	    {CURLOPT_SSL_VERIFYPEER, 1},
	    {CURLOPT_SSL_VERIFYHOST, 2},
	    {CURLOPT_CONNECTTIMEOUT_MS, HTTP_POST_CONNECT_MS},
	    {CURLOPT_TIMEOUT_MS, HTTP_POST_TOTAL_MS},
	};
	CURLcode result = CURLE_OK;

	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		if (result == CURLE_OK)
			result = curl_easy_setopt(
			    easy, numbers[i].option, numbers[i].value);
	return result;
}

static CURLcode
set_rest(struct http_post *post, const struct http_request *request)
{
	CURL *easy = post->easy;
	CURLcode result = set_numbers(easy);

	if (result == CURLE_OK)
		result =
		    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	if (result == CURLE_OK)
		result = curl_easy_setopt(easy, CURLOPT_URL, request->url);
	if (result == CURLE_OK && request->ca_file)
		result =
		    curl_easy_setopt(easy, CURLOPT_CAINFO, request->ca_file);
	if (result == CURLE_OK)
		result =
		    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, post->headers);
	if (result == CURLE_OK)
		result = curl_easy_setopt(
		    easy, CURLOPT_POSTFIELDSIZE, (long)request->body->len);
	if (result == CURLE_OK)
		result = curl_easy_setopt(
		    easy, CURLOPT_POSTFIELDS, buf_text(request->body));
	if (result == CURLE_OK)
		result =
		    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_answer);
	if (result == CURLE_OK)
		result = curl_easy_setopt(easy, CURLOPT_WRITEDATA, post);
	if (result == CURLE_OK)
		result = curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, post->why);
	if (result == CURLE_OK)
		result = curl_easy_setopt(easy, CURLOPT_PRIVATE, post);
	return result;
}

static bool
set_headers(struct http_post *post, const struct http_request *request)
{
	for (const char *const *h = request->headers; *h; h++) {
		struct curl_slist *longer =
		    curl_slist_append(post->headers, *h);
		if (!longer)
			return false;
		post->headers = longer;
	}
	return true;
}

enum mt_status
http_post_new(struct http_post **ret_post, struct http_poster *poster,
    const struct http_request *request, struct mt_error *err)
{
	struct http_post *post = calloc(1, sizeof(*post));

	if (!post)
		return mt_fail(err, MT_NO_MEMORY, "no memory for a request");
	post->poster = poster;
	post->answer = (struct buf)BUF_INIT(HTTP_POST_ANSWER_MAX);
	post->easy = curl_easy_init();
	if (!post->easy || !set_headers(post, request) ||
	    set_rest(post, request) != CURLE_OK ||
	    curl_multi_add_handle(poster->multi, post->easy) != CURLM_OK) {
		http_post_free(&post);
		return mt_fail(err, MT_NO_MEMORY, "cannot begin a request");
	}
	*ret_post = post;
	return MT_OK;
}

bool
http_post_is_over(const struct http_post *post, struct http_answer *ret_answer)
{
	curl_off_t retry_after = 0;

	if (!post->over)
		return false;
	*ret_answer = (struct http_answer){
	    .body = buf_text(&post->answer),
	    .why = *post->why ? post->why : curl_easy_strerror(post->result),
	};
	if (post->result == CURLE_OK)
		curl_easy_getinfo(
		    post->easy, CURLINFO_RESPONSE_CODE, &ret_answer->status);
	if (curl_easy_getinfo(post->easy, CURLINFO_RETRY_AFTER, &retry_after) ==
		CURLE_OK &&
	    retry_after > 0)
		ret_answer->retry_after_ms = (int64_t)retry_after * 1000;
	return true;
}

void
http_post_free(struct http_post **post)
{
	struct http_post *old = *post;

	*post = NULL;
	if (!old)
		return;
	if (old->easy) {
		curl_multi_remove_handle(old->poster->multi, old->easy);
		curl_easy_cleanup(old->easy);
	}
	curl_slist_free_all(old->headers);
	buf_done(&old->answer);
	free(old);
}
