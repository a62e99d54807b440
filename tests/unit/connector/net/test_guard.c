/* SPDX-License-Identifier: ISC */
#include "net/guard.h"

#include "unit/cmocka_headers.h"

#include <stdbool.h>
#include <string.h>

enum kind { LOGIN = 1, MAILBOX = 2, ADDRESS = 4, HOST = 8, UTF8 = 16 };

static const struct {
	const char *text;
	int good_for;
} cases[] = {
    {"alice", LOGIN | MAILBOX | ADDRESS | HOST | UTF8},
    {"alice@example.test", LOGIN | MAILBOX | ADDRESS | UTF8},
    {"imap.example.test", LOGIN | MAILBOX | ADDRESS | HOST | UTF8},
    {"2001:db8::1", LOGIN | MAILBOX | ADDRESS | HOST | UTF8},
    {"Sent Items", LOGIN | MAILBOX},
    {"pass\"word\\", LOGIN | MAILBOX | ADDRESS | UTF8},
    {"gr\xc3\xbc\xc3\x9f", LOGIN | UTF8},
    {"a>b", LOGIN | MAILBOX},
    {"<a@b>", LOGIN | MAILBOX},
    {"", 0},
    {"a\r\nZ DELETE INBOX", 0},
    {"a@b>\r\nRCPT TO:<evil@x", 0},
    {"a\nb", 0},
    {"a\tb", 0},
    {"a\x7f", 0},
    {"a\x01", 0},
};

static void
only_harmless_text_passes(void **state)
{
	const char *(*const checks[])(const char *) = {guard_login,
	    guard_mailbox, guard_address, guard_host, guard_utf8_address};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		for (int kind = 0; kind < 5; kind++) {
			bool good = !checks[kind](cases[i].text);
			if (good != !!(cases[i].good_for & 1 << kind))
				fail_msg("'%s', check %d", cases[i].text, kind);
		}
}

static void
length_is_bounded(void **state)
{
	static const struct {
		const char *(*check)(const char *);
		size_t max;
	} limits[] = {
	    {guard_login, GUARD_LOGIN_MAX},
	    {guard_mailbox, GUARD_MAILBOX_MAX},
	    {guard_address, GUARD_ADDRESS_MAX},
	    {guard_utf8_address, GUARD_ADDRESS_MAX},
	    {guard_host, GUARD_HOST_MAX},
	};
	char text[2000];

	(void)state;
	for (size_t i = 0; i < sizeof(limits) / sizeof(*limits); i++) {
		memset(text, 'a', sizeof(text));
		text[limits[i].max + 1] = '\0';
		assert_non_null(limits[i].check(text));
		text[limits[i].max] = '\0';
		assert_null(limits[i].check(text));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(only_harmless_text_passes),
	    cmocka_unit_test(length_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
