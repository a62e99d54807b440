/* SPDX-License-Identifier: ISC */
/*
 * Lines that a person pastes while something else is waited for as well: read
 * as they come, never waited for.  And what to say about a line that is not
 * the address that the browser ended at.
 */
#ifndef MT_COMMAND_PASTE_H
#define MT_COMMAND_PASTE_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>

#define PASTE_MAX 32768 /* bytes that may wait to be looked at */

struct paste {
	int fd; /* to be polled; -1 when it has ended */
	bool terminal;
	size_t used; /* bytes of the line handed out last */
	struct buf pending;
};

/* Reads from `fd`, which stays the caller's. */
void paste_init(struct paste *paste, int fd);

/* Wipes and releases what was read. */
void paste_done(struct paste *paste);

/* Reads once, after poll(2) said that this does not block.  The end of input
 * ends the last line too, and sets fd to -1. */
void paste_read(struct paste *paste);

/* The next whole line that is not empty, without the space and the quotes
 * around it, or NULL.  It lives until the next call. */
char *paste_line(struct paste *paste);

/* NULL if the line can be the address that a login ended at, or else a
 * sentence that says what is wrong with it and what to paste. */
const char *paste_judge(const struct paste *paste, const char *line);

#endif
