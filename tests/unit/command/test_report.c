/* SPDX-License-Identifier: ISC */
#include "helper/command/report.h"

#include "unit/cmocka_headers.h"

#include <string.h>

static void
error_says_what_to_do_next(void **state)
{
	static const struct {
		struct mt_error err;
		const char *account;
		const char *line;
	} cases[] = {
	    {{MT_NEEDS_LOGIN, "the grant was revoked"}, "work",
		"work: the grant was revoked; run 'mailtoken login work'"},
	    {{MT_NEEDS_LOGIN,
		 "run 'mailtoken login work': nobody has logged in yet"},
		"work", "run 'mailtoken login work': nobody has logged in yet"},
	    {{MT_NO_ACCOUNT, "no such account"}, "work",
		"work: no such account; 'mailtoken status' shows those that "
		"there are"},
	    {{MT_RETRY_LATER, "the token endpoint does not answer."}, "work",
		"work: the token endpoint does not answer"},
	    {{MT_USAGE, "which command?"}, NULL, "which command?"},
	    {{MT_NEEDS_LOGIN, "log in"}, NULL, "log in"},
	};
	struct buf line = BUF_INIT(REPORT_MAX);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		buf_reset(&line);
		report_write(&line, &cases[i].err, cases[i].account);
		assert_string_equal(buf_text(&line), cases[i].line);
	}
	buf_done(&line);
}

static void
longest_error_fits(void **state)
{
	struct mt_error err = {.status = MT_NEEDS_LOGIN};
	char account[128];
	struct buf line = BUF_INIT(REPORT_MAX);

	(void)state;
	memset(err.text, 'x', sizeof(err.text) - 1);
	memset(account, 'a', sizeof(account) - 1);
	account[sizeof(account) - 1] = '\0';
	report_write(&line, &err, account);
	assert_true(buf_ok(&line));
	buf_done(&line);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(error_says_what_to_do_next),
	    cmocka_unit_test(longest_error_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
