/* SPDX-License-Identifier: ISC */
#include "inbound/fetch.h"

#include "inbound/dispatch.h"
#include "inbound/listing.h"
#include "inbound/opening.h"
#include "inbound/recover.h"
#include "inbound/rematch.h"
#include "inbound/relay.h"
#include "inbound/transfer.h"

static enum mt_status
check_full(const struct poll *p, struct mt_error *err)
{
	if (!p->in->is_full || !p->in->is_full(p->in->context))
		return MT_OK;
	return mt_fail(err, MT_RETRY_LATER,
	    "too much mail waits to be handed on; the rest is fetched after "
	    "that");
}

/* A first batch is fetched in any case. */
static bool
has_had_its_share(const struct poll *p)
{
	return p->in->share && p->tried && deadline_passed(*p->in->share);
}

static void
report_progress(const struct poll *p)
{
	if (p->in->progress)
		p->in->progress(p->in->context, p->tried, p->total);
}

/* All that is listed now. */
static enum mt_status
do_piece(struct poll *p, struct mt_error *err)
{
	struct work *work[WORKLIST_BATCH_MAX];
	enum mt_status status = MT_OK;
	size_t count;

	while (status == MT_OK && !has_had_its_share(p) &&
	       (count = worklist_take(&p->list, TRANSFER_BYTES, work)) > 0) {
		status = poll_check_stop(p, err);
		if (status == MT_OK)
			status = check_full(p, err);
		if (status == MT_OK)
			status = transfer_batch(p, work, count, err);
		p->tried += count;
		report_progress(p);
	}
	if (status == MT_OK)
		status = transfer_finish(p, err);
	return status == MT_OK ? transfer_move_cursor(p, err) : status;
}

/* The next piece, if there is one. */
static enum mt_status
list_piece(struct poll *p, struct listing *listing, bool *ret_more,
    struct mt_error *err)
{
	enum mt_status status = poll_check_stop(p, err);

	if (status == MT_OK)
		status = listing_next(listing, ret_more, err);
	if (status == MT_OK && *ret_more)
		status = rematch_piece(p, err);
	p->total =
	    p->tried + worklist_left(&p->list) + listing_expected(listing);
	return status;
}

static enum mt_status
do_pieces(struct poll *p, struct listing *listing, struct mt_error *err)
{
	bool more = true;
	enum mt_status status = list_piece(p, listing, &more, err);

	if (status == MT_OK)
		report_progress(p);
	while (status == MT_OK && more && !p->left) {
		status = do_piece(p, err);
		p->left = worklist_left(&p->list);
		if (status == MT_OK && !p->left)
			status = list_piece(p, listing, &more, err);
	}
	if (p->left)
		p->left += listing_expected(listing);
	if (status == MT_OK && p->in->counts)
		p->in->counts->left += p->left;
	return status;
}

static enum mt_status
do_pieces_with_relay(
    struct poll *p, struct listing *listing, struct mt_error *err)
{
	struct dispatch dispatch;
	struct mt_error worse = {0};
	enum mt_status status;

	p->relay = relay_new();
	if (!p->relay)
		return mt_fail(err, MT_NO_MEMORY, "no memory for a poll");
	dispatch_init(
	    &dispatch, p->in, &p->mailbox, &p->folder, p->mailbox.cursor);
	p->dispatch = &dispatch;
	status = do_pieces(p, listing, err);
	/* what has come in before a failure is delivered all the same */
	if (status != MT_OK && transfer_finish(p, &worse) != MT_OK)
		status = mt_fail(err, worse.status, "%s", worse.text);
	relay_free(&p->relay);
	dispatch_done(&dispatch);
	return status;
}

static enum mt_status
do_all(struct poll *p, struct mt_error *err)
{
	struct listing *listing = NULL;
	enum mt_status status = listing_begin(&listing, p, err);

	worklist_init(&p->list, p->mailbox.cursor);
	if (status == MT_OK)
		status = rematch_begin(p, err);
	if (status == MT_OK)
		status = do_pieces_with_relay(p, listing, err);
	listing_end(&listing);
	worklist_done(&p->list);
	return status;
}

enum mt_status
fetch_poll(
    const struct inbound *in, struct imap_conn *conn, struct mt_error *err)
{
	struct poll p = {.in = in, .conn = conn};
	enum mt_status status = recover_mailbox(in, err);

	if (status == MT_OK)
		status = publish_folder_open(
		    in->publisher, in->folder, &p.folder, err);
	if (status != MT_OK)
		return status;
	status = opening_do(&p, err);
	p.first_cursor = p.mailbox.cursor;
	if (status == MT_OK)
		status = do_all(&p, err);
	if (status == MT_OK && !p.left)
		status = rematch_report(&p, err);
	publish_folder_close(&p.folder);
	return status;
}
