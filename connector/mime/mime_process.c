/* SPDX-License-Identifier: ISC */
#include "mime_process.h"

#include "mime_wire.h"

#include "base/child.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* What a library prints about a message belongs in no log. */
static int
spawn(const char *path, int socket_fd, pid_t *ret_pid)
{
	static const char *const argv[] = {"mailtoken-mime-worker", NULL};
	const struct child worker = {
	    .program = path,
	    .argv = argv,
	    .fds = {CHILD_NULL, CHILD_NULL,
		CHILD_NULL, [MIME_PROCESS_FD] = socket_fd},
	    .fd_count = MIME_PROCESS_FD + 1,
	    .in_root = true,
	};

	return child_start(&worker, ret_pid);
}

static bool
is_ready(int fd, struct deadline deadline)
{
	uint8_t buffer[MIME_WIRE_MAX + 1];
	struct mime_frame frame;

	return mime_wire_receive(fd, buffer, &frame, deadline) ==
		   MIME_WIRE_FRAME &&
	       frame.kind == MIME_FRAME_READY;
}

enum mt_status
mime_process_start(struct mime_process *process, const char *path,
    struct deadline deadline, struct mt_error *err)
{
	struct mime_process started = MIME_PROCESS_INIT;
	int pair[2], error;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return mt_fail_errno(err, MT_RETRY_LATER, errno,
		    "cannot make a socket for the MIME worker");
	error = spawn(path, pair[1], &started.pid);
	close(pair[1]);
	started.fd = pair[0];
	if (error) {
		close(pair[0]);
		return mt_fail_errno(
		    err, MT_RETRY_LATER, error, "cannot run %s", path);
	}
	if (!is_ready(started.fd, deadline)) {
		mime_process_stop(&started);
		return mt_fail(err, MT_RETRY_LATER,
		    "the MIME worker %s did not start", path);
	}
	*process = started;
	return MT_OK;
}

bool
mime_process_is_idle(const struct mime_process *process)
{
	struct pollfd look = {.fd = process->fd, .events = POLLIN};

	return process->pid && poll(&look, 1, 0) == 0;
}

int
mime_process_stop(struct mime_process *process)
{
	int status = 0;
	pid_t pid;

	if (!process->pid)
		return 0;
	close(process->fd);
	kill(process->pid, SIGKILL);
	do
		pid = waitpid(process->pid, &status, 0);
	while (pid < 0 && errno == EINTR);
	*process = (struct mime_process)MIME_PROCESS_INIT;
	if (pid < 0 || !WIFSIGNALED(status) || WTERMSIG(status) == SIGKILL)
		return 0;
	return WTERMSIG(status);
}
