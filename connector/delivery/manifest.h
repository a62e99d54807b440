/* SPDX-License-Identifier: ISC */
/*
 * The risk manifest, .tri-onyx/risk-manifest.json: how far agents may trust
 * each file.  A path without an entry counts as harmless, so the entries of a
 * message are durable before it becomes visible.
 *
 * The gateway writes the same file, in place and without a lock.  Against what
 * that can do:
 *  - our own writers take turns (a lock file);
 *  - a file that does not parse, such as half a one, is never replaced: it is
 *    read again for MANIFEST_PATIENCE_MS, then the delivery fails for now;
 *  - we replace it by rename, never in place, and only if it is still the one
 *    that was read; if the old one is written to in that very moment, what was
 *    written there is taken over;
 *  - the gateway may write back what it read before our rename: a watch looks
 *    again later, and enters anew what has vanished (and inbound/audit.h, for
 *    mail of any age).
 */
#ifndef MT_DELIVERY_MANIFEST_H
#define MT_DELIVERY_MANIFEST_H

#include "base/status.h"
#include "delivery/manifest_text.h"

#include <stdint.h>

struct publisher;

#define MANIFEST_PATIENCE_MS 3000
#define MANIFEST_LOOK_MS 3000 /* a watch looks so long after an entry */

/* Remembers for a while what was entered.  Threads may share one. */
struct manifest_watch;

struct manifest_watch *manifest_watch_new(void);
void manifest_watch_free(struct manifest_watch **watch);

/*
 * Enters the files `paths`, which it may reorder, as ones of `agent` with taint
 * high and sensitivity low; durable when it returns.  Its time grows with the
 * size of the manifest, so let it enter many paths at once.  `watch` may be
 * NULL.  MT_RETRY_LATER: the manifest does not parse, or disk trouble;
 * otherwise as publish.h.  Blocks for up to MANIFEST_PATIENCE_MS and the lock.
 */
enum mt_status manifest_enter(struct publisher *publisher,
    struct manifest_watch *watch, struct manifest_paths *paths,
    enum manifest_mode mode, const char *agent,
    struct mt_error *err) MT_MUST_CHECK;

/*
 * Looks for the entries that are due and enters those that have vanished.
 * *ret_next_ms says when there is something to do again; INT64_MAX: not before
 * the next entry.  After a failure they are due again MANIFEST_LOOK_MS later.
 */
enum mt_status manifest_watch_look(struct manifest_watch *watch,
    struct publisher *publisher, int64_t *ret_next_ms,
    struct mt_error *err) MT_MUST_CHECK;

/* How long until manifest_watch_look has something to do; INT64_MAX: never. */
int64_t manifest_watch_due_ms(struct manifest_watch *watch);

#endif
