/* SPDX-License-Identifier: ISC */
#include "helper/command/child.h"

#include "base/buf.h"
#include "unit/cmocka_headers.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Runs a shell script as a child whose descriptor 3 is a pipe to us. */
static void
run_script(char *script, struct buf *ret_output)
{
	static const char *const variables[] = {"PATH", "KEPT", "MANY_*", NULL};
	char *const argv[] = {(char[]){"sh"}, (char[]){"-c"}, script, NULL};
	struct child child = {.argv = argv, .variables = variables};
	struct mt_error err = {0};
	char chunk[4096];
	int ends[2], state;
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	child.give_fd = ends[1];
	assert_int_equal(child_start(&child, &pid, &err), MT_OK);
	close(ends[1]);
	while ((n = read(ends[0], chunk, sizeof(chunk))) > 0)
		buf_add(ret_output, chunk, (size_t)n);
	close(ends[0]);
	assert_int_equal(waitpid(pid, &state, 0), pid);
	assert_true(WIFEXITED(state) && WEXITSTATUS(state) == 0);
}

static void
only_named_variables_are_passed(void **state)
{
	struct buf output = BUF_INIT(65536);

	(void)state;
	setenv("KEPT", "1", 1);
	setenv("KEPT_NOT", "1", 1);
	setenv("MANY_ONE", "1", 1);
	setenv("MANY_TWO", "2", 1);
	setenv("LD_PRELOAD_LIKE", "1", 1);
	setenv("MAILTOKEN_SECRET", "s3cret", 1);
	run_script((char[]){"tr '\\0' '\\n' </proc/$$/environ | "
			    "sed 's/=.*//' | sort | tr '\\n' ' ' >&3"},
	    &output);
	assert_string_equal(buf_text(&output), "KEPT MANY_ONE MANY_TWO PATH ");
	buf_done(&output);
}

static void
only_the_given_descriptor_is_passed(void **state)
{
	struct buf output = BUF_INIT(65536);
	int leaks[8];

	(void)state;
	for (size_t i = 0; i < 8; i++)
		leaks[i] = open("/dev/null", O_RDONLY); /* no O_CLOEXEC */
	/* no pipeline and no listing: they would open descriptors themselves */
	run_script((char[]){"for i in 0 1 2 3 4 5 6 7 8 9; do "
			    "[ ! -e /proc/$$/fd/$i ] || printf \"$i \" >&3; "
			    "done"},
	    &output);
	for (size_t i = 0; i < 8; i++)
		close(leaks[i]);
	assert_string_equal(buf_text(&output), "0 1 2 3 ");
	buf_done(&output);
}

static void
signals_and_session_are_fresh(void **state)
{
	struct buf output = BUF_INIT(65536);
	sigset_t set;

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	sigfillset(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	/* 32 and 33 are the C library's own */
	run_script((char[]){"for kind in Blk Ign; do "
			    "mask=$(sed -n \"s/^Sig$kind:.//p\" "
			    "/proc/$$/status); "
			    "echo $kind $((0x$mask & 0x7fffffff)) >&3; done; "
			    "set -- $(cat /proc/$$/stat); "
			    "test $6 = $$ && echo leader >&3"},
	    &output);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	assert_string_equal(buf_text(&output), "Blk 0\nIgn 0\nleader\n");
	buf_done(&output);
}

static void
missing_program_is_an_error(void **state)
{
	static const char *const variables[] = {NULL};
	char *const argv[] = {(char[]){"/nowhere/program"}, NULL};
	const struct child child = {
	    .argv = argv, .variables = variables, .give_fd = -1};
	struct mt_error err = {0};
	pid_t pid;

	(void)state;
	assert_int_equal(child_start(&child, &pid, &err), MT_UNREACHABLE);
	assert_string_equal(err.text,
	    "cannot start /nowhere/program: No such file or directory");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(only_named_variables_are_passed),
	    cmocka_unit_test(only_the_given_descriptor_is_passed),
	    cmocka_unit_test(signals_and_session_are_fresh),
	    cmocka_unit_test(missing_program_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
