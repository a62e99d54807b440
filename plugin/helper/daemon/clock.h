/* SPDX-License-Identifier: ISC */
/*
 * The two clocks of the daemon: lifetimes are counted by the one that goes on
 * while the machine sleeps and that nobody sets; what outlives the process is
 * written by the wall clock.
 */
#ifndef MT_DAEMON_CLOCK_H
#define MT_DAEMON_CLOCK_H

#include <stdint.h>

#define CLOCK_TEXT_SIZE 32

/* Milliseconds since boot, sleep included. */
int64_t clock_boot_ms(void);

/* Seconds since 1970, UTC. */
int64_t clock_wall_s(void);

/* RFC 3339 in UTC; "" for 0 and below.  Returns `text`. */
const char *clock_format(int64_t wall_s, char text[CLOCK_TEXT_SIZE]);

#endif
