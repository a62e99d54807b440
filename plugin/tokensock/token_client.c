/* SPDX-License-Identifier: ISC */
#include "token_client.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static bool
add_path(struct token_paths *paths, const char *path, bool named)
{
	size_t len = strlen(path);

	if (!len || len >= TOKEN_SOCKET_PATH_MAX ||
	    paths->count == TOKEN_SOCKET_PATHS_MAX)
		return false;
	memcpy(paths->path[paths->count], path, len + 1);
	paths->named[paths->count++] = named;
	return true;
}

bool
token_paths_add(struct token_paths *paths, const char *path)
{
	return add_path(paths, path, true);
}

bool
token_paths_add_environment(struct token_paths *paths)
{
	const char *path = secure_getenv("MAILTOKEN_SOCKET");

	return path && token_paths_add(paths, path);
}

void
token_paths_add_standard(struct token_paths *paths, bool system_named)
{
	char path[64];

	snprintf(path, sizeof(path), "/run/user/%lu/mailtoken/socket",
	    (unsigned long)geteuid());
	add_path(paths, path, false);
	add_path(paths, "/run/mailtoken/socket", system_named);
}

void
token_client_init(struct token_client *client, uid_t trusted_uid)
{
	client->fd = -1;
	client->trusted_uid = trusted_uid;
	secret_init(&client->frame, NULL);
	secret_init(&client->early, NULL);
}

static void
disconnect(struct token_client *client)
{
	if (client->fd >= 0)
		close(client->fd);
	client->fd = -1;
	secret_done(&client->early);
}

void
token_client_done(struct token_client *client)
{
	disconnect(client);
	secret_done(&client->frame);
}

/* True when `events` came before the deadline; errno ETIMEDOUT otherwise. */
static bool
wait_for(int fd, short events, struct deadline deadline)
{
	struct pollfd p = {.fd = fd, .events = events};

	for (;;) {
		int left = deadline_left_ms(deadline);
		int n = poll(&p, 1, left);

		if (n > 0)
			return true;
		if (n < 0 && errno != EINTR)
			return false;
		if (left == 0) {
			errno = ETIMEDOUT;
			return false;
		}
	}
}

static enum mt_status
check_peer(
    const struct token_client *client, const char *path, struct mt_error *err)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (getsockopt(client->fd, SOL_SOCKET, SO_PEERCRED, &peer, &len))
		return mt_fail_errno(err, MT_UNREACHABLE, errno,
		    "cannot tell who listens on %s", path);
	if (peer.uid == 0 || peer.uid == geteuid() ||
	    (peer.uid == client->trusted_uid && peer.uid != (uid_t)-1))
		return MT_OK;
	return mt_fail(err, MT_BAD_CONFIG,
	    "uid %lu listens on %s and is not trusted; if it should be, set "
	    "trusted_uid in the SASL module's settings",
	    (unsigned long)peer.uid, path);
}

/* Waits for room in the backlog: connect(2) can do that only while it blocks,
 * bounded by SO_SNDTIMEO.  A signal of the program ends that wait, not ours. */
static int
connect_when_room(
    int fd, const struct sockaddr_un *address, struct deadline deadline)
{
	if (fcntl(fd, F_SETFL, 0))
		return -1;
	for (;;) {
		int left = deadline_left_ms(deadline);
		struct timeval wait = {left / 1000, left % 1000 * 1000L};

		if (left == 0) {
			errno = ETIMEDOUT;
			return -1;
		}
		if (setsockopt(
			fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)))
			return -1;
		if (connect(fd, (const struct sockaddr *)address,
			sizeof(*address)) == 0)
			return 0;
		if (errno != EINTR)
			return -1;
	}
}

/* A Unix socket connects at once or, when the backlog is full, not at all. */
static int
connect_until(
    int fd, const struct sockaddr_un *address, struct deadline deadline)
{
	int result =
	    connect(fd, (const struct sockaddr *)address, sizeof(*address));

	return result && errno == EAGAIN
		   ? connect_when_room(fd, address, deadline)
		   : result;
}

/* As token_client_connect; *ret_error is the errno of connect(2), or 0. */
static enum mt_status
connect_to(struct token_client *client, const char *path,
    struct deadline deadline, int *ret_error, struct mt_error *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	enum mt_status status;

	*ret_error = 0;
	disconnect(client);
	if (strlen(path) >= sizeof(address.sun_path))
		return mt_fail(err, MT_BAD_CONFIG,
		    "socket path longer than %zu bytes: %s",
		    sizeof(address.sun_path) - 1, path);
	memcpy(address.sun_path, path, strlen(path) + 1);
	client->fd =
	    socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (client->fd < 0)
		return mt_fail_errno(
		    err, MT_RETRY_LATER, errno, "cannot make a socket");
	if (connect_until(client->fd, &address, deadline)) {
		*ret_error = errno;
		disconnect(client);
		status = *ret_error == ENOENT || *ret_error == ENOTDIR
			     ? MT_NO_ACCOUNT
			     : MT_UNREACHABLE;
		return mt_fail_errno(err, status, *ret_error,
		    "cannot reach the token helper at %s%s", path,
		    *ret_error == EACCES ? "" : " (is mailtokend running?)");
	}
	status = check_peer(client, path, err);
	if (status != MT_OK)
		disconnect(client);
	return status;
}

enum mt_status
token_client_connect(struct token_client *client, const char *path,
    struct deadline deadline, struct mt_error *err)
{
	int error;

	return connect_to(client, path, deadline, &error, err);
}

void
token_client_adopt(struct token_client *client, int fd)
{
	disconnect(client);
	client->fd = fd;
}

/* Sends some bytes, with a descriptor beside the first of them. */
static ssize_t
send_some(int fd, const char *data, size_t len, int pass_fd)
{
	struct iovec part = {
	    .iov_base = (char *)(uintptr_t)data, .iov_len = len};
	union {
		char space[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

	if (pass_fd >= 0) {
		struct cmsghdr *header;
		message.msg_control = control.space;
		message.msg_controllen = sizeof(control.space);
		header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(header), &pass_fd, sizeof(int));
	}
	return sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static bool
send_frame(struct token_client *client, int pass_fd, struct deadline deadline)
{
	const char *data = secret_expose(&client->frame);
	size_t len = client->frame.len;

	while (len) {
		ssize_t n = send_some(client->fd, data, len, pass_fd);
		if (n >= 0) {
			data += n;
			len -= (size_t)n;
			pass_fd = -1;
		} else if (errno == EAGAIN) {
			if (!wait_for(client->fd, POLLOUT, deadline))
				return false;
		} else if (errno != EINTR) {
			return false;
		}
	}
	return true;
}

/* Adds to the frame, up to its LF; what follows stays for the next.  True when
 * the frame is complete. */
static bool
take_bytes(struct token_client *client, const char *data, size_t len)
{
	const char *end = memchr(data, '\n', len);
	size_t n = end ? (size_t)(end + 1 - data) : len;

	secret_add(&client->frame, data, n);
	if (n < len)
		secret_add(&client->early, data + n, len - n);
	return end != NULL;
}

static bool
receive_frame(struct token_client *client, struct deadline deadline)
{
	struct secret early = SECRET_INIT;
	char chunk[4096];
	bool complete;

	secret_reset(&client->frame);
	secret_move(&early, &client->early);
	complete = take_bytes(client, secret_expose(&early), early.len);
	secret_done(&early);
	while (!complete && wait_for(client->fd, POLLIN, deadline)) {
		ssize_t n =
		    recv(client->fd, chunk, sizeof(chunk), MSG_DONTWAIT);

		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n <= 0) {
			errno = n ? errno : ECONNRESET;
			break;
		}
		complete = take_bytes(client, chunk, (size_t)n);
		explicit_bzero(chunk, (size_t)n);
		if (!secret_ok(&client->frame) || !secret_ok(&client->early)) {
			errno =
			    client->frame.no_memory || client->early.no_memory
				? ENOMEM
				: EMSGSIZE;
			return false;
		}
	}
	return complete;
}

enum mt_status
token_client_read(struct token_client *client,
    struct token_wire_message *ret_message, struct deadline deadline,
    struct mt_error *err)
{
	enum mt_status status;
	const char *text;

	if (client->fd < 0)
		return mt_fail(
		    err, MT_UNREACHABLE, "not connected to the token helper");
	if (!receive_frame(client, deadline)) {
		status = mt_fail_errno(err,
		    errno == ENOMEM ? MT_NO_MEMORY : MT_UNREACHABLE, errno,
		    "no answer from the token helper");
		disconnect(client);
		return status;
	}
	if (!token_wire_parse(
		client->frame.data, client->frame.len, ret_message)) {
		disconnect(client);
		return mt_fail(err, MT_UNREACHABLE,
		    "the token helper sent a frame that is not version 1 of "
		    "its protocol");
	}
	if (strcmp(ret_message->verb, "event") == 0)
		return MT_OK;
	status = token_wire_status(ret_message->verb);
	text = token_wire_get(ret_message, "text");
	if (status != MT_OK)
		mt_fail(err, status, "%s",
		    text && *text ? text : ret_message->verb);
	return status;
}

enum mt_status
token_client_send(struct token_client *client, int pass_fd,
    struct deadline deadline, struct mt_error *err)
{
	enum mt_status status = MT_OK;

	if (client->fd >= 0 && !send_frame(client, pass_fd, deadline)) {
		status = mt_fail_errno(
		    err, MT_UNREACHABLE, errno, "cannot ask the token helper");
		disconnect(client);
	}
	return status;
}

enum mt_status
token_client_call(struct token_client *client, int pass_fd,
    struct token_wire_message *ret_reply, struct deadline deadline,
    struct mt_error *err)
{
	enum mt_status status =
	    token_client_send(client, pass_fd, deadline, err);

	return status == MT_OK
		   ? token_client_read(client, ret_reply, deadline, err)
		   : status;
}

static void
add_query(struct secret *frame, const struct token_query *query)
{
	const struct token_wire_field fields[] = {
	    {"account", query->account},
	    {"service", query->service},
	    {"host", query->host},
	    {"user", query->user},
	    {"authzid", query->authzid},
	};

	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++)
		if (fields[i].value)
			token_wire_add(frame, fields[i].name, fields[i].value);
}

/* Sends the frame, which the query ends. */
static enum mt_status
call_about(struct token_client *client, struct token_wire_message *ret_reply,
    struct deadline deadline, struct mt_error *err)
{
	if (!token_wire_end(&client->frame))
		return client->frame.no_memory
			   ? mt_fail(err, MT_NO_MEMORY,
				 "no memory to ask the token helper")
			   : mt_fail(err, MT_BAD_INPUT,
				 "the login or host name is too long");
	return token_client_call(client, -1, ret_reply, deadline, err);
}

static enum mt_status
ask_exists(struct token_client *client, const struct token_query *query,
    struct deadline deadline, struct mt_error *err)
{
	struct token_wire_message reply;

	token_wire_begin(&client->frame, "exists");
	add_query(&client->frame, query);
	return call_about(client, &reply, deadline, err);
}

static bool
copy_field(const struct token_wire_message *reply, const char *name, char *to,
    size_t size)
{
	const char *value = token_wire_get(reply, name);

	if (!value || strlen(value) >= size)
		return false;
	memcpy(to, value, strlen(value) + 1);
	return true;
}

static enum mt_status
read_token(const struct token_wire_message *reply,
    struct token_answer *ret_answer, struct mt_error *err)
{
	const char *token = token_wire_get(reply, "token");

	if (!*ret_answer->account || !token || !*token ||
	    !copy_field(
		reply, "user", ret_answer->user, sizeof(ret_answer->user)))
		return mt_fail(err, MT_UNREACHABLE,
		    "the token helper's answer lacks a field");
	ret_answer->serial =
	    token_wire_number(reply, "serial", __LONG_MAX__, 0);
	ret_answer->expires_in_s =
	    token_wire_number(reply, "expires_in", __LONG_MAX__, 0);
	secret_add(&ret_answer->token, token, strlen(token));
	if (!secret_ok(&ret_answer->token))
		return mt_fail(err, MT_NO_MEMORY, "no memory for a token");
	return MT_OK;
}

static enum mt_status
ask_get(struct token_client *client, const struct token_query *query,
    long min_ttl_s, long wait_ms, struct token_answer *ret_answer,
    struct deadline deadline, struct mt_error *err)
{
	struct token_wire_message reply = {0};
	enum mt_status status;

	token_wire_begin(&client->frame, "get");
	add_query(&client->frame, query);
	token_wire_add_number(&client->frame, "min_ttl", min_ttl_s);
	token_wire_add_number(&client->frame, "wait_ms", wait_ms);
	ret_answer->account[0] = '\0';
	secret_reset(&ret_answer->token);
	status = call_about(client, &reply, deadline, err);
	copy_field(&reply, "account", ret_answer->account,
	    sizeof(ret_answer->account));
	if (status == MT_OK)
		status = read_token(&reply, ret_answer, err);
	secret_reset(&client->frame);
	return status;
}

enum mt_status
token_client_get(struct token_client *client, const struct token_query *query,
    long min_ttl_s, struct token_answer *ret_answer, struct deadline deadline,
    struct mt_error *err)
{
	int left = deadline_left_ms(deadline);

	/* a little less, so that "later" arrives before the deadline */
	return ask_get(client, query, min_ttl_s, left - left / 10, ret_answer,
	    deadline, err);
}

/* What each helper is asked: for the token, or whether it knows an account. */
struct question {
	const struct token_query *query;
	struct token_answer *answer; /* NULL: only whether */
	long min_ttl_s;
};

static enum mt_status
ask(struct token_client *client, const struct question *question,
    struct deadline deadline, struct mt_error *err)
{
	if (!question->answer)
		return ask_exists(client, question->query, deadline, err);
	return ask_get(client, question->query, question->min_ttl_s, 0,
	    question->answer, deadline, err);
}

/* Asks the helper at one path.  *ret_there tells whether one is there for this
 * user at all. */
static enum mt_status
ask_at(struct token_client *client, const char *path, bool named,
    const struct question *question, struct deadline deadline, bool *ret_there,
    struct mt_error *err)
{
	int error;
	enum mt_status status = connect_to(client, path, deadline, &error, err);

	*ret_there = error == 0;
	if (status == MT_OK)
		return ask(client, question, deadline, err);
	if (named && status == MT_NO_ACCOUNT)
		return MT_UNREACHABLE;
	if (!named && error == EACCES)
		return MT_NO_ACCOUNT;
	return status;
}

/* A helper that ends while it is asked may be there again at once. */
static enum mt_status
ask_again_at(struct token_client *client, const char *path, bool named,
    const struct question *question, struct deadline deadline, bool *ret_there,
    struct mt_error *err)
{
	enum mt_status status =
	    ask_at(client, path, named, question, deadline, ret_there, err);

	if (status == MT_UNREACHABLE && *ret_there &&
	    !deadline_passed(deadline))
		status = ask_at(
		    client, path, named, question, deadline, ret_there, err);
	return status;
}

static enum mt_status
search(struct token_client *client, const struct token_paths *paths,
    const struct question *question, struct deadline deadline,
    struct mt_error *err)
{
	enum mt_status result = mt_fail(
	    err, MT_NO_ACCOUNT, "no token helper is running for this user");

	for (size_t i = 0; i < paths->count; i++) {
		struct mt_error why = {0};
		bool there;
		enum mt_status status = ask_again_at(client, paths->path[i],
		    paths->named[i], question, deadline, &there, &why);
		bool knows = client->fd >= 0 && status != MT_NO_ACCOUNT;

		if (!knows)
			disconnect(client);
		if (status == MT_OK)
			return MT_OK;
		if (knows)
			return mt_fail(err, status, "%s", why.text);
		if (result == MT_NO_ACCOUNT &&
		    (status != MT_NO_ACCOUNT || there))
			result = mt_fail(err, status, "%s", why.text);
	}
	return result;
}

enum mt_status
token_client_find(struct token_client *client, const struct token_paths *paths,
    const struct token_query *query, struct deadline deadline,
    struct mt_error *err)
{
	const struct question question = {.query = query};

	return search(client, paths, &question, deadline, err);
}

enum mt_status
token_client_find_token(struct token_client *client,
    const struct token_paths *paths, const struct token_query *query,
    long min_ttl_s, struct token_answer *ret_answer, struct deadline deadline,
    struct mt_error *err)
{
	const struct question question = {query, ret_answer, min_ttl_s};

	return search(client, paths, &question, deadline, err);
}

enum mt_status
token_client_reject(struct token_client *client, const char *account,
    long serial, struct deadline deadline, struct mt_error *err)
{
	struct token_wire_message reply;

	token_wire_begin(&client->frame, "reject");
	token_wire_add(&client->frame, "account", account);
	token_wire_add_number(&client->frame, "serial", serial);
	if (!token_wire_end(&client->frame))
		return mt_fail(err, MT_BUG, "account name too long");
	return token_client_call(client, -1, &reply, deadline, err);
}
