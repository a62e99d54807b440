/* SPDX-License-Identifier: ISC */
/*
 * The programs that we start: where they lie (beside our own executable, as in
 * the build tree, or a prefix with everything in one place; else where they are
 * installed), and what is handed to them as an open file.
 */
#ifndef MT_CONNECTOR_CHILD_PROGRAM_H
#define MT_CONNECTOR_CHILD_PROGRAM_H

#include <stddef.h>

/* The path of `name`, in `installed_dir` unless it lies beside us; free(). */
char *child_program_find(const char *name, const char *installed_dir);

/*
 * Takes over `fd` (-1: a failure, handed on) and returns the same file under a
 * number from 10 on, so that no descriptor which a child is given by
 * posix_spawn(3) overwrites another.  -1 with errno.
 */
int child_program_fd(int fd);

/* An anonymous file, for a program that we start, with these contents, read
 * from its start; under a number from 10 on.  -1 with errno. */
int child_program_file(const char *name, const void *data, size_t len);

#endif
