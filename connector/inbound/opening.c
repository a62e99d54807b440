/* SPDX-License-Identifier: ISC */
#include "inbound/opening.h"

#include "inbound/takeover.h"

#include <inttypes.h>
#include <stdlib.h>

#define BYTES_PER_UID 40 /* of a listing */

/* No message that is there can have a UID from UIDNEXT on: what the gateway
 * says about these is of another time, and new mail will have them. */
static void
keep_below_uidnext(struct inbound_start *start, uint32_t uidnext)
{
	struct uid_list *delivered = &start->delivered;

	if (!uidnext)
		return;
	if (start->cursor >= uidnext)
		start->cursor = uidnext - 1;
	while (delivered->count &&
	       delivered->uids[delivered->count - 1] >= uidnext)
		delivered->count--;
}

struct present {
	uint32_t last_uid; /* what is looked at */
	struct uid_ranges uids;
	size_t count;
	int64_t newest; /* INTERNALDATE */
};

/* Takes out the highest `count`. */
static void
drop_newest(struct present *present, size_t count)
{
	struct uid_ranges *uids = &present->uids;

	if (count > present->count)
		count = present->count;
	present->count -= count;
	while (count && uids->count) {
		struct uid_range *range = &uids->ranges[uids->count - 1];
		size_t size = (size_t)range->last - range->first + 1;

		if (size > count) {
			range->last -= (uint32_t)count;
			break;
		}
		count -= size;
		uids->count--;
	}
}

static enum mt_status
add_present(struct present *present, const uint32_t *uids, size_t count,
    struct mt_error *err)
{
	enum mt_status status = MT_OK;

	for (size_t i = 0; i < count && status == MT_OK; i++)
		status =
		    uid_ranges_append(&present->uids, uids[i], uids[i], err);
	present->count += count;
	return status;
}

static enum mt_status
list_piece(struct poll *p, struct present *present, uint32_t first,
    uint32_t last, struct mt_error *err)
{
	uint32_t *uids = NULL;
	size_t count = 0;
	time_t newest = 0;
	enum mt_status status = poll_check_stop(p, err);

	if (status == MT_OK)
		status = imap_conn_uids(p->conn, first, last, &uids, &count,
		    &newest,
		    poll_deadline((uint64_t)p->opened.exists * BYTES_PER_UID),
		    err);
	if (status == MT_OK)
		status = add_present(present, uids, count, err);
	if (newest > present->newest)
		present->newest = newest;
	free(uids);
	return status;
}

/*
 * The UIDs that were there when the mailbox was opened, up to a certain one, and
 * the date of the latest.  What has arrived since is not among them, nor what is
 * on its way: what becomes visible late.
 */
static enum mt_status
list_present(struct poll *p, struct present *present, struct mt_error *err)
{
	struct uid_list last = {0};
	uint32_t first = 1;
	enum mt_status status;

	if (!p->opened.exists || !present->last_uid)
		return MT_OK;
	status = imap_conn_divide(p->conn, &p->opened, first, &last.uids,
	    &last.count, poll_deadline(0), err);
	for (size_t i = 0; i < last.count && status == MT_OK; i++) {
		if (last.uids[i] >= present->last_uid)
			break;
		status = list_piece(p, present, first, last.uids[i], err);
		first = last.uids[i] + 1;
	}
	if (status == MT_OK)
		status = list_piece(p, present, first, present->last_uid, err);
	uid_list_done(&last);
	if (status == MT_OK && present->count > p->opened.exists)
		drop_newest(present, present->count - p->opened.exists);
	return status;
}

/* What the gateway's own poller has delivered is done. */
static enum mt_status
take_over(struct poll *p, struct inbound_start *start, bool *ret_taken,
    struct mt_error *err)
{
	struct present present = {0};
	enum mt_status status =
	    takeover_read(p->in, &start->cursor, &start->delivered, err);

	if (status != MT_OK)
		return status;
	*ret_taken = start->cursor || start->delivered.count;
	if (!*ret_taken)
		return MT_OK;
	keep_below_uidnext(start, p->opened.uidnext);
	present.last_uid = start->cursor;
	status = list_present(p, &present, err);
	start->passed_until = present.newest;
	if (status == MT_OK && start->cursor)
		status =
		    uid_ranges_append(&start->passed, 1, start->cursor, err);
	uid_ranges_done(&present.uids);
	return status;
}

/* All but the newest that one wants are passed. */
static enum mt_status
pass_older(struct poll *p, struct inbound_start *start, struct mt_error *err)
{
	uint32_t uidnext = p->opened.uidnext;
	struct present present = {
	    .last_uid = uidnext ? uidnext - 1 : UINT32_MAX};
	struct uid_ranges *passed = &present.uids;
	enum mt_status status = list_present(p, &present, err);

	if (status == MT_OK)
		drop_newest(&present, p->in->newest);
	if (status == MT_OK && passed->count) {
		start->passed = *passed;
		start->passed_until = present.newest;
		start->cursor = passed->ranges[passed->count - 1].last;
	} else {
		uid_ranges_done(passed);
	}
	return status;
}

static enum mt_status
choose_start(struct poll *p, struct inbound_start *start, struct mt_error *err)
{
	bool taken = false;
	enum mt_status status = MT_OK;

	if (p->in->gateway_state)
		status = take_over(p, start, &taken, err);
	if (status == MT_OK && !taken && p->in->only_newest)
		status = pass_older(p, start, err);
	if (status == MT_OK)
		status = mailbox_state_add(p->in->state, p->in->account,
		    p->in->mailbox, start, &p->mailbox, err);
	if (status == MT_OK && taken)
		poll_notice(p,
		    "taking over %s from the gateway's poller: it delivered "
		    "%zu messages that are there, up to UID %" PRIu32,
		    p->in->mailbox, start->delivered.count, start->cursor);
	return status;
}

/* Begins to follow a mailbox that the state has never seen. */
static enum mt_status
begin_mailbox(struct poll *p, struct mt_error *err)
{
	struct inbound_start start = {
	    .uidvalidity = p->opened.uidvalidity,
	    .folder = p->in->folder,
	};
	enum mt_status status = choose_start(p, &start, err);

	uid_list_done(&start.delivered);
	uid_ranges_done(&start.passed);
	return status;
}

static enum mt_status
begin_epoch(struct poll *p, struct mt_error *err)
{
	enum mt_status status =
	    mailbox_state_renumber(p->in->state, p->in->account, p->in->mailbox,
		p->opened.uidvalidity, p->opened.uidnext, &p->mailbox, err);

	if (status == MT_OK)
		poll_notice(p,
		    "the server has numbered %s anew (UIDVALIDITY %" PRIu32
		    "): its messages are compared with those that were "
		    "delivered",
		    p->in->mailbox, p->opened.uidvalidity);
	return status;
}

/* UIDNEXT promises UIDs that were given.  A server that lists one of them is
 * wrong about UIDNEXT only. */
static enum mt_status
check_gone_back(struct poll *p, struct mt_error *err)
{
	struct imap_summary *listed = NULL;
	size_t count = 0;
	enum mt_status status = imap_conn_list(p->conn, p->opened.uidnext,
	    UINT32_MAX, &listed, &count, poll_deadline(0), err);

	free(listed);
	if (status != MT_OK || count)
		return status;
	return begin_epoch(p, err);
}

enum mt_status
opening_do(struct poll *p, struct mt_error *err)
{
	const struct inbound *in = p->in;
	enum inbound_seen seen = INBOUND_NEVER_SEEN;
	enum mt_status status = imap_conn_examine(
	    p->conn, in->mailbox, &p->opened, poll_deadline(0), err);

	if (status != MT_OK)
		return status;
	if (!p->opened.uidvalidity)
		return mt_fail(err, MT_BAD_CONFIG,
		    "the server gives %s no UIDVALIDITY, so its messages "
		    "cannot be told apart",
		    in->mailbox);
	status = mailbox_state_find(in->state, in->account, in->mailbox,
	    p->opened.uidvalidity, p->opened.uidnext, &seen, &p->mailbox, err);
	if (status != MT_OK)
		return status;
	switch (seen) {
	case INBOUND_NEVER_SEEN:
		return begin_mailbox(p, err);
	case INBOUND_OTHER_EPOCH:
		return begin_epoch(p, err);
	case INBOUND_GONE_BACK:
		return check_gone_back(p, err);
	case INBOUND_SEEN:
		break;
	}
	return MT_OK;
}
