/* SPDX-License-Identifier: ISC */
#include "mime_process.h"

#include "mime_wire.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* 0 to 2 are /dev/null, the socket is 3, and the rest is closed: what a library
 * prints about a message belongs in no log. */
static int
add_files(posix_spawn_file_actions_t *actions, int socket_fd)
{
	int error = 0;

	for (int fd = 0; fd < 3 && !error; fd++)
		error = posix_spawn_file_actions_addopen(
		    actions, fd, "/dev/null", O_RDWR, 0);
	if (!error)
		error = posix_spawn_file_actions_adddup2(
		    actions, socket_fd, MIME_PROCESS_FD);
	if (!error)
		error = posix_spawn_file_actions_addclosefrom_np(
		    actions, MIME_PROCESS_FD + 1);
	if (!error)
		error = posix_spawn_file_actions_addchdir_np(actions, "/");
	return error;
}

/* All signals at their default; a process group of its own, so that an
 * interrupt from the terminal is for its master to act on. */
static int
set_attributes(posix_spawnattr_t *attributes)
{
	sigset_t all, none;
	int error;

	sigfillset(&all);
	sigemptyset(&none);
	error = posix_spawnattr_setsigdefault(attributes, &all);
	if (!error)
		error = posix_spawnattr_setsigmask(attributes, &none);
	if (!error)
		error = posix_spawnattr_setpgroup(attributes, 0);
	if (!error)
		error = posix_spawnattr_setflags(
		    attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK |
				    POSIX_SPAWN_SETPGROUP);
	return error;
}

/* Runs the program; 0 or an errno value. */
static int
spawn(const char *path, int socket_fd, pid_t *ret_pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	char name[] = "mailtoken-mime-worker";
	char *const argv[] = {name, NULL};
	char *const environment[] = {NULL};
	int error = posix_spawn_file_actions_init(&actions);

	if (error)
		return error;
	error = posix_spawnattr_init(&attributes);
	if (error) {
		posix_spawn_file_actions_destroy(&actions);
		return error;
	}
	error = add_files(&actions, socket_fd);
	if (!error)
		error = set_attributes(&attributes);
	if (!error)
		error = posix_spawn(
		    ret_pid, path, &actions, &attributes, argv, environment);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return error;
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
