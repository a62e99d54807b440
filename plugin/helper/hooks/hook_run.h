/* SPDX-License-Identifier: ISC */
/*
 * A hook that runs: without a shell, in /, with the news on its standard input,
 * and not for longer than ten seconds.
 */
#ifndef MT_HOOKS_HOOK_RUN_H
#define MT_HOOKS_HOOK_RUN_H

#include "hook_wire.h"

#include "base/buf.h"
#include "base/deadline.h"
#include "base/status.h"

#include <sys/types.h>

#define HOOK_RUN_MS 10000

struct hook_run {
	pid_t pid;  /* 0: nothing runs */
	int output; /* of it */
	bool timed_out;
	struct deadline deadline;
};

/* Checks and starts it; only while nothing runs. */
enum mt_status hook_run_start(struct hook_run *run, const char *program,
    const struct hook_news *news, struct mt_error *err) MT_MUST_CHECK;

/* Kills it, with what it has started, when its time is over. */
void hook_run_watch(struct hook_run *run);

/* True if it has ended: then nothing runs, *ret_why is how it failed, or empty,
 * and what it wrote is added to `output`. */
bool hook_run_collect(struct hook_run *run, struct mt_error *ret_why,
    struct buf *output) MT_MUST_CHECK;

#endif
