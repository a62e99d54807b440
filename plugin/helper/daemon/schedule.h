/* SPDX-License-Identifier: ISC */
/*
 * Calls functions at their time, however many wait: one timer of the kernel and
 * a heap.  Counts by the clock of clock_boot_ms, so what fell due while the
 * machine slept is called as soon as it wakes.
 *
 * The memory of an item is its owner's, and nothing here can fail for lack of
 * it.
 */
#ifndef MT_DAEMON_SCHEDULE_H
#define MT_DAEMON_SCHEDULE_H

#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#define SCHEDULE_NEVER INT64_MAX

struct schedule;

/* One thing to do; zero at first, but for `run` and `context`. */
struct schedule_item {
	void (*run)(void *context);
	void *context;
	int64_t due_ms; /* boot clock; while `planned` */
	bool planned;
	/* the heap: first child, next sibling, parent or sibling before */
	struct schedule_item *child, *next, *before;
};

enum mt_status schedule_new(uv_loop_t *loop, struct schedule **ret_schedule,
    struct mt_error *err) MT_MUST_CHECK;

/* Forgets what is planned. */
void schedule_free(struct schedule **schedule);

/* Plans the item for this time instead of the one before; SCHEDULE_NEVER: not at
 * all.  It is called once, from the loop. */
void schedule_set(
    struct schedule *schedule, struct schedule_item *item, int64_t due_ms);

#endif
