/* SPDX-License-Identifier: ISC */
/*
 * The token socket as the least of clients uses it: connect, requests, replies,
 * close.
 */
#ifndef MT_BENCH_TRIP_H
#define MT_BENCH_TRIP_H

#include <stddef.h>
#include <sys/un.h>

struct trip {
	struct sockaddr_un address;
	long requests; /* the last is for a token, the others whether there is
			  one */
};

struct sockaddr_un trip_address(const char *path);

/* There and back; `context` is a struct trip.  Ends the program if it fails. */
void trip_make(void *context);

/* A new socket. */
int trip_socket(void);

/* Reads up to a line's end; 0 when the other end has closed. */
size_t trip_read_line(int fd, char *line, size_t size);

#endif
