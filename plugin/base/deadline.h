/* SPDX-License-Identifier: ISC */
/*
 * A point in time by which something must be over.  It is made once and passed
 * down, so that the sum of all waits is bounded, not each of them.  Monotonic
 * clock, which stops while the machine sleeps.
 */
#ifndef MT_BASE_DEADLINE_H
#define MT_BASE_DEADLINE_H

#include <stdbool.h>
#include <stdint.h>

struct deadline {
	int64_t at_ms;
};

struct deadline deadline_in_ms(int64_t ms);

/* The earlier of two deadlines. */
struct deadline deadline_min(struct deadline a, struct deadline b);

/* Milliseconds left, 0 when it has passed; never more than INT_MAX, so that it
 * can be given to poll(2) as it is. */
int deadline_left_ms(struct deadline d);

static inline bool
deadline_passed(struct deadline d)
{
	return deadline_left_ms(d) == 0;
}

#endif
