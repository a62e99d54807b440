/* SPDX-License-Identifier: ISC */
#include "inbound/worklist.h"

#include <stdlib.h>

/* Whether the ascending list has `uid`; *at only moves forward. */
static bool
has_uid(const struct uid_list *list, size_t *at, uint32_t uid)
{
	while (*at < list->count && list->uids[*at] < uid)
		(*at)++;
	return *at < list->count && list->uids[*at] == uid;
}

static struct work *
find(const struct worklist *list, uint32_t uid)
{
	size_t low = 0, high = list->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (list->items[middle].uid < uid)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < list->count && list->items[low].uid == uid)
		return &list->items[low];
	return NULL;
}

static void
add_suspects(struct worklist *list, const struct uid_list *suspects)
{
	for (size_t i = 0; i < suspects->count; i++) {
		struct work *work = find(list, suspects->uids[i]);
		if (!work || work->done)
			continue;
		work->suspect = true;
		list->suspects[list->suspect_count++] = work;
	}
}

enum mt_status
worklist_init(struct worklist *list, const struct imap_summary *listed,
    size_t count, uint32_t cursor, const struct uid_list *known,
    const struct uid_list *suspects, struct mt_error *err)
{
	struct worklist l = {.count = count, .cursor = cursor};
	size_t at = 0;

	/* one more: no allocation of nothing */
	l.items = calloc(count + 1, sizeof(*l.items));
	l.suspects = calloc(suspects->count + 1, sizeof(struct work *));
	if (!l.items || !l.suspects) {
		worklist_done(&l);
		return mt_fail(err, MT_NO_MEMORY,
		    "no memory for a list of %zu messages", count);
	}
	for (size_t i = 0; i < count; i++)
		l.items[i] = (struct work){
		    .uid = listed[i].uid,
		    .size = listed[i].size,
		    .done = has_uid(known, &at, listed[i].uid),
		};
	add_suspects(&l, suspects);
	*list = l;
	return MT_OK;
}

void
worklist_done(struct worklist *list)
{
	free(list->items);
	free(list->suspects);
	*list = (struct worklist){0};
}

static bool
fits(const struct work *work, size_t count, uint64_t bytes, uint64_t max_bytes)
{
	if (count == 0)
		return true;
	return count < WORKLIST_BATCH_MAX && work->size <= max_bytes &&
	       bytes <= max_bytes - work->size;
}

size_t
worklist_take(struct worklist *list, uint64_t max_bytes,
    struct work *ret_batch[WORKLIST_BATCH_MAX])
{
	uint64_t bytes = 0;
	size_t count = 0;

	for (; list->next < list->count; list->next++) {
		struct work *work = &list->items[list->next];

		if (work->done || work->suspect)
			continue;
		if (!fits(work, count, bytes, max_bytes))
			return count;
		bytes += work->size;
		ret_batch[count++] = work;
	}
	if (!count && list->suspect_next < list->suspect_count)
		ret_batch[count++] = list->suspects[list->suspect_next++];
	return count;
}

uint32_t
worklist_cursor(const struct worklist *list)
{
	uint32_t cursor = list->cursor;

	for (size_t i = 0; i < list->count; i++) {
		if (!list->items[i].done)
			return list->items[i].uid - 1;
		cursor = list->items[i].uid;
	}
	return cursor;
}
