/* SPDX-License-Identifier: ISC */
#include "handon/gateway_url.h"

#include "unit/cmocka_headers.h"

#include <string.h>

static void
addresses_are_taken_apart(void **state)
{
	static const struct {
		const char *text, *scheme;
		bool tls;
		const char *host;
		uint16_t port;
		const char *path;
		bool loopback;
	} cases[] = {
	    {"ws://gateway:4000", "ws", false, "gateway", 4000, "", false},
	    {"WSS://g.example.org", "ws", true, "g.example.org", 443, "",
		false},
	    {"ws://localhost/x/y?z=1", "ws", false, "localhost", 80, "/x/y?z=1",
		true},
	    {"ws://[::1]:4000/", "ws", false, "::1", 4000, "/", true},
	    {"ws://127.1.2.3:1", "ws", false, "127.1.2.3", 1, "", true},
	    {"http://[2001:db8::1]", "http", false, "2001:db8::1", 80, "",
		false},
	    {"https://g:65535/hooks/whk_1", "http", true, "g", 65535,
		"/hooks/whk_1", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct gateway_url url;

		if (!gateway_url_parse(cases[i].text, cases[i].scheme, &url))
			fail_msg("refused: %s", cases[i].text);
		assert_int_equal(url.tls, cases[i].tls);
		assert_string_equal(url.host, cases[i].host);
		assert_int_equal(url.port, cases[i].port);
		assert_string_equal(url.path, cases[i].path);
		assert_int_equal(
		    gateway_url_is_loopback(&url), cases[i].loopback);
	}
}

static void
what_is_no_plain_address_is_refused(void **state)
{
	static const char *const cases[] = {"", "ws", "ws:/g", "gateway:4000",
	    "http://g", "ws://", "ws:///x", "ws://:80", "ws://g:", "ws://g:0",
	    "ws://g:65536", "ws://g:8x", "ws://user@g", "ws://u:p@g",
	    "ws://g#x", "ws://g?x", "ws://g/a b", "ws://g/\r\nX: y",
	    "ws://[::1", "ws://[g]", "ws://[::1%25lo]", "ws://g%2f", "wsss://g",
	    "ws://g\\x"};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct gateway_url url;

		if (gateway_url_parse(cases[i], "ws", &url))
			fail_msg("taken: %s", cases[i]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(addresses_are_taken_apart),
	    cmocka_unit_test(what_is_no_plain_address_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
