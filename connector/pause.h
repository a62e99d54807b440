/* SPDX-License-Identifier: ISC */
/*
 * When what has failed is tried again, and what is said of it: each failure
 * once, and the end of them.  Times are a loop's, in milliseconds.
 */
#ifndef MT_CONNECTOR_PAUSE_H
#define MT_CONNECTOR_PAUSE_H

#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

struct pause {
	const char *what;    /* "SMTP send" failed */
	const char *account; /* for people */
	uint64_t interval_ms;
	bool worked;           /* at least once */
	unsigned failures;     /* in a row */
	struct mt_error error; /* the last, if there are any */
	uint64_t failed_at;
	uint64_t until;
};

/* The texts must outlive it.  What a person must mend is tried again after
 * `interval_ms`, doubling to an hour; what is temporary after 5 s, doubling to
 * the interval. */
void pause_init(struct pause *pause, const char *what, const char *account,
    int64_t interval_ms);

/* What came of a try.  A failure within the pause is of one that began before
 * it, and counts for nothing. */
void pause_note(struct pause *pause, uint64_t now, enum mt_status status,
    const struct mt_error *err);

bool pause_is_over(const struct pause *pause, uint64_t now);
uint64_t pause_left(const struct pause *pause, uint64_t now);

/* The last failure is a person's matter. */
bool pause_is_a_persons(const struct pause *pause);

/* There is a new reason to try: now, unless the last failure is fresh. */
void pause_shorten(struct pause *pause, uint64_t now);

/* What was wrong is not any more. */
void pause_end(struct pause *pause);

#endif
