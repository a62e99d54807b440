/* SPDX-License-Identifier: ISC */
#include "uid_set.h"

#include <stdlib.h>

/* Room for one more in an array that grows at each power of two; NULL: no
 * memory. */
static void *
grow(void *array, size_t count, size_t size)
{
	if (count & (count - 1))
		return array;
	return reallocarray(array, count ? count * 2 : 1, size);
}

void
uid_list_done(struct uid_list *list)
{
	free(list->uids);
	*list = (struct uid_list){0};
}

enum mt_status
uid_list_add(struct uid_list *list, uint32_t uid, struct mt_error *err)
{
	uint32_t *uids = grow(list->uids, list->count, sizeof(*uids));

	if (!uids)
		return mt_fail(
		    err, MT_NO_MEMORY, "no memory for a list of UIDs");
	list->uids = uids;
	list->uids[list->count++] = uid;
	return MT_OK;
}

void
uid_ranges_done(struct uid_ranges *set)
{
	free(set->ranges);
	*set = (struct uid_ranges){0};
}

enum mt_status
uid_ranges_append(
    struct uid_ranges *set, uint32_t first, uint32_t last, struct mt_error *err)
{
	struct uid_range *ranges;

	if (set->count && set->ranges[set->count - 1].last == first - 1) {
		set->ranges[set->count - 1].last = last;
		return MT_OK;
	}
	ranges = grow(set->ranges, set->count, sizeof(*ranges));
	if (!ranges)
		return mt_fail(
		    err, MT_NO_MEMORY, "no memory for a list of UIDs");
	set->ranges = ranges;
	set->ranges[set->count++] = (struct uid_range){first, last};
	return MT_OK;
}

bool
uid_ranges_has(const struct uid_ranges *set, uint32_t uid)
{
	size_t low = 0, high = set->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (set->ranges[middle].last < uid)
			low = middle + 1;
		else
			high = middle;
	}
	return low < set->count && set->ranges[low].first <= uid;
}
