/* SPDX-License-Identifier: ISC */
/*
 * What the programs of the administrator's (`hook` in mailtoken.conf(5)) are to
 * be told, and what became of it.  Each runs once at a time, and nothing waits
 * for it; who runs it is mailtoken-hooks (launcher.h).
 */
#ifndef MT_DAEMON_HOOK_H
#define MT_DAEMON_HOOK_H

#include "hooks/hook_list.h"
#include "hooks/hook_wire.h"

#include "base/status.h"

#include <uv.h>

struct hooks;

/* Starts the process that runs them, before lockdown_enter(); if it cannot be
 * started, that is said when there is a hook.  `places` NULL: none can run. */
enum mt_status hooks_new(uv_loop_t *loop, const struct hook_places *places,
    struct hooks **ret_hooks, struct mt_error *err) MT_MUST_CHECK;

/* Forgets what waits; what runs may end in its time. */
void hooks_free(struct hooks **hooks);

/* From now on these programs, which the settings name that were read just now;
 * what the others were to be told is forgotten, but what runs may end. */
void hooks_configure(struct hooks *hooks, const struct hook_list *list);

/* Tells all of them, one after the other news; news->time is set here. */
void hooks_tell(struct hooks *hooks, const struct hook_news *news);

/* Why no hook is run although there is one; NULL: all is well. */
const char *hooks_alarm(const struct hooks *hooks);

#endif
