/* SPDX-License-Identifier: ISC */
/*
 * The token socket without module and helper: what the two ends cannot do
 * better than.
 *
 *   token_bench trip SOCKET [REQUESTS]
 *       connect, request, reply, close, as rounds.h says; the last of the
 *       REQUESTS (1) is for a token, those before ask whether there is one
 *   token_bench serve SOCKET BYTES
 *       answers one connection after the other, with a token of BYTES bytes,
 *       until standard input ends
 */
#include "rounds.h"

#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define WHICH "service=imap\thost=localhost\tuser=alice@example.test"
#define EXISTS "1\texists\t" WHICH "\n"
#define GET "1\tget\t" WHICH "\tmin_ttl=60\twait_ms=18000\n"
#define FOUND "1\tok\taccount=alice\n"
#define ANSWER                                                                 \
	"1\tok\taccount=alice\tuser=alice@example.test\tserial=1\t"            \
	"expires_in=3600\ttoken="

static struct sockaddr_un
address_of(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if ((size_t)snprintf(address.sun_path, sizeof(address.sun_path), "%s",
		path) >= sizeof(address.sun_path))
		rounds_die(path);
	return address;
}

static int
new_socket(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		rounds_die("socket");
	return fd;
}

/* Reads up to a line's end; 0 when the other end has closed. */
static size_t
read_line(int fd, char *line, size_t size)
{
	size_t len = 0;

	do {
		ssize_t n = recv(fd, line + len, size - len, 0);
		if (n <= 0)
			return 0;
		len += (size_t)n;
	} while (line[len - 1] != '\n');
	return len;
}

struct trip {
	struct sockaddr_un address;
	long requests;
};

static void
ask(int fd, const char *request)
{
	char reply[65536];

	if (send(fd, request, strlen(request), MSG_NOSIGNAL) < 0)
		rounds_die("send");
	if (!read_line(fd, reply, sizeof(reply)))
		rounds_die("no answer");
	if (strncmp(reply, "1\tok\t", 5) != 0)
		rounds_die("refused");
}

static void
go_there_and_back(void *context)
{
	const struct trip *trip = context;
	int fd = new_socket();

	if (connect(fd, (const struct sockaddr *)&trip->address,
		sizeof(trip->address)))
		rounds_die("connect");
	for (long i = 1; i < trip->requests; i++)
		ask(fd, EXISTS);
	ask(fd, GET);
	close(fd);
}

static void
serve_one(int fd, const char *answer, size_t len)
{
	char request[4096];

	while (read_line(fd, request, sizeof(request))) {
		bool is_get = strncmp(request, "1\tget\t", 6) == 0;
		if (send(fd, is_get ? answer : FOUND,
			is_get ? len : strlen(FOUND), MSG_NOSIGNAL) < 0)
			break;
	}
	close(fd);
}

static void
serve(const char *path, size_t bytes)
{
	struct sockaddr_un address = address_of(path);
	size_t head = strlen(ANSWER);
	char *answer = malloc(head + bytes + 1);
	struct pollfd p[2] = {{.fd = 0, .events = POLLIN},
	    {.fd = new_socket(), .events = POLLIN}};

	if (!answer)
		rounds_die("malloc");
	memcpy(answer, ANSWER, head);
	memset(answer + head, 'x', bytes);
	answer[head + bytes] = '\n';
	if (bind(p[1].fd, (const struct sockaddr *)&address, sizeof(address)) ||
	    listen(p[1].fd, 64))
		rounds_die(path);
	puts("listening");
	fflush(stdout);
	while (poll(p, 2, -1) > 0 && !p[0].revents) {
		int fd = accept(p[1].fd, NULL, NULL);
		if (fd >= 0)
			serve_one(fd, answer, head + bytes + 1);
	}
	free(answer);
}

int
main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[1] : "";
	struct trip trip = {.requests = 1};

	if (strcmp(what, "trip") == 0) {
		trip.address = address_of(argv[2]);
		if (argc > 3)
			trip.requests = strtol(argv[3], NULL, 10);
		rounds_serve(go_there_and_back, &trip);
		return 0;
	}
	if (argc == 4 && strcmp(what, "serve") == 0) {
		serve(argv[2], strtoul(argv[3], NULL, 10));
		return 0;
	}
	fputs("usage: see the source\n", stderr);
	return 64;
}
