/* SPDX-License-Identifier: ISC */
#include "control.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 16

struct control {
	uv_pipe_t listener;
	control_handler handler;
	void *context;
	char *path;
	struct connection *first;
};

/* Lives until its handle is closed and its last request is answered. */
struct connection {
	uv_pipe_t pipe;
	struct control *control; /* NULL: closing */
	struct connection *next;
	struct buf line;
	unsigned pending; /* requests that wait for an answer */
	bool closed;
	char chunk[4096];
};

struct control_peer {
	struct connection *connection;
	struct json_object *request_id; /* NULL: none was given */
};

struct outgoing {
	uv_write_t request;
	struct buf line;
};

static void
release_if_done(struct connection *c)
{
	if (!c->closed || c->pending)
		return;
	buf_done(&c->line);
	free(c);
}

static void
on_closed(uv_handle_t *handle)
{
	struct connection *c = handle->data;

	c->closed = true;
	release_if_done(c);
}

static void
close_connection(struct connection *c)
{
	if (!c->control)
		return;
	for (struct connection **p = &c->control->first; *p; p = &(*p)->next) {
		if (*p == c) {
			*p = c->next;
			break;
		}
	}
	c->control = NULL;
	uv_close((uv_handle_t *)&c->pipe, on_closed);
}

static void
on_written(uv_write_t *request, int status)
{
	struct outgoing *out = request->data;

	(void)status;
	buf_done(&out->line);
	free(out);
}

static void
send_line(struct connection *c, struct json_object *object)
{
	struct outgoing *out = calloc(1, sizeof(*out));
	uv_buf_t data;

	if (!out || !c->control) {
		free(out);
		return;
	}
	out->line = (struct buf)BUF_INIT(CONTROL_REPLY_MAX);
	buf_add_text(&out->line,
	    json_object_to_json_string_ext(object,
		JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	buf_add_char(&out->line, '\n');
	out->request.data = out;
	data = uv_buf_init(out->line.data, (unsigned)out->line.len);
	if (!buf_ok(&out->line) ||
	    uv_write(
		&out->request, (uv_stream_t *)&c->pipe, &data, 1, on_written)) {
		buf_done(&out->line);
		free(out);
		close_connection(c);
	}
}

void
control_reply(struct control_peer *peer, struct json_object *reply)
{
	struct connection *c = peer->connection;

	if (peer->request_id)
		json_object_object_add(reply, "request_id", peer->request_id);
	send_line(c, reply);
	json_object_object_del(reply, "request_id"); /* others may get it */
	json_object_put(reply);
	free(peer);
	c->pending--;
	release_if_done(c);
}

static struct json_object *
refusal(const char *detail)
{
	struct json_object *reply = json_object_new_object();

	json_object_object_add(reply, "type", json_object_new_string("error"));
	json_object_object_add(reply, "detail", json_object_new_string(detail));
	return reply;
}

void
control_refuse(struct control_peer *peer, const char *detail)
{
	control_reply(peer, refusal(detail));
}

static void
refuse(struct connection *c, const char *detail)
{
	struct json_object *reply = refusal(detail);

	send_line(c, reply);
	json_object_put(reply);
}

static void
dispatch(struct connection *c, struct json_object *request, const char *type)
{
	struct control_peer *peer = calloc(1, sizeof(*peer));
	struct json_object *id;

	if (!peer) {
		refuse(c, "no memory");
		return;
	}
	peer->connection = c;
	if (json_object_object_get_ex(request, "request_id", &id))
		peer->request_id = json_object_get(id);
	c->pending++;
	c->control->handler(c->control->context, peer, type, request);
}

static void
take_line(struct connection *c, const char *line)
{
	struct json_object *request = json_tokener_parse(line);
	struct json_object *type;

	if (json_object_is_type(request, json_type_object) &&
	    json_object_object_get_ex(request, "type", &type) &&
	    json_object_is_type(type, json_type_string))
		dispatch(c, request, json_object_get_string(type));
	else
		refuse(c, "expected one JSON object with a type on a line");
	json_object_put(request);
}

static void
take_lines(struct connection *c)
{
	char *end;

	while (c->control && c->line.len &&
	       (end = memchr(c->line.data, '\n', c->line.len))) {
		*end = '\0';
		take_line(c, c->line.data);
		buf_consume(&c->line, (size_t)(end + 1 - c->line.data));
	}
}

static void
on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
	struct connection *c = handle->data;

	(void)suggested;
	*ret = uv_buf_init(c->chunk, sizeof(c->chunk));
}

static void
on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *data)
{
	struct connection *c = stream->data;

	if (n < 0) {
		close_connection(c);
		return;
	}
	buf_add(&c->line, data->base, (size_t)n);
	if (!buf_ok(&c->line)) {
		refuse(c, "line longer than 262144 bytes");
		close_connection(c);
		return;
	}
	take_lines(c);
}

static bool
is_trusted(uv_pipe_t *pipe)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);
	uv_os_fd_t fd;

	return uv_fileno((uv_handle_t *)pipe, &fd) == 0 &&
	       getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
	       (peer.uid == 0 || peer.uid == geteuid());
}

static void
on_connection(uv_stream_t *listener, int status)
{
	struct control *control = listener->data;
	struct connection *c = calloc(1, sizeof(*c));

	if (status < 0 || !c) {
		free(c);
		return;
	}
	c->line = (struct buf)BUF_INIT(CONTROL_LINE_MAX);
	c->control = control;
	c->next = control->first;
	control->first = c;
	uv_pipe_init(listener->loop, &c->pipe, 0);
	c->pipe.data = c;
	if (uv_accept(listener, (uv_stream_t *)&c->pipe) ||
	    !is_trusted(&c->pipe) ||
	    uv_read_start((uv_stream_t *)&c->pipe, on_alloc, on_read))
		close_connection(c);
}

static void
on_listener_closed(uv_handle_t *handle)
{
	struct control *control = handle->data;

	free(control->path);
	free(control);
}

enum mt_status
control_open(struct control **ret_control, uv_loop_t *loop, const char *path,
    control_handler handler, void *context, struct mt_error *err)
{
	struct control *control;
	int error;

	/* libuv would cut it */
	if (strlen(path) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		return mt_fail(err, MT_BAD_CONFIG,
		    "%s is too long for a socket; set "
		    "TRI_ONYX_EMAIL_STATE_DIR to a shorter one",
		    path);
	control = calloc(1, sizeof(*control));
	if (!control || !(control->path = strdup(path))) {
		free(control);
		return mt_fail(err, MT_NO_MEMORY, "no memory");
	}
	control->handler = handler;
	control->context = context;
	uv_pipe_init(loop, &control->listener, 0);
	control->listener.data = control;
	/* the state's lock is ours, so nobody else can be listening there */
	unlink(path);
	error = uv_pipe_bind(&control->listener, path);
	if (!error && chmod(path, 0600))
		error = -errno;
	if (!error)
		error = uv_listen(
		    (uv_stream_t *)&control->listener, BACKLOG, on_connection);
	if (error) {
		uv_close((uv_handle_t *)&control->listener, on_listener_closed);
		return mt_fail(err, MT_BAD_CONFIG, "cannot listen on %s: %s",
		    path, uv_strerror(error));
	}
	*ret_control = control;
	return MT_OK;
}

void
control_close(struct control **control_p)
{
	struct control *control = *control_p;

	if (!control)
		return;
	while (control->first)
		close_connection(control->first);
	unlink(control->path);
	uv_close((uv_handle_t *)&control->listener, on_listener_closed);
	*control_p = NULL;
}

static enum mt_status
connect_to(const char *path, int *ret_fd, struct mt_error *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd, error;

	if (strlen(path) >= sizeof(address.sun_path))
		return mt_fail(
		    err, MT_BAD_CONFIG, "socket path too long: %s", path);
	memcpy(address.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return mt_fail_errno(
		    err, MT_RETRY_LATER, errno, "cannot make a socket");
	if (connect(fd, (struct sockaddr *)&address, sizeof(address))) {
		error = errno;
		close(fd);
		return mt_fail_errno(err, MT_UNREACHABLE, error,
		    "cannot reach the running connector at %s", path);
	}
	*ret_fd = fd;
	return MT_OK;
}

/* Reads up to the first line end. */
static enum mt_status
read_line(
    int fd, struct buf *line, struct deadline deadline, struct mt_error *err)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char chunk[4096];
	ssize_t n;

	buf_reset(line);
	while (!line->len || line->data[line->len - 1] != '\n') {
		if (poll(&p, 1, deadline_left_ms(deadline)) <= 0)
			return mt_fail(err, MT_RETRY_LATER,
			    "the running connector did not answer in time");
		n = recv(fd, chunk, sizeof(chunk), 0);
		if (n <= 0)
			return mt_fail(err, MT_UNREACHABLE,
			    "the running connector ended without an answer");
		buf_add(line, chunk, (size_t)n);
		if (!buf_ok(line))
			return mt_fail(err, MT_RETRY_LATER,
			    "the running connector's answer is too long");
	}
	line->data[--line->len] = '\0';
	return MT_OK;
}

enum mt_status
control_ask(const char *path, const char *request, struct buf *ret_reply,
    struct deadline deadline, struct mt_error *err)
{
	struct buf line = BUF_INIT(CONTROL_LINE_MAX);
	enum mt_status status;
	int fd = -1;

	status = connect_to(path, &fd, err);
	if (status != MT_OK)
		return status;
	buf_add_format(&line, "%s\n", request);
	if (!buf_ok(&line))
		status = mt_fail(err, MT_NO_MEMORY, "no memory for a request");
	else if (send(fd, line.data, line.len, MSG_NOSIGNAL) !=
		 (ssize_t)line.len)
		status = mt_fail_errno(err, MT_UNREACHABLE, errno,
		    "cannot ask the running connector at %s", path);
	else
		status = read_line(fd, ret_reply, deadline, err);
	close(fd);
	buf_done(&line);
	return status;
}
