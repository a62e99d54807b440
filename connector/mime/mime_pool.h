/* SPDX-License-Identifier: ISC */
/*
 * Several MIME clients, each with a worker process of its own, for many
 * threads: a message that stalls its worker delays no other while there is one
 * more.  Whoever has to wait is served in the order of asking, so that an
 * account with many messages does not keep the others out.
 */
#ifndef MT_MIME_MIME_POOL_H
#define MT_MIME_MIME_POOL_H

#include "mime_client.h"

#include "base/deadline.h"
#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

struct mime_pool;

/* At most `workers` processes, 1 at least, each started when a message finds no
 * other free.  NULL: no memory. */
struct mime_pool *mime_pool_new(const char *worker_path, size_t workers);

/* Ends them; no call may be under way. */
void mime_pool_free(struct mime_pool **pool);

/*
 * As mime_client_parse(), which says what the arguments and results are.  Waits
 * for a free worker until `deadline`, then fails with MT_RETRY_LATER; after
 * that the message has `parse_ms` to itself, whatever the deadline.  May be
 * called by any thread.
 */
enum mt_status mime_pool_parse(struct mime_pool *pool, int raw_fd, int dir_fd,
    const struct mime_limits *limits, struct mime_message *ret_message,
    int64_t parse_ms, struct deadline deadline,
    struct mt_error *err) MT_MUST_CHECK;

#endif
