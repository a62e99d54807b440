/* SPDX-License-Identifier: ISC */
/* What bad_worker and its tests agree on. */
#ifndef TEST_BAD_WORKER_H
#define TEST_BAD_WORKER_H

/* Where in the message "stall until told" writes a '!' when it has stalled, and
 * waits for one. */
#define STALLED_AT 60
#define GO_ON_AT 61

#endif
