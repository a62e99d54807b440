/* SPDX-License-Identifier: ISC */
#include "handon/command_hook.h"

#include "base/child.h"
#include "base/deadline.h"
#include "handon/event_text.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define BATCH_MAX 100
#define INPUT_MAX (1024 * 1024)

struct command_hook {
	struct sink sink;
	char *program;
	char *agent;
	unsigned *running;
	pid_t pid; /* 0: none */
	int pid_fd;
	struct deadline deadline;
};

static struct command_hook *
of(const struct sink *sink)
{
	return (struct command_hook *)(uintptr_t)sink;
}

static bool
is_ready(const struct sink *sink)
{
	return *of(sink)->running < COMMAND_HOOKS_MAX;
}

/* A file without a name that holds the input; -1 with errno. */
static int
write_input(const struct command_hook *c, const struct event_list *batch)
{
	struct buf input = BUF_INIT(INPUT_MAX);
	int fd = -1;

	for (size_t i = 0; i < batch->count; i++) {
		event_text_json(&input, &batch->events[i], c->agent);
		buf_add_char(&input, '\n');
	}
	errno = ENOMEM;
	if (buf_ok(&input))
		fd = child_file("emails", input.data, input.len);
	buf_done(&input);
	return fd;
}

static int
start(struct command_hook *c, int input)
{
	static const char *const environment[] = {
	    "PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8", NULL};
	const char *const arguments[] = {c->program, NULL};
	const struct child child = {
	    .program = c->program,
	    .argv = arguments,
	    .more_variables = environment,
	    /* what it prints is for the log */
	    .fds = {input, STDERR_FILENO, STDERR_FILENO},
	    .fd_count = 3,
	};

	return child_start(&child, &c->pid);
}

static enum mt_status
begin(struct sink *sink, const struct event_list *batch, struct mt_error *err)
{
	struct command_hook *c = of(sink);
	int input = write_input(c, batch), error;

	if (input < 0)
		return mt_fail_errno(err, MT_RETRY_LATER, errno,
		    "cannot write the input of %s", c->program);
	error = start(c, input);
	close(input);
	if (error) {
		c->pid = 0;
		return mt_fail_errno(
		    err, MT_RETRY_LATER, error, "cannot run %s", c->program);
	}
	++*c->running;
	c->deadline = deadline_in_ms(COMMAND_HOOK_MS);
	c->pid_fd = (int)syscall(SYS_pidfd_open, c->pid, 0);
	return MT_OK;
}

static void
forget(struct command_hook *c)
{
	--*c->running;
	c->pid = 0;
	if (c->pid_fd >= 0)
		close(c->pid_fd);
	c->pid_fd = -1;
}

static void
end(struct command_hook *c)
{
	if (!c->pid)
		return;
	kill(-c->pid, SIGKILL); /* and what it has started */
	while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
		;
	forget(c);
}

static enum sink_progress
judge(const struct command_hook *c, int status, struct mt_error *err)
{
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return SINK_DONE;
	if (WIFEXITED(status))
		mt_fail(err, MT_RETRY_LATER, "%s ended with status %d",
		    c->program, WEXITSTATUS(status));
	else
		mt_fail(err, MT_RETRY_LATER, "%s was ended by signal %d",
		    c->program, WTERMSIG(status));
	return SINK_FAILED;
}

static enum sink_progress
look(struct sink *sink, int64_t *ret_wait_ms, struct mt_error *err)
{
	struct command_hook *c = of(sink);
	int status = 0;
	pid_t ended = waitpid(c->pid, &status, WNOHANG);

	(void)ret_wait_ms;
	if (ended == c->pid) {
		forget(c);
		return judge(c, status, err);
	}
	if (!deadline_passed(c->deadline))
		return SINK_BUSY;
	end(c);
	mt_fail(err, MT_RETRY_LATER, "%s took more than %d s", c->program,
	    COMMAND_HOOK_MS / 1000);
	return SINK_FAILED;
}

static void
wait_for(const struct sink *sink, struct pollfd *ret_fd, int64_t *ret_ms)
{
	const struct command_hook *c = of(sink);

	*ret_fd = (struct pollfd){.fd = c->pid_fd, .events = POLLIN};
	*ret_ms = deadline_left_ms(c->deadline);
	/* a kernel without process descriptors */
	if (c->pid_fd < 0 && *ret_ms > 50)
		*ret_ms = 50;
}

static void
cancel(struct sink *sink)
{
	end(of(sink));
}

static void
command_hook_free(struct sink *sink)
{
	struct command_hook *c = of(sink);

	end(c);
	free(c->program);
	free(c->agent);
	free(c);
}

static const struct sink_class command_hook_class = {
    .batch_max = BATCH_MAX,
    .keeps_batch = true,
    .is_ready = is_ready,
    .begin = begin,
    .look = look,
    .wait = wait_for,
    .cancel = cancel,
    .free = command_hook_free,
};

struct sink *
command_hook_new(const char *program, const char *agent, unsigned *running)
{
	struct command_hook *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->sink.class = &command_hook_class;
	c->running = running;
	c->pid_fd = -1;
	c->program = strdup(program);
	c->agent = strdup(agent);
	if (!c->program || !c->agent) {
		command_hook_free(&c->sink);
		return NULL;
	}
	return &c->sink;
}
