/* SPDX-License-Identifier: ISC */
#include "tokensock/account_name.h"

#include "unit/cmocka_headers.h"

#include <string.h>

static void
names_are_told_from_what_is_none(void **state)
{
	static const struct {
		const char *text;
		bool good;
	} cases[] = {
	    {"a", true},
	    {"0", true},
	    {"alice@example.test", true},
	    {"Work_2-old.", true},
	    {"", false},
	    {".a", false},
	    {"@a", false},
	    {"-a", false},
	    {"_a", false},
	    {"a b", false},
	    {"a/b", false},
	    {"a\tb", false},
	    {"a\xc3\xa4", false},
	    {"\xe4", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		if (account_name_is_good(
			cases[i].text, strlen(cases[i].text)) != cases[i].good)
			fail_msg("'%s'", cases[i].text);
	assert_false(account_name_is_good("a\0b", 3));
}

static void
longest_name_is_good_and_one_longer_is_not(void **state)
{
	char name[ACCOUNT_NAME_MAX + 1];

	(void)state;
	memset(name, 'a', sizeof(name));
	assert_true(account_name_is_good(name, ACCOUNT_NAME_MAX));
	assert_false(account_name_is_good(name, ACCOUNT_NAME_MAX + 1));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(names_are_told_from_what_is_none),
	    cmocka_unit_test(longest_name_is_good_and_one_longer_is_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
