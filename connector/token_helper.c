/* SPDX-License-Identifier: ISC */
#include "token_helper.h"

#include "base/buf.h"
#include "base/child.h"
#include "base/fs.h"
#include "helper_process.h"
#include "tokensock/module_settings.h"
#include "tokensock/token_admin.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define START_POLL_MS 20   /* between two looks whether it listens */
#define START_PAUSE_MS 100 /* before another start; doubles to the next */
#define START_PAUSE_MAX_MS 1600
#define STOP_WAIT_MS 5000 /* for its orderly end; then it ends on its own */

struct token_helper {
	const struct config *config; /* NULL: not a private one */
	char *store;                 /* state directory of a private helper */
	struct token_paths paths;
	uid_t trusted_uid;
	pthread_mutex_t lock; /* for what follows */
	struct helper_process process;
	bool seeded; /* a helper has our refresh token in its store */
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
	helper->trusted_uid = (uid_t)-1;
	helper->process = (struct helper_process)HELPER_PROCESS_INIT;
	pthread_mutex_init(&helper->lock, NULL);
	if (config) {
		status = place_private(helper, err);
	} else {
		token_paths_add_environment(&helper->paths);
		token_paths_add_standard(&helper->paths, false);
		helper->trusted_uid =
		    module_settings_trusted_uid(MT_SASL_SETTINGS);
	}
	if (status != MT_OK)
		token_helper_free(&helper);
	else
		*ret_helper = helper;
	return status;
}

void
token_helper_free(struct token_helper **helper_p)
{
	struct token_helper *helper = *helper_p;

	if (!helper)
		return;
	helper_process_stop(&helper->process, deadline_in_ms(STOP_WAIT_MS));
	pthread_mutex_destroy(&helper->lock);
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
	return helper->paths.path[helper->paths.count - 1];
}

/* Whether any configured helper is there; which of them has the account is for
 * the SASL module to find out. */
static enum mt_status
connect_any(const struct token_helper *helper, struct token_client *client,
    struct deadline deadline, struct mt_error *err)
{
	enum mt_status result = mt_fail(err, MT_UNREACHABLE,
	    "no token helper is running: start mailtokend, or set "
	    "TRI_ONYX_OAUTH2_REFRESH_TOKEN");

	for (size_t i = 0; i < helper->paths.count; i++) {
		struct mt_error why;
		enum mt_status status = token_client_connect(
		    client, helper->paths.path[i], deadline, &why);

		if (status == MT_OK)
			return MT_OK;
		if (status != MT_NO_ACCOUNT) /* there is such a socket */
			result = mt_fail(err, status, "%s", why.text);
	}
	return result;
}

/* Waits until any helper listens.  MT_UNREACHABLE: none did until the deadline,
 * or until ours ended. */
static enum mt_status
wait_for_helper(struct token_helper *helper, struct token_client *client,
    struct deadline deadline, struct mt_error *err)
{
	enum mt_status status;

	for (;;) {
		status = token_client_connect(
		    client, helper->paths.path[0], deadline, err);

		if (status != MT_NO_ACCOUNT && status != MT_UNREACHABLE)
			return status;
		if (helper_process_has_ended(&helper->process, &status, err))
			return status;
		if (deadline_passed(deadline))
			return MT_UNREACHABLE;
		usleep(START_POLL_MS * 1000);
	}
}

static enum mt_status
start(struct token_helper *helper, struct mt_error *err)
{
	const struct helper_place place = {
	    .store = helper->store, .socket = helper->paths.path[0]};

	if (helper->process.pid)
		return MT_OK;
	helper->seeded = false;
	return helper_process_start(
	    &helper->process, helper->config, &place, err);
}

/*
 * Starts a helper and waits until one listens.  Ours may lose the race for the
 * store to another process's, and end; then that one serves.  Or it just ends,
 * too, after its last refresh: then ours is started again.
 */
static enum mt_status
start_and_connect(struct token_helper *helper, struct token_client *client,
    struct deadline deadline, struct mt_error *err)
{
	int64_t pause_ms = START_PAUSE_MS;
	enum mt_status status;

	for (;;) {
		status = start(helper, err);
		if (status == MT_OK)
			status = wait_for_helper(helper, client, deadline, err);
		if (status != MT_UNREACHABLE || deadline_passed(deadline))
			return status;
		status = wait_for_helper(helper, client,
		    deadline_min(deadline, deadline_in_ms(pause_ms)), NULL);
		if (status != MT_UNREACHABLE)
			return status;
		if (pause_ms < START_PAUSE_MAX_MS)
			pause_ms *= 2;
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
	fd = child_file("refresh-token", secret_expose(token), token->len);
	if (fd < 0)
		return mt_fail_errno(err, MT_RETRY_LATER, errno,
		    "cannot hand over the refresh token");
	token_wire_begin(&client->frame, "seed");
	token_wire_add(&client->frame, "account", HELPER_ACCOUNT);
	status = token_wire_end(&client->frame)
		     ? token_admin_call(client, fd, &reply, deadline, err)
		     : mt_fail(err, MT_BUG, "frame too long");
	close(fd);
	helper->seeded = status == MT_OK;
	return status;
}

static enum mt_status
ensure_private(struct token_helper *helper, struct token_client *client,
    struct deadline deadline, struct mt_error *err)
{
	enum mt_status status;

	pthread_mutex_lock(&helper->lock);
	helper_process_has_ended(&helper->process, &status, err);
	status =
	    token_client_connect(client, helper->paths.path[0], deadline, err);
	if (status == MT_NO_ACCOUNT || status == MT_UNREACHABLE) {
		/* if ours runs and does not listen, it is of no use */
		helper_process_dismiss(&helper->process);
		status = start_and_connect(helper, client, deadline, err);
	}
	if (status == MT_OK)
		status = seed(helper, client, deadline, err);
	pthread_mutex_unlock(&helper->lock);
	return status;
}

enum mt_status
token_helper_ensure(
    struct token_helper *helper, struct deadline deadline, struct mt_error *err)
{
	struct token_client client;
	enum mt_status status;

	token_client_init(&client, helper->trusted_uid);
	if (helper->config)
		status = ensure_private(helper, &client, deadline, err);
	else
		status = connect_any(helper, &client, deadline, err);
	token_client_done(&client);
	return status;
}

/* Connects to the helper that has the account which `server` is entered with,
 * as the SASL module does. */
static enum mt_status
connect_to_account(const struct token_helper *helper,
    struct token_client *client, const char *service,
    const struct mail_server *server, struct deadline deadline,
    struct mt_error *err)
{
	const struct token_query query = {
	    .service = service,
	    .host = server->host,
	    .user = server->authentication_id,
	};

	token_client_init(client, helper->trusted_uid);
	return token_client_find(client, &helper->paths, &query, deadline, err);
}

/* Starts a request about that account. */
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

	status =
	    connect_to_account(helper, &client, service, server, deadline, err);
	if (status == MT_OK) {
		begin_request(&client, "reject", service, server);
		status = send_request(&client, &reply, deadline, err);
	}
	token_client_done(&client);
	return status;
}

enum mt_status
token_helper_account(struct token_helper *helper, const char *service,
    const struct mail_server *server, char ret_name[TOKEN_ACCOUNT_MAX],
    struct deadline deadline, struct mt_error *err)
{
	struct token_client client;
	struct token_wire_message reply;
	const char *name;
	enum mt_status status;

	status =
	    connect_to_account(helper, &client, service, server, deadline, err);
	if (status == MT_OK) {
		begin_request(&client, "exists", service, server);
		status = send_request(&client, &reply, deadline, err);
	}
	if (status == MT_OK) {
		name = token_wire_get(&reply, "account");
		snprintf(ret_name, TOKEN_ACCOUNT_MAX, "%s", name ? name : "");
	}
	token_client_done(&client);
	return status;
}

size_t
token_helper_count(const struct token_helper *helper)
{
	return helper->paths.count;
}

enum mt_status
token_helper_subscribe(struct token_helper *helper, size_t index,
    struct token_client *ret_client, struct deadline deadline,
    struct mt_error *err)
{
	struct token_wire_message reply;
	enum mt_status status;

	token_client_init(ret_client, helper->trusted_uid);
	status = token_client_connect(
	    ret_client, helper->paths.path[index], deadline, err);
	if (status != MT_OK)
		return status;
	token_wire_begin(&ret_client->frame, "subscribe");
	return send_request(ret_client, &reply, deadline, err);
}
