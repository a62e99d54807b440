/* SPDX-License-Identifier: ISC */
#include "helper/command/paste.h"

#include "unit/cmocka_headers.h"

#include <fcntl.h>
#include <pty.h>
#include <string.h>
#include <unistd.h>

struct pasted {
	int ends[2];
	struct paste paste;
};

static void
open_pasted(struct pasted *p)
{
	assert_int_equal(pipe2(p->ends, O_CLOEXEC), 0);
	paste_init(&p->paste, p->ends[0]);
}

static void
type(struct pasted *p, const char *text)
{
	assert_int_equal(
	    write(p->ends[1], text, strlen(text)), (ssize_t)strlen(text));
	paste_read(&p->paste);
}

static void
close_pasted(struct pasted *p)
{
	paste_done(&p->paste);
	close(p->ends[0]);
	close(p->ends[1]);
}

static void
lines_come_out_trimmed_and_one_by_one(void **state)
{
	struct pasted p;

	(void)state;
	open_pasted(&p);
	type(&p, "http://lo");
	assert_null(paste_line(&p.paste));
	type(&p, "calhost/?code=a\r\n\n  \n <http://two>\t\n\"three\"\nfo");
	assert_string_equal(paste_line(&p.paste), "http://localhost/?code=a");
	assert_string_equal(paste_line(&p.paste), "http://two");
	assert_string_equal(paste_line(&p.paste), "three");
	assert_null(paste_line(&p.paste));
	type(&p, "ur\n");
	assert_string_equal(paste_line(&p.paste), "four");
	assert_null(paste_line(&p.paste));
	close_pasted(&p);
}

static void
end_of_input_ends_the_last_line_and_pasting(void **state)
{
	struct pasted p;

	(void)state;
	open_pasted(&p);
	type(&p, "last");
	close(p.ends[1]);
	assert_null(paste_line(&p.paste));
	paste_read(&p.paste);
	assert_int_equal(p.paste.fd, -1);
	assert_string_equal(paste_line(&p.paste), "last");
	assert_null(paste_line(&p.paste));
	paste_done(&p.paste);
	close(p.ends[0]);
}

static void
endless_line_is_dropped(void **state)
{
	struct pasted p;
	char filler[4096];

	(void)state;
	memset(filler, 'x', sizeof(filler));
	open_pasted(&p);
	for (size_t i = 0; i <= PASTE_MAX / sizeof(filler); i++) {
		assert_int_equal(write(p.ends[1], filler, sizeof(filler)),
		    (ssize_t)sizeof(filler));
		paste_read(&p.paste);
		assert_null(paste_line(&p.paste));
	}
	type(&p, "tail\nline\n");
	paste_line(&p.paste);
	assert_string_equal(paste_line(&p.paste), "line");
	close_pasted(&p);
}

static void
wrong_lines_are_explained(void **state)
{
	static const struct {
		const char *line;
		const char *says; /* NULL: nothing is wrong */
	} cases[] = {
	    {"http://localhost:1/?code=a&state=b", NULL},
	    {"http://127.0.0.1:1/?error=access_denied&state=b", NULL},
	    {"/?state=b&code=a", NULL},
	    {"http://localhost:1/", "not a whole address"},
	    {"M.C123_BL2.2.U.abc", "not a whole address"},
	    {"https://login.example/authorize?response_type=code&state=b",
		"neither code= nor error="},
	};
	const struct paste paste = {.fd = -1};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const char *said = paste_judge(&paste, cases[i].line);
		if (!cases[i].says)
			assert_null(said);
		else
			assert_non_null(strstr(said, cases[i].says));
	}
}

/* A terminal keeps 4095 bytes of a line and drops the rest without a word. */
static void
line_that_a_terminal_cut_is_known(void **state)
{
	struct paste paste;
	char typed[5001] = "http://localhost:1/?code=";
	const char *line;
	int master, terminal;

	(void)state;
	memset(typed + strlen(typed), 'c', sizeof(typed) - strlen(typed));
	typed[sizeof(typed) - 1] = '\n';
	assert_int_equal(openpty(&master, &terminal, NULL, NULL, NULL), 0);
	paste_init(&paste, terminal);
	for (size_t done = 0; done < sizeof(typed);) {
		char echo[4096];
		ssize_t n = write(master, typed + done, sizeof(typed) - done);
		assert_true(n > 0);
		done += (size_t)n;
		assert_true(read(master, echo, sizeof(echo)) > 0);
	}
	line = NULL;
	while (!line) {
		paste_read(&paste);
		line = paste_line(&paste);
	}
	assert_non_null(strstr(paste_judge(&paste, line), "cut"));
	paste_done(&paste);
	close(terminal);
	close(master);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lines_come_out_trimmed_and_one_by_one),
	    cmocka_unit_test(end_of_input_ends_the_last_line_and_pasting),
	    cmocka_unit_test(endless_line_is_dropped),
	    cmocka_unit_test(wrong_lines_are_explained),
	    cmocka_unit_test(line_that_a_terminal_cut_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
