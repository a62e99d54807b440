/* SPDX-License-Identifier: ISC */
#include "helper_process.h"

#include "base/buf.h"
#include "child_program.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Its descriptors, as its command line names them. */
#define CONFIG_FD 3
#define CLIENT_SECRET_FD 4

#define END_POLL_MS 20

static void
add_setting(struct buf *text, const char *name, const char *value)
{
	if (value)
		buf_add_format(text, "%s = %s\n", name, value);
}

/* The private helper's configuration; secrets are beside it, not in it. */
static void
write_settings(struct buf *text, const struct config *config)
{
	buf_add_text(
	    text, "[account " HELPER_ACCOUNT "]\nprovider = microsoft\n");
	add_setting(text, "tenant", config->tenant);
	add_setting(text, "user", config->imap_username);
	add_setting(text, "smtp_user", config->smtp_username);
	add_setting(text, "client_id", config->client_id);
	add_setting(text, "token_endpoint", config->token_url);
	add_setting(text, "scope", config->scope);
	add_setting(text, "imap_host", config->imap_host);
	add_setting(text, "smtp_host", config->smtp_host);
	if (config->client_secret.len)
		buf_add_format(text, "client_secret_file = /dev/fd/%d\n",
		    CLIENT_SECRET_FD);
}

struct child_files {
	int lifeline[2];
	int config;
	int client_secret;
};

static void
close_files(struct child_files *files)
{
	const int fds[] = {files->lifeline[0], files->lifeline[1],
	    files->config, files->client_secret};

	for (size_t i = 0; i < sizeof(fds) / sizeof(*fds); i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

static enum mt_status
open_files(struct child_files *files, const struct config *config,
    struct mt_error *err)
{
	struct buf settings = BUF_INIT(65536);

	*files = (struct child_files){{-1, -1}, -1, -1};
	write_settings(&settings, config);
	if (pipe2(files->lifeline, O_CLOEXEC) == 0)
		files->lifeline[0] = child_program_fd(files->lifeline[0]);
	if (files->lifeline[0] >= 0 && buf_ok(&settings))
		files->config =
		    child_program_file("settings", settings.data, settings.len);
	if (files->config >= 0)
		files->client_secret = child_program_file("client-secret",
		    secret_expose(&config->client_secret),
		    config->client_secret.len);
	buf_done(&settings);
	if (files->client_secret >= 0)
		return MT_OK;
	mt_fail_errno(
	    err, MT_RETRY_LATER, errno, "cannot prepare the token helper");
	close_files(files);
	return MT_RETRY_LATER;
}

/* 0 or an errno value, as the next two. */
static int
plan_files(posix_spawn_file_actions_t *actions, const struct child_files *files)
{
	int error = posix_spawn_file_actions_adddup2(
	    actions, files->lifeline[0], STDIN_FILENO);

	if (!error)
		error = posix_spawn_file_actions_adddup2(
		    actions, files->config, CONFIG_FD);
	if (!error)
		error = posix_spawn_file_actions_adddup2(
		    actions, files->client_secret, CLIENT_SECRET_FD);
	if (!error)
		error = posix_spawn_file_actions_addopen(
		    actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	if (!error)
		error = posix_spawn_file_actions_addclosefrom_np(
		    actions, CLIENT_SECRET_FD + 1);
	return error;
}

/* All signals at their default; a process group of its own, so that an
 * interrupt from the terminal is for its master to act on. */
static int
plan_signals(posix_spawnattr_t *attributes)
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

static int
run_program(const struct helper_place *place, const char *program,
    const posix_spawn_file_actions_t *actions,
    const posix_spawnattr_t *attributes, pid_t *ret_pid)
{
	char config[32], journal[PATH_MAX];
	const char *argv[] = {"mailtokend", "--lifeline", "--config", config,
	    "--state-dir", place->store, "--socket", place->socket, NULL};
	char *environment[] = {NULL, NULL};
	const char *stream = getenv("JOURNAL_STREAM");

	snprintf(config, sizeof(config), "/dev/fd/%d", CONFIG_FD);
	if (stream && snprintf(journal, sizeof(journal), "JOURNAL_STREAM=%s",
			  stream) < (int)sizeof(journal))
		environment[0] = journal;
	/* posix_spawn changes no argument, only its prototype is too old */
	return posix_spawn(ret_pid, program, actions, attributes,
	    (char *const *)(uintptr_t)argv, environment);
}

static int
spawn(const struct helper_place *place, const char *program,
    const struct child_files *files, pid_t *ret_pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int error = posix_spawn_file_actions_init(&actions);

	if (error)
		return error;
	error = posix_spawnattr_init(&attributes);
	if (!error) {
		error = plan_files(&actions, files);
		if (!error)
			error = plan_signals(&attributes);
		if (!error)
			error = run_program(
			    place, program, &actions, &attributes, ret_pid);
		posix_spawnattr_destroy(&attributes);
	}
	posix_spawn_file_actions_destroy(&actions);
	return error;
}

static enum mt_status
fail_spawn(const char *program, int error, struct mt_error *err)
{
	return mt_fail_errno(err,
	    error == EAGAIN || error == ENOMEM ? MT_RETRY_LATER : MT_BAD_CONFIG,
	    error, "cannot start the token helper %s", program);
}

enum mt_status
helper_process_start(struct helper_process *process,
    const struct config *config, const struct helper_place *place,
    struct mt_error *err)
{
	struct child_files files;
	char *program = child_program_find("mailtokend", MT_BIN_DIR);
	enum mt_status status =
	    program ? open_files(&files, config, err)
		    : mt_fail(err, MT_NO_MEMORY, "no memory for a path");
	int error;

	if (status != MT_OK) {
		free(program);
		return status;
	}
	error = spawn(place, program, &files, &process->pid);
	if (error) {
		process->pid = 0;
		status = fail_spawn(program, error, err);
	} else {
		process->lifeline = files.lifeline[1];
		files.lifeline[1] = -1;
	}
	close_files(&files);
	free(program);
	return status;
}

void
helper_process_dismiss(struct helper_process *process)
{
	if (process->lifeline >= 0)
		close(process->lifeline);
	process->lifeline = -1;
}

static enum mt_status
explain_end(int end, struct mt_error *err)
{
	if (WIFSIGNALED(end))
		return mt_fail(err, MT_UNREACHABLE,
		    "the private token helper was ended by signal %d",
		    WTERMSIG(end));
	if (WEXITSTATUS(end) != mt_exit_code(MT_OK) &&
	    WEXITSTATUS(end) != mt_exit_code(MT_RETRY_LATER))
		return mt_fail(err, MT_BAD_CONFIG,
		    "the private token helper ended at once; its message is "
		    "above");
	return mt_fail(err, MT_UNREACHABLE, "the private token helper ended");
}

bool
helper_process_has_ended(struct helper_process *process,
    enum mt_status *ret_why, struct mt_error *err)
{
	int end = 0;

	if (!process->pid || waitpid(process->pid, &end, WNOHANG) == 0)
		return false;
	helper_process_dismiss(process);
	process->pid = 0;
	*ret_why = explain_end(end, err);
	return true;
}

void
helper_process_stop(struct helper_process *process, struct deadline deadline)
{
	enum mt_status why;

	helper_process_dismiss(process);
	while (process->pid && !helper_process_has_ended(process, &why, NULL) &&
	       !deadline_passed(deadline))
		usleep(END_POLL_MS * 1000);
}
