/* SPDX-License-Identifier: ISC */
#include "url.h"

#include "unit/cmocka_headers.h"

#include <string.h>

static const struct {
	const char *text;
	bool tls;
	const char *host;
	long port;
	const char *path;
	bool loopback;
} good[] = {
    {"https://example.test/a?b", true, "example.test", 443, "/a?b", false},
    {"HTTP://localhost", false, "localhost", 80, "", true},
    {"http://LocalHost:8080/", false, "LocalHost", 8080, "/", true},
    {"http://127.0.0.1:1?x", false, "127.0.0.1", 1, "?x", true},
    {"http://127.255.0.9", false, "127.255.0.9", 80, "", true},
    {"http://[::1]:65535/x", false, "::1", 65535, "/x", true},
    {"http://[::2]", false, "::2", 80, "", false},
    {"http://128.0.0.1", false, "128.0.0.1", 80, "", false},
    {"http://127.0.0.1.evil.test", false, "127.0.0.1.evil.test", 80, "", false},
    {"http://localhost.evil.test", false, "localhost.evil.test", 80, "", false},
};

static void
addresses_are_taken_apart(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		struct url url;
		if (!url_parse(good[i].text, &url))
			fail_msg("%s: refused", good[i].text);
		assert_int_equal(url.tls, good[i].tls);
		assert_string_equal(url.host, good[i].host);
		assert_int_equal(url.port, good[i].port);
		assert_string_equal(url.path, good[i].path);
		assert_int_equal(url_is_loopback(&url), good[i].loopback);
	}
}

static void
what_is_not_plain_is_refused(void **state)
{
	static const char *const bad[] = {"", "example.test", "ftp://x", "//x",
	    "https://", "https:///x", "http://:80", "http://a@b",
	    "http://a:b@c", "http://localhost@evil.test/",
	    "http://localhost:80@evil.test/", "http://x:0", "http://x:65536",
	    "http://x:", "http://x:1a", "http://x:-1", "http://x:999999999999",
	    "http://x y", "http://x\n", "http://x/#f", "http://x\\y",
	    "http://[::1", "http://[::1]x", "http://[]", "http://[::1%25lo]",
	    "http://[localhost]", "http://[127.0.0.1]", "http://[:2:2]",
	    "http://[a::g]", "http://\xc3\xa4.test", "javascript:alert(1)",
	    "http://x_y"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct url url;
		if (url_parse(bad[i], &url))
			fail_msg("%s: taken, host %s", bad[i], url.host);
	}
}

static void
long_host_is_refused(void **state)
{
	char text[600] = "http://";
	struct url url;

	(void)state;
	memset(text + 7, 'a', 500);
	assert_false(url_parse(text, &url));
	text[7 + URL_HOST_SIZE - 1] = '\0';
	assert_true(url_parse(text, &url));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(addresses_are_taken_apart),
	    cmocka_unit_test(what_is_not_plain_is_refused),
	    cmocka_unit_test(long_host_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
