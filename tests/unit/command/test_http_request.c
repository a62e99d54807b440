/* SPDX-License-Identifier: ISC */
#include "helper/command/http_request.h"

#include "unit/cmocka_headers.h"

#include <stdlib.h>
#include <string.h>

#define END "\r\nHost: localhost:1\r\n\r\n"

struct request_case {
	const char *data;
	size_t len; /* 0: strlen */
	enum http_request verdict;
	const char *target; /* NULL: none */
};

/* In memory of exactly its size, so that a sanitizer sees every byte read
 * beyond it. */
static enum http_request
judge(const char *data, size_t len, struct http_target *target)
{
	char *copy = malloc(len ? len : 1);
	enum http_request verdict;

	assert_non_null(copy);
	memcpy(copy, data, len);
	verdict = http_request_judge(copy, len, target);
	/* the target must be found again in the caller's bytes */
	if (target->text)
		target->text = data + (target->text - copy);
	free(copy);
	return verdict;
}

static void
check(const struct request_case *c)
{
	struct http_target target = {NULL, 0};
	size_t len = c->len ? c->len : strlen(c->data);
	enum http_request verdict = judge(c->data, len, &target);

	if (verdict != c->verdict)
		fail_msg(
		    "'%s': %d, not %d", c->data, (int)verdict, (int)c->verdict);
	if (!c->target) {
		assert_null(target.text);
		return;
	}
	assert_int_equal(target.len, strlen(c->target));
	assert_memory_equal(target.text, c->target, target.len);
}

static void
requests_are_told_apart(void **state)
{
	static const struct request_case cases[] = {
	    {"GET /?code=a&state=b HTTP/1.1" END, 0, HTTP_ANSWER,
		"/?code=a&state=b"},
	    {"GET /?state=b&code=a HTTP/1.0\r\n\r\n", 0, HTTP_ANSWER,
		"/?state=b&code=a"},
	    {"GET /?error=access_denied&state=b HTTP/1.1\n\n", 0, HTTP_ANSWER,
		"/?error=access_denied&state=b"},
	    {"GET /?code HTTP/1.1" END, 0, HTTP_ANSWER, "/?code"},
	    {"GET /?code=a HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", 0,
		HTTP_ANSWER, "/?code=a"},
	    {"GET / HTTP/1.1" END, 0, HTTP_HOME, "/"},
	    {"GET /?state=b HTTP/1.1" END, 0, HTTP_HOME, "/?state=b"},
	    {"GET /?xcode=a&codex=b&error_uri=c HTTP/1.1" END, 0, HTTP_HOME,
		"/?xcode=a&codex=b&error_uri=c"},
	    {"GET /?a=code HTTP/1.1" END, 0, HTTP_HOME, "/?a=code"},
	    {"GET /?x#code=a HTTP/1.1" END, 0, HTTP_HOME, "/?x#code=a"},
	    {"GET /favicon.ico HTTP/1.1" END, 0, HTTP_ELSEWHERE,
		"/favicon.ico"},
	    {"GET /x?code=a HTTP/1.1" END, 0, HTTP_ELSEWHERE, "/x?code=a"},
	    {"GET //?code=a HTTP/1.1" END, 0, HTTP_ELSEWHERE, "//?code=a"},
	    {"POST /?code=a HTTP/1.1" END, 0, HTTP_WRONG_METHOD, NULL},
	    {"HEAD /?code=a HTTP/1.1" END, 0, HTTP_WRONG_METHOD, NULL},
	    {"OPTIONS / HTTP/1.1" END, 0, HTTP_WRONG_METHOD, NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		check(&cases[i]);
}

static void
unfinished_requests_are_waited_for(void **state)
{
	static const struct request_case cases[] = {
	    {"G", 0, HTTP_INCOMPLETE, NULL},
	    {"GET", 0, HTTP_INCOMPLETE, NULL},
	    {"GET /?code=a", 0, HTTP_INCOMPLETE, NULL},
	    {"GET /?code=a HTTP/1.1\r", 0, HTTP_INCOMPLETE, NULL},
	    {"GET /?code=a HTTP/1.1\r\n", 0, HTTP_INCOMPLETE, NULL},
	    {"GET /?code=a HTTP/1.1\r\nHost: x\r\n", 0, HTTP_INCOMPLETE, NULL},
	    {"GET /?code=a HTTP/1.1\r\nHost: x\r\n\r", 0, HTTP_INCOMPLETE,
		NULL},
	    {"POST / HTTP/1.1\r\nHost: x\r\n", 0, HTTP_INCOMPLETE, NULL},
	};
	struct http_target target = {NULL, 0};

	(void)state;
	assert_int_equal(http_request_judge(NULL, 0, &target), HTTP_INCOMPLETE);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		check(&cases[i]);
}

static void
garbage_is_known_at_once(void **state)
{
	static const struct request_case cases[] = {
	    {"\x16\x03\x01\x02", 0, HTTP_MALFORMED, NULL},
	    {"\0\0\0\0", 4, HTTP_MALFORMED, NULL},
	    {"get / HTTP/1.1", 0, HTTP_MALFORMED, NULL},
	    {"ABCDEFGHIJKLMNOPQ", 0, HTTP_MALFORMED, NULL},
	    {"\r\n", 0, HTTP_MALFORMED, NULL},
	    {"\n", 0, HTTP_MALFORMED, NULL},
	    {" GET / HTTP/1.1\n", 0, HTTP_MALFORMED, NULL},
	    {"GET\n", 0, HTTP_MALFORMED, NULL},
	    {"GET /\n", 0, HTTP_MALFORMED, NULL},
	    {"GET  / HTTP/1.1\r\n", 0, HTTP_MALFORMED, NULL},
	    {"GET / HTTP/2\r\n", 0, HTTP_MALFORMED, NULL},
	    {"GET / HTTP/1.1 \r\n", 0, HTTP_MALFORMED, NULL},
	    {"GET / x HTTP/1.1\r\n", 0, HTTP_MALFORMED, NULL},
	    {"GET ?code=a HTTP/1.1\r\n", 0, HTTP_MALFORMED, NULL},
	    {"GET http://localhost/?code=a HTTP/1.1\r\n", 0, HTTP_MALFORMED,
		NULL},
	    {"GET /?code=\xc3\xa4 HTTP/1.1\r\n", 0, HTTP_MALFORMED, NULL},
	    {"GET /?code=\x7f HTTP/1.1\r\n", 0, HTTP_MALFORMED, NULL},
	    {"GET /?code=a\0b HTTP/1.1\r\n", 26, HTTP_MALFORMED, NULL},
	    {"GET /?code=a\tb HTTP/1.1\r\n", 0, HTTP_MALFORMED, NULL},
	    {"GET /?code=a\rX: y HTTP/1.1\r\n", 0, HTTP_MALFORMED, NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		check(&cases[i]);
}

/* However a request arrives, it is judged the same once it is whole. */
static void
every_prefix_is_incomplete(void **state)
{
	static const char request[] =
	    "GET /?code=a&state=b HTTP/1.1\r\nHost: localhost:1\r\n"
	    "Accept: */*\r\n\r\n";
	struct http_target target = {NULL, 0};

	(void)state;
	for (size_t len = 0; len < sizeof(request) - 1; len++)
		assert_int_equal(judge(request, len, &target), HTTP_INCOMPLETE);
	assert_int_equal(
	    judge(request, sizeof(request) - 1, &target), HTTP_ANSWER);
}

static void
parameters_are_found_by_their_whole_name(void **state)
{
	static const struct {
		const char *url;
		bool has;
	} cases[] = {
	    {"http://localhost:1/?code=a", true},
	    {"http://localhost:1?code=a", true},
	    {"/?x=1&code=a#fragment", true},
	    {"/?code", true},
	    {"/?&&code=", true},
	    {"/?xcode=a", false},
	    {"/?code2=a", false},
	    {"/?x=code=a", false},
	    {"/code=a", false},
	    {"/#?code=a", false},
	    {"code=a", false},
	    {"", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		if (http_url_has(cases[i].url, strlen(cases[i].url), "code") !=
		    cases[i].has)
			fail_msg("'%s'", cases[i].url);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(requests_are_told_apart),
	    cmocka_unit_test(unfinished_requests_are_waited_for),
	    cmocka_unit_test(garbage_is_known_at_once),
	    cmocka_unit_test(every_prefix_is_incomplete),
	    cmocka_unit_test(parameters_are_found_by_their_whole_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
