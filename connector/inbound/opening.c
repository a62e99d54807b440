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

/*
 * The UIDs that were there when the mailbox was opened, up to `last_uid`, and
 * the date of the latest.  What has arrived since is not among them, nor what is
 * on its way: what becomes visible late.
 */
static enum mt_status
list_present(struct poll *p, uint32_t last_uid, struct uid_list *ret_present,
    int64_t *ret_newest, struct mt_error *err)
{
	time_t newest = 0;
	enum mt_status status;

	if (!p->opened.exists || !last_uid)
		return MT_OK;
	status = imap_conn_uids(p->conn, last_uid, &ret_present->uids,
	    &ret_present->count, &newest,
	    poll_deadline((uint64_t)p->opened.exists * BYTES_PER_UID), err);
	if (status == MT_OK && ret_present->count > p->opened.exists)
		ret_present->count = p->opened.exists;
	*ret_newest = newest;
	return status;
}

/* What the gateway's own poller has delivered is done. */
static enum mt_status
take_over(struct poll *p, struct inbound_start *start, bool *ret_taken,
    struct mt_error *err)
{
	struct uid_list present = {0};
	enum mt_status status =
	    takeover_read(p->in, &start->cursor, &start->delivered, err);

	if (status != MT_OK)
		return status;
	*ret_taken = start->cursor || start->delivered.count;
	if (!*ret_taken)
		return MT_OK;
	keep_below_uidnext(start, p->opened.uidnext);
	status =
	    list_present(p, start->cursor, &present, &start->passed_until, err);
	if (status == MT_OK && start->cursor)
		status =
		    uid_ranges_append(&start->passed, 1, start->cursor, err);
	uid_list_done(&present);
	return status;
}

/* All but the newest that one wants are passed. */
static enum mt_status
pass_older(struct poll *p, struct inbound_start *start, struct mt_error *err)
{
	uint32_t uidnext = p->opened.uidnext;
	struct uid_list present = {0};
	enum mt_status status =
	    list_present(p, uidnext ? uidnext - 1 : UINT32_MAX, &present,
		&start->passed_until, err);
	size_t wanted = p->in->newest, passed = 0;

	if (present.count > wanted)
		passed = present.count - wanted;
	for (size_t i = 0; i < passed && status == MT_OK; i++)
		status = uid_ranges_append(
		    &start->passed, present.uids[i], present.uids[i], err);
	if (passed)
		start->cursor = present.uids[passed - 1];
	else
		start->passed_until = 0;
	uid_list_done(&present);
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
	enum mt_status status = imap_conn_list(
	    p->conn, p->opened.uidnext, &listed, &count, poll_deadline(0), err);

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
