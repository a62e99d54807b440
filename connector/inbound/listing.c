/* SPDX-License-Identifier: ISC */
#include "inbound/listing.h"

#include "state/done_state.h"
#include "state/suspect_state.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BYTES_PER_MESSAGE 60 /* of a listing */

struct listing {
	struct poll *poll;
	struct uid_ranges done;
	struct uid_list due; /* suspects */
	struct uid_list waiting;
	struct uid_list below; /* to look for, up to the cursor */
	struct imap_summary *found;
	size_t count;
};

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

static enum mt_status
read_state(struct listing *l, struct mt_error *err)
{
	const struct poll *p = l->poll;
	uint32_t above = p->in->reconcile ? 0 : p->mailbox.cursor;
	enum mt_status status =
	    done_state_read(p->in->state, p->mailbox.id, above, &l->done, err);

	if (status == MT_OK)
		status = suspect_state_read(p->in->state, p->mailbox.id,
		    time(NULL), &l->due, &l->waiting, err);
	return status;
}

/* All UIDs up to the cursor, less those that need nothing. */
static enum mt_status
reconcile(struct listing *l, struct mt_error *err)
{
	const struct poll *p = l->poll;
	struct uid_list *below = &l->below;
	size_t kept = 0;
	enum mt_status status = imap_conn_uids(p->conn, p->mailbox.cursor,
	    &below->uids, &below->count, NULL,
	    poll_deadline((uint64_t)p->opened.exists * BYTES_PER_MESSAGE), err);

	if (status != MT_OK)
		return status;
	for (size_t i = 0; i < below->count; i++) {
		uint32_t uid = below->uids[i];
		if (!uid_ranges_has(&l->done, uid) && !has(&l->waiting, uid))
			below->uids[kept++] = uid;
	}
	below->count = kept;
	return MT_OK;
}

/* Suspects that the cursor has passed. */
static enum mt_status
add_due(struct listing *l, struct mt_error *err)
{
	uint32_t cursor = l->poll->mailbox.cursor;
	struct uid_list all = {0};
	enum mt_status status = MT_OK;

	for (size_t i = 0; i < l->due.count && status == MT_OK; i++)
		if (l->due.uids[i] <= cursor && !has(&l->below, l->due.uids[i]))
			status = uid_list_add(&all, l->due.uids[i], err);
	for (size_t i = 0; all.count && i < l->below.count && status == MT_OK;
	     i++)
		status = uid_list_add(&all, l->below.uids[i], err);
	if (status != MT_OK || !all.count) {
		uid_list_done(&all);
		return status;
	}
	qsort(all.uids, all.count, sizeof(uint32_t), compare);
	uid_list_done(&l->below);
	l->below = all;
	return MT_OK;
}

/* Which of the wanted ones are not listed? */
static enum mt_status
drop_gone(struct listing *l, struct mt_error *err)
{
	struct uid_list gone = {0};
	size_t at = 0;
	enum mt_status status = MT_OK;

	for (size_t i = 0; i < l->below.count && status == MT_OK; i++) {
		uint32_t uid = l->below.uids[i];
		while (at < l->count && l->found[at].uid < uid)
			at++;
		if (at == l->count || l->found[at].uid != uid)
			status = uid_list_add(&gone, uid, err);
	}
	if (status == MT_OK && gone.count)
		status = suspect_state_forget(l->poll->in->state,
		    l->poll->mailbox.id, gone.uids, gone.count, err);
	uid_list_done(&gone);
	return status;
}

static enum mt_status
look_below(struct listing *l, struct mt_error *err)
{
	const struct poll *p = l->poll;
	enum mt_status status = MT_OK;

	if (p->in->reconcile && p->opened.exists && p->mailbox.cursor)
		status = reconcile(l, err);
	if (status == MT_OK)
		status = add_due(l, err);
	if (status != MT_OK || !l->below.count)
		return status;
	if (p->opened.exists)
		status = imap_conn_sizes(p->conn, l->below.uids, l->below.count,
		    &l->found, &l->count,
		    poll_deadline((uint64_t)l->below.count * BYTES_PER_MESSAGE),
		    err);
	return status == MT_OK ? drop_gone(l, err) : status;
}

/* Behind what was found below it. */
static enum mt_status
append(struct listing *l, const struct imap_summary *more, size_t count,
    struct mt_error *err)
{
	struct imap_summary *all;

	if (!count)
		return MT_OK;
	all = reallocarray(l->found, l->count + count, sizeof(*all));
	if (!all)
		return mt_fail(err, MT_NO_MEMORY,
		    "no memory for a list of %zu messages", l->count + count);
	memcpy(all + l->count, more, count * sizeof(*all));
	l->found = all;
	l->count += count;
	return MT_OK;
}

static enum mt_status
look_above(struct listing *l, struct mt_error *err)
{
	const struct poll *p = l->poll;
	struct imap_summary *above = NULL;
	size_t count = 0;
	enum mt_status status;

	if (!p->opened.exists || p->mailbox.cursor == UINT32_MAX)
		return MT_OK;
	status = imap_conn_list(p->conn, p->mailbox.cursor + 1, &above, &count,
	    poll_deadline((uint64_t)p->opened.exists * BYTES_PER_MESSAGE), err);
	if (status == MT_OK)
		status = append(l, above, count, err);
	free(above);
	return status;
}

/* Once per reconciliation, so that the log is not full of it. */
static void
report_waiting(const struct listing *l)
{
	const struct poll *p = l->poll;

	if (p->in->reconcile && l->waiting.count)
		poll_notice(p,
		    "%s: messages that cannot be fetched and are tried again "
		    "later: %zu (UID %" PRIu32 "%s)",
		    p->in->mailbox, l->waiting.count, l->waiting.uids[0],
		    l->waiting.count > 1 ? ", ..." : "");
}

static void
listing_done(struct listing *l)
{
	uid_ranges_done(&l->done);
	uid_list_done(&l->due);
	uid_list_done(&l->waiting);
	uid_list_done(&l->below);
	free(l->found);
}

enum mt_status
listing_make(struct poll *p, struct mt_error *err)
{
	struct listing l = {.poll = p};
	enum mt_status status = read_state(&l, err);

	if (status == MT_OK)
		status = look_below(&l, err);
	if (status == MT_OK)
		status = look_above(&l, err);
	if (status == MT_OK)
		status = worklist_init(&p->list, l.found, l.count,
		    p->mailbox.cursor,
		    &(struct worklist_known){&l.done, &l.due, &l.waiting}, err);
	if (status == MT_OK)
		report_waiting(&l);
	listing_done(&l);
	return status;
}
