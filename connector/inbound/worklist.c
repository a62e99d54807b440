/* SPDX-License-Identifier: ISC */
#include "inbound/worklist.h"

#include <stdlib.h>
#include <string.h>

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

static bool
is_left(const struct work *work)
{
	return !work->done && !work->waiting;
}

static int
compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static bool
has(const struct uid_list *list, uint32_t uid)
{
	return list->count && bsearch(&uid, list->uids, list->count,
				  sizeof(uid), compare) != NULL;
}

void
worklist_init(struct worklist *list, uint32_t cursor)
{
	*list = (struct worklist){.cursor = cursor, .reached = cursor};
}

static void
forget_piece(struct worklist *list)
{
	free(list->items);
	free(list->suspects);
	list->items = NULL;
	list->suspects = NULL;
	list->count = list->next = 0;
	list->suspect_count = list->suspect_next = 0;
}

void
worklist_done(struct worklist *list)
{
	forget_piece(list);
	uid_list_done(&list->open);
}

/* Keeps of the piece what the cursor must know of it. */
static enum mt_status
leave_piece(struct worklist *list, struct mt_error *err)
{
	enum mt_status status = MT_OK;

	for (size_t i = 0; i < list->count && status == MT_OK; i++) {
		const struct work *work = &list->items[i];

		if (work->uid <= list->cursor)
			continue;
		if (is_left(work))
			status = uid_list_add(&list->open, work->uid, err);
		else if (work->uid > list->reached)
			list->reached = work->uid;
	}
	forget_piece(list);
	return status;
}

static enum mt_status
begin_piece(struct worklist *list, const struct imap_summary *listed,
    size_t count, struct mt_error *err)
{
	enum mt_status status = leave_piece(list, err);

	if (status != MT_OK)
		return status;
	/* one more: no allocation of nothing */
	list->items = calloc(count + 1, sizeof(*list->items));
	if (!list->items)
		return mt_fail(err, MT_NO_MEMORY,
		    "no memory for a list of %zu messages", count);
	for (size_t i = 0; i < count; i++)
		list->items[i] =
		    (struct work){.uid = listed[i].uid, .size = listed[i].size};
	list->count = count;
	return MT_OK;
}

enum mt_status
worklist_load(struct worklist *list, const struct imap_summary *listed,
    size_t count, const struct worklist_known *known, struct mt_error *err)
{
	enum mt_status status = begin_piece(list, listed, count, err);

	for (size_t i = 0; i < list->count && status == MT_OK; i++) {
		struct work *work = &list->items[i];

		work->done = uid_ranges_has(known->done, work->uid);
		work->suspect = has(known->suspects, work->uid);
		work->waiting = has(known->waiting, work->uid);
	}
	return status;
}

/* They are no longer only remembered: they are listed now, or gone. */
static void
close_suspects(struct worklist *list, const struct uid_list *suspects)
{
	for (size_t i = 0; i < suspects->count; i++) {
		uint32_t *at =
		    list->open.count
			? bsearch(&suspects->uids[i], list->open.uids,
			      list->open.count, sizeof(uint32_t), compare)
			: NULL;
		if (!at)
			continue;
		list->open.count--;
		memmove(at, at + 1,
		    (size_t)(list->open.uids + list->open.count - at) *
			sizeof(*at));
	}
}

enum mt_status
worklist_load_suspects(struct worklist *list, const struct imap_summary *listed,
    size_t count, const struct uid_list *suspects, struct mt_error *err)
{
	enum mt_status status = begin_piece(list, listed, count, err);

	if (status != MT_OK)
		return status;
	close_suspects(list, suspects);
	list->suspects = calloc(count + 1, sizeof(struct work *));
	if (!list->suspects)
		return mt_fail(err, MT_NO_MEMORY, "no memory for a list");
	for (size_t i = 0; i < suspects->count; i++) {
		struct work *work = find(list, suspects->uids[i]);
		if (!work || work->suspect)
			continue;
		work->suspect = true;
		list->suspects[list->suspect_count++] = work;
	}
	return MT_OK;
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
	uint32_t reached = list->reached;
	uint32_t open = list->open.count ? list->open.uids[0] : 0;

	for (size_t i = 0; i < list->count; i++) {
		const struct work *work = &list->items[i];

		if (work->uid <= list->cursor)
			continue;
		if (is_left(work)) {
			if (!open || work->uid < open)
				open = work->uid;
			break;
		}
		if (work->uid > reached)
			reached = work->uid;
	}
	return open ? open - 1 : reached;
}
