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

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(port_and_brackets_are_taken_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
