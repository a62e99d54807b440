/* SPDX-License-Identifier: ISC */
#include "mail/mechanism.h"

#include "unit/cmocka_headers.h"

#include <string.h>

static const char *const oauth[] = {"OAUTHBEARER", "XOAUTH2", NULL};
static const char *const password[] = {"SCRAM-SHA-256", "PLAIN", NULL};

static const struct {
	const char *const *ours;
	const char *offered;
	const char *chosen; /* NULL: none */
} cases[] = {
    {oauth, "PLAIN XOAUTH2", "XOAUTH2"},
    {oauth, "XOAUTH2 OAUTHBEARER", "OAUTHBEARER"}, /* our order counts */
    {oauth, "xoauth2", "XOAUTH2"},
    {oauth, "XOAUTH2X X-XOAUTH2 XOAUTH", NULL},
    {oauth, "PLAIN LOGIN", NULL},
    {oauth, "", NULL},
    {password, "  LOGIN   PLAIN ", "PLAIN"},
    {password, "PLAIN SCRAM-SHA-256-PLUS", "PLAIN"},
};

static void
first_of_ours_that_is_offered_is_chosen(void **state)
{
	struct mt_error err;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct mail_server server = {.mechanisms = cases[i].ours};
		const char *chosen = NULL;
		enum mt_status status = mechanism_choose(
		    &chosen, &server, cases[i].offered, "host:1", &err);
		if (!cases[i].chosen) {
			assert_int_equal(status, MT_BAD_CONFIG);
			assert_null(chosen);
			continue;
		}
		assert_int_equal(status, MT_OK);
		assert_string_equal(chosen, cases[i].chosen);
	}
}

static void
failure_names_what_both_sides_can_do(void **state)
{
	const struct mail_server server = {.mechanisms = oauth};
	const char *chosen;
	struct mt_error err;

	(void)state;
	assert_int_equal(mechanism_choose(&chosen, &server, "PLAIN LOGIN",
			     "imap.example.test:993", &err),
	    MT_BAD_CONFIG);
	assert_non_null(strstr(err.text, "imap.example.test:993"));
	assert_non_null(strstr(err.text, "PLAIN LOGIN"));
	assert_non_null(strstr(err.text, "OAUTHBEARER XOAUTH2"));
}

static void
module_to_install_is_named(void **state)
{
	(void)state;
	assert_string_equal(
	    mechanism_package("XOAUTH2"), "libsasl2-modules-mailtoken");
	assert_string_equal(
	    mechanism_package("OAUTHBEARER"), "libsasl2-modules-mailtoken");
	assert_string_equal(
	    mechanism_package("SCRAM-SHA-256"), "libsasl2-modules");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(first_of_ours_that_is_offered_is_chosen),
	    cmocka_unit_test(failure_names_what_both_sides_can_do),
	    cmocka_unit_test(module_to_install_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
