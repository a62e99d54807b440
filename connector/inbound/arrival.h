/* SPDX-License-Identifier: ISC */
/*
 * Names a message that the server has moved: as before, if nothing has or had
 * that name in the folder, else as a message that is delivered there.
 */
#ifndef MT_INBOUND_ARRIVAL_H
#define MT_INBOUND_ARRIVAL_H

#include "base/status.h"
#include "inbound/folders.h"
#include "state/move_state.h"

#include <stdint.h>

/* Records that it is there (arrival_state_enter), under the first name that is
 * free.  uidvalidity 0: nobody knows where. */
enum mt_status arrival_enter(const struct folders *folders, struct move *move,
    uint32_t uidvalidity, uint32_t uid, struct mt_error *err) MT_MUST_CHECK;

/* Something has its name: gives it the next one that is free. */
enum mt_status arrival_rename(const struct folders *folders, struct move *move,
    struct mt_error *err) MT_MUST_CHECK;

#endif
