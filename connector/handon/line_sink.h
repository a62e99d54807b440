/* SPDX-License-Identifier: ISC */
/*
 * Announces mail on standard output, one JSON object a line (event_text.h).  A
 * reader who is slow makes the mail wait; when there is no reader any more,
 * nothing can be announced, and the caller is told.
 */
#ifndef MT_HANDON_LINE_SINK_H
#define MT_HANDON_LINE_SINK_H

#include "handon/sink.h"

#include <stdbool.h>

/* Who writes there; one line after another, so one for all sinks. */
struct line_writer {
	int fd;
	const struct sink *owner; /* is in the middle of a batch */
	bool torn;                /* the last line has no end */
	int broken;               /* errno value: nobody reads */
};

/* `writer` must outlive the sink. */
struct sink *line_sink_new(struct line_writer *writer, const char *agent);

#endif
