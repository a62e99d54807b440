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

static void
sending_goes_by_the_domain(void **state)
{
	static const struct {
		const char *host;
		bool files_sent;
		unsigned per_minute;
	} cases[] = {
	    {"smtp.gmail.com", true, 0},
	    {"smtp-relay.gmail.com", false, 0},
	    {"SMTP.GoogleMail.com", true, 0},
	    {"smtp.office365.com", true, 30},
	    {"outlook.office365.com", true, 30},
	    {"smtp-mail.outlook.com", true, 30},
	    {"smtp.mail.me.com", true, 0},
	    {"smtp.163.com", true, 0},
	    {"smtp.mail.yahoo.com", false, 0},
	    {"gmail.com.example.org", false, 0},
	    {"localhost", false, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct provider_sending sending =
		    provider_sending(cases[i].host);

		assert_int_equal(sending.files_sent, cases[i].files_sent);
		assert_int_equal(sending.per_minute, cases[i].per_minute);
		assert_int_equal(sending.connections, 2);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(period_goes_by_the_domain),
	    cmocka_unit_test(sending_goes_by_the_domain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
