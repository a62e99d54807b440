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
#include "trip.h"

#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FOUND "1\tok\taccount=alice\n"
#define ANSWER                                                                 \
	"1\tok\taccount=alice\tuser=alice@example.test\tserial=1\t"            \
	"expires_in=3600\ttoken="

static void
serve_one(int fd, const char *answer, size_t len)
{
	char request[4096];

	while (trip_read_line(fd, request, sizeof(request))) {
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
	struct sockaddr_un address = trip_address(path);
	size_t head = strlen(ANSWER);
	char *answer = malloc(head + bytes + 1);
	struct pollfd p[2] = {{.fd = 0, .events = POLLIN},
	    {.fd = trip_socket(), .events = POLLIN}};

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
		trip.address = trip_address(argv[2]);
		if (argc > 3)
			trip.requests = strtol(argv[3], NULL, 10);
		rounds_serve(trip_make, &trip);
		return 0;
	}
	if (argc == 4 && strcmp(what, "serve") == 0) {
		serve(argv[2], strtoul(argv[3], NULL, 10));
		return 0;
	}
	fputs("usage: see the source\n", stderr);
	return 64;
}
