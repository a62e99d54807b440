/* SPDX-License-Identifier: ISC */
#include "listening.h"

#include "base/log.h"
#include "base/notify.h"

#include <grp.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define SOCKET_GROUP "mailtoken"
#define NO_GROUP ((gid_t)-1)

/* ---- which there are ---- */

/* The group that may see the system's socket, if the machine has it. */
static gid_t
socket_group(const struct listening *l)
{
	const struct group *group =
	    l->places->system ? getgrnam(SOCKET_GROUP) : NULL;

	return group ? group->gr_gid : NO_GROUP;
}

/* Sockets for mail programs: those of the command line, which are for our own
 * user alone, or those of the settings, or the usual one. */
struct paths {
	const char *const *path;
	size_t count;
	gid_t group;
};

static struct paths
token_paths(const struct listening *l, const struct config *config,
    const char *const usual[1])
{
	if (l->options->socket_count)
		return (struct paths){
		    l->options->sockets, l->options->socket_count, NO_GROUP};
	if (config->socket_count)
		return (struct paths){(const char *const *)config->sockets,
		    config->socket_count, socket_group(l)};
	return (struct paths){usual, 1, socket_group(l)};
}

static struct paths
socketmap_paths(const struct listening *l, const struct config *config)
{
	if (l->options->socket_count)
		return (struct paths){NULL, 0, NO_GROUP};
	return (struct paths){(const char *const *)config->socketmaps,
	    config->socketmap_count, socket_group(l)};
}

/* Its directory must let the group of either pass. */
static gid_t
admin_directory_group(const struct listening *l, const struct config *config)
{
	return config->admin_group != NO_GROUP || l->options->socket_count
		   ? config->admin_group
		   : socket_group(l);
}

static enum mt_status
check_admin_path(
    const struct listening *l, struct paths paths, struct mt_error *err)
{
	for (size_t i = 0; i < paths.count; i++)
		if (strcmp(paths.path[i], l->admin_path) == 0)
			return mt_fail(err, MT_BAD_CONFIG,
			    "%s cannot be the administration socket and "
			    "another one; set admin_socket to a path of its "
			    "own",
			    l->admin_path);
	return MT_OK;
}

/* Beside the first socket for mail programs, unless the settings say where. */
static enum mt_status
place_admin(
    struct listening *l, const struct config *config, struct mt_error *err)
{
	const char *const usual[1] = {l->places->socket};
	char directory[PATH_MAX];
	enum mt_status status;

	if (config->admin_socket) {
		snprintf(l->admin_path, PATH_MAX, "%s", config->admin_socket);
	} else if (*l->token_path) {
		snprintf(directory, PATH_MAX, "%s", l->token_path);
		if (snprintf(l->admin_path, PATH_MAX, "%s/admin",
			dirname(directory)) >= PATH_MAX)
			return mt_fail(err, MT_BAD_CONFIG,
			    "%s is too long for a socket's path",
			    l->token_path);
	}
	if (!*l->admin_path)
		return mt_fail(err, MT_BAD_CONFIG,
		    "there is no place for one beside a socket without a path");
	status = check_admin_path(l, token_paths(l, config, usual), err);
	return status == MT_OK
		   ? check_admin_path(l, socketmap_paths(l, config), err)
		   : status;
}

/* ---- listening ---- */

static enum mt_status
listen_on(struct listening *l, const struct server_handler *handler,
    const char *path, gid_t group, struct mt_error *err)
{
	enum mt_status status =
	    server_listen(l->server, handler, path, group, err);

	if (status == MT_OK)
		log_info("listening on %s", path);
	return status;
}

static enum mt_status
listen_on_all(struct listening *l, const struct server_handler *handler,
    struct paths paths, struct mt_error *err)
{
	enum mt_status status = MT_OK;

	for (size_t i = 0; status == MT_OK && i < paths.count; i++)
		status = listen_on(l, handler, paths.path[i], paths.group, err);
	return status;
}

static enum mt_status
listen_for_admin(
    struct listening *l, const struct config *config, struct mt_error *err)
{
	char whole[PATH_MAX];
	enum mt_status status = server_make_directory(
	    l->admin_path, admin_directory_group(l, config), err);

	if (status == MT_OK)
		status = listen_on(
		    l, l->admin, l->admin_path, config->admin_group, err);
	/* others are told of it, in whatever directory they are */
	if (status == MT_OK && *l->admin_path != '/' &&
	    realpath(l->admin_path, whole))
		memcpy(l->admin_path, whole, sizeof(whole));
	return status;
}

/* Mail goes on without it, where the service manager hands over the sockets and
 * perhaps leaves us no place for another. */
static enum mt_status
open_admin(
    struct listening *l, const struct config *config, struct mt_error *err)
{
	struct mt_error why = {0};
	enum mt_status status = place_admin(l, config, &why);

	if (status == MT_OK)
		status = listen_for_admin(l, config, &why);
	if (status != MT_OK && l->tokens_are_passed) {
		l->admin_path[0] = '\0';
		log_warning("no administration socket: %s; hand one over by "
			    "the name '" LISTENING_ADMIN_NAME
			    "', or set admin_socket",
		    why.text);
		return MT_OK;
	}
	*err = why;
	return status;
}

/* ---- what the service manager hands over ---- */

/* Where a listener is, as far as files go; "": nowhere. */
static void
find_path(int fd, char path[PATH_MAX])
{
	struct sockaddr_un address = {0};
	socklen_t len = sizeof(address);

	path[0] = '\0';
	if (getsockname(fd, (struct sockaddr *)&address, &len) == 0 &&
	    address.sun_family == AF_UNIX && address.sun_path[0] == '/')
		snprintf(path, PATH_MAX, "%.*s", (int)sizeof(address.sun_path),
		    address.sun_path);
}

static void
check_mode(const char *path)
{
	struct stat st;

	if (stat(path, &st) == 0 && st.st_mode & S_IWOTH)
		log_warning("the administration socket %s is open to "
			    "everybody; set SocketMode=0600 in its unit",
		    path);
}

static enum mt_status
adopt(struct listening *l, int fd, const char *name, struct mt_error *err)
{
	const struct server_handler *handler =
	    strcmp(name, LISTENING_ADMIN_NAME) == 0       ? l->admin
	    : strcmp(name, LISTENING_SOCKETMAP_NAME) == 0 ? l->socketmap
							  : l->tokens;
	enum mt_status status =
	    server_adopt_listener(l->server, handler, fd, err);

	if (status != MT_OK)
		return status;
	if (handler == l->admin) {
		l->admin_is_passed = true;
		find_path(fd, l->admin_path);
		check_mode(l->admin_path);
	} else if (handler == l->tokens) {
		if (!l->tokens_are_passed)
			find_path(fd, l->token_path);
		l->tokens_are_passed = true;
	}
	return MT_OK;
}

static enum mt_status
adopt_all(struct listening *l, struct mt_error *err)
{
	char **names = NULL;
	int count = notify_listen_fds(&names);
	enum mt_status status = MT_OK;

	for (int i = 0; status == MT_OK && i < count; i++)
		status =
		    adopt(l, NOTIFY_FIRST_FD + i, names ? names[i] : "", err);
	for (int i = 0; names && i < count; i++)
		free(names[i]);
	free(names);
	return status;
}

/* Of settings for sockets that we would make. */
static void
tell_what_is_ignored(const struct listening *l, const struct config *config)
{
	if (l->tokens_are_passed && config->socket_count)
		log_warning("the service manager hands the sockets over: "
			    "'socket' in the settings is ignored; give it a "
			    "socket unit of its own");
	if (l->admin_is_passed && config->admin_group != NO_GROUP)
		log_warning("the service manager hands the administration "
			    "socket over: 'admin_group' is ignored; set "
			    "SocketGroup and SocketMode in its unit");
}

/* ---- all together ---- */

enum mt_status
listening_update(
    struct listening *l, const struct config *config, struct mt_error *err)
{
	const char *const usual[1] = {l->places->socket};
	bool wanted = config->account_count || !l->places->system ||
		      l->options->socket_count;

	if (l->options->once || l->tokens_are_passed)
		return MT_OK;
	if (!wanted && server_is_listening(l->server, l->tokens)) {
		log_info("no account is configured: the socket is removed");
		server_close_listeners(l->server, l->tokens);
	}
	if (wanted && !server_is_listening(l->server, l->tokens))
		return listen_on_all(
		    l, l->tokens, token_paths(l, config, usual), err);
	if (!wanted)
		log_warning("no account is configured in %s/mailtoken.conf or "
			    "%s/accounts.d: nobody is served until one is, and "
			    "SIGHUP",
		    l->places->config_dir, l->places->config_dir);
	return MT_OK;
}

enum mt_status
listening_open(
    struct listening *l, const struct config *config, struct mt_error *err)
{
	const char *const usual[1] = {l->places->socket};
	enum mt_status status;

	if (l->options->once)
		return MT_OK;
	snprintf(l->token_path, PATH_MAX, "%s",
	    token_paths(l, config, usual).path[0]);
	status = adopt_all(l, err);
	tell_what_is_ignored(l, config);
	/* ahead of the others: it is there when they name it */
	if (status == MT_OK && !l->admin_is_passed)
		status = open_admin(l, config, err);
	if (status == MT_OK)
		status = listening_update(l, config, err);
	/* also without an account: then Postfix is told that there is none */
	if (status == MT_OK)
		status = listen_on_all(
		    l, l->socketmap, socketmap_paths(l, config), err);
	return status;
}

static void
plan_paths(struct paths paths, struct lockdown *plan)
{
	for (size_t i = 0; i < paths.count; i++)
		if (server_make_directory(paths.path[i], paths.group, NULL) ==
		    MT_OK)
			plan->sockets[plan->socket_count++] = paths.path[i];
}

void
listening_plan(const struct listening *l, const struct config *config,
    struct lockdown *plan)
{
	const char *const usual[1] = {l->places->socket};

	if (l->options->once)
		return;
	if (!l->admin_is_passed && *l->admin_path)
		plan->sockets[plan->socket_count++] = l->admin_path;
	if (!l->tokens_are_passed)
		plan_paths(token_paths(l, config, usual), plan);
	plan_paths(socketmap_paths(l, config), plan);
}
