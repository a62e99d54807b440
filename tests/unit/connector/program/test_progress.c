/* SPDX-License-Identifier: ISC */
#include "progress.h"

#include "unit/cmocka_headers.h"

#include <string.h>

static void
bar_fits_and_says_how_far_it_is(void **state)
{
	static const struct {
		size_t tried, total;
		int64_t elapsed_ms;
		size_t columns;
		const char *expected;
	} cases[] = {
	    {0, 1000, 0, 60, "INBOX [...................] 0/1000 0%"},
	    {500, 1000, 500, 60, "INBOX [#########..........] 500/1000 50%"},
	    {500, 1000, 5000, 60,
		"INBOX [#########..........] 500/1000 50%, 5 s left"},
	    {1, 1000, 1000, 60,
		"INBOX [...................] 1/1000 0%, 16 min 39 s left"},
	    {1, 100000, 1000, 60,
		"INBOX [...............] 1/100000 0%, 27 h 46 min left"},
	    {1000, 1000, 9000, 60,
		"INBOX [###################] 1000/1000 100%"},
	    {500, 1000, 500, 200,
		"INBOX [####################....................] 500/1000 "
		"50%"},
	    {500, 1000, 5000, 30, "INBOX 500/1000 50%, 5 s left"},
	    {500, 1000, 5000, 10, "INBOX 500/"},
	    {0, 0, 0, 60, "INBOX [#########################] 0/0 100%"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct buf line = BUF_INIT(1024);

		progress_draw(&line, "INBOX", cases[i].tried, cases[i].total,
		    cases[i].elapsed_ms, cases[i].columns);
		assert_true(line.len <= cases[i].columns);
		if (strcmp(buf_text(&line), cases[i].expected) != 0)
			fail_msg("%zu: '%s'", i, buf_text(&line));
		buf_done(&line);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(bar_fits_and_says_how_far_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
