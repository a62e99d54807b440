/* SPDX-License-Identifier: ISC */
/*
 * Bytes that must not leak: tokens, passwords, client secrets.
 *
 * Wiped when released and when moved, never printable by accident: the only
 * way to the bytes is secret_expose(), which is easy to search for.  Programs
 * that hold secrets for long make one arena at start; its memory is locked as
 * far as RLIMIT_MEMLOCK allows and kept out of core dumps.  In a foreign
 * process (the SASL module) there is no arena and the heap serves.
 */
#ifndef MT_BASE_SECRET_H
#define MT_BASE_SECRET_H

#include "status.h"

#include <stdbool.h>
#include <stddef.h>

struct secret_arena;

struct secret {
	struct secret_arena *arena; /* NULL: heap */
	char *data;                 /* followed by a NUL that is not counted */
	size_t len;
	size_t cap;
	bool failed;    /* sticky, as in struct buf */
	bool no_memory; /* is why it failed */
};

#define SECRET_MAX 65536 /* bytes in one secret */

#define SECRET_INIT                                                            \
	{                                                                      \
		.arena = NULL                                                  \
	}

/*
 * Makes an arena of `size` bytes, or what the largest secret takes.  When it is
 * full it grows by as much again.  Threads may share it, but not a secret in it.
 * *ret_locked tells whether all of it could be locked in
 * memory; what it grows by is, as far as the limit allows.  NULL when there is
 * no memory.
 */
struct secret_arena *secret_arena_new(size_t size, bool *ret_locked);

/* Wipes and releases the arena; all its secrets must be released before. */
void secret_arena_free(struct secret_arena **arena);

/* Switches off core dumps and ptrace by others for this process. */
void secret_protect_process(void);

void secret_init(struct secret *s, struct secret_arena *arena);

/* Wipes and releases; the secret is then empty and may be used again. */
void secret_done(struct secret *s);

/* Empties and wipes; clears a failure. */
void secret_reset(struct secret *s);

/* Appends; on failure (SECRET_MAX, no memory) empty and secret_ok() false. */
void secret_add(struct secret *s, const void *data, size_t len);

/* Moves the contents of `from`, which is empty afterwards.  Both must belong to
 * the same arena; what `to` held is wiped. */
void secret_move(struct secret *to, struct secret *from);

/* Replaces the contents of `to` by those of `from`. */
void secret_copy(struct secret *to, const struct secret *from);

/* Same length and bytes, compared in constant time for equal lengths. */
bool secret_equal(const struct secret *a, const struct secret *b);

static inline bool
secret_ok(const struct secret *s)
{
	return !s->failed;
}

/* The bytes, NUL-terminated; "" when empty.  Never log or print them. */
const char *secret_expose(const struct secret *s);

/*
 * Reads a secret from an open descriptor, to its end; one final line end is
 * dropped.  Fails with MT_BAD_CONFIG when it is empty, longer than SECRET_MAX,
 * holds a NUL, or cannot be read; `name` is what the error text calls it.
 * Blocks as long as the descriptor does.
 */
enum mt_status secret_read_fd(struct secret *s, int fd, const char *name,
    struct mt_error *err) MT_MUST_CHECK;

/* As secret_read_fd, from the regular file (or /dev/fd/N) at `path`. */
enum mt_status secret_read_file(
    struct secret *s, const char *path, struct mt_error *err) MT_MUST_CHECK;

/*
 * Takes a secret out of the environment: copies it, overwrites it in place and
 * removes the variable.  False if it is not set (an empty one counts as not
 * set, and is removed).  Call it before the first thread and child.
 */
bool secret_take_env(struct secret *s, const char *name);

#endif
