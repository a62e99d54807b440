/* SPDX-License-Identifier: ISC */
/*
 * Shows how far a long poll has come: by a bar on a terminal, else in the log,
 * every 10 s or each tenth.  A short poll shows nothing.
 */
#ifndef MT_CONNECTOR_PROGRESS_H
#define MT_CONNECTOR_PROGRESS_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct progress {
	const char *what; /* the mailbox */
	bool bar;         /* standard error is a terminal that we may draw on */
	bool visible;     /* the bar is on the current line */
	int64_t began_ms;
	int64_t shown_ms;
	size_t shown; /* messages, when it was last logged */
};

/* Begins to show a poll.  `bar`: a terminal may get a bar. */
void progress_begin(struct progress *progress, const char *what, bool bar);

void progress_show(struct progress *progress, size_t tried, size_t total);

/* Makes room for a line; the bar comes back with the next progress_show. */
void progress_hide(struct progress *progress);

/* The text of the bar, at most so many columns. */
void progress_draw(struct buf *line, const char *what, size_t tried,
    size_t total, int64_t elapsed_ms, size_t columns);

#endif
