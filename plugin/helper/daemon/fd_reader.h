/* SPDX-License-Identifier: ISC */
/*
 * Reads a refresh token, or a passphrase, from a descriptor that a client
 * passed: a regular file at once, a pipe or socket as its bytes come, within 5 s.  Never blocks.
 */
#ifndef MT_DAEMON_FD_READER_H
#define MT_DAEMON_FD_READER_H

#include "base/secret.h"
#include "base/status.h"

#include <uv.h>

struct fd_reader;

/* Called once from the loop, unless cancelled; `token` lives until it returns.
 */
typedef void (*fd_reader_done)(
    void *context, struct secret *token, const struct mt_error *result);

enum fd_reader_kind {
	FD_READER_TOKEN,      /* visible ASCII */
	FD_READER_PASSPHRASE, /* one line of anything */
};

/* Takes `fd` over, also on failure.  `done` may be called before it returns;
 * *ret_reader is then NULL. */
enum mt_status fd_reader_start(uv_loop_t *loop, struct secret_arena *arena,
    int fd, enum fd_reader_kind kind, fd_reader_done done, void *context,
    struct fd_reader **ret_reader, struct mt_error *err) MT_MUST_CHECK;

void fd_reader_cancel(struct fd_reader **reader);

#endif
