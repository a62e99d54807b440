/* SPDX-License-Identifier: ISC */
#include "mail/imap_search_line.h"

#include "unit/cmocka_headers.h"

#include <stdio.h>
#include <string.h>

#define NUMBERS_MAX 3

/* Lines, and the numbers in them; NULL: it cannot be read. */
static const struct {
	const char *line;
	const char *numbers;
} cases[] = {
    {"* SEARCH", ""}, {"* SEARCH ", ""},
    {"* search 2 84 4294967295", "2 84 4294967295 "},
    {"* SEARCH  7   8 ", "7 8 "}, {"* SEARCH 2 5 (MODSEQ 917162500)", "2 5 "},
    {"* SEARCH (MODSEQ 917162500)", ""}, {"* SEARCH 0", NULL},
    {"* SEARCH 1 -2", NULL}, {"* SEARCH 1:2", NULL}, {"* SEARCH 1,2", NULL},
    {"* SEARCH 1x", NULL}, {"* SEARCH 4294967296", NULL},
    {"* SEARCH 18446744073709551617", NULL},
    {"* SEARCH 1 2 3 4", NULL}, /* more than are taken */
};

struct taken {
	char text[200];
	size_t count;
};

static bool
take(void *context, uint32_t number)
{
	struct taken *t = context;
	size_t used = strlen(t->text);

	if (t->count++ == NUMBERS_MAX)
		return false;
	snprintf(t->text + used, sizeof(t->text) - used, "%u ", number);
	return true;
}

static void
numbers_are_read_or_the_line_is_wrong(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct taken t = {.count = 0};
		bool good;
		assert_true(imap_search_line_begins(cases[i].line));
		good = imap_search_line_read(cases[i].line, take, &t);
		if (good != (cases[i].numbers != NULL) ||
		    (good && strcmp(t.text, cases[i].numbers) != 0))
			fail_msg("%s: %d, %s", cases[i].line, good, t.text);
	}
}

static void
other_lines_are_no_answer(void **state)
{
	static const char *const others[] = {"", "* SEARC", "* SEARCHES 1",
	    "* ESEARCH (TAG \"3\") UID ALL 1", "3 OK SEARCH", "SEARCH 1",
	    "* 3 EXISTS"};

	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		assert_false(imap_search_line_begins(others[i]));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(numbers_are_read_or_the_line_is_wrong),
	    cmocka_unit_test(other_lines_are_no_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
