/* SPDX-License-Identifier: ISC */
#include "private_helper.h"

#include "base/child.h"
#include "base/deadline.h"

#include <errno.h>
#include <poll.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#define PROGRAM "mailtokend"
#define END_MS 60000

/* No secret travels in these, and nothing that changes how a program loads. */
static const char *const variables[] = {
    "HOME", "XDG_*", "PATH", "LANG", "TZ", "STATE_DIRECTORY", NULL};

static enum mt_status
start_on(int fd, const char *config, pid_t *ret_pid, struct mt_error *err)
{
	const char *argv[] = {
	    PROGRAM, "--once", config ? "--config" : NULL, config, NULL};
	char path[PATH_MAX];
	const struct child helper = {
	    .program = child_find_program(PROGRAM, MT_DAEMON_PATH, path),
	    .argv = argv,
	    .variables = variables,
	    .fds = {CHILD_NULL, STDERR_FILENO, STDERR_FILENO, fd},
	    .fd_count = 4,
	};
	int error = child_start(&helper, ret_pid);

	return error ? mt_fail_errno(err, MT_UNREACHABLE, error,
			   "cannot start %s", helper.program)
		     : MT_OK;
}

enum mt_status
private_helper_start(
    const char *config, pid_t *ret_pid, int *ret_fd, struct mt_error *err)
{
	enum mt_status status;
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
		return mt_fail_errno(
		    err, MT_RETRY_LATER, errno, "cannot make a socket pair");
	status = start_on(ends[1], config, ret_pid, err);
	close(ends[1]);
	if (status == MT_OK)
		*ret_fd = ends[0];
	else
		close(ends[0]);
	return status;
}

/* Waits until `pid`, a child of ours, has ended. */
static bool
ends_before(pid_t pid, struct deadline deadline)
{
	struct pollfd p = {.fd = pidfd_open(pid, 0), .events = POLLIN};
	int n;

	if (p.fd < 0)
		return false;
	do
		n = poll(&p, 1, deadline_left_ms(deadline));
	while (n < 0 && errno == EINTR);
	close(p.fd);
	return n == 1;
}

static enum mt_status
explain(int exit_code, struct mt_error *err)
{
	switch (exit_code) {
	case EX_OK:
		return MT_OK;
	case EX_TEMPFAIL:
		return mt_fail(err, MT_RETRY_LATER,
		    "another token helper holds the store, but does not "
		    "listen where it is looked for: it has no account yet "
		    "(configure one and send it SIGHUP), or another socket "
		    "(name it with --socket or MAILTOKEN_SOCKET)");
	case EX_CONFIG:
		return mt_fail(err, MT_BAD_CONFIG,
		    "the token helper's configuration is wrong, see above");
	default:
		return mt_fail(err, MT_UNREACHABLE,
		    "the token helper ended with code %d, see above",
		    exit_code);
	}
}

enum mt_status
private_helper_end(pid_t pid, struct mt_error *err)
{
	int state;

	if (!ends_before(pid, deadline_in_ms(END_MS)))
		return mt_fail(err, MT_RETRY_LATER,
		    "the token helper (process %ld) is still at work",
		    (long)pid);
	if (waitpid(pid, &state, 0) != pid || !WIFEXITED(state))
		return mt_fail(
		    err, MT_UNREACHABLE, "the token helper was killed");
	return explain(WEXITSTATUS(state), err);
}
