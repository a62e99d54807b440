/* SPDX-License-Identifier: ISC */
#include "inbound/worklist.h"

#include <stdlib.h>

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

static void
set_waiting(struct worklist *list, const struct uid_list *waiting)
{
	for (size_t i = 0; i < waiting->count; i++) {
		struct work *work = find(list, waiting->uids[i]);
		if (work)
			work->waiting = true;
	}
}

enum mt_status
worklist_init(struct worklist *list, const struct imap_summary *listed,
    size_t count, uint32_t cursor, const struct worklist_known *known,
    struct mt_error *err)
{
	struct worklist l = {.count = count, .cursor = cursor};

	/* one more: no allocation of nothing */
	l.items = calloc(count + 1, sizeof(*l.items));
	l.suspects = calloc(known->suspects->count + 1, sizeof(struct work *));
	if (!l.items || !l.suspects) {
		worklist_done(&l);
		return mt_fail(err, MT_NO_MEMORY,
		    "no memory for a list of %zu messages", count);
	}
	for (size_t i = 0; i < count; i++)
		l.items[i] = (struct work){
		    .uid = listed[i].uid,
		    .size = listed[i].size,
		    .done = uid_ranges_has(known->done, listed[i].uid),
		};
	add_suspects(&l, known->suspects);
	set_waiting(&l, known->waiting);
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
is_left(const struct work *work)
{
	return !work->done && !work->waiting;
}

size_t
worklist_left(const struct worklist *list)
{
	size_t left = list->suspect_count - list->suspect_next;

	for (size_t i = list->next; i < list->count; i++)
		left += is_left(&list->items[i]) && !list->items[i].suspect;
	return left;
}

void
worklist_mark_done(struct worklist *list, uint32_t uid)
{
	struct work *work = find(list, uid);

	if (work)
		work->done = true;
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

		if (!is_left(work) || work->suspect)
			continue;
		if (!fits(work, count, bytes, max_bytes))
			return count;
		bytes += work->size;
		ret_batch[count++] = work;
	}
	while (!count && list->suspect_next < list->suspect_count) {
		struct work *work = list->suspects[list->suspect_next++];
		if (is_left(work))
			ret_batch[count++] = work;
	}
	return count;
}

uint32_t
worklist_cursor(const struct worklist *list)
{
	uint32_t cursor = list->cursor;

	for (size_t i = 0; i < list->count; i++) {
		if (list->items[i].uid <= cursor)
			continue;
		if (is_left(&list->items[i]))
			return list->items[i].uid - 1;
		cursor = list->items[i].uid;
	}
	return cursor;
}
