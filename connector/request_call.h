/* SPDX-License-Identifier: ISC */
/* What a request about an account does with it. */
#ifndef MT_CONNECTOR_REQUEST_CALL_H
#define MT_CONNECTOR_REQUEST_CALL_H

#include "request_jobs.h"

struct operations;

/* Does what is asked; *ret_outcome is always filled.  Blocks for a minute at
 * most; in any thread, several at once. */
void request_call(struct operations *operations, const struct request *request,
    struct request_outcome *ret_outcome);

#endif
