/* SPDX-License-Identifier: ISC */
#include "hook.h"

#include "clock.h"

#include "base/buf.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define NEWS_MAX 8192     /* bytes on standard input */
#define WAITING_MAX 20000 /* news for one program */
#define OUTPUT_MAX 4096   /* bytes of its output that are logged */

struct job {
	STAILQ_ENTRY(job) link;
	char *event;
	char *account;
	char *input;
};

struct hook {
	struct hooks *hooks;
	char *program; /* NULL: none; what still runs may end */
	STAILQ_HEAD(, job) waiting;
	size_t count;
	pid_t pid;  /* 0: does not run */
	int output; /* of it; -1: none */
	bool timed_out;
	bool failed; /* the last time */
	struct schedule_item deadline;
};

struct hooks {
	struct schedule *schedule;
	bool begun;
	struct hook hook[HOOKS_MAX];
	uv_signal_t *child;
};

/* ---- who may change it ---- */

static enum mt_status
check_writers(const char *path, struct mt_error *err)
{
	struct stat st;
	bool shared;

	if (stat(path, &st))
		return mt_fail_errno(
		    err, MT_BAD_CONFIG, errno, "cannot look at %s", path);
	if (st.st_uid != 0 && st.st_uid != geteuid())
		return mt_fail(err, MT_BAD_CONFIG,
		    "%s belongs to uid %lu, neither root nor the helper's user",
		    path, (unsigned long)st.st_uid);
	/* in a directory like /tmp nobody touches what is another's */
	shared = S_ISDIR(st.st_mode) && st.st_mode & S_ISVTX;
	if (st.st_mode & (S_IWGRP | S_IWOTH) && !shared)
		return mt_fail(err, MT_BAD_CONFIG,
		    "%s can be written by group or others; chmod go-w it",
		    path);
	return MT_OK;
}

enum mt_status
hook_check_program(const char *path, struct mt_error *err)
{
	char real[PATH_MAX];
	enum mt_status status;
	struct stat st;
	char *slash;

	if (!realpath(path, real))
		return mt_fail_errno(
		    err, MT_BAD_CONFIG, errno, "cannot find %s", path);
	if (stat(real, &st) || !S_ISREG(st.st_mode) || access(real, X_OK))
		return mt_fail(err, MT_BAD_CONFIG,
		    "%s is no program that can be run", path);
	status = check_writers(real, err);
	while (status == MT_OK && (slash = strrchr(real, '/'))) {
		*slash = '\0';
		status = check_writers(*real ? real : "/", err);
	}
	return status;
}

/* ---- running ---- */

static void
job_free(struct job *job)
{
	if (!job)
		return;
	free(job->event);
	free(job->account);
	free(job->input);
	free(job);
}

static void
forget_waiting(struct hook *hook)
{
	struct job *job;

	while ((job = STAILQ_FIRST(&hook->waiting))) {
		STAILQ_REMOVE_HEAD(&hook->waiting, link);
		job_free(job);
	}
	hook->count = 0;
}

/* Said once, until it goes well again. */
static void
note_failure(struct hook *hook, const char *what)
{
	if (!hook->failed)
		log_warning("hook %s: %s",
		    hook->program ? hook->program : "(removed)", what);
	hook->failed = true;
}

/* A file without a name that holds the text, to be read from its start. */
static int
file_of(const char *text)
{
	size_t len = strlen(text);
	int fd = memfd_create("news", MFD_CLOEXEC);

	if (fd >= 0 && (write(fd, text, len) != (ssize_t)len ||
			   lseek(fd, 0, SEEK_SET) != 0)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static int
plan_descriptors(posix_spawn_file_actions_t *actions, int input, int output)
{
	int error =
	    posix_spawn_file_actions_adddup2(actions, input, STDIN_FILENO);

	if (!error)
		error = posix_spawn_file_actions_adddup2(
		    actions, output, STDOUT_FILENO);
	if (!error)
		error = posix_spawn_file_actions_adddup2(
		    actions, output, STDERR_FILENO);
	if (!error)
		error = posix_spawn_file_actions_addclosefrom_np(
		    actions, STDERR_FILENO + 1);
	if (!error)
		error = posix_spawn_file_actions_addchdir_np(actions, "/");
	return error;
}

static int
plan_signals(posix_spawnattr_t *attributes)
{
	sigset_t all, none;

	sigfillset(&all);
	sigemptyset(&none);
	posix_spawnattr_setsigdefault(attributes, &all);
	posix_spawnattr_setsigmask(attributes, &none);
	return posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSID |
							POSIX_SPAWN_SETSIGDEF |
							POSIX_SPAWN_SETSIGMASK);
}

/* Where programs are, and what a note on the desktop needs. */
static void
fill_environment(char *environment[6])
{
	static const char *const passed[] = {
	    "HOME=", "XDG_RUNTIME_DIR=", "DBUS_SESSION_BUS_ADDRESS="};
	static char path[] =
	    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	size_t count = 0;

	environment[count++] = path;
	for (char **variable = environ; *variable; variable++)
		for (size_t i = 0; i < sizeof(passed) / sizeof(*passed); i++)
			if (count < 5 && strncmp(*variable, passed[i],
					     strlen(passed[i])) == 0)
				environment[count++] = *variable;
	environment[count] = NULL;
}

static int
spawn(struct hook *hook, const struct job *job, int input, int output)
{
	char *argv[] = {hook->program, job->event, job->account, NULL};
	char *environment[6];
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int error = posix_spawn_file_actions_init(&actions);

	if (error)
		return error;
	error = posix_spawnattr_init(&attributes);
	if (!error) {
		fill_environment(environment);
		error = plan_descriptors(&actions, input, output);
		if (!error)
			error = plan_signals(&attributes);
		if (!error)
			error = posix_spawn(&hook->pid, hook->program, &actions,
			    &attributes, argv, environment);
		posix_spawnattr_destroy(&attributes);
	}
	posix_spawn_file_actions_destroy(&actions);
	if (error)
		hook->pid = 0;
	return error;
}

static bool
start(struct hook *hook, const struct job *job)
{
	int output[2] = {-1, -1}, input = file_of(job->input), error;
	struct mt_error err = {0};

	if (hook_check_program(hook->program, &err) != MT_OK) {
		note_failure(hook, err.text);
	} else if (input < 0 || pipe2(output, O_CLOEXEC)) {
		note_failure(hook, "no descriptor or memory for it");
	} else if ((error = spawn(hook, job, input, output[1]))) {
		mt_fail_errno(&err, MT_BAD_CONFIG, error, "cannot run it");
		note_failure(hook, err.text);
	}
	if (input >= 0)
		close(input);
	if (output[1] >= 0)
		close(output[1]);
	if (!hook->pid && output[0] >= 0)
		close(output[0]);
	if (!hook->pid)
		return false;
	hook->output = output[0];
	fcntl(hook->output, F_SETFL, O_NONBLOCK);
	hook->timed_out = false;
	schedule_set(hook->hooks->schedule, &hook->deadline,
	    clock_boot_ms() + HOOK_RUN_MS);
	return true;
}

static void
start_next(struct hook *hook)
{
	struct job *job;
	bool runs = hook->pid != 0 || !hook->hooks->begun;

	while (!runs && (job = STAILQ_FIRST(&hook->waiting))) {
		STAILQ_REMOVE_HEAD(&hook->waiting, link);
		hook->count--;
		runs = start(hook, job);
		job_free(job);
	}
}

/* ---- its end ---- */

/* What it wrote is looked at when it has ended; a pipe holds enough. */
static void
log_output(struct hook *hook)
{
	char data[OUTPUT_MAX + 1], *rest = data, *line;
	ssize_t n = read(hook->output, data, OUTPUT_MAX);

	data[n > 0 ? n : 0] = '\0';
	while ((line = strsep(&rest, "\n")))
		if (*line)
			log_debug("hook %s: %s", hook->program, line);
}

static void
judge(struct hook *hook, int status)
{
	char what[64];

	if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		hook->failed = false;
		return;
	}
	if (hook->timed_out)
		snprintf(
		    what, sizeof(what), "ended after %d s", HOOK_RUN_MS / 1000);
	else if (WIFEXITED(status))
		snprintf(
		    what, sizeof(what), "exit status %d", WEXITSTATUS(status));
	else
		snprintf(
		    what, sizeof(what), "ended by signal %d", WTERMSIG(status));
	note_failure(hook, what);
}

static void
collect(struct hook *hook)
{
	int status;

	if (!hook->pid || waitpid(hook->pid, &status, WNOHANG) != hook->pid)
		return;
	hook->pid = 0;
	schedule_set(hook->hooks->schedule, &hook->deadline, SCHEDULE_NEVER);
	if (hook->program)
		log_output(hook);
	close(hook->output);
	hook->output = -1;
	judge(hook, status);
	start_next(hook);
}

static void
on_child(uv_signal_t *signal, int number)
{
	struct hooks *hooks = signal->data;

	(void)number;
	for (size_t i = 0; i < HOOKS_MAX; i++)
		collect(&hooks->hook[i]);
}

/* With what it has started: it leads a process group. */
static void
on_deadline(void *context)
{
	struct hook *hook = context;

	hook->timed_out = true;
	kill(-hook->pid, SIGKILL);
}

/* ---- the set ---- */

enum mt_status
hooks_new(uv_loop_t *loop, struct schedule *schedule, struct hooks **ret_hooks,
    struct mt_error *err)
{
	struct hooks *hooks = calloc(1, sizeof(*hooks));

	if (hooks)
		hooks->child = calloc(1, sizeof(*hooks->child));
	if (!hooks || !hooks->child) {
		free(hooks);
		return mt_fail(err, MT_NO_MEMORY, "no memory");
	}
	hooks->schedule = schedule;
	for (size_t i = 0; i < HOOKS_MAX; i++) {
		struct hook *hook = &hooks->hook[i];
		hook->hooks = hooks;
		hook->output = -1;
		hook->deadline =
		    (struct schedule_item){.run = on_deadline, .context = hook};
		STAILQ_INIT(&hook->waiting);
	}
	uv_signal_init(loop, hooks->child);
	hooks->child->data = hooks;
	uv_signal_start(hooks->child, on_child, SIGCHLD);
	*ret_hooks = hooks;
	return MT_OK;
}

static void
free_signal(uv_handle_t *signal)
{
	free(signal);
}

static void
stop(struct hook *hook)
{
	if (!hook->pid)
		return;
	kill(-hook->pid, SIGKILL);
	waitpid(hook->pid, NULL, 0);
	schedule_set(hook->hooks->schedule, &hook->deadline, SCHEDULE_NEVER);
	close(hook->output);
}

void
hooks_free(struct hooks **hooks)
{
	struct hooks *h = *hooks;

	if (!h)
		return;
	for (size_t i = 0; i < HOOKS_MAX; i++) {
		stop(&h->hook[i]);
		forget_waiting(&h->hook[i]);
		free(h->hook[i].program);
	}
	uv_signal_stop(h->child);
	uv_close((uv_handle_t *)h->child, free_signal);
	free(h);
	*hooks = NULL;
}

void
hooks_begin(struct hooks *hooks)
{
	hooks->begun = true;
	for (size_t i = 0; i < HOOKS_MAX; i++)
		start_next(&hooks->hook[i]);
}

static bool
same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

void
hooks_configure(struct hooks *hooks, char *const *programs, size_t count)
{
	for (size_t i = 0; i < HOOKS_MAX; i++) {
		struct hook *hook = &hooks->hook[i];
		const char *program = i < count ? programs[i] : NULL;

		if (same_text(hook->program, program))
			continue;
		forget_waiting(hook);
		free(hook->program);
		hook->program = program ? strdup(program) : NULL;
		hook->failed = false;
	}
}

static void
add_line(struct buf *input, const char *name, const char *value)
{
	buf_add_format(input, "%s=", name);
	buf_add_printable(input, value, strlen(value), NEWS_MAX);
	buf_add_char(input, '\n');
}

static struct job *
job_new(const struct hook_news *news)
{
	struct buf input = BUF_INIT(NEWS_MAX);
	struct job *job = calloc(1, sizeof(*job));
	char time[CLOCK_TEXT_SIZE];

	if (!job)
		return NULL;
	add_line(&input, "event", news->event);
	add_line(&input, "account", news->account);
	add_line(&input, "user", news->user);
	add_line(&input, "provider", news->provider);
	add_line(&input, "state", news->state);
	add_line(&input, "time", clock_format(clock_wall_s(), time));
	add_line(&input, "text", news->text);
	job->event = strdup(news->event);
	job->account = strdup(news->account);
	job->input = buf_take(&input);
	if (job->event && job->account && job->input)
		return job;
	job_free(job);
	return NULL;
}

void
hooks_tell(struct hooks *hooks, const struct hook_news *news)
{
	for (size_t i = 0; i < HOOKS_MAX; i++) {
		struct hook *hook = &hooks->hook[i];
		struct job *job;

		if (!hook->program)
			continue;
		job = hook->count < WAITING_MAX ? job_new(news) : NULL;
		if (!job) {
			note_failure(hook, "too much news to keep");
			continue;
		}
		STAILQ_INSERT_TAIL(&hook->waiting, job, link);
		hook->count++;
		start_next(hook);
	}
}
