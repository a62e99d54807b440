/* SPDX-License-Identifier: ISC */
#include "base/host.h"

#include "unit/cmocka_headers.h"

#include <stdio.h>

static void
port_and_brackets_are_taken_off(void **state)
{
	static const struct {
		const char *text, *name;
	} cases[] = {
	    {"smtp.example.test", "smtp.example.test"},
	    {"smtp.example.test:587", "smtp.example.test"},
	    {"smtp.example.test:submission", "smtp.example.test"},
	    {"smtp.example.test:", "smtp.example.test"},
	    {"[smtp.example.test]:587", "smtp.example.test"},
	    {"[smtp.example.test]", "smtp.example.test"},
	    {"[::1]:587", "::1"},
	    {"::1", "::1"},
	    {"[", "["},
	    {"]", "]"},
	    {"[]:", ""},
	    {":", ""},
	    {"", ""},
	};
	char text[64];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		snprintf(text, sizeof(text), "%s", cases[i].text);
		assert_string_equal(host_without_port(text), cases[i].name);
	}
}

static void
domain_includes_the_hosts_beneath_it(void **state)
{
	static const struct {
		const char *host, *domain;
		bool is_in;
	} cases[] = {
	    {"example.test", "example.test", true},
	    {"IMAP.Example.Test", "example.test", true},
	    {"notexample.test", "example.test", false},
	    {"example.test.org", "example.test", false},
	    {"test", "example.test", false},
	    {"", "example.test", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_int_equal(
		    host_is_in(cases[i].host, cases[i].domain), cases[i].is_in);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(port_and_brackets_are_taken_off),
	    cmocka_unit_test(domain_includes_the_hosts_beneath_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
