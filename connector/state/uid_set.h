/* SPDX-License-Identifier: ISC */
/*
 * UIDs of one mailbox, singly and as ranges.  Numbers only.
 */
#ifndef MT_STATE_UID_SET_H
#define MT_STATE_UID_SET_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* UIDs, ascending if nothing else is said; uid_list_done releases them. */
struct uid_list {
	uint32_t *uids;
	size_t count;
};

void uid_list_done(struct uid_list *list);
enum mt_status uid_list_add(
    struct uid_list *list, uint32_t uid, struct mt_error *err) MT_MUST_CHECK;

struct uid_range {
	uint32_t first;
	uint32_t last; /* is in it */
};

/* Ranges, ascending and apart; uid_ranges_done releases them. */
struct uid_ranges {
	struct uid_range *ranges;
	size_t count;
};

void uid_ranges_done(struct uid_ranges *set);

/* Adds what lies above all that is in the set; a neighbour joins the last
 * range. */
enum mt_status uid_ranges_append(struct uid_ranges *set, uint32_t first,
    uint32_t last, struct mt_error *err) MT_MUST_CHECK;

bool uid_ranges_has(const struct uid_ranges *set, uint32_t uid);

#endif
