/* SPDX-License-Identifier: ISC */
#include "listener.h"

#include "http_request.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define REQUEST_MS 10000
#define PORT_ATTEMPTS 32
#define BACKLOG 64

struct connection {
	int fd;               /* -1: the place is free */
	unsigned long number; /* in the order of arrival */
	struct deadline deadline;
	size_t len;
	char data[HTTP_REQUEST_MAX + 1]; /* room for a final NUL */
};

struct listener {
	int fds[2]; /* 127.0.0.1 and ::1; -1: no such family here */
	uint16_t port;
	const char *account;
	unsigned long accepted;
	struct connection *waiting; /* for listener_answer() */
	struct connection connections[LISTENER_CONNECTIONS];
};

static int
bind_loopback(int fd, int family, uint16_t port)
{
	const int on = 1;
	struct sockaddr_in v4 = {.sin_family = AF_INET,
	    .sin_port = htons(port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6,
	    .sin6_port = htons(port),
	    .sin6_addr = IN6ADDR_LOOPBACK_INIT};

	if (family == AF_INET)
		return bind(fd, (const struct sockaddr *)&v4, sizeof(v4));
	if (setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)))
		return -1;
	return bind(fd, (const struct sockaddr *)&v6, sizeof(v6));
}

/* A listening socket, or -1 with errno. */
static int
open_family(int family, uint16_t port)
{
	const int on = 1;
	int error;
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -1;
	/* a port that was asked for may still have closed connections */
	if ((port == 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on,
			      sizeof(on)) == 0) &&
	    bind_loopback(fd, family, port) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

static uint16_t
port_of(int fd)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} address = {0};
	socklen_t len = sizeof(address);

	getsockname(fd, &address.any, &len);
	return ntohs(address.any.sa_family == AF_INET6 ? address.v6.sin6_port
						       : address.v4.sin_port);
}

static bool
family_is_missing(int error)
{
	return error == EAFNOSUPPORT || error == EADDRNOTAVAIL;
}

/* Both families on one port.  0, or -1 with errno and nothing open. */
static int
open_both(struct listener *listener, uint16_t port)
{
	listener->fds[0] = open_family(AF_INET, port);
	if (listener->fds[0] < 0 && !family_is_missing(errno))
		return -1;
	if (listener->fds[0] >= 0)
		port = port_of(listener->fds[0]);
	listener->fds[1] = open_family(AF_INET6, port);
	if (listener->fds[1] < 0 &&
	    (listener->fds[0] < 0 || !family_is_missing(errno))) {
		int error = errno;
		if (listener->fds[0] >= 0)
			close(listener->fds[0]);
		listener->fds[0] = -1;
		errno = error;
		return -1;
	}
	listener->port =
	    listener->fds[1] >= 0 ? port_of(listener->fds[1]) : port;
	return 0;
}

/* A port that is free in one family may be taken in the other: try some. */
static int
open_any_port(struct listener *listener)
{
	for (int i = 0; i < PORT_ATTEMPTS; i++) {
		if (open_both(listener, 0) == 0)
			return 0;
		if (errno != EADDRINUSE)
			return -1;
	}
	return -1;
}

enum mt_status
listener_open(struct listener **ret_listener, long port, const char *account,
    struct mt_error *err)
{
	struct listener *listener = calloc(1, sizeof(*listener));

	if (!listener)
		return mt_fail(err, MT_NO_MEMORY, "no memory for a listener");
	listener->account = account;
	listener->fds[0] = listener->fds[1] = -1;
	for (size_t i = 0; i < LISTENER_CONNECTIONS; i++)
		listener->connections[i].fd = -1;
	if (port ? open_both(listener, (uint16_t)port)
		 : open_any_port(listener)) {
		int error = errno;
		listener_free(&listener);
		return mt_fail_errno(err,
		    error == EACCES ? MT_USAGE : MT_RETRY_LATER, error,
		    "cannot listen on port %ld for the browser", port);
	}
	*ret_listener = listener;
	return MT_OK;
}

static void
end_connection(struct connection *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	/* it may hold an authorization code */
	explicit_bzero(c->data, c->len);
	c->len = 0;
}

void
listener_free(struct listener **listener)
{
	struct listener *l = *listener;

	if (!l)
		return;
	for (size_t i = 0; i < LISTENER_CONNECTIONS; i++)
		end_connection(&l->connections[i]);
	for (size_t i = 0; i < 2; i++)
		if (l->fds[i] >= 0)
			close(l->fds[i]);
	free(l);
	*listener = NULL;
}

long
listener_port(const struct listener *listener)
{
	return listener->port;
}

void
listener_watch(
    const struct listener *listener, struct pollfd fds[LISTENER_POLL])
{
	for (size_t i = 0; i < 2; i++)
		fds[i] = (struct pollfd){listener->fds[i], POLLIN, 0};
	for (size_t i = 0; i < LISTENER_CONNECTIONS; i++)
		fds[2 + i] =
		    (struct pollfd){listener->connections[i].fd, POLLIN, 0};
}

struct deadline
listener_deadline(const struct listener *listener, struct deadline latest)
{
	for (size_t i = 0; i < LISTENER_CONNECTIONS; i++)
		if (listener->connections[i].fd >= 0)
			latest = deadline_min(
			    latest, listener->connections[i].deadline);
	return latest;
}

/* Sends a page, as far as the socket takes it at once, which a fresh one does
 * for all of it; then closes. */
static void
send_page(const struct listener *listener, struct connection *c,
    enum login_page page, const char *detail)
{
	struct buf response = BUF_INIT(2 * LOGIN_PAGE_MAX);
	char unread[4096];
	ssize_t n;

	login_page_write(&response, page, listener->account, detail);
	if (buf_ok(&response))
		n = send(c->fd, response.data, response.len,
		    MSG_NOSIGNAL | MSG_DONTWAIT);
	buf_done(&response);
	shutdown(c->fd, SHUT_WR);
	/* closing over unread bytes would reset the connection, and the page
	 * would be lost */
	do
		n = recv(c->fd, unread, sizeof(unread), MSG_DONTWAIT);
	while (n > 0);
	end_connection(c);
}

/* True if the connection now waits for listener_answer(). */
static bool
judge(const struct listener *listener, struct connection *c)
{
	struct http_target target = {NULL, 0};

	switch (http_request_judge(c->data, c->len, &target)) {
	case HTTP_INCOMPLETE:
		if (c->len == HTTP_REQUEST_MAX)
			send_page(listener, c, LOGIN_PAGE_BAD_REQUEST, NULL);
		return false;
	case HTTP_MALFORMED:
		send_page(listener, c, LOGIN_PAGE_BAD_REQUEST, NULL);
		return false;
	case HTTP_WRONG_METHOD:
		send_page(listener, c, LOGIN_PAGE_BAD_METHOD, NULL);
		return false;
	case HTTP_ELSEWHERE:
		send_page(listener, c, LOGIN_PAGE_NOT_FOUND, NULL);
		return false;
	case HTTP_HOME:
		send_page(listener, c, LOGIN_PAGE_WAITING, NULL);
		return false;
	case HTTP_ANSWER:
		/* the target becomes the contents, as text */
		memmove(c->data, target.text, target.len);
		c->data[target.len] = '\0';
		return true;
	}
	return false;
}

/* Takes what has arrived.  True if the connection now waits for its answer. */
static bool
read_connection(const struct listener *listener, struct connection *c)
{
	ssize_t n = recv(
	    c->fd, c->data + c->len, HTTP_REQUEST_MAX - c->len, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0) {
		end_connection(c);
		return false;
	}
	c->len += (size_t)n;
	return judge(listener, c);
}

/* A free place, made free if need be at the expense of the oldest. */
static struct connection *
make_room(struct listener *listener)
{
	struct connection *oldest = &listener->connections[0];

	for (size_t i = 0; i < LISTENER_CONNECTIONS; i++) {
		struct connection *c = &listener->connections[i];
		if (c->fd < 0)
			return c;
		if (c->number < oldest->number)
			oldest = c;
	}
	end_connection(oldest);
	return oldest;
}

static void
accept_connections(struct listener *listener, int listening)
{
	/* the rest waits, so that those just accepted are read before they
	 * could have to make room */
	for (int i = 0; i < LISTENER_CONNECTIONS / 2; i++) {
		struct connection *c;
		int fd = accept4(
		    listening, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd < 0)
			return;
		c = make_room(listener);
		c->fd = fd;
		c->number = listener->accepted++;
		c->deadline = deadline_in_ms(REQUEST_MS);
	}
}

const char *
listener_serve(
    struct listener *listener, const struct pollfd fds[LISTENER_POLL])
{
	for (size_t i = 0; i < LISTENER_CONNECTIONS; i++) {
		struct connection *c = &listener->connections[i];
		if (c->fd < 0)
			continue;
		if (fds[2 + i].revents && read_connection(listener, c)) {
			listener->waiting = c;
			return c->data;
		}
		if (c->fd >= 0 && deadline_passed(c->deadline))
			end_connection(c);
	}
	for (size_t i = 0; i < 2; i++)
		if (fds[i].revents)
			accept_connections(listener, listener->fds[i]);
	return NULL;
}

void
listener_answer(
    struct listener *listener, enum login_page page, const char *detail)
{
	send_page(listener, listener->waiting, page, detail);
	listener->waiting = NULL;
}
