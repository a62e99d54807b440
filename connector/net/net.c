/* SPDX-License-Identifier: ISC */
#include "net/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/guard.h"
#include "net/net_tls.h"
#include "net/resolve.h"

/* A peer that went away without a word is noticed between commands too. */
#define KEEPALIVE_IDLE_S 120
#define KEEPALIVE_INTERVAL_S 15
#define UNACKNOWLEDGED_MS 60000

/* A peer that sends nothing but alerts must not keep one who cannot wait. */
#define READY_TRIES 16

struct net {
	char *host;
	char name[GUARD_HOST_MAX + 16]; /* host:port */
	int fd;
	gnutls_session_t tls; /* NULL: in clear */
	struct deadline deadline;
	size_t budget; /* bytes that the peer may still send */
	int64_t last_byte_ms;
	bool written;
	struct mt_error failure;
};

const char *
net_name(const struct net *net)
{
	return net->name;
}

const struct mt_error *
net_error(const struct net *net)
{
	return &net->failure;
}

bool
net_is_tls(const struct net *net)
{
	return net->tls != NULL;
}

enum mt_status
net_fail(struct net *net, enum mt_status status, const char *format, ...)
{
	char text[MT_ERROR_TEXT_MAX];
	va_list args;

	if (net->failure.status != MT_OK)
		return net->failure.status;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return mt_fail(&net->failure, status, "%s", text);
}

/* Fails, and hands the sticky failure on. */
static enum mt_status
give_failure(const struct net *net, struct mt_error *err)
{
	return mt_fail(err, net->failure.status, "%s", net->failure.text);
}

static void
fail_closed(struct net *net)
{
	net_fail(net, MT_RETRY_LATER, "%s closed the connection", net->name);
}

static void
fail_errno(struct net *net, int errnum)
{
	char reason[128];

	net_fail(net, MT_RETRY_LATER, "the connection to %s broke: %s",
	    net->name, strerror_r(errnum, reason, sizeof(reason)));
}

/* Waits until the socket can be read or written; false: a failure. */
static bool
wait_for(struct net *net, short events)
{
	struct pollfd p = {.fd = net->fd, .events = events};
	int n;

	do
		n = poll(&p, 1, deadline_left_ms(net->deadline));
	while (n < 0 && errno == EINTR);
	if (n > 0)
		return true;
	if (n == 0)
		net_fail(net, MT_RETRY_LATER, "%s did not answer in time",
		    net->name);
	else
		fail_errno(net, errno);
	return false;
}

/*
 * True if a command may go on.  Looked at before every read and write: a peer
 * that always has something to say must not outrun the deadline.
 */
static bool
may_go_on(struct net *net)
{
	if (net->failure.status != MT_OK)
		return false;
	if (!deadline_passed(net->deadline))
		return true;
	net_fail(net, MT_RETRY_LATER, "%s did not finish in time", net->name);
	return false;
}

/* After a read or write without result: true to try again. */
static bool
plain_again(struct net *net, ssize_t n, short events)
{
	if (n == 0) {
		fail_closed(net);
		return false;
	}
	if (errno == EINTR)
		return true;
	if (errno == EAGAIN)
		return wait_for(net, events);
	fail_errno(net, errno);
	return false;
}

/* As plain_again.  A renegotiation (TLS 1.2) may be ignored by a client. */
static bool
tls_again(struct net *net, ssize_t n)
{
	switch (n) {
	case GNUTLS_E_INTERRUPTED:
	case GNUTLS_E_REHANDSHAKE:
	case GNUTLS_E_WARNING_ALERT_RECEIVED:
		return true;
	case GNUTLS_E_AGAIN:
		return wait_for(net,
		    gnutls_record_get_direction(net->tls) ? POLLOUT : POLLIN);
	case 0:
	case GNUTLS_E_PREMATURE_TERMINATION:
	case GNUTLS_E_PULL_ERROR:
	case GNUTLS_E_PUSH_ERROR:
		fail_closed(net);
		return false;
	default:
		net_fail(net, MT_RETRY_LATER,
		    "the TLS connection to %s broke: %s", net->name,
		    gnutls_strerror((int)n));
		return false;
	}
}

/* How many of `len` bytes may be read now; 0: a failure. */
static size_t
within_budget(struct net *net, size_t len)
{
	if (!net->budget)
		net_fail(net, MT_RETRY_LATER,
		    "%s sent more than it may in one answer", net->name);
	return len < net->budget ? len : net->budget;
}

static ssize_t
receive(struct net *net, void *data, size_t len)
{
	ssize_t n = net->tls ? gnutls_record_recv(net->tls, data, len)
			     : recv(net->fd, data, len, 0);

	if (n > 0) {
		net->budget -= (size_t)n;
		net->last_byte_ms = deadline_in_ms(0).at_ms;
	}
	return n;
}

ssize_t
net_read(struct net *net, void *data, size_t len)
{
	ssize_t n;

	len = within_budget(net, len);
	for (;;) {
		if (!may_go_on(net))
			return -1;
		n = receive(net, data, len);
		if (n > 0)
			return n;
		if (net->tls ? !tls_again(net, n)
			     : !plain_again(net, n, POLLIN))
			return -1;
	}
}

/*
 * A TLS session may also say "again" behind a ticket or an incomplete record.
 * The first leaves what follows in the socket, where poll(2) sees it, as GnuTLS
 * takes one record at a time.
 */
static bool
is_later(const struct net *net, ssize_t n)
{
	return net->tls ? n == GNUTLS_E_AGAIN : n < 0 && errno == EAGAIN;
}

ssize_t
net_read_ready(struct net *net, void *data, size_t len)
{
	ssize_t n;

	len = within_budget(net, len);
	for (int i = 0; i < READY_TRIES && net->failure.status == MT_OK; i++) {
		n = receive(net, data, len);
		if (n > 0)
			return n;
		if (is_later(net, n))
			return 0;
		if (net->tls ? !tls_again(net, n)
			     : !plain_again(net, n, POLLIN))
			return -1;
	}
	return net->failure.status == MT_OK ? 0 : -1;
}

bool
net_has_ready(const struct net *net)
{
	return net->tls && gnutls_record_check_pending(net->tls) > 0;
}

int
net_fd(const struct net *net)
{
	return net->fd;
}

int64_t
net_last_byte_ms(const struct net *net)
{
	return net->last_byte_ms;
}

ssize_t
net_write(struct net *net, const void *data, size_t len)
{
	ssize_t n;

	net->written = true;
	for (;;) {
		if (!may_go_on(net))
			return -1;
		n = net->tls ? gnutls_record_send(net->tls, data, len)
			     : send(net->fd, data, len, MSG_NOSIGNAL);
		if (n > 0)
			return n;
		if (net->tls ? !tls_again(net, n)
			     : !plain_again(net, n, POLLOUT))
			return -1;
	}
}

enum net_ready
net_wait(struct net *net, int wake_fd, struct deadline deadline)
{
	struct pollfd p[2] = {
	    {.fd = net->fd, .events = POLLIN},
	    {.fd = wake_fd, .events = POLLIN},
	};
	int n;

	if (net->tls && gnutls_record_check_pending(net->tls) > 0)
		return NET_READABLE;
	do
		n = poll(p, 2, deadline_left_ms(deadline));
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return NET_NOTHING;
	return p[1].revents ? NET_WOKEN : NET_READABLE;
}

void
net_begin(struct net *net, struct deadline deadline, size_t max_bytes)
{
	net->deadline = deadline;
	net->budget = max_bytes;
}

static void
set_option(int fd, int level, int name, int value)
{
	/* Each only makes things better: a failure is none. */
	(void)setsockopt(fd, level, name, &value, sizeof(value));
}

static void
set_options(int fd)
{
	set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S);
	set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S);
	set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, UNACKNOWLEDGED_MS);
}

/* 0 or an errno value: what became of a connect(2) in progress. */
static int
finish_connect(int fd, struct deadline deadline)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	int n, error = 0;
	socklen_t len = sizeof(error);

	do
		n = poll(&p, 1, deadline_left_ms(deadline));
	while (n < 0 && errno == EINTR);
	if (n == 0)
		return ETIMEDOUT;
	if (n < 0 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		return errno;
	return error;
}

/* A connected socket, or -1 with errno. */
static int
connect_to(const struct addrinfo *address, struct deadline deadline)
{
	int fd, error = 0;

	fd = socket(
	    address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	set_options(fd);
	if (connect(fd, address->ai_addr, address->ai_addrlen) < 0)
		error = errno == EINPROGRESS || errno == EINTR
			    ? finish_connect(fd, deadline)
			    : errno;
	if (!error)
		return fd;
	close(fd);
	errno = error;
	return -1;
}

/*
 * Tries the addresses in turn.  Each gets its share of the time that is left,
 * so that a black hole does not use up that of the others.
 */
static int
connect_any(const struct addrinfo *addresses, struct deadline deadline)
{
	int count = 0, fd = -1;

	for (const struct addrinfo *a = addresses; a; a = a->ai_next)
		count++;
	for (const struct addrinfo *a = addresses; a && fd < 0;
	     a = a->ai_next, count--)
		fd = connect_to(
		    a, deadline_in_ms(deadline_left_ms(deadline) / count));
	return fd;
}

static enum mt_status
open_socket(struct net *net, uint16_t port, struct mt_error *err)
{
	struct addrinfo *addresses;
	enum mt_status status =
	    resolve_host(&addresses, net->host, port, net->deadline, err);
	int error;

	if (status != MT_OK)
		return status;
	net->fd = connect_any(addresses, net->deadline);
	error = errno;
	freeaddrinfo(addresses);
	if (net->fd < 0)
		return mt_fail_errno(err, MT_RETRY_LATER, error,
		    "cannot connect to %s", net->name);
	return MT_OK;
}

enum mt_status
net_connect(struct net **ret_net, const char *host, uint16_t port,
    struct deadline deadline, struct mt_error *err)
{
	const char *wrong = guard_host(host);
	struct net *net;
	enum mt_status status;

	if (wrong)
		return mt_fail(err, MT_BAD_CONFIG,
		    "the name of the mail server %s", wrong);
	net = calloc(1, sizeof(*net));
	if (!net || !(net->host = strdup(host))) {
		free(net);
		return mt_fail(err, MT_NO_MEMORY, "out of memory");
	}
	snprintf(net->name, sizeof(net->name),
	    strchr(host, ':') ? "[%s]:%u" : "%s:%u", host, (unsigned)port);
	net->fd = -1;
	net->deadline = deadline;
	status = open_socket(net, port, err);
	if (status != MT_OK)
		net_free(&net);
	else
		*ret_net = net;
	return status;
}

void
net_free(struct net **net)
{
	if (!*net)
		return;
	if ((*net)->tls) {
		if ((*net)->failure.status == MT_OK)
			gnutls_bye((*net)->tls, GNUTLS_SHUT_WR);
		gnutls_deinit((*net)->tls);
	}
	if ((*net)->fd >= 0)
		close((*net)->fd);
	free((*net)->host);
	free(*net);
	*net = NULL;
}

/* After STARTTLS it is our turn to speak: has the peer sent anything more? */
static bool
was_injected(const struct net *net)
{
	char byte;

	return net->written &&
	       recv(net->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

static bool
shake_hands(struct net *net)
{
	int code;

	while (may_go_on(net)) {
		code = gnutls_handshake(net->tls);
		if (code == GNUTLS_E_SUCCESS)
			return true;
		if (code == GNUTLS_E_AGAIN) {
			if (!wait_for(net, gnutls_record_get_direction(net->tls)
					       ? POLLOUT
					       : POLLIN))
				return false;
		} else if (gnutls_error_is_fatal(code)) {
			net_tls_explain(
			    net->tls, code, net->name, &net->failure);
			return false;
		}
	}
	return false;
}

enum mt_status
net_start_tls(
    struct net *net, const struct net_trust *trust, struct mt_error *err)
{
	enum mt_status status;

	if (net->failure.status != MT_OK)
		return give_failure(net, err);
	if (was_injected(net)) {
		net_fail(net, MT_RETRY_LATER,
		    "%s sent something in clear between STARTTLS and TLS, "
		    "which somebody may have injected",
		    net->name);
		return give_failure(net, err);
	}
	status = net_tls_new(&net->tls, trust, net->host, net->fd, err);
	if (status != MT_OK)
		return status;
	if (!shake_hands(net))
		return give_failure(net, err);
	return MT_OK;
}

void
net_local_literal(const struct net *net, char *ret_text, size_t size)
{
	struct sockaddr_storage address;
	socklen_t len = sizeof(address);
	char text[INET6_ADDRSTRLEN];

	if (getsockname(net->fd, (struct sockaddr *)&address, &len) == 0) {
		if (address.ss_family == AF_INET &&
		    inet_ntop(AF_INET,
			&((struct sockaddr_in *)(void *)&address)->sin_addr,
			text, sizeof(text))) {
			snprintf(ret_text, size, "[%s]", text);
			return;
		}
		if (address.ss_family == AF_INET6 &&
		    inet_ntop(AF_INET6,
			&((struct sockaddr_in6 *)(void *)&address)->sin6_addr,
			text, sizeof(text))) {
			snprintf(ret_text, size, "[IPv6:%s]", text);
			return;
		}
	}
	snprintf(ret_text, size, "[127.0.0.1]");
}
