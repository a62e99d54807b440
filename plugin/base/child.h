/* SPDX-License-Identifier: ISC */
/*
 * Starts other programs, for all who do: exec'ed with an environment that is
 * named, the descriptors that are named, all signals at their default, and a
 * session of their own (a Ctrl-C on the terminal is for their master to act on,
 * and kill(-pid) reaches what they started).  Waiting for them is the caller's.
 */
#ifndef MT_BASE_CHILD_H
#define MT_BASE_CHILD_H

#include "status.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define CHILD_FDS_MAX 8
#define CHILD_NULL (-1) /* /dev/null */

struct child {
	const char *program; /* looked up in PATH unless it has a '/' */
	const char *const *argv;
	/* names of our variables that it gets, if they are set; one that ends
	 * with '*' stands for all that begin so; NULL ends the list */
	const char *const *variables; /* or NULL */
	/* and these, "NAME=value" */
	const char *const *more_variables; /* or NULL */
	/* our descriptor, or CHILD_NULL, for each of its own from 0 on */
	int fds[CHILD_FDS_MAX];
	size_t fd_count;
	bool in_root; /* its directory is /, not ours */
};

/* Returns 0, or an errno value as posix_spawn(3) does.  Blocks until the program
 * runs. */
int child_start(const struct child *child, pid_t *ret_pid) MT_MUST_CHECK;

/* The program `name` beside our own executable, as in a build directory or a
 * prefix with everything in one place, or else `installed`; the answer may be in
 * `path`. */
const char *child_find_program(
    const char *name, const char *installed, char path[PATH_MAX]);

/* A file without a name for a child, with these contents, read from its start.
 * -1 with errno. */
int child_file(const char *name, const void *data, size_t len) MT_MUST_CHECK;

#endif
