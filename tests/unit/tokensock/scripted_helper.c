/* SPDX-License-Identifier: ISC */
#include "scripted_helper.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#define CLIENTS_MAX 128
#define FRAME_MAX 70000
#define RULES_MAX 32
#define DRIP_MS 5

struct client {
	int fd; /* -1: none */
	char request[FRAME_MAX];
	size_t len;
	enum helper_way way;
	const char *left; /* of a drip */
};

struct scripted_helper {
	pthread_t thread;
	pthread_mutex_t lock;
	struct sockaddr_un address;
	int listener;
	int stop[2]; /* closing the second end stops the thread */
	const struct helper_rule *rules;
	bool used[RULES_MAX];
	struct client clients[CLIENTS_MAX];
	size_t connections;
	size_t open;
	char *log;
	size_t log_len;
};

static void
die(const char *what)
{
	perror(what);
	abort();
}

static void
send_all(int fd, const char *data, size_t len)
{
	while (len) {
		ssize_t n = send(fd, data, len, MSG_NOSIGNAL);
		if (n < 0)
			return; /* the asking end has gone */
		data += n;
		len -= (size_t)n;
	}
}

static void
drop(struct scripted_helper *h, struct client *c)
{
	close(c->fd);
	c->fd = -1;
	pthread_mutex_lock(&h->lock);
	h->open--;
	pthread_mutex_unlock(&h->lock);
}

static const struct helper_rule *
find_rule(struct scripted_helper *h, const char *verb, size_t verb_len)
{
	const struct helper_rule *found = NULL;

	for (size_t i = 0; h->rules[i].verb; i++) {
		if (strlen(h->rules[i].verb) != verb_len ||
		    memcmp(h->rules[i].verb, verb, verb_len) != 0)
			continue;
		found = &h->rules[i];
		if (!h->used[i])
			break;
	}
	if (found)
		h->used[found - h->rules] = true;
	return found;
}

static void
keep_log(struct scripted_helper *h, const char *frame, size_t len)
{
	pthread_mutex_lock(&h->lock);
	h->log = realloc(h->log, h->log_len + len + 1);
	if (!h->log)
		die("realloc");
	memcpy(h->log + h->log_len, frame, len);
	h->log_len += len;
	h->log[h->log_len] = '\0';
	pthread_mutex_unlock(&h->lock);
}

static void
send_named(int fd, const char *reply, const char *frame)
{
	const char *user = strstr(frame, "\tuser=");
	size_t len = 0;

	if (user) {
		user += strlen("\tuser=");
		len = strcspn(user, "\t\n");
	}
	for (; *reply; reply++)
		send_all(
		    fd, *reply == '@' ? user : reply, *reply == '@' ? len : 1);
}

static void
answer(struct scripted_helper *h, struct client *c, const char *frame)
{
	const char *verb = frame + strcspn(frame, "\t\n") + 1;
	const struct helper_rule *rule =
	    find_rule(h, verb, strcspn(verb, "\t\n"));
	const char *reply = rule && rule->reply ? rule->reply : "";

	c->way = rule ? rule->way : HELPER_CLOSE;
	c->left = reply;
	if (c->way == HELPER_NAMED)
		send_named(c->fd, reply, frame);
	else if (c->way != HELPER_HANG && c->way != HELPER_DRIP)
		send_all(c->fd, reply, strlen(reply));
	if (c->way == HELPER_DIE)
		kill(getpid(), SIGKILL);
	if (c->way == HELPER_CLOSE)
		drop(h, c);
}

static void
take_input(struct scripted_helper *h, struct client *c)
{
	ssize_t n = recv(
	    c->fd, c->request + c->len, sizeof(c->request) - 1 - c->len, 0);
	char *end;

	if (n <= 0) {
		drop(h, c);
		return;
	}
	c->len += (size_t)n;
	c->request[c->len] = '\0';
	while (c->fd >= 0 && (end = strchr(c->request, '\n'))) {
		size_t len = (size_t)(end + 1 - c->request);
		keep_log(h, c->request, len);
		answer(h, c, c->request);
		memmove(c->request, end + 1, c->len - len + 1);
		c->len -= len;
	}
}

static void
accept_client(struct scripted_helper *h)
{
	int fd = accept(h->listener, NULL, NULL);

	if (fd < 0)
		die("accept");
	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		if (h->clients[i].fd >= 0)
			continue;
		h->clients[i].fd = fd;
		h->clients[i].len = 0;
		h->clients[i].way = HELPER_REPLY;
		pthread_mutex_lock(&h->lock);
		h->connections++;
		h->open++;
		pthread_mutex_unlock(&h->lock);
		return;
	}
	die("too many clients");
}

/* What goes on by itself; true if anything does. */
static bool
go_on(struct scripted_helper *h)
{
	char xs[4096];
	bool busy = false;

	memset(xs, 'x', sizeof(xs));
	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		struct client *c = &h->clients[i];
		if (c->fd < 0)
			continue;
		if (c->way == HELPER_DRIP && c->left[0] && c->left[1])
			send_all(c->fd, c->left++, 1);
		else if (c->way == HELPER_FLOOD)
			while (send(c->fd, xs, sizeof(xs),
				   MSG_NOSIGNAL | MSG_DONTWAIT) > 0)
				;
		busy |= c->way == HELPER_DRIP || c->way == HELPER_FLOOD;
	}
	return busy;
}

static bool
turn(struct scripted_helper *h)
{
	struct pollfd p[CLIENTS_MAX + 2];
	bool busy = go_on(h);

	p[0] = (struct pollfd){.fd = h->stop[0], .events = POLLIN};
	p[1] = (struct pollfd){.fd = h->listener, .events = POLLIN};
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		p[i + 2] =
		    (struct pollfd){.fd = h->clients[i].fd, .events = POLLIN};
	if (poll(p, CLIENTS_MAX + 2, busy ? DRIP_MS : -1) < 0)
		return errno == EINTR;
	if (p[0].revents)
		return false;
	if (p[1].revents)
		accept_client(h);
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		if (p[i + 2].revents && h->clients[i].fd == p[i + 2].fd)
			take_input(h, &h->clients[i]);
	return true;
}

static void *
serve(void *context)
{
	struct scripted_helper *h = context;

	while (turn(h))
		;
	return NULL;
}

/* The peer of a connection sees the uid of the thread that called listen(); a
 * raw system call changes that of one thread only. */
static void
listen_as(int fd, uid_t uid)
{
	uid_t old = geteuid();

	if (uid != (uid_t)-1 && syscall(SYS_setresuid, -1, uid, -1))
		die("setresuid");
	if (listen(fd, 64))
		die("listen");
	if (uid != (uid_t)-1 && syscall(SYS_setresuid, -1, old, -1))
		die("setresuid");
}

struct scripted_helper *
scripted_helper_start(
    const char *path, const struct helper_rule *rules, uid_t uid)
{
	struct scripted_helper *h = calloc(1, sizeof(*h));

	if (!h || pipe(h->stop))
		die("scripted_helper");
	h->rules = rules;
	h->address.sun_family = AF_UNIX;
	snprintf(h->address.sun_path, sizeof(h->address.sun_path), "%s", path);
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		h->clients[i].fd = -1;
	pthread_mutex_init(&h->lock, NULL);
	h->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(h->listener, (const struct sockaddr *)&h->address,
		sizeof(h->address)))
		die(path);
	listen_as(h->listener, uid);
	if (pthread_create(&h->thread, NULL, serve, h))
		die("pthread_create");
	return h;
}

void
scripted_helper_stop(struct scripted_helper **helper)
{
	struct scripted_helper *h = *helper;

	if (!h)
		return;
	close(h->stop[1]);
	pthread_join(h->thread, NULL);
	close(h->stop[0]);
	close(h->listener);
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		if (h->clients[i].fd >= 0)
			close(h->clients[i].fd);
	unlink(h->address.sun_path);
	pthread_mutex_destroy(&h->lock);
	free(h->log);
	free(h);
	*helper = NULL;
}

size_t
scripted_helper_connections(struct scripted_helper *helper)
{
	size_t n;

	pthread_mutex_lock(&helper->lock);
	n = helper->connections;
	pthread_mutex_unlock(&helper->lock);
	return n;
}

size_t
scripted_helper_open(struct scripted_helper *helper)
{
	size_t n;

	pthread_mutex_lock(&helper->lock);
	n = helper->open;
	pthread_mutex_unlock(&helper->lock);
	return n;
}

char *
scripted_helper_log(struct scripted_helper *helper)
{
	char *copy;

	pthread_mutex_lock(&helper->lock);
	copy = strdup(helper->log ? helper->log : "");
	pthread_mutex_unlock(&helper->lock);
	if (!copy)
		die("strdup");
	return copy;
}
