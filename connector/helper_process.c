/* SPDX-License-Identifier: ISC */
#include "helper_process.h"

#include "base/buf.h"
#include "base/child.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
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
	if (pipe2(files->lifeline, O_CLOEXEC) == 0 && buf_ok(&settings))
		files->config =
		    child_file("settings", settings.data, settings.len);
	if (files->config >= 0)
		files->client_secret = child_file("client-secret",
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

/* 0 or an errno value. */
static int
spawn(const struct helper_place *place, const char *program,
    const struct child_files *files, pid_t *ret_pid)
{
	static const char *const variables[] = {"JOURNAL_STREAM", NULL};
	char config[32];
	const char *const argv[] = {"mailtokend", "--lifeline", "--config",
	    config, "--state-dir", place->store, "--socket", place->socket,
	    NULL};
	const struct child helper = {
	    .program = program,
	    .argv = argv,
	    .variables = variables,
	    .fds = {files->lifeline[0], CHILD_NULL,
		STDERR_FILENO, [CONFIG_FD] = files->config,
		[CLIENT_SECRET_FD] = files->client_secret},
	    .fd_count = CLIENT_SECRET_FD + 1,
	};

	snprintf(config, sizeof(config), "/dev/fd/%d", CONFIG_FD);
	return child_start(&helper, ret_pid);
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
	char path[PATH_MAX];
	const char *program =
	    child_find_program("mailtokend", MT_BIN_DIR "/mailtokend", path);
	struct child_files files;
	enum mt_status status = open_files(&files, config, err);
	int error;

	if (status != MT_OK)
		return status;
	error = spawn(place, program, &files, &process->pid);
	if (error) {
		process->pid = 0;
		status = fail_spawn(program, error, err);
	} else {
		process->lifeline = files.lifeline[1];
		files.lifeline[1] = -1;
	}
	close_files(&files);
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
