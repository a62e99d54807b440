/* SPDX-License-Identifier: ISC */
/*
 * Programs of the administrator's that are told what only a person can mend
 * (`hook` in mailtoken.conf(5)).
 *
 * Each runs once at a time, without a shell, with nothing of ours but the news
 * on its standard input, and not for longer than ten seconds; nothing waits for
 * it.
 */
#ifndef MT_DAEMON_HOOK_H
#define MT_DAEMON_HOOK_H

#include "schedule.h"

#include "base/status.h"

#include <stddef.h>
#include <uv.h>

#define HOOKS_MAX 8
#define HOOK_RUN_MS 10000

struct hooks;

/* Whoever can change the program runs as we do: it, and the directories that it
 * lies in, must be ours or root's, and nobody else may write there. */
enum mt_status hook_check_program(
    const char *path, struct mt_error *err) MT_MUST_CHECK;

enum mt_status hooks_new(uv_loop_t *loop, struct schedule *schedule,
    struct hooks **ret_hooks, struct mt_error *err) MT_MUST_CHECK;

/* News waits until this is called: what runs is locked down as we are then. */
void hooks_begin(struct hooks *hooks);

/* Ends what runs, forgets what waits. */
void hooks_free(struct hooks **hooks);

/* From now on these programs, at most HOOKS_MAX; what the others were to be told
 * is forgotten, but what runs may end. */
void hooks_configure(struct hooks *hooks, char *const *programs, size_t count);

struct hook_news {
	const char *event; /* a word */
	const char *account;
	const char *user;
	const char *provider;
	const char *state;
	const char *text; /* a sentence without a secret, or "" */
};

/* Tells all of them, one after the other news. */
void hooks_tell(struct hooks *hooks, const struct hook_news *news);

#endif
