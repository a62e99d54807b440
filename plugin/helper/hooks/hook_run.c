/* SPDX-License-Identifier: ISC */
#include "hook_run.h"

#include "hook_list.h"

#include "base/child.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define INPUT_MAX 8192 /* bytes on standard input */

/* ---- start ---- */

static void
add_line(struct buf *input, const char *name, const char *value)
{
	buf_add_format(input, "%s=", name);
	buf_add_printable(input, value, strlen(value), INPUT_MAX);
	buf_add_char(input, '\n');
}

/* -1 with errno. */
static int
input_of(const struct hook_news *news)
{
	struct buf text = BUF_INIT(INPUT_MAX);
	int fd;

	add_line(&text, "event", news->event);
	add_line(&text, "account", news->account);
	add_line(&text, "user", news->user);
	add_line(&text, "provider", news->provider);
	add_line(&text, "state", news->state);
	add_line(&text, "time", news->time);
	add_line(&text, "text", news->text);
	fd = child_file("news", text.data, text.len);
	buf_done(&text);
	return fd;
}

/* Where programs are, and what a note on the desktop needs. */
static int
spawn(struct hook_run *run, const char *real, const char *const *argv,
    int input, int output)
{
	static const char *const passed[] = {
	    "HOME", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS", NULL};
	static const char *const path[] = {
	    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
	    NULL};
	const struct child child = {
	    .program = real,
	    .argv = argv,
	    .variables = passed,
	    .more_variables = path,
	    .fds = {input, output, output},
	    .fd_count = 3,
	    .in_root = true,
	};

	return child_start(&child, &run->pid);
}

enum mt_status
hook_run_start(struct hook_run *run, const char *program,
    const struct hook_news *news, struct mt_error *err)
{
	const char *const argv[] = {program, news->event, news->account, NULL};
	int input, output[2] = {-1, -1}, error = 0;
	char real[PATH_MAX];

	if (hook_check_program(program, real, err) != MT_OK)
		return err->status;
	input = input_of(news);
	if (input < 0 || pipe2(output, O_CLOEXEC))
		error = errno;
	else
		error = spawn(run, real, argv, input, output[1]);
	if (input >= 0)
		close(input);
	if (output[1] >= 0)
		close(output[1]);
	if (!error) {
		run->output = output[0];
		run->timed_out = false;
		run->deadline = deadline_in_ms(HOOK_RUN_MS);
		fcntl(run->output, F_SETFL, O_NONBLOCK);
		return MT_OK;
	}
	run->pid = 0;
	if (output[0] >= 0)
		close(output[0]);
	return mt_fail_errno(err, MT_BAD_CONFIG, error, "cannot run it");
}

/* ---- end ---- */

void
hook_run_watch(struct hook_run *run)
{
	if (!run->pid || run->timed_out || !deadline_passed(run->deadline))
		return;
	run->timed_out = true;
	kill(-run->pid, SIGKILL);
}

static void
judge(const struct hook_run *run, int status, struct mt_error *ret_why)
{
	*ret_why = (struct mt_error){0};
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return;
	if (run->timed_out)
		mt_fail(ret_why, MT_BAD_CONFIG, "ended after %d s",
		    HOOK_RUN_MS / 1000);
	else if (WIFEXITED(status))
		mt_fail(ret_why, MT_BAD_CONFIG, "exit status %d",
		    WEXITSTATUS(status));
	else
		mt_fail(ret_why, MT_BAD_CONFIG, "ended by signal %d",
		    WTERMSIG(status));
}

/* What it wrote is looked at when it has ended; a pipe holds enough. */
bool
hook_run_collect(
    struct hook_run *run, struct mt_error *ret_why, struct buf *output)
{
	char data[HOOK_OUTPUT_MAX];
	ssize_t n;
	int status;

	if (!run->pid || waitpid(run->pid, &status, WNOHANG) != run->pid)
		return false;
	judge(run, status, ret_why);
	n = read(run->output, data, sizeof(data));
	if (n > 0)
		buf_add(output, data, (size_t)n);
	close(run->output);
	run->pid = 0;
	return true;
}
