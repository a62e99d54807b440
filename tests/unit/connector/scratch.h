/* SPDX-License-Identifier: ISC */
/* What tests of units with files share: a directory of its own for each test,
 * removed with all that is in it. */
#ifndef MT_TEST_SCRATCH_H
#define MT_TEST_SCRATCH_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* A call, with &err as its last argument, that has to succeed. */
#define OK(call)                                                               \
	do {                                                                   \
		struct mt_error err = {0};                                     \
		if ((call) != MT_OK)                                           \
			fail_msg("%s: %s", #call, err.text);                   \
	} while (0)

/* cmocka's setup and teardown: *state is the path of the directory. */
int scratch_setup(void **state);
int scratch_teardown(void **state);

/* The path of `name` in `dir`; the result of each call lives until the eighth
 * call after it. */
const char *scratch_path(const char *dir, const char *name);

void scratch_write(const char *dir, const char *name, const char *text);
void scratch_mkdir(const char *dir, const char *name);

/* The whole file as text, which the caller frees; NULL if there is none. */
char *scratch_read(const char *dir, const char *name);

bool scratch_exists(const char *dir, const char *name);
mode_t scratch_mode(const char *dir, const char *name);

/* Removes a file or a directory with all that is in it. */
void scratch_remove(const char *dir, const char *name);

/* Mounts an empty tmpfs with these options, for the calling process only, which
 * should be a child of the test; what it opened before does not see it. */
bool scratch_mount(const char *path, const char *options);

/* Number of entries of a directory, without "." and "..". */
size_t scratch_count(const char *dir, const char *name);

#endif
