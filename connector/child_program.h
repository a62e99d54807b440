/* SPDX-License-Identifier: ISC */
/*
 * Where the programs that we start lie: beside our own executable (build tree,
 * or a prefix with everything in one place), else where they are installed.
 */
#ifndef MT_CONNECTOR_CHILD_PROGRAM_H
#define MT_CONNECTOR_CHILD_PROGRAM_H

/* The path of `name`, in `installed_dir` unless it lies beside us; free(). */
char *child_program_find(const char *name, const char *installed_dir);

#endif
