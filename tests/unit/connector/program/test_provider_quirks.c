/* SPDX-License-Identifier: ISC */
#include "provider_quirks.h"

#include "unit/cmocka_headers.h"

static void
period_goes_by_the_domain(void **state)
{
	static const struct {
		const char *host;
		int64_t seconds;
	} cases[] = {
	    {"imap.mail.yahoo.com", 170},
	    {"IMAP.AOL.COM", 170},
	    {"imap.rambler.ru", 55},
	    {"163.com", 55},
	    {"imap.gmail.com", 540},
	    {"imap.notyahoo.com", 540},
	    {"yahoo.com.example.org", 540},
	    {"com", 540},
	    {"", 540},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_int_equal(
		    provider_renew_ms(cases[i].host), cases[i].seconds * 1000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(period_goes_by_the_domain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
