/* SPDX-License-Identifier: ISC */
#include "launcher.h"

#include "base/child.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROGRAM "mailtoken-hooks"

struct launcher {
	struct launcher_events events;
	pid_t pid;
	int fd;
	uv_poll_t poll;
};

/* ---- its messages ---- */

/* It has closed its end, or should have: then it is ending, and a signal does
 * not change how. */
static void
explain_end(struct launcher *l, struct mt_error *why)
{
	int status = 0;

	kill(l->pid, SIGKILL);
	while (waitpid(l->pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFSIGNALED(status))
		mt_fail(why, MT_UNREACHABLE,
		    "the process that runs the hooks was ended by signal %d",
		    WTERMSIG(status));
	else
		mt_fail(why, MT_UNREACHABLE,
		    "the process that runs the hooks has ended, exit status %d",
		    WEXITSTATUS(status));
}

static void
take(struct launcher *l, const struct token_wire_message *message)
{
	const char *why = token_wire_get(message, "why");
	const char *output = token_wire_get(message, "output");
	long slot = token_wire_number(message, "slot", HOOKS_MAX - 1, -1);

	if (strcmp(message->verb, "ended") == 0 && slot >= 0 && why && output)
		l->events.ended(l->events.context, (size_t)slot, why, output);
	else if (strcmp(message->verb, "error") == 0 && why)
		l->events.refused(l->events.context, why);
}

static void
on_readable(uv_poll_t *poll, int status, int events)
{
	struct launcher *l = poll->data;
	char buffer[HOOK_FRAME_MAX];
	struct token_wire_message message;
	struct mt_error why = {0};
	int n;

	(void)status;
	(void)events;
	while ((n = hook_wire_receive(l->fd, buffer, &message)) > 0)
		take(l, &message);
	if (n == 0)
		return;
	uv_poll_stop(poll);
	explain_end(l, &why);
	l->events.lost(l->events.context, &why);
}

bool
launcher_send(struct launcher *l, const struct secret *frame)
{
	/* that it is gone is noticed by reading */
	return hook_wire_send(l->fd, frame) == 0 || errno == EPIPE;
}

/* ---- life ---- */

/* Leaves its end of the socket and the process in `l`. */
static enum mt_status
start(
    struct launcher *l, const struct hook_places *places, struct mt_error *err)
{
	static const char *const variables[] = {
	    "HOME", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS", NULL};
	const char *const argv[] = {PROGRAM, places->state_dir,
	    places->config_dir, places->config_file, NULL};
	char path[PATH_MAX];
	struct child child = {
	    .program = child_find_program(PROGRAM, MT_HOOKS_PATH, path),
	    .argv = argv,
	    .variables = variables,
	    .fds = {CHILD_NULL, STDERR_FILENO, STDERR_FILENO},
	    .fd_count = HOOK_FD + 1,
	};
	int ends[2], error;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		return mt_fail_errno(
		    err, MT_UNREACHABLE, errno, "cannot make a socket pair");
	child.fds[HOOK_FD] = ends[1];
	error = child_start(&child, &l->pid);
	close(ends[1]);
	l->fd = ends[0];
	if (!error)
		return MT_OK;
	close(l->fd);
	return mt_fail_errno(
	    err, MT_UNREACHABLE, error, "cannot start %s", child.program);
}

enum mt_status
launcher_new(uv_loop_t *loop, const struct hook_places *places,
    const struct launcher_events *events, struct launcher **ret_launcher,
    struct mt_error *err)
{
	struct launcher *l = calloc(1, sizeof(*l));
	enum mt_status status;

	if (!l)
		return mt_fail(err, MT_NO_MEMORY, "no memory");
	l->events = *events;
	status = start(l, places, err);
	if (status == MT_OK && uv_poll_init(loop, &l->poll, l->fd)) {
		close(l->fd);
		status = mt_fail(
		    err, MT_UNREACHABLE, "cannot watch the process " PROGRAM);
	}
	if (status != MT_OK) {
		free(l);
		return status;
	}
	l->poll.data = l;
	uv_poll_start(&l->poll, UV_READABLE | UV_DISCONNECT, on_readable);
	*ret_launcher = l;
	return MT_OK;
}

static void
on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void
launcher_free(struct launcher **launcher)
{
	struct launcher *l = *launcher;

	if (!l)
		return;
	uv_poll_stop(&l->poll);
	close(l->fd);
	uv_close((uv_handle_t *)&l->poll, on_closed);
	*launcher = NULL;
}
