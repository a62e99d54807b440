/* SPDX-License-Identifier: ISC */
/*
 * Makes sure that all mail which agents can see is in the risk manifest: its
 * other writers may have lost entries, of any age.  Goes over the state's
 * messages a share at a time, so that its caller has other turns between.
 */
#ifndef MT_INBOUND_AUDIT_H
#define MT_INBOUND_AUDIT_H

#include "base/deadline.h"
#include "base/status.h"

#include <stdint.h>

#define AUDIT_PAUSE_MS 3600000 /* from the end of a round to the next */

struct publisher;
struct state;

/* Where a round is; all zero: at the beginning of the first one. */
struct audit {
	int64_t mailbox;
	uint32_t uid;
	struct deadline next;
};

/* Looks at the next share, if it is time.  *ret_next_ms says when the next
 * one is due; after a failure the same one is.  Fails as manifest_enter. */
enum mt_status audit_step(struct audit *audit, struct state *state,
    struct publisher *publisher, int64_t *ret_next_ms,
    struct mt_error *err) MT_MUST_CHECK;

#endif
