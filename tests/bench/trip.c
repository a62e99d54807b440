/* SPDX-License-Identifier: ISC */
#include "trip.h"

#include "rounds.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define WHICH "service=imap\thost=localhost\tuser=alice@example.test"
#define EXISTS "1\texists\t" WHICH "\n"
#define GET "1\tget\t" WHICH "\tmin_ttl=60\twait_ms=18000\n"

struct sockaddr_un
trip_address(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if ((size_t)snprintf(address.sun_path, sizeof(address.sun_path), "%s",
		path) >= sizeof(address.sun_path))
		rounds_die(path);
	return address;
}

int
trip_socket(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		rounds_die("socket");
	return fd;
}

size_t
trip_read_line(int fd, char *line, size_t size)
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

static void
ask(int fd, const char *request)
{
	char reply[65536];

	if (send(fd, request, strlen(request), MSG_NOSIGNAL) < 0)
		rounds_die("send");
	if (!trip_read_line(fd, reply, sizeof(reply)))
		rounds_die("no answer");
	if (strncmp(reply, "1\tok\t", 5) != 0)
		rounds_die("refused");
}

void
trip_make(void *context)
{
	const struct trip *trip = context;
	int fd = trip_socket();

	if (connect(fd, (const struct sockaddr *)&trip->address,
		sizeof(trip->address)))
		rounds_die("connect");
	for (long i = 1; i < trip->requests; i++)
		ask(fd, EXISTS);
	ask(fd, GET);
	close(fd);
}
