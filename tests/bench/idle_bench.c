/* SPDX-License-Identifier: ISC */
/*
 * Opens many TLS connections and measures what they hold (tests/bench/idle.py):
 *
 *     idle_bench PORT CA net|idle COUNT
 *
 * "net" are connections at rest and no more, "idle" are logged in, with an
 * opened mailbox, and watched by IDLE.  Prints the KiB that each takes and the
 * milliseconds that it took to open one; for "idle" also, when the server tells
 * each of a message, how many were told, and the KiB afterwards.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/settings.h"
#include "mail/imap_watch.h"
#include "net/net.h"

#include "rounds.h"

#define CALL_MS 60000
#define WARM_UP 10 /* what is once for all of them */

struct session {
	struct net *net;
	struct imap_conn *conn;
};

struct bench {
	uint16_t port;
	const struct net_trust *trust;
	struct secret password;
	bool idle;
	int epoll;
};

static void
check(enum mt_status status, const struct mt_error *err)
{
	if (status != MT_OK)
		rounds_die(err->text);
}

static long
resident_kib(void)
{
	long pages;
	FILE *file = fopen("/proc/self/statm", "r");

	if (!file || fscanf(file, "%*d %ld", &pages) != 1)
		rounds_die("statm");
	fclose(file);
	return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static void
open_net(struct bench *b, struct session *s)
{
	struct deadline deadline = deadline_in_ms(CALL_MS);
	struct mt_error err;

	check(net_connect(&s->net, "localhost", b->port, deadline, &err), &err);
	check(net_start_tls(s->net, b->trust, &err), &err);
}

static void
open_idle(struct bench *b, struct session *s)
{
	static const char *const none[] = {NULL};
	const struct mail_server server = {
	    .host = "localhost",
	    .port = b->port,
	    .tls = MAIL_TLS_IMPLICIT,
	    .mechanisms = none,
	    .authentication_id = "alice",
	    .password = &b->password,
	    .login_command = true,
	};
	struct deadline deadline = deadline_in_ms(CALL_MS);
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = s};
	struct imap_mailbox mailbox;
	struct imap_news news;
	enum mail_login login;
	struct mt_error err;

	check(
	    imap_conn_open(&s->conn, &server, b->trust, &login, deadline, &err),
	    &err);
	check(imap_conn_examine(s->conn, "INBOX", &mailbox, deadline, &err),
	    &err);
	check(
	    imap_watch_begin(s->conn, IMAP_PUSH_IDLE, NULL, 0, deadline, &err),
	    &err);
	check(imap_watch_read(s->conn, &news, &err), &err);
	if (epoll_ctl(b->epoll, EPOLL_CTL_ADD, imap_watch_fd(s->conn), &event))
		rounds_die("epoll_ctl");
}

static void
open_all(struct bench *b, struct session *sessions, long count)
{
	for (long i = 0; i < count; i++)
		if (b->idle)
			open_idle(b, &sessions[i]);
		else
			open_net(b, &sessions[i]);
}

/* Waits until so many have been told of a message. */
static void
take_news(struct bench *b, long count)
{
	struct epoll_event events[64];
	struct imap_news news;
	struct mt_error err;
	long told = 0;

	while (told < count) {
		int n = epoll_wait(b->epoll, events, 64, CALL_MS);
		if (n <= 0)
			rounds_die("no news");
		for (int i = 0; i < n; i++) {
			struct session *s = events[i].data.ptr;
			check(imap_watch_read(s->conn, &news, &err), &err);
			told += news.selected_changed;
		}
	}
}

static void
measure(struct bench *b, long count)
{
	struct session *sessions =
	    calloc((size_t)count + WARM_UP, sizeof(*sessions));
	long before, began;

	if (!sessions)
		rounds_die("no memory");
	open_all(b, sessions, WARM_UP);
	before = resident_kib();
	began = rounds_now_ns();
	open_all(b, sessions + WARM_UP, count);
	printf("%.1f %.2f\n", (double)(resident_kib() - before) / (double)count,
	    (double)(rounds_now_ns() - began) / 1e6 / (double)count);
	fflush(stdout);
	if (!b->idle)
		return;
	take_news(b, count + WARM_UP);
	printf("%ld %.1f\n", count + WARM_UP,
	    (double)(resident_kib() - before) / (double)count);
}

int
main(int argc, char **argv)
{
	struct bench b = {.epoll = epoll_create1(EPOLL_CLOEXEC)};
	struct net_trust *trust;
	struct rlimit files;
	struct mt_error err;
	long port, count;

	if (argc != 5 || !settings_number(argv[1], 1, 65535, &port) ||
	    !settings_number(argv[4], 1, 100000, &count))
		rounds_die("usage: idle_bench PORT CA net|idle COUNT");
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	check(net_trust_new(&trust, argv[2], &err), &err);
	b.trust = trust;
	b.port = (uint16_t)port;
	b.idle = strcmp(argv[3], "idle") == 0;
	secret_add(&b.password, "pw", 2);
	measure(&b, count);
	return 0;
}
