/* SPDX-License-Identifier: ISC */
/* How long to wait after failures in a row: doubling, up to a maximum, and with
 * a chance share, so that those who failed together do not return together. */
#ifndef MT_HANDON_BACKOFF_H
#define MT_HANDON_BACKOFF_H

#include <stdint.h>
#include <stdlib.h>

/* After the `failures`-th one (from 1): first_ms, doubled each time, less up to
 * an eighth. */
static inline int64_t
backoff_ms(unsigned failures, int64_t first_ms, int64_t max_ms)
{
	int64_t delay_ms = first_ms;

	for (unsigned i = 1; i < failures && delay_ms < max_ms; i++)
		delay_ms *= 2;
	if (delay_ms > max_ms)
		delay_ms = max_ms;
	return delay_ms - arc4random_uniform((uint32_t)(delay_ms / 8 + 1));
}

#endif
