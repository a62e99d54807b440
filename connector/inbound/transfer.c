/* SPDX-License-Identifier: ISC */
#include "inbound/transfer.h"

#include "inbound/batch.h"
#include "inbound/dispatch.h"
#include "inbound/relay.h"
#include "inbound/takeover.h"
#include "state/suspect_state.h"

#include <stdlib.h>
#include <time.h>

/* Servers may be somewhat wrong about sizes. */
#define SIZE_SLACK (1024u * 1024)

/* What imap_conn may take for a message.  One that is alone may have any size:
 * then we see for ourselves that it is too large, and whose it is. */
static size_t
size_limit(const struct inbound *in, size_t wanted)
{
	return (wanted == 1 ? (size_t)in->max_message_bytes : TRANSFER_BYTES) +
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

	for (size_t i = 0; i < count; i++) {
		if (work[i]->size > p->in->max_message_bytes) {
			batch_add_too_large(batch, work[i]->uid, work[i]->size);
		} else {
			uids[wanted++] = work[i]->uid;
			bytes += work[i]->size;
		}
	}
	if (!wanted)
		return MT_OK;
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

/* A batch on its way to the agents. */
struct delivery {
	struct poll *poll; /* while it is under way, its cursor is ours */
	struct batch batch;
	uint32_t cursor;
};

static struct delivery *
delivery_new(struct poll *p, struct mt_error *err)
{
	struct delivery *d = calloc(1, sizeof(*d));

	if (!d) {
		mt_fail(err, MT_NO_MEMORY, "no memory for messages");
		return NULL;
	}
	d->poll = p;
	batch_init(&d->batch, p->in, &p->mailbox, &p->folder);
	return d;
}

static void
delivery_free(struct delivery *d)
{
	batch_done(&d->batch);
	free(d);
}

/* After deliveries: how far they have come. */
static void
take_cursor(struct poll *p)
{
	if (p->mailbox.cursor == p->dispatch->cursor)
		return;
	p->mailbox.cursor = p->dispatch->cursor;
	tell_gateway(p);
}

/* Delivers the batch and forgets it; runs in the relay's thread. */
static enum mt_status
carry_out(void *context, struct mt_error *err)
{
	struct delivery *d = context;
	struct poll *p = d->poll;
	enum mt_status status =
	    dispatch_batch(p->dispatch, &d->batch, d->cursor, err);

	if (status == MT_OK)
		count_batch(p, &d->batch);
	take_cursor(p);
	delivery_free(d);
	return status;
}

/* Has delivered what has come in whole, after all that came before it; takes
 * the ownership of `d`. */
static enum mt_status
deliver(struct poll *p, struct delivery *d, struct work *const *work,
    size_t count, struct mt_error *err)
{
	enum mt_status status = MT_OK;

	if (d->batch.count) {
		for (size_t i = 0; i < count; i++)
			work[i]->done = batch_has(&d->batch, work[i]->uid);
		d->cursor = worklist_cursor(&p->list);
		status = relay_give(p->relay, carry_out, d, err);
		if (status == MT_OK)
			return MT_OK;
	}
	delivery_free(d);
	return status;
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
	struct delivery *d = delivery_new(p, err);

	if (!d)
		return MT_NO_MEMORY;
	batch_add_too_large(&d->batch, work->uid, p->in->max_message_bytes + 1);
	return deliver(p, d, &work, 1, err);
}

/* After a fetch that failed at the server: saves what can be had of it, so that
 * no message keeps others back.  MT_OK if that much succeeded. */
static enum mt_status
salvage(struct poll *p, struct delivery *d, struct work *const *work,
    size_t count, struct mt_error *err)
{
	bool too_large = d->batch.too_large;
	size_t missing;
	enum mt_status status;

	drop_empty(&d->batch, work, count);
	status = deliver(p, d, work, count, err);
	if (status == MT_OK && too_large && count == 1)
		status = deliver_too_large(p, work[0], err);
	else if (status == MT_OK)
		status = suspect(p, work, count, &missing, err);
	return status == MT_OK ? relay_wait(p->relay, err) : status;
}

/* After a fetch that went well. */
static enum mt_status
deliver_received(struct poll *p, struct delivery *d, struct work *const *work,
    size_t count, struct mt_error *err)
{
	bool all;
	enum mt_status status;

	drop_empty(&d->batch, work, count);
	all = d->batch.count == count;
	status = deliver(p, d, work, count, err);
	if (status == MT_OK && !all)
		status = note_missing(p, work, count, err);
	return status;
}

enum mt_status
transfer_batch(struct poll *p, struct work *const *work, size_t count,
    struct mt_error *err)
{
	struct delivery *d = delivery_new(p, err);
	struct mt_error worse = {0};
	enum mt_status status;

	if (!d)
		return MT_NO_MEMORY;
	status = receive(p, &d->batch, work, count, err);
	if (status == MT_OK)
		return deliver_received(p, d, work, count, err);
	if (d->batch.disk_failed)
		delivery_free(d);
	else if (salvage(p, d, work, count, &worse) != MT_OK)
		status = mt_fail(err, worse.status, "%s", worse.text);
	return status;
}

enum mt_status
transfer_move_cursor(struct poll *p, struct mt_error *err)
{
	uint32_t cursor = worklist_cursor(&p->list);
	enum mt_status status = MT_OK;

	if (cursor != p->mailbox.cursor)
		status = inbound_state_finish(
		    p->in->state, p->mailbox.id, NULL, 0, cursor, err);
	if (status != MT_OK)
		return status;
	p->dispatch->cursor = p->dispatch->next_cursor = cursor;
	p->mailbox.cursor = cursor;
	tell_gateway(p);
	return MT_OK;
}

enum mt_status
transfer_finish(struct poll *p, struct mt_error *err)
{
	enum mt_status status = relay_wait(p->relay, err);

	if (status == MT_OK)
		status = dispatch_flush(p->dispatch, err);
	take_cursor(p);
	return status;
}
