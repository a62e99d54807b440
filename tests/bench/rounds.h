/* SPDX-License-Identifier: ISC */
/*
 * How a benchmark's program is driven: it prepares itself once, then takes
 * samples when it is told to, so that the script can take those of several
 * programs in turn and they all see the same machine.
 */
#ifndef MT_BENCH_ROUNDS_H
#define MT_BENCH_ROUNDS_H

/* For each line of standard input, a number, calls once() so many times and
 * writes a line: the nanoseconds that a call took.  Returns at its end. */
void rounds_serve(void (*once)(void *context), void *context);

/* The present time in nanoseconds. */
long rounds_now_ns(void);

/* Says what failed, and ends. */
void rounds_die(const char *what) __attribute__((noreturn));

#endif
