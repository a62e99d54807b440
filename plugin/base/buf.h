/* SPDX-License-Identifier: ISC */
/*
 * A growing byte buffer with a maximum.
 *
 * Append freely and look once at the end: after the first failure (the
 * maximum would be exceeded, or no memory) the buffer is empty, every further
 * append does nothing and buf_ok() is false.  The contents are always followed
 * by a NUL that is not counted.  Not for secrets: see secret.h.
 */
#ifndef MT_BASE_BUF_H
#define MT_BASE_BUF_H

#include "status.h"

#include <stdbool.h>
#include <stddef.h>

struct buf {
	char *data; /* NULL until the first append */
	size_t len;
	size_t cap;
	size_t max; /* bytes, the final NUL not counted */
	bool failed;
};

#define BUF_INIT(maximum)                                                      \
	{                                                                      \
		.max = (maximum)                                               \
	}

/* Releases the memory; the buffer is then as BUF_INIT with the same max. */
void buf_done(struct buf *b);

/* Empties the buffer and clears a failure; keeps the memory. */
void buf_reset(struct buf *b);

static inline bool
buf_ok(const struct buf *b)
{
	return !b->failed;
}

/* The contents as text; "" when empty or failed.  Owned by the buffer. */
const char *buf_text(const struct buf *b);

void buf_add(struct buf *b, const void *data, size_t len);
void buf_add_text(struct buf *b, const char *text);
void buf_add_char(struct buf *b, char c);
void buf_add_format(struct buf *b, const char *format, ...) MT_PRINTF(2, 3);

/*
 * Text from a peer for a person to read: control characters and what is no
 * UTF-8 become '?', and no more than `max_len` bytes of it are taken.
 */
void buf_add_printable(
    struct buf *b, const char *text, size_t len, size_t max_len);

/* Removes the first `len` bytes (at most all). */
void buf_consume(struct buf *b, size_t len);

/* Hands the memory to the caller (free()); NULL if it failed or no memory. */
char *buf_take(struct buf *b) MT_MUST_CHECK;

#endif
