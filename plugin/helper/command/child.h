/* SPDX-License-Identifier: ISC */
/*
 * Starts other programs: exec'ed with an explicit environment, a session of
 * their own (a Ctrl-C on the terminal is not for them), default signals, and
 * no descriptor of ours but the one they are given.
 */
#ifndef MT_COMMAND_CHILD_H
#define MT_COMMAND_CHILD_H

#include "base/status.h"

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

struct child {
	char *const
	    *argv; /* argv[0] is looked up in PATH unless it has a '/' */
	/* names of the variables it gets, if they are set; one that ends with
	 * '*' stands for all that begin so; NULL ends the list */
	const char *const *variables;
	int give_fd; /* becomes its descriptor 3; -1: none */
	bool silent; /* standard error goes to /dev/null too */
};

/* The program `name` beside our own executable, as in a build directory, or else
 * `installed`; the answer may be in `path`. */
const char *child_find_program(
    const char *name, const char *installed, char path[PATH_MAX]);

/* Starts it, with standard input from /dev/null and standard output to where
 * its standard error goes.  MT_UNREACHABLE if it cannot be started. */
enum mt_status child_start(const struct child *child, pid_t *ret_pid,
    struct mt_error *err) MT_MUST_CHECK;

#endif
