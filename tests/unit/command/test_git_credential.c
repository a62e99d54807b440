/* SPDX-License-Identifier: ISC */
#include "helper/command/git_credential.h"

#include "unit/cmocka_headers.h"

#include <string.h>

static void
attributes_end_with_an_empty_line(void **state)
{
	static const struct {
		const char *text;
		size_t end;
	} cases[] = {
	    {"", 0},
	    {"a=b", 0},
	    {"a=b\n", 0},
	    {"\n", 1},
	    {"\na=b\n", 1},
	    {"a=b\n\n", 5},
	    {"a=b\n\nc=d\n\n", 5},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_int_equal(
		    git_credential_end(cases[i].text, strlen(cases[i].text)),
		    cases[i].end);
}

static void
attributes_are_read_and_others_skipped(void **state)
{
	struct git_credential c;
	char text[] = "capability[]=authtype\nprotocol=smtp\nusername=first\n"
		      "path=a=b\npassword=a=b \nusername=anna\n\nhost=behind\n";
	char port[] = "host=smtp.example.test:587\n";
	char none[] = "protocol\n";
	char empty[] = "\n";

	(void)state;
	assert_true(git_credential_parse(text, &c));
	assert_string_equal(c.protocol, "smtp");
	assert_string_equal(c.username, "anna"); /* the last one counts */
	assert_string_equal(c.password, "a=b ");
	assert_null(c.host);
	assert_true(git_credential_parse(port, &c));
	assert_string_equal(c.host, "smtp.example.test");
	assert_false(git_credential_parse(none, &c));
	assert_true(git_credential_parse(empty, &c));
	assert_null(c.protocol);
}

static void
protocols_of_mail_have_a_service(void **state)
{
	static const struct {
		const char *protocol, *service;
	} cases[] = {
	    {"smtp", "smtp"},
	    {"smtps", "smtp"},
	    {"imap", "imap"},
	    {"imaps", "imap"},
	    {"https", NULL},
	    {"SMTP", NULL},
	    {"", NULL},
	    {NULL, NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct git_credential c = {.protocol = cases[i].protocol};
		const char *service = git_credential_service(&c);

		if (cases[i].service)
			assert_string_equal(service, cases[i].service);
		else
			assert_null(service);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(attributes_end_with_an_empty_line),
	    cmocka_unit_test(attributes_are_read_and_others_skipped),
	    cmocka_unit_test(protocols_of_mail_have_a_service),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
