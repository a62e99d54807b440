/* SPDX-License-Identifier: ISC */
#include "server.h"

#include "clock.h"
#include "log_limit.h"

#include "base/fs.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define CONNECTIONS_MAX 4096
#define CONNECTIONS_PER_UID_MAX 512
#define KEPT_PART 8 /* of all, for root and our own uid */
#define FILES_KEPT 64
#define ACCEPTS_AT_ONCE 64
#define REST_MS 500 /* when there are no descriptors for another connection */
#define BACKLOG 1024
#define TEMP_MARK '~' /* behind the path while a socket is being made */

struct listener {
	LIST_ENTRY(listener) link;
	struct server *server;
	const struct server_handler *handler;
	uv_poll_t poll;
	int fd;
	char *path; /* NULL: not ours to remove */
};

/* Ahead of the handler's data in each connection. */
struct entry {
	LIST_ENTRY(entry) link;
	struct connection *connection;
	const struct server_handler *handler;
	max_align_t data[];
};

struct server {
	uv_loop_t *loop;
	struct secret_arena *arena;
	struct connection_handler connection_handler;
	LIST_HEAD(, listener) listeners;
	LIST_HEAD(, entry) entries;
	size_t count;
	size_t max;
	struct log_limit refusals;
	uv_timer_t *rest; /* while it runs, nothing is accepted */
};

void *
server_data(struct connection *connection)
{
	struct entry *entry = connection_data(connection);

	return entry->data;
}

static void
on_request(
    void *context, struct connection *connection, char *frame, size_t len)
{
	const struct entry *entry = connection_data(connection);

	(void)context;
	entry->handler->request(
	    entry->handler->context, connection, frame, len);
}

static void
on_closed(void *context, struct connection *connection)
{
	struct server *server = context;
	struct entry *entry = connection_data(connection);

	LIST_REMOVE(entry, link);
	server->count--;
	entry->handler->closed(entry->handler->context, connection);
}

/* As many as the limit of open files allows, with some for other uses. */
static size_t
most_connections(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) ||
	    limit.rlim_cur > CONNECTIONS_MAX + FILES_KEPT)
		return CONNECTIONS_MAX;
	return limit.rlim_cur > 2 * FILES_KEPT ? limit.rlim_cur - FILES_KEPT
					       : FILES_KEPT / 2;
}

enum mt_status
server_new(uv_loop_t *loop, struct secret_arena *arena,
    struct server **ret_server, struct mt_error *err)
{
	struct server *server = calloc(1, sizeof(*server));

	if (server)
		server->rest = calloc(1, sizeof(*server->rest));
	if (!server || !server->rest) {
		free(server);
		return mt_fail(err, MT_NO_MEMORY, "no memory");
	}
	uv_timer_init(loop, server->rest);
	server->rest->data = server;
	server->loop = loop;
	server->arena = arena;
	server->max = most_connections();
	server->connection_handler = (struct connection_handler){
	    .request = on_request,
	    .closed = on_closed,
	    .context = server,
	};
	LIST_INIT(&server->listeners);
	LIST_INIT(&server->entries);
	*ret_server = server;
	return MT_OK;
}

static void
free_timer(uv_handle_t *handle)
{
	free(handle);
}

void
server_free(struct server **server)
{
	struct server *s = *server;

	if (!s)
		return;
	server_close_listeners(s, NULL);
	while (!LIST_EMPTY(&s->entries))
		connection_close(LIST_FIRST(&s->entries)->connection);
	uv_close((uv_handle_t *)s->rest, free_timer);
	free(s);
	*server = NULL;
}

bool
server_is_listening(
    const struct server *server, const struct server_handler *handler)
{
	const struct listener *listener;

	LIST_FOREACH(listener, &server->listeners, link)
	if (listener->handler == handler)
		return true;
	return false;
}

size_t
server_connections(const struct server *server)
{
	return server->count;
}

void
server_each(struct server *server, const struct server_handler *handler,
    void (*visit)(void *context, struct connection *connection), void *context)
{
	struct entry *entry, *next;

	for (entry = LIST_FIRST(&server->entries); entry; entry = next) {
		next = LIST_NEXT(entry, link);
		if (entry->handler == handler)
			visit(context, entry->connection);
	}
}

/* ---- connections ---- */

enum mt_status
server_adopt_connection(struct server *server,
    const struct server_handler *handler, int fd, struct mt_error *err)
{
	struct connection *connection = NULL;
	struct entry *entry;
	enum mt_status status =
	    connection_new(server->loop, fd, &server->connection_handler,
		handler->cut, sizeof(struct entry) + handler->data_size,
		server->arena, &connection, err);

	if (status != MT_OK)
		return status;
	entry = connection_data(connection);
	entry->connection = connection;
	entry->handler = handler;
	LIST_INSERT_HEAD(&server->entries, entry, link);
	server->count++;
	return MT_OK;
}

static bool
has_too_many(const struct server *server, uid_t uid)
{
	const struct entry *entry;
	size_t theirs = 0;

	if (uid == 0 || uid == geteuid())
		return server->count >= server->max;
	if (server->count >= server->max - server->max / KEPT_PART)
		return true;
	LIST_FOREACH(entry, &server->entries, link)
	theirs += connection_peer(entry->connection)->uid == uid;
	return theirs >= CONNECTIONS_PER_UID_MAX;
}

static void
tell_of_refusal(struct server *server, uid_t uid)
{
	char tail[LOG_LIMIT_TAIL_SIZE];
	unsigned long held;

	if (log_limit_takes(&server->refusals, uid, "", clock_boot_ms(), &held))
		log_warning("too many connections; one of uid %lu is refused%s",
		    (unsigned long)uid, log_limit_tail(held, tail));
}

static void
take_connection(
    struct server *server, const struct server_handler *handler, int fd)
{
	struct mt_error err = {0};
	struct peer peer;

	if (access_read_peer(fd, &peer, &err) != MT_OK) {
		close(fd);
	} else if (has_too_many(server, peer.uid)) {
		tell_of_refusal(server, peer.uid);
		close(fd);
	} else if (server_adopt_connection(server, handler, fd, &err) !=
		   MT_OK) {
		log_warning("%s", err.text);
	}
}

static void on_connect(uv_poll_t *poll, int status, int events);

static void
on_rested(uv_timer_t *timer)
{
	struct server *server = timer->data;
	struct listener *listener;

	LIST_FOREACH(listener, &server->listeners, link)
	uv_poll_start(&listener->poll, UV_READABLE, on_connect);
}

/* Whoever waits to be accepted would be told of again at once, and without
 * end. */
static void
rest(struct server *server, int error)
{
	char tail[LOG_LIMIT_TAIL_SIZE];
	struct listener *listener;
	struct mt_error err;
	unsigned long held;

	LIST_FOREACH(listener, &server->listeners, link)
	uv_poll_stop(&listener->poll);
	uv_timer_start(server->rest, on_rested, REST_MS, 0);
	(void)mt_fail_errno(
	    &err, MT_RETRY_LATER, error, "new connections have to wait");
	if (log_limit_takes(
		&server->refusals, geteuid(), "accept", clock_boot_ms(), &held))
		log_warning("%s; raise the limit of open files "
			    "(LimitNOFILE=)%s",
		    err.text, log_limit_tail(held, tail));
}

static void
on_connect(uv_poll_t *poll, int status, int events)
{
	struct listener *listener = poll->data;

	(void)events;
	if (status < 0)
		return;
	for (int i = 0; i < ACCEPTS_AT_ONCE; i++) {
		int fd = accept4(
		    listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd < 0 && (errno == EMFILE || errno == ENFILE ||
				  errno == ENOBUFS || errno == ENOMEM))
			rest(listener->server, errno);
		if (fd < 0)
			return;
		take_connection(listener->server, listener->handler, fd);
	}
}

/* ---- listeners ---- */

static void
free_listener(uv_handle_t *handle)
{
	struct listener *listener = handle->data;

	free(listener->path);
	free(listener);
}

void
server_close_listeners(
    struct server *server, const struct server_handler *handler)
{
	struct listener *listener, *next;

	for (listener = LIST_FIRST(&server->listeners); listener;
	     listener = next) {
		next = LIST_NEXT(listener, link);
		if (handler && listener->handler != handler)
			continue;
		LIST_REMOVE(listener, link);
		uv_close((uv_handle_t *)&listener->poll, free_listener);
		close(listener->fd);
		if (listener->path)
			unlink(listener->path);
	}
}

static enum mt_status
add_listener(struct server *server, const struct server_handler *handler,
    int fd, const char *path, struct mt_error *err)
{
	struct listener *listener = calloc(1, sizeof(*listener));

	if (!listener)
		return mt_fail(err, MT_NO_MEMORY, "no memory");
	listener->server = server;
	listener->handler = handler;
	listener->fd = fd;
	listener->path = path ? strdup(path) : NULL;
	if ((path && !listener->path) ||
	    uv_poll_init(server->loop, &listener->poll, fd)) {
		free(listener->path);
		free(listener);
		return mt_fail(err, MT_NO_MEMORY, "cannot watch a socket");
	}
	listener->poll.data = listener;
	uv_poll_start(&listener->poll, UV_READABLE, on_connect);
	LIST_INSERT_HEAD(&server->listeners, listener, link);
	return MT_OK;
}

enum mt_status
server_adopt_listener(struct server *server,
    const struct server_handler *handler, int fd, struct mt_error *err)
{
	int listens = 0;
	socklen_t len = sizeof(listens);

	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) ||
	    !listens)
		return mt_fail(err, MT_BAD_CONFIG,
		    "descriptor %d is not a listening socket", fd);
	return add_listener(server, handler, fd, NULL, err);
}

/* True if a helper answers at the address. */
static bool
somebody_listens(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool there;

	if (fd < 0)
		return false;
	there = connect(fd, (const struct sockaddr *)address,
		    sizeof(*address)) == 0 ||
		errno == EAGAIN;
	close(fd);
	return there;
}

static enum mt_status
check_place(const struct sockaddr_un *address, struct mt_error *err)
{
	struct stat st;

	if (lstat(address->sun_path, &st))
		return MT_OK;
	if (!S_ISSOCK(st.st_mode))
		return mt_fail(err, MT_BAD_CONFIG,
		    "%s is there and is not a socket", address->sun_path);
	if (somebody_listens(address))
		return mt_fail(err, MT_RETRY_LATER,
		    "another token helper listens on %s", address->sun_path);
	return MT_OK;
}

enum mt_status
server_make_directory(const char *path, gid_t group, struct mt_error *err)
{
	const mode_t mode = group == (gid_t)-1 ? 0700 : 0755;
	char copy[PATH_MAX];

	snprintf(copy, sizeof(copy), "%s", path);
	return fs_make_dirs(dirname(copy), mode, err);
}

/* Never open to more than it will be at the end, not for a moment. */
static int
bind_closed(int fd, const struct sockaddr_un *address, gid_t group)
{
	mode_t before = umask(0177);
	int result =
	    bind(fd, (const struct sockaddr *)address, sizeof(*address));
	int error = errno;

	umask(before);
	errno = error;
	if (result || group == (gid_t)-1)
		return result;
	/* nor anything else, if others may write in the directory */
	if (lchown(address->sun_path, (uid_t)-1, group) ||
	    fchmodat(AT_FDCWD, address->sun_path, 0660, AT_SYMLINK_NOFOLLOW))
		return -1;
	return 0;
}

/* The socket appears under its name when it listens already: who finds it can
 * connect.  One that was there is replaced. */
static int
listen_at(int fd, const struct sockaddr_un *address, gid_t group)
{
	struct sockaddr_un temp = *address;

	temp.sun_path[strlen(temp.sun_path)] = TEMP_MARK;
	unlink(temp.sun_path);
	if (bind_closed(fd, &temp, group) || listen(fd, BACKLOG) ||
	    rename(temp.sun_path, address->sun_path)) {
		int error = errno;
		unlink(temp.sun_path);
		errno = error;
		return -1;
	}
	return 0;
}

static enum mt_status
open_listener(struct server *server, const struct server_handler *handler,
    const struct sockaddr_un *address, gid_t group, struct mt_error *err)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	enum mt_status status;

	if (fd < 0)
		return mt_fail_errno(
		    err, MT_RETRY_LATER, errno, "cannot make a socket");
	if (listen_at(fd, address, group))
		status = mt_fail_errno(err, MT_BAD_CONFIG, errno,
		    "cannot listen on %s", address->sun_path);
	else
		status =
		    add_listener(server, handler, fd, address->sun_path, err);
	if (status != MT_OK)
		close(fd);
	return status;
}

enum mt_status
server_listen(struct server *server, const struct server_handler *handler,
    const char *path, gid_t group, struct mt_error *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	enum mt_status status;

	if (strlen(path) + 1 >= sizeof(address.sun_path))
		return mt_fail(err, MT_BAD_CONFIG,
		    "socket path longer than %zu bytes: %s",
		    sizeof(address.sun_path) - 2, path);
	memcpy(address.sun_path, path, strlen(path) + 1);
	status = server_make_directory(path, group, err);
	if (status == MT_OK)
		status = check_place(&address, err);
	if (status == MT_OK)
		status = open_listener(server, handler, &address, group, err);
	return status;
}
