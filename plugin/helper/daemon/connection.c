/* SPDX-License-Identifier: ISC */
#include "connection.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Frames of one peer that are handled before others have their turn. */
#define FRAMES_AT_ONCE 16

struct connection {
	const struct connection_handler *handler;
	connection_cut cut;
	struct peer peer;
	int fd;
	uv_poll_t poll;
	uv_timer_t timer;
	int handles; /* of libuv, not closed yet */
	int watched; /* events that `poll` waits for */
	/* Requests are in the heap: the arena is not for everybody to fill. */
	struct secret in;
	struct secret out;
	size_t out_sent;
	int passed_fd;
	bool busy;        /* a request is being handled */
	bool in_loop;     /* read_frames is on the stack */
	bool half_closed; /* the peer sends nothing more */
	bool finishing;   /* ends as soon as `out` is gone */
	bool closed;
	max_align_t data[];
};

const struct peer *
connection_peer(const struct connection *c)
{
	return &c->peer;
}

void *
connection_data(struct connection *c)
{
	return c->data;
}

int
connection_take_fd(struct connection *c)
{
	int fd = c->passed_fd;

	c->passed_fd = -1;
	return fd;
}

static void
drop_passed_fd(struct connection *c)
{
	if (c->passed_fd >= 0)
		close(c->passed_fd);
	c->passed_fd = -1;
}

static void
free_handle(uv_handle_t *handle)
{
	struct connection *c = handle->data;

	if (--c->handles)
		return;
	secret_done(&c->in);
	secret_done(&c->out);
	free(c);
}

void
connection_close(struct connection *c)
{
	if (c->closed)
		return;
	c->closed = true;
	c->handler->closed(c->handler->context, c);
	drop_passed_fd(c);
	secret_done(&c->in);
	secret_done(&c->out);
	uv_close((uv_handle_t *)&c->poll, free_handle);
	uv_close((uv_handle_t *)&c->timer, free_handle);
	close(c->fd);
}

static void
on_deadline(uv_timer_t *timer)
{
	connection_close(timer->data);
}

static void on_events(uv_poll_t *poll, int status, int events);

static bool
has_output(const struct connection *c)
{
	return c->out.len > c->out_sent;
}

/* Waits for what comes next.  While a request is handled only the peer's end is
 * looked for. */
static void
watch(struct connection *c)
{
	int events = UV_READABLE;

	if (c->closed)
		return;
	if (has_output(c))
		events = UV_WRITABLE;
	else if (c->busy)
		events = c->half_closed ? 0 : UV_DISCONNECT;
	if (events == c->watched)
		return;
	c->watched = events;
	if (!events)
		uv_poll_stop(&c->poll);
	else if (uv_poll_start(&c->poll, events, on_events))
		connection_close(c);
}

/* A frame that began must end, a reply must be taken. */
static void
set_deadline(struct connection *c)
{
	bool pending = has_output(c) || (c->in.len && !c->busy);

	if (!pending)
		uv_timer_stop(&c->timer);
	else if (!uv_is_active((uv_handle_t *)&c->timer))
		uv_timer_start(&c->timer, on_deadline, CONNECTION_FRAME_MS, 0);
}

/* Sends what can be sent. */
static void
flush(struct connection *c)
{
	while (has_output(c)) {
		ssize_t n = send(c->fd, secret_expose(&c->out) + c->out_sent,
		    c->out.len - c->out_sent, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) {
			connection_close(c);
			return;
		}
		c->out_sent += (size_t)n;
	}
	secret_done(&c->out);
	c->out_sent = 0;
	if (c->finishing)
		connection_close(c);
}

static void
send_frame(struct connection *c, const struct secret *frame, bool complete)
{
	if (!complete) {
		connection_close(c);
		return;
	}
	secret_add(&c->out, secret_expose(frame), frame->len);
	if (!secret_ok(&c->out)) {
		connection_close(c);
		return;
	}
	flush(c);
	if (c->closed)
		return;
	set_deadline(c);
}

/* What the peer asks next waits for its turn in the loop: whoever answers is in
 * the middle of something, and no request must meet that half-way. */
void
connection_reply(
    struct connection *c, const struct secret *frame, bool complete)
{
	if (c->closed)
		return;
	c->busy = false;
	drop_passed_fd(c);
	send_frame(c, frame, complete);
	if (!c->closed && !c->in_loop)
		watch(c);
}

void
connection_send_event(
    struct connection *c, const struct secret *frame, bool complete)
{
	if (c->closed)
		return;
	send_frame(c, frame, complete);
	watch(c);
}

void
connection_reply_last(
    struct connection *c, const struct secret *frame, bool complete)
{
	c->finishing = true;
	connection_reply(c, frame, complete);
}

static void
handle_frame(struct connection *c)
{
	c->busy = true;
	set_deadline(c);
	c->handler->request(c->handler->context, c, c->in.data, c->in.len);
	if (!c->closed)
		secret_done(&c->in);
}

/* Keeps one descriptor; the request that brings two gets none. */
static void
take_descriptors(struct connection *c, struct msghdr *message)
{
	for (struct cmsghdr *h = CMSG_FIRSTHDR(message); h;
	     h = CMSG_NXTHDR(message, h)) {
		size_t count;
		int fd;

		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
			continue;
		count = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < count; i++) {
			memcpy(&fd, CMSG_DATA(h) + i * sizeof(int), sizeof(fd));
			if (count == 1 && c->passed_fd < 0)
				c->passed_fd = fd;
			else
				close(fd);
		}
	}
}

/* Takes `len` bytes that are known to be there. */
static ssize_t
receive(struct connection *c, char *data, size_t len)
{
	struct iovec part = {.iov_base = data, .iov_len = len};
	union {
		char space[CMSG_SPACE(4 * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct msghdr message = {
	    .msg_iov = &part,
	    .msg_iovlen = 1,
	    .msg_control = control.space,
	    .msg_controllen = sizeof(control.space),
	};
	ssize_t n = recvmsg(c->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (n > 0)
		take_descriptors(c, &message);
	return n;
}

enum reading {
	READ_FRAME,   /* c->in holds a whole frame */
	READ_MORE,    /* some bytes were taken */
	READ_NOTHING, /* nothing there for now */
	READ_END,     /* the peer is gone, or as good as */
};

/*
 * Takes bytes up to the end of one frame, no further: what follows, and the
 * descriptor that may come with it, belongs to the next one.
 */
static enum reading
read_some(struct connection *c)
{
	char chunk[4096];
	ssize_t n = recv(c->fd, chunk, sizeof(chunk), MSG_PEEK | MSG_DONTWAIT);
	bool whole = false;
	size_t seen, wanted;

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? READ_NOTHING
							 : READ_END;
	if (n == 0)
		return READ_END;
	seen = (size_t)n;
	wanted = c->cut(&c->in, chunk, seen, &whole);
	n = wanted ? receive(c, chunk, wanted) : 0;
	if (n > 0)
		secret_add(&c->in, chunk, (size_t)n);
	explicit_bzero(chunk, seen);
	if (n <= 0 || !secret_ok(&c->in))
		return READ_END;
	return whole && (size_t)n == wanted ? READ_FRAME : READ_MORE;
}

static void
read_frames(struct connection *c)
{
	enum reading reading = READ_MORE;

	c->in_loop = true;
	for (int i = 0; i < FRAMES_AT_ONCE && !c->busy && !has_output(c); i++) {
		reading = read_some(c);
		if (reading == READ_FRAME)
			handle_frame(c);
		if (c->closed)
			return;
		if (reading == READ_NOTHING || reading == READ_END)
			break;
	}
	c->in_loop = false;
	if (reading == READ_END) {
		connection_close(c);
		return;
	}
	set_deadline(c);
	watch(c);
}

/* The peer closed, or only will not send any more and waits for the reply. */
static void
on_disconnect(struct connection *c)
{
	struct pollfd p = {.fd = c->fd};

	if (poll(&p, 1, 0) > 0 && p.revents & (POLLHUP | POLLERR)) {
		connection_close(c);
		return;
	}
	c->half_closed = true;
	watch(c);
}

static void
on_events(uv_poll_t *poll, int status, int events)
{
	struct connection *c = poll->data;

	if (status < 0) {
		connection_close(c);
		return;
	}
	if (events & UV_WRITABLE) {
		flush(c);
		if (c->closed)
			return;
		if (!has_output(c))
			uv_timer_stop(&c->timer);
		watch(c);
	}
	if (events & UV_READABLE && !c->busy)
		read_frames(c);
	else if (events & UV_DISCONNECT)
		on_disconnect(c);
}

enum mt_status
connection_new(uv_loop_t *loop, int fd,
    const struct connection_handler *handler, connection_cut cut,
    size_t data_size, struct secret_arena *arena,
    struct connection **ret_connection, struct mt_error *err)
{
	struct connection *c =
	    calloc(1, sizeof(*c) + data_size + sizeof(max_align_t));
	enum mt_status status;

	if (!c) {
		close(fd);
		return mt_fail(err, MT_NO_MEMORY, "no memory");
	}
	c->handler = handler;
	c->cut = cut;
	c->fd = fd;
	c->passed_fd = -1;
	secret_init(&c->in, NULL);
	secret_init(&c->out, arena);
	status = access_read_peer(fd, &c->peer, err);
	if (status == MT_OK && uv_poll_init(loop, &c->poll, fd))
		status =
		    mt_fail(err, MT_RETRY_LATER, "cannot watch a connection");
	if (status != MT_OK) {
		close(fd);
		free(c);
		return status;
	}
	uv_timer_init(loop, &c->timer);
	c->poll.data = c->timer.data = c;
	c->handles = 2;
	*ret_connection = c;
	watch(c);
	return MT_OK;
}
