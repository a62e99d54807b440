/* SPDX-License-Identifier: ISC */
/*
 * Which programs are hooks (`hook` in mailtoken.conf(5)), and whether they may
 * be.
 */
#ifndef MT_HOOKS_HOOK_LIST_H
#define MT_HOOKS_HOOK_LIST_H

#include "base/status.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define HOOKS_MAX 8

struct hook_list {
	char *programs[HOOKS_MAX];
	size_t count;
};

/* Whoever can change the program runs as we do: see fs_check_kept. */
enum mt_status hook_check_program(const char *path, char ret_real[PATH_MAX],
    struct mt_error *err) MT_MUST_CHECK;

/* Adds a program that a settings file of this owner names; MT_BAD_CONFIG if
 * either may not be trusted. */
enum mt_status hook_list_add(struct hook_list *list, const char *path,
    uid_t owner, struct mt_error *err) MT_MUST_CHECK;

bool hook_list_has(const struct hook_list *list, const char *path);

/* Empties it. */
void hook_list_done(struct hook_list *list);

/* Where the settings are, and where the helper writes. */
struct hook_places {
	const char *config_file; /* NULL: the directory */
	const char *config_dir;
	const char *state_dir;
};

/*
 * Reads the hooks, and nothing else, from the settings.  What the helper could
 * have written names no hook and is none: MT_BAD_CONFIG.
 */
enum mt_status hook_list_read(struct hook_list *ret_list,
    const struct hook_places *places, struct mt_error *err) MT_MUST_CHECK;

#endif
