/* SPDX-License-Identifier: ISC */
#include "base/log.h"

#include "unit/cmocka_headers.h"

#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* What a process logs that is started with the first `closed` descriptors
 * closed; *ret_first is the number of the first file that it opens then. */
static void
log_in_child(int closed, int *ret_first, char *text, size_t size)
{
	int pipes[2], status = -1;
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe(pipes), 0);
	pid = fork();
	if (!pid) {
		dup2(pipes[1], STDERR_FILENO);
		close(pipes[1]);
		for (int fd = 0; fd < closed; fd++)
			close(fd);
		log_init("program", false);
		log_error("a\nb");
		log_debug("not this");
		_exit(open("/dev/null", O_RDONLY));
	}
	close(pipes[1]);
	n = read(pipes[0], text, size - 1);
	text[n > 0 ? n : 0] = '\0';
	close(pipes[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	*ret_first = WEXITSTATUS(status);
}

static void
standard_files_that_are_closed_get_no_file_of_ours(void **state)
{
	char text[100];
	int first;

	(void)state;
	unsetenv("JOURNAL_STREAM");
	for (int closed = 0; closed <= 3; closed++) {
		log_in_child(closed, &first, text, sizeof(text));
		assert_true(first > STDERR_FILENO);
		assert_string_equal(text, closed < 3 ? "program: a?b\n" : "");
	}
}

static void
journal_gets_priorities(void **state)
{
	char text[100];
	int first;

	(void)state;
	setenv("JOURNAL_STREAM", "1:2", 1);
	log_in_child(0, &first, text, sizeof(text));
	assert_string_equal(text, "<3>a?b\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		standard_files_that_are_closed_get_no_file_of_ours),
	    cmocka_unit_test(journal_gets_priorities),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
