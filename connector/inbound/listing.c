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
	uint32_t first;       /* of what is to come */
	struct uid_list last; /* of each piece but the last one */
	size_t next;          /* piece */
	struct uid_list due;  /* suspects, in the order in which to try them */
	struct uid_list suspects; /* the same, ascending */
	struct uid_list waiting;
};

/* A piece while it is made. */
struct piece {
	struct listing *listing;
	uint32_t first;
	uint32_t last;
	struct uid_ranges done;
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

/* ---- a piece ---- */

/* For a command that lists a whole piece. */
static struct deadline
piece_deadline(const struct listing *l)
{
	uint64_t exists = l->poll->opened.exists;

	/* two may have become one */
	if (l->last.count && exists > 2 * IMAP_PIECE)
		exists = 2 * IMAP_PIECE;
	return poll_deadline(exists * BYTES_PER_MESSAGE);
}

/* The UIDs [p->first, last], less those that need nothing now. */
static enum mt_status
reconcile(const struct piece *p, uint32_t last, struct uid_list *ret_missing,
    struct mt_error *err)
{
	struct listing *l = p->listing;
	size_t kept = 0;
	enum mt_status status =
	    imap_conn_uids(l->poll->conn, p->first, last, &ret_missing->uids,
		&ret_missing->count, NULL, piece_deadline(l), err);

	if (status != MT_OK)
		return status;
	for (size_t i = 0; i < ret_missing->count; i++) {
		uint32_t uid = ret_missing->uids[i];
		if (!uid_ranges_has(&p->done, uid) && !has(&l->waiting, uid) &&
		    !has(&l->suspects, uid))
			ret_missing->uids[kept++] = uid;
	}
	ret_missing->count = kept;
	return MT_OK;
}

/* What a reconciliation finds up to the cursor. */
static enum mt_status
look_below(struct piece *p, struct mt_error *err)
{
	struct poll *poll = p->listing->poll;
	uint32_t cursor = poll->first_cursor;
	uint32_t last = p->last < cursor ? p->last : cursor;
	struct uid_list missing = {0};
	enum mt_status status;

	if (!poll->in->reconcile || p->first > last)
		return MT_OK;
	status = reconcile(p, last, &missing, err);
	if (status == MT_OK && missing.count)
		status = imap_conn_sizes(poll->conn, missing.uids,
		    missing.count, &p->found, &p->count,
		    poll_deadline((uint64_t)missing.count * BYTES_PER_MESSAGE),
		    err);
	uid_list_done(&missing);
	return status;
}

/* Behind what was found below it. */
static enum mt_status
append(struct piece *p, const struct imap_summary *more, size_t count,
    struct mt_error *err)
{
	struct imap_summary *all;

	if (!count)
		return MT_OK;
	all = reallocarray(p->found, p->count + count, sizeof(*all));
	if (!all)
		return mt_fail(err, MT_NO_MEMORY,
		    "no memory for a list of %zu messages", p->count + count);
	memcpy(all + p->count, more, count * sizeof(*all));
	p->found = all;
	p->count += count;
	return MT_OK;
}

static enum mt_status
look_above(struct piece *p, struct mt_error *err)
{
	struct listing *l = p->listing;
	uint32_t cursor = l->poll->first_cursor;
	uint32_t first = p->first > cursor ? p->first : cursor + 1;
	struct imap_summary *above = NULL;
	size_t count = 0;
	enum mt_status status;

	if (cursor == UINT32_MAX || first > p->last)
		return MT_OK;
	status = imap_conn_list(l->poll->conn, first, p->last, &above, &count,
	    piece_deadline(l), err);
	if (status == MT_OK)
		status = append(p, above, count, err);
	free(above);
	return status;
}

static enum mt_status
load_piece(struct listing *l, uint32_t last, struct mt_error *err)
{
	struct poll *poll = l->poll;
	struct piece p = {.listing = l, .first = l->first, .last = last};
	enum mt_status status = done_state_read(
	    poll->in->state, poll->mailbox.id, p.first, p.last, &p.done, err);

	if (status == MT_OK)
		status = look_below(&p, err);
	if (status == MT_OK)
		status = look_above(&p, err);
	if (status == MT_OK)
		status = worklist_load(&poll->list, p.found, p.count,
		    &(struct worklist_known){
			&p.done, &l->suspects, &l->waiting},
		    err);
	uid_ranges_done(&p.done);
	free(p.found);
	return status;
}

/* ---- suspects ---- */

/* Ascending. */
static enum mt_status
sort(const struct uid_list *list, struct uid_list *ret_sorted,
    struct mt_error *err)
{
	enum mt_status status = MT_OK;

	for (size_t i = 0; i < list->count && status == MT_OK; i++)
		status = uid_list_add(ret_sorted, list->uids[i], err);
	if (status == MT_OK && list->count)
		qsort(ret_sorted->uids, ret_sorted->count, sizeof(uint32_t),
		    compare);
	return status;
}

/* Those that are due still, after what was found out about the others. */
static enum mt_status
drop_settled(struct listing *l, struct mt_error *err)
{
	const struct poll *p = l->poll;
	struct uid_list due = {0}, waiting = {0}, left = {0};
	size_t kept = 0;
	enum mt_status status = suspect_state_read(
	    p->in->state, p->mailbox.id, time(NULL), &due, &waiting, err);

	if (status == MT_OK)
		status = sort(&due, &left, err);
	for (size_t i = 0; i < l->suspects.count && status == MT_OK; i++)
		if (has(&left, l->suspects.uids[i]))
			l->suspects.uids[kept++] = l->suspects.uids[i];
	if (status == MT_OK)
		l->suspects.count = kept;
	uid_list_done(&due);
	uid_list_done(&waiting);
	uid_list_done(&left);
	return status;
}

/* Which of the suspects are not listed? */
static enum mt_status
drop_gone(struct listing *l, const struct imap_summary *found, size_t count,
    struct mt_error *err)
{
	const struct poll *p = l->poll;
	struct uid_list gone = {0};
	size_t at = 0;
	enum mt_status status = MT_OK;

	for (size_t i = 0; i < l->suspects.count && status == MT_OK; i++) {
		uint32_t uid = l->suspects.uids[i];
		while (at < count && found[at].uid < uid)
			at++;
		if (at == count || found[at].uid != uid)
			status = uid_list_add(&gone, uid, err);
	}
	if (status == MT_OK && gone.count)
		status = suspect_state_forget(
		    p->in->state, p->mailbox.id, gone.uids, gone.count, err);
	uid_list_done(&gone);
	return status;
}

static enum mt_status
load_suspects(struct listing *l, struct mt_error *err)
{
	const struct poll *p = l->poll;
	struct imap_summary *found = NULL;
	size_t count = 0;
	enum mt_status status = drop_settled(l, err);

	if (status == MT_OK && l->suspects.count && p->opened.exists)
		status = imap_conn_sizes(p->conn, l->suspects.uids,
		    l->suspects.count, &found, &count,
		    poll_deadline(
			(uint64_t)l->suspects.count * BYTES_PER_MESSAGE),
		    err);
	if (status == MT_OK)
		status = drop_gone(l, found, count, err);
	if (status == MT_OK)
		status = worklist_load_suspects(
		    &l->poll->list, found, count, &l->due, err);
	free(found);
	return status;
}

/* ---- all of it ---- */

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

static enum mt_status
begin(struct listing *l, struct mt_error *err)
{
	struct poll *p = l->poll;
	enum mt_status status = suspect_state_read(
	    p->in->state, p->mailbox.id, time(NULL), &l->due, &l->waiting, err);

	if (status == MT_OK)
		status = sort(&l->due, &l->suspects, err);
	if (status == MT_OK)
		status = imap_conn_divide(p->conn, &p->opened, l->first,
		    &l->last.uids, &l->last.count, poll_deadline(0), err);
	if (status == MT_OK)
		report_waiting(l);
	return status;
}

enum mt_status
listing_begin(
    struct listing **ret_listing, struct poll *p, struct mt_error *err)
{
	struct listing *l = calloc(1, sizeof(*l));
	enum mt_status status;

	if (!l)
		return mt_fail(err, MT_NO_MEMORY, "no memory for a listing");
	l->poll = p;
	l->first = p->in->reconcile ? 1 : p->first_cursor + 1;
	status = begin(l, err);
	if (status == MT_OK)
		*ret_listing = l;
	else
		listing_end(&l);
	return status;
}

enum mt_status
listing_next(struct listing *l, bool *ret_more, struct mt_error *err)
{
	uint32_t last =
	    l->next < l->last.count ? l->last.uids[l->next] : UINT32_MAX;
	enum mt_status status = MT_OK;

	*ret_more = l->next <= l->last.count;
	if (!*ret_more && l->due.count) {
		status = load_suspects(l, err);
		l->due.count = 0;
		*ret_more = true;
	} else if (*ret_more) {
		l->next++;
		if (l->poll->opened.exists)
			status = load_piece(l, last, err);
		l->first = last + 1;
	}
	return status;
}

size_t
listing_expected(const struct listing *l)
{
	size_t exists = l->poll->opened.exists;
	size_t pieces = l->last.count + 1;
	size_t expected = 0;

	for (size_t i = l->next; i < pieces; i++) {
		bool is_last = i == l->last.count;

		if (is_last || l->last.uids[i] > l->poll->first_cursor)
			expected += exists / pieces;
	}
	return expected;
}

void
listing_end(struct listing **listing)
{
	struct listing *l = *listing;

	*listing = NULL;
	if (!l)
		return;
	uid_list_done(&l->last);
	uid_list_done(&l->due);
	uid_list_done(&l->suspects);
	uid_list_done(&l->waiting);
	free(l);
}
