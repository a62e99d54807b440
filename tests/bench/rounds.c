/* SPDX-License-Identifier: ISC */
#include "rounds.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

long
rounds_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000L + now.tv_nsec;
}

void
rounds_die(const char *what)
{
	perror(what);
	exit(1);
}

void
rounds_serve(void (*once)(void *context), void *context)
{
	char line[32];

	while (fgets(line, sizeof(line), stdin)) {
		long count = strtol(line, NULL, 10), start;

		if (count < 1)
			rounds_die(line);
		start = rounds_now_ns();
		for (long i = 0; i < count; i++)
			once(context);
		printf("%ld\n", (rounds_now_ns() - start) / count);
		fflush(stdout);
	}
}
