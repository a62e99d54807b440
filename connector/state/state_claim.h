/* SPDX-License-Identifier: ISC */
/*
 * For this folder only: who works on a record.  A claim is the kernel's lock on
 * a byte of a file in the state directory; it works between threads and between
 * processes and ends with its holder.
 */
#ifndef MT_STATE_STATE_CLAIM_H
#define MT_STATE_STATE_CLAIM_H

#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

struct state;

/* Claims record `id` in the lock file `name` until *ret_fd is closed, without
 * waiting.  *ret_claimed false: somebody else has it. */
enum mt_status state_claim(struct state *state, const char *name, int64_t id,
    bool *ret_claimed, int *ret_fd, struct mt_error *err) MT_MUST_CHECK;

#endif
