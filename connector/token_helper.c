/* SPDX-License-Identifier: ISC */
#include "token_helper.h"

#include "base/buf.h"
#include "base/fs.h"
#include "child_program.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define ACCOUNT "connector" /* the one account of a private helper */

/* Descriptors of a private helper, as its command line names them. */
#define CONFIG_FD 3
#define CLIENT_SECRET_FD 4

#define START_POLL_MS 20  /* between two looks whether it listens */
#define STOP_WAIT_MS 5000 /* for its orderly end; then it ends on its own */

struct token_helper {
	const struct config *config;
	bool private;
	bool seeded; /* this process has handed over its refresh token */
	char *store; /* state directory of a private helper */
	struct token_paths paths;
	pid_t pid;    /* 0: none started by us */
	int lifeline; /* the helper ends when this is closed; -1 */
};

static enum mt_status
place_private(struct token_helper *helper, struct mt_error *err)
{
	struct buf path = BUF_INIT(PATH_MAX);
	enum mt_status status;

	buf_add_format(&path, "%s/helper", helper->config->state_dir);
	helper->store = buf_take(&path);
	if (!helper->store)
		return mt_fail(err, MT_NO_MEMORY, "no memory for a path");
	status = fs_make_dirs(helper->store, 0700, err);
	buf_add_format(&path, "%s/socket", helper->store);
	if (status == MT_OK &&
	    !token_paths_add(&helper->paths, buf_text(&path)))
		status = mt_fail(err, MT_BAD_CONFIG,
		    "%s is too long for a socket path (%zu bytes at most); "
		    "set TRI_ONYX_EMAIL_STATE_DIR to a shorter one",
		    buf_text(&path), TOKEN_SOCKET_PATH_MAX - 1);
	buf_done(&path);
	return status;
}

enum mt_status
token_helper_new(struct token_helper **ret_helper, const struct config *config,
    struct mt_error *err)
{
	struct token_helper *helper = calloc(1, sizeof(*helper));
	enum mt_status status = MT_OK;

	if (!helper)
		return mt_fail(err, MT_NO_MEMORY, "no memory");
	helper->config = config;
	helper->lifeline = -1;
	helper->private = config_wants_private_helper(config);
	if (helper->private) {
		status = place_private(helper, err);
	} else {
		token_paths_add_environment(&helper->paths);
		token_paths_add_standard(&helper->paths);
	}
	if (status != MT_OK)
		token_helper_free(&helper);
	else
		*ret_helper = helper;
	return status;
}

/* Waits for the end of our helper; false when the deadline comes first. */
static bool
reap(struct token_helper *helper, struct deadline deadline)
{
	while (waitpid(helper->pid, NULL, WNOHANG) == 0) {
		if (deadline_passed(deadline))
			return false;
		usleep(START_POLL_MS * 1000);
	}
	helper->pid = 0;
	return true;
}

static void
close_lifeline(struct token_helper *helper)
{
	if (helper->lifeline >= 0)
		close(helper->lifeline);
	helper->lifeline = -1;
}

void
token_helper_free(struct token_helper **helper_p)
{
	struct token_helper *helper = *helper_p;

	if (!helper)
		return;
	close_lifeline(helper);
	if (helper->pid)
		reap(helper, deadline_in_ms(STOP_WAIT_MS));
	free(helper->store);
	free(helper);
	*helper_p = NULL;
}

const char *
token_helper_socket(const struct token_helper *helper)
{
	/* the first that is there; without any, where one is expected */
	for (size_t i = 0; i < helper->paths.count; i++)
		if (access(helper->paths.path[i], F_OK) == 0)
			return helper->paths.path[i];
	return helper->private ? helper->paths.path[0]
			       : helper->paths.path[helper->paths.count - 1];
}

static enum mt_status
connect_any(struct token_helper *helper, struct token_client *client,
    struct deadline deadline, struct mt_error *err)
{
	enum mt_status status = MT_UNREACHABLE;

	for (size_t i = 0; i < helper->paths.count; i++) {
		status = token_client_connect(
		    client, helper->paths.path[i], deadline, err);
		if (status != MT_NO_ACCOUNT) /* there is such a socket */
			return status;
	}
	return mt_fail(err, MT_UNREACHABLE,
	    "no token helper is running: start mailtokend, or set "
	    "TRI_ONYX_OAUTH2_REFRESH_TOKEN");
}

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
	buf_add_text(text, "[account " ACCOUNT "]\nprovider = microsoft\n");
	add_setting(text, "tenant", config->tenant);
	add_setting(text, "user", config->imap_username);
	add_setting(text, "client_id", config->client_id);
	add_setting(text, "token_endpoint", config->token_url);
	add_setting(text, "scope", config->scope);
	add_setting(text, "imap_host", config->imap_host);
	add_setting(text, "smtp_host", config->smtp_host);
	if (config->client_secret.len)
		buf_add_format(text, "client_secret_file = /dev/fd/%d\n",
		    CLIENT_SECRET_FD);
}

/* An anonymous file with these contents, at its start; -1 with errno. */
static int
memory_file(const char *name, const void *data, size_t len)
{
	int fd = memfd_create(name, MFD_CLOEXEC);

	if (fd >= 0 && (fchmod(fd, 0600) || fs_write_all(fd, data, len) ||
			   lseek(fd, 0, SEEK_SET) != 0)) {
		close(fd);
		return -1;
	}
	return fd;
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
		    memory_file("settings", settings.data, settings.len);
	if (files->config >= 0)
		files->client_secret = memory_file("client-secret",
		    secret_expose(&config->client_secret),
		    config->client_secret.len);
	buf_done(&settings);
	if (files->client_secret >= 0)
		return MT_OK;
	close_files(files);
	return mt_fail_errno(
	    err, MT_RETRY_LATER, errno, "cannot prepare the token helper");
}

/* Every descriptor of ours is beyond the few that the child is given: first
 * they move up, then down, so that none overwrites another. */
static int
add_actions(
    posix_spawn_file_actions_t *actions, const struct child_files *files)
{
	const int from[] = {
	    files->lifeline[0], files->config, files->client_secret};
	const int to[] = {STDIN_FILENO, CONFIG_FD, CLIENT_SECRET_FD};
	enum { UP = 100 };
	int error = 0;

	for (int i = 0; i < 3 && !error; i++)
		error =
		    posix_spawn_file_actions_adddup2(actions, from[i], UP + i);
	for (int i = 0; i < 3 && !error; i++)
		error =
		    posix_spawn_file_actions_adddup2(actions, UP + i, to[i]);
	if (!error)
		error = posix_spawn_file_actions_addopen(
		    actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	if (!error)
		error = posix_spawn_file_actions_addclosefrom_np(
		    actions, CLIENT_SECRET_FD + 1);
	return error;
}

static int
spawn(struct token_helper *helper, const char *program,
    const struct child_files *files)
{
	char config[32], journal[PATH_MAX];
	char *argv[] = {(char[]){"mailtokend"}, (char[]){"--lifeline"},
	    (char[]){"--config"}, config, (char[]){"--state-dir"},
	    helper->store, (char[]){"--socket"}, helper->paths.path[0], NULL};
	char *environment[] = {NULL, NULL};
	const char *stream = getenv("JOURNAL_STREAM");
	posix_spawn_file_actions_t actions;
	int error;

	snprintf(config, sizeof(config), "/dev/fd/%d", CONFIG_FD);
	if (stream && snprintf(journal, sizeof(journal), "JOURNAL_STREAM=%s",
			  stream) < (int)sizeof(journal))
		environment[0] = journal;
	error = posix_spawn_file_actions_init(&actions);
	if (error)
		return error;
	error = add_actions(&actions, files);
	if (!error)
		error = posix_spawn(
		    &helper->pid, program, &actions, NULL, argv, environment);
	posix_spawn_file_actions_destroy(&actions);
	return error;
}

static enum mt_status
start(struct token_helper *helper, struct mt_error *err)
{
	struct child_files files;
	char *program = child_program_find("mailtokend", MT_BIN_DIR);
	enum mt_status status =
	    program ? open_files(&files, helper->config, err)
		    : mt_fail(err, MT_NO_MEMORY, "no memory for a path");
	int error;

	if (status != MT_OK) {
		free(program);
		return status;
	}
	error = spawn(helper, program, &files);
	if (error) {
		status = mt_fail_errno(err, MT_BAD_CONFIG, error,
		    "cannot start the token helper %s", program);
	} else {
		close_lifeline(helper);
		helper->lifeline = files.lifeline[1];
		files.lifeline[1] = -1;
	}
	close_files(&files);
	free(program);
	return status;
}

/*
 * Starts a helper and waits until one listens.  Ours may lose the race for the
 * store to another process's, and end with 75; then that one serves.
 */
static enum mt_status
start_and_connect(struct token_helper *helper, struct token_client *client,
    struct deadline deadline, struct mt_error *err)
{
	enum mt_status status = start(helper, err);

	if (status != MT_OK)
		return status;
	for (;;) {
		int exit_status = 0;

		status = token_client_connect(
		    client, helper->paths.path[0], deadline, err);
		if (status != MT_NO_ACCOUNT && status != MT_UNREACHABLE)
			return status;
		if (helper->pid && waitpid(helper->pid, &exit_status,
				       WNOHANG) == helper->pid) {
			helper->pid = 0;
			close_lifeline(helper);
			if (WEXITSTATUS(exit_status) !=
			    mt_exit_code(MT_RETRY_LATER))
				return mt_fail(err, MT_BAD_CONFIG,
				    "the private token helper ended at once; "
				    "its message is above");
		}
		if (deadline_passed(deadline))
			return mt_fail(err, MT_UNREACHABLE,
			    "the private token helper did not start in time");
		usleep(START_POLL_MS * 1000);
	}
}

/* Hands the refresh token over; the helper ignores one that it has seen. */
static enum mt_status
seed(struct token_helper *helper, struct token_client *client,
    struct deadline deadline, struct mt_error *err)
{
	const struct secret *token = &helper->config->refresh_token;
	struct token_wire_message reply;
	enum mt_status status;
	int fd;

	if (helper->seeded)
		return MT_OK;
	fd = memory_file("refresh-token", secret_expose(token), token->len);
	if (fd < 0)
		return mt_fail_errno(err, MT_RETRY_LATER, errno,
		    "cannot hand over the refresh token");
	token_wire_begin(&client->frame, "seed");
	token_wire_add(&client->frame, "account", ACCOUNT);
	status = token_wire_end(&client->frame)
		     ? token_client_call(client, fd, &reply, deadline, err)
		     : mt_fail(err, MT_BUG, "frame too long");
	close(fd);
	helper->seeded = status == MT_OK;
	return status;
}

enum mt_status
token_helper_ensure(
    struct token_helper *helper, struct deadline deadline, struct mt_error *err)
{
	struct token_client client;
	enum mt_status status;

	token_client_init(&client, (uid_t)-1);
	if (!helper->private) {
		status = connect_any(helper, &client, deadline, err);
	} else {
		if (helper->pid)
			reap(helper, deadline_in_ms(0));
		status = token_client_connect(
		    &client, helper->paths.path[0], deadline, err);
		if (status == MT_NO_ACCOUNT || status == MT_UNREACHABLE)
			status =
			    start_and_connect(helper, &client, deadline, err);
		if (status == MT_OK)
			status = seed(helper, &client, deadline, err);
	}
	token_client_done(&client);
	return status;
}

/* Starts a request about the account that `server` is entered with. */
static void
begin_request(struct token_client *client, const char *verb,
    const char *service, const struct mail_server *server)
{
	token_wire_begin(&client->frame, verb);
	token_wire_add(&client->frame, "service", service);
	token_wire_add(&client->frame, "host", server->host);
	token_wire_add(&client->frame, "user", server->authentication_id);
}

static enum mt_status
send_request(struct token_client *client, struct token_wire_message *ret_reply,
    struct deadline deadline, struct mt_error *err)
{
	if (!token_wire_end(&client->frame))
		return mt_fail(
		    err, MT_BAD_CONFIG, "host or user name too long");
	return token_client_call(client, -1, ret_reply, deadline, err);
}

enum mt_status
token_helper_reject(struct token_helper *helper, const char *service,
    const struct mail_server *server, struct deadline deadline,
    struct mt_error *err)
{
	struct token_client client;
	struct token_wire_message reply;
	enum mt_status status;

	token_client_init(&client, (uid_t)-1);
	status = connect_any(helper, &client, deadline, err);
	if (status == MT_OK) {
		begin_request(&client, "reject", service, server);
		status = send_request(&client, &reply, deadline, err);
	}
	token_client_done(&client);
	return status;
}

enum mt_status
token_helper_subscribe(struct token_helper *helper,
    struct token_client *ret_client, struct deadline deadline,
    struct mt_error *err)
{
	struct token_wire_message reply;
	char account[TOKEN_ACCOUNT_MAX] = "";
	const char *name;
	enum mt_status status;

	token_client_init(ret_client, (uid_t)-1);
	status = connect_any(helper, ret_client, deadline, err);
	if (status != MT_OK)
		return status;
	begin_request(ret_client, "exists", "imap", &helper->config->imap);
	status = send_request(ret_client, &reply, deadline, err);
	if (status != MT_OK)
		return status;
	name = token_wire_get(&reply, "account");
	snprintf(account, sizeof(account), "%s", name ? name : "");
	token_wire_begin(&ret_client->frame, "subscribe");
	token_wire_add(&ret_client->frame, "account", account);
	return send_request(ret_client, &reply, deadline, err);
}
