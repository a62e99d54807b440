/* SPDX-License-Identifier: ISC */
/*
 * The gateway's own poller: what it delivered before us, and the cursor that
 * it would go on from if it came back.
 */
#ifndef MT_INBOUND_TAKEOVER_H
#define MT_INBOUND_TAKEOVER_H

#include "base/status.h"
#include "inbound/inbound.h"
#include "state/uid_set.h"

#include <stdint.h>

/*
 * What it has delivered: directories of in->folder that are named by a UID and
 * have a message.json (it leaves empty ones behind in a crash), and everything
 * up to *ret_cursor: what last_uid says, else the highest of these, else 0.
 * The caller releases *ret_delivered.
 */
enum mt_status takeover_read(const struct inbound *in, uint32_t *ret_cursor,
    struct uid_list *ret_delivered, struct mt_error *err) MT_MUST_CHECK;

/* Brings last_uid up to date, if it is not. */
enum mt_status takeover_write(const struct inbound *in, uint32_t cursor,
    struct mt_error *err) MT_MUST_CHECK;

#endif
