/* SPDX-License-Identifier: ISC */
#include "base/child.h"

#include "base/buf.h"
#include "unit/cmocka_headers.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Runs a shell script as a child whose descriptor 3 is a pipe to us. */
static void
run_script(const char *script, struct buf *ret_output)
{
	static const char *const variables[] = {"PATH", "KEPT", "MANY_*", NULL};
	static const char *const more[] = {"MORE=1", NULL};
	const char *const argv[] = {"sh", "-c", script, NULL};
	struct child child = {
	    .program = "sh",
	    .argv = argv,
	    .variables = variables,
	    .more_variables = more,
	    .fds = {CHILD_NULL, CHILD_NULL, STDERR_FILENO},
	    .fd_count = 4,
	    .in_root = true,
	};
	char chunk[4096];
	int ends[2], state;
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	child.fds[3] = ends[1];
	assert_int_equal(child_start(&child, &pid), 0);
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
	run_script("tr '\\0' '\\n' </proc/$$/environ | "
		   "sed 's/=.*//' | sort | tr '\\n' ' ' >&3",
	    &output);
	assert_string_equal(
	    buf_text(&output), "KEPT MANY_ONE MANY_TWO MORE PATH ");
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
	run_script("for i in 0 1 2 3 4 5 6 7 8 9; do "
		   "[ ! -e /proc/$$/fd/$i ] || printf \"$i \" >&3; "
		   "done",
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
	run_script("for kind in Blk Ign; do "
		   "mask=$(sed -n \"s/^Sig$kind:.//p\" "
		   "/proc/$$/status); "
		   "echo $kind $((0x$mask & 0x7fffffff)) >&3; done; "
		   "set -- $(cat /proc/$$/stat); "
		   "test $6 = $$ && echo leader >&3",
	    &output);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	assert_string_equal(buf_text(&output), "Blk 0\nIgn 0\nleader\n");
	buf_done(&output);
}

/* Ours may have the numbers that the child's are to have. */
static void
descriptors_that_change_places_do_not_overwrite_each_other(void **state)
{
	static const char *const argv[] = {
	    "sh", "-c", "test $(cat <&3)$(cat <&4) = ba", NULL};
	static const char *const variables[] = {"PATH", NULL};
	int a = child_file("a", "a", 1), b = child_file("b", "b", 1), end;
	const struct child child = {
	    .program = "sh",
	    .argv = argv,
	    .variables = variables,
	    .fds = {CHILD_NULL, CHILD_NULL, STDERR_FILENO, [3] = 4, [4] = 3},
	    .fd_count = 5,
	};
	pid_t pid;

	(void)state;
	/* whatever has these numbers is not needed here */
	assert_int_equal(dup2(fcntl(a, F_DUPFD_CLOEXEC, 10), 3), 3);
	assert_int_equal(dup2(fcntl(b, F_DUPFD_CLOEXEC, 10), 4), 4);
	assert_int_equal(child_start(&child, &pid), 0);
	assert_int_equal(waitpid(pid, &end, 0), pid);
	assert_int_equal(end, 0);
}

static void
starts_in_the_root_directory(void **state)
{
	struct buf output = BUF_INIT(65536);

	(void)state;
	run_script("pwd >&3", &output);
	assert_string_equal(buf_text(&output), "/\n");
	buf_done(&output);
}

static void
missing_program_is_an_error(void **state)
{
	static const char *const argv[] = {"program", NULL};
	const struct child child = {
	    .program = "/nowhere/program", .argv = argv};
	pid_t pid;

	(void)state;
	assert_int_equal(child_start(&child, &pid), ENOENT);
}

static void
descriptor_that_is_not_open_is_an_error(void **state)
{
	static const char *const argv[] = {"sh", NULL};
	const struct child child = {
	    .program = "sh", .argv = argv, .fds = {1000}, .fd_count = 1};
	pid_t pid;

	(void)state;
	assert_int_equal(child_start(&child, &pid), EBADF);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(only_named_variables_are_passed),
	    cmocka_unit_test(only_the_given_descriptor_is_passed),
	    cmocka_unit_test(
		descriptors_that_change_places_do_not_overwrite_each_other),
	    cmocka_unit_test(signals_and_session_are_fresh),
	    cmocka_unit_test(starts_in_the_root_directory),
	    cmocka_unit_test(missing_program_is_an_error),
	    cmocka_unit_test(descriptor_that_is_not_open_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
