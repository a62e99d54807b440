/* SPDX-License-Identifier: ISC */
#include "inbound/fetch.h"

#include "inbound/batch.h"
#include "inbound/listing.h"
#include "inbound/opening.h"
#include "inbound/recover.h"
#include "inbound/rematch.h"
#include "inbound/takeover.h"
#include "state/suspect_state.h"

#include <time.h>

#define BATCH_BYTES (4u * 1024 * 1024)

/* Servers may be somewhat wrong about sizes. */
#define SIZE_SLACK (1024u * 1024)

/* What imap_conn may take for a message.  One that is alone may have any size:
 * then we see for ourselves that it is too large, and whose it is. */
static size_t
size_limit(const struct inbound *in, size_t wanted)
{
	return (wanted == 1 ? (size_t)in->max_message_bytes : BATCH_BYTES) +
	       SIZE_SLACK;
}

/* Step 1 of a batch, for all of its messages that are not too large. */
static enum mt_status
receive(struct poll *p, struct batch *batch, struct work *const *work,
    size_t count, struct mt_error *err)
{
	struct imap_fetch_sink sink = batch_sink(batch);
	uint32_t uids[WORKLIST_BATCH_MAX];
	size_t wanted = 0;
	uint64_t bytes = 0;
	enum mt_status status = MT_OK;

	for (size_t i = 0; i < count && status == MT_OK; i++) {
		if (work[i]->size > p->in->max_message_bytes) {
			status = batch_add_too_large(
			    batch, work[i]->uid, work[i]->size, err);
		} else {
			uids[wanted++] = work[i]->uid;
			bytes += work[i]->size;
		}
	}
	if (status != MT_OK || !wanted)
		return status;
	return imap_conn_fetch(p->conn, uids, wanted, size_limit(p->in, wanted),
	    &sink, poll_deadline(bytes), err);
}

/* What the gateway's poller would go on from.  Mail does not wait for it. */
static void
tell_gateway(const struct poll *p)
{
	struct mt_error err = {0};

	if (p->in->gateway_state &&
	    takeover_write(p->in, p->mailbox.cursor, &err) != MT_OK)
		poll_notice(p,
		    "mail is delivered, but last_uid is not kept: %s",
		    err.text);
}

static void
count_batch(const struct poll *p, const struct batch *batch)
{
	struct inbound_counts *counts = p->in->counts;

	for (size_t i = 0; counts && i < batch->count; i++) {
		const struct batch_message *m = &batch->messages[i];
		counts->matched += m->known;
		counts->found += !m->known && m->uid <= p->first_cursor;
	}
}

/* Delivers what has come in whole. */
static enum mt_status
deliver(struct poll *p, struct batch *batch, struct work *const *work,
    size_t count, struct mt_error *err)
{
	uint32_t cursor;
	enum mt_status status;

	if (!batch->count)
		return MT_OK;
	for (size_t i = 0; i < count; i++)
		work[i]->done = batch_has(batch, work[i]->uid);
	cursor = worklist_cursor(&p->list);
	status = batch_deliver(batch, cursor, err);
	if (status != MT_OK)
		return status;
	p->mailbox.cursor = cursor;
	count_batch(p, batch);
	tell_gateway(p);
	return MT_OK;
}

/* Remembers which messages did not come. */
static enum mt_status
suspect(struct poll *p, struct work *const *work, size_t count,
    size_t *ret_missing, struct mt_error *err)
{
	uint32_t uids[WORKLIST_BATCH_MAX];
	size_t missing = 0;

	for (size_t i = 0; i < count; i++)
		if (!work[i]->done)
			uids[missing++] = work[i]->uid;
	*ret_missing = missing;
	return suspect_state_add(
	    p->in->state, p->mailbox.id, uids, missing, time(NULL), err);
}

/*
 * A message that was moved away or deleted in the meantime is not given, or as
 * nothing (NIL).  It is no suspect any more when it is not listed; but if it is
 * listed and never given, it keeps back no other.
 */
static enum mt_status
note_missing(struct poll *p, struct work *const *work, size_t count,
    struct mt_error *err)
{
	size_t missing = 0;
	enum mt_status status = suspect(p, work, count, &missing, err);

	if (status == MT_OK && p->in->counts)
		p->in->counts->gone += missing;
	return status;
}

static void
drop_empty(struct batch *batch, struct work *const *work, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (work[i]->size && batch_is_empty(batch, work[i]->uid))
			batch_drop(batch, work[i]->uid);
}

/* A message, alone in its batch, that turned out to be too large. */
static enum mt_status
deliver_too_large(struct poll *p, struct work *work, struct mt_error *err)
{
	struct batch batch;
	enum mt_status status;

	batch_init(&batch, p->in, &p->mailbox, &p->folder);
	status = batch_add_too_large(
	    &batch, work->uid, p->in->max_message_bytes + 1, err);
	if (status == MT_OK)
		status = deliver(p, &batch, &work, 1, err);
	batch_done(&batch);
	return status;
}

/* After a fetch that failed at the server: saves what can be had of it, so that
 * no message keeps others back.  MT_OK if that much succeeded. */
static enum mt_status
salvage(struct poll *p, struct batch *batch, struct work *const *work,
    size_t count, struct mt_error *err)
{
	size_t missing;
	enum mt_status status;

	drop_empty(batch, work, count);
	status = deliver(p, batch, work, count, err);
	if (status == MT_OK && batch->too_large && count == 1)
		return deliver_too_large(p, work[0], err);
	if (status == MT_OK)
		status = suspect(p, work, count, &missing, err);
	return status;
}

/* After a fetch that went well. */
static enum mt_status
deliver_received(struct poll *p, struct batch *batch, struct work *const *work,
    size_t count, struct mt_error *err)
{
	enum mt_status status;

	drop_empty(batch, work, count);
	status = deliver(p, batch, work, count, err);
	if (status == MT_OK && batch->count < count)
		status = note_missing(p, work, count, err);
	return status;
}

static enum mt_status
do_batch(struct poll *p, struct work *const *work, size_t count,
    struct mt_error *err)
{
	struct batch batch;
	struct mt_error worse = {0};
	enum mt_status status;

	batch_init(&batch, p->in, &p->mailbox, &p->folder);
	status = receive(p, &batch, work, count, err);
	if (status == MT_OK)
		status = deliver_received(p, &batch, work, count, err);
	else if (!batch.disk_failed &&
		 salvage(p, &batch, work, count, &worse) != MT_OK)
		status = mt_fail(err, worse.status, "%s", worse.text);
	batch_done(&batch);
	return status;
}

/* The cursor also passes what is no longer there. */
static enum mt_status
move_cursor(struct poll *p, struct mt_error *err)
{
	uint32_t cursor = worklist_cursor(&p->list);
	enum mt_status status = MT_OK;

	if (cursor != p->mailbox.cursor)
		status = inbound_state_finish(
		    p->in->state, p->mailbox.id, NULL, 0, cursor, err);
	if (status != MT_OK)
		return status;
	p->mailbox.cursor = cursor;
	tell_gateway(p);
	return MT_OK;
}

static enum mt_status
check_full(const struct poll *p, struct mt_error *err)
{
	if (!p->in->is_full || !p->in->is_full(p->in->context))
		return MT_OK;
	return mt_fail(err, MT_RETRY_LATER,
	    "too much mail waits to be handed on; the rest is fetched after "
	    "that");
}

static void
report_progress(const struct poll *p)
{
	if (p->in->progress)
		p->in->progress(p->in->context, p->tried, p->total);
}

static enum mt_status
do_all(struct poll *p, struct mt_error *err)
{
	struct work *work[WORKLIST_BATCH_MAX];
	enum mt_status status = MT_OK;
	size_t count;

	p->total = worklist_left(&p->list);
	report_progress(p);
	while (status == MT_OK &&
	       (count = worklist_take(&p->list, BATCH_BYTES, work)) > 0) {
		status = poll_check_stop(p, err);
		if (status == MT_OK)
			status = check_full(p, err);
		if (status == MT_OK)
			status = do_batch(p, work, count, err);
		p->tried += count;
		report_progress(p);
	}
	return status == MT_OK ? move_cursor(p, err) : status;
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
		status = listing_make(&p, err);
	if (status == MT_OK)
		status = rematch_do(&p, err);
	if (status == MT_OK)
		status = do_all(&p, err);
	if (status == MT_OK)
		status = rematch_report(&p, err);
	worklist_done(&p.list);
	publish_folder_close(&p.folder);
	return status;
}
