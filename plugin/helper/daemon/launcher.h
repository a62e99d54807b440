/* SPDX-License-Identifier: ISC */
/*
 * Our end of mailtoken-hooks, the process that runs the hooks for us
 * (hooks/hook_wire.h): its start, its messages, its end.  It has to be started
 * before lockdown_enter(), and cannot be started again.
 */
#ifndef MT_DAEMON_LAUNCHER_H
#define MT_DAEMON_LAUNCHER_H

#include "hooks/hook_list.h"
#include "hooks/hook_wire.h"

#include "base/status.h"

#include <uv.h>

struct launcher;

struct launcher_events {
	/* of what launcher_send() sent: `why` is empty if it went well */
	void (*ended)(
	    void *context, size_t slot, const char *why, const char *output);
	/* it cannot use the settings */
	void (*refused)(void *context, const char *why);
	/* It is gone, and launcher_free() is all that can be called. */
	void (*lost)(void *context, const struct mt_error *why);
	void *context;
};

/* MT_UNREACHABLE if it cannot be started. */
enum mt_status launcher_new(uv_loop_t *loop, const struct hook_places *places,
    const struct launcher_events *events, struct launcher **ret_launcher,
    struct mt_error *err) MT_MUST_CHECK;

/* Sends a frame of hook_wire.h at once; false: it has no room now. */
bool launcher_send(struct launcher *launcher, const struct secret *frame);

/* Lets it end; what it runs may go on for the rest of its time. */
void launcher_free(struct launcher **launcher);

#endif
