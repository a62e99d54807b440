/* SPDX-License-Identifier: ISC */
#include "inbound/dispatch.h"

#include "base/deadline.h"
#include "inbound/placing.h"
#include "inbound/prepare.h"
#include "inbound/risk.h"

#include <stdlib.h>
#include <string.h>

/* After so long, what is ready is published before the rest is prepared: a
 * message that stalls the worker holds up no earlier one. */
#define SHARE_MS 5000

/* Of the time, at most a fifth goes to the manifest; but nobody waits for longer
 * than HOLD_MS, and what is held takes some 500 bytes for each message. */
#define HOLD_COSTS 4
#define HOLD_MS 20000
#define HELD_MAX 8192

struct dispatch_message {
	uint32_t uid;
	char handle[INBOUND_HANDLE_MAX];
	char staged[PUBLISH_NAME_MAX];
	char *sender;
	char *subject;
};

static int64_t
now_ms(void)
{
	return deadline_in_ms(0).at_ms;
}

void
dispatch_init(struct dispatch *d, const struct inbound *in,
    const struct inbound_mailbox *mailbox, const struct publish_folder *folder,
    uint32_t cursor)
{
	*d = (struct dispatch){
	    .in = in,
	    .mailbox = mailbox,
	    .folder = folder,
	    .cursor = cursor,
	    .next_cursor = cursor,
	};
}

static void
forget_held(struct dispatch *d)
{
	for (size_t i = 0; i < d->count; i++) {
		free(d->held[i].sender);
		free(d->held[i].subject);
	}
	d->count = 0;
	manifest_paths_done(&d->paths);
}

void
dispatch_done(struct dispatch *d)
{
	forget_held(d);
	free(d->held);
	d->held = NULL;
}

/* ---- up to the state ---- */

/* Messages [begin, end) of a batch, which take steps 2 and 3 together. */
struct share {
	size_t begin;
	size_t end;
};

/* Step 1. */
static enum mt_status
prepare_share(struct batch *b, struct share *share, struct mt_error *err)
{
	struct deadline soon = deadline_in_ms(SHARE_MS);
	enum mt_status status = MT_OK;

	while (share->end < b->count && status == MT_OK) {
		status = prepare_message(b, &b->messages[share->end++], err);
		if (deadline_passed(soon))
			break;
	}
	return status;
}

/* Step 2. */
static enum mt_status
sync_staged(struct batch *b, struct share share, struct mt_error *err)
{
	const struct publish_stage *stages[WORKLIST_BATCH_MAX];
	size_t count = 0;

	for (size_t i = share.begin; i < share.end; i++)
		stages[count++] = &b->messages[i].stage;
	return publish_sync_stages(b->in->publisher, stages, count, err);
}

/* Step 3. */
static enum mt_status
record_staged(struct batch *b, struct share share, struct mt_error *err)
{
	struct inbound_message records[WORKLIST_BATCH_MAX] = {0};
	bool known[WORKLIST_BATCH_MAX] = {0};
	size_t count = 0;
	enum mt_status status;

	for (size_t i = share.begin; i < share.end; i++) {
		const struct batch_message *m = &b->messages[i];

		records[count++] = (struct inbound_message){
		    .uid = m->uid,
		    .folder = b->folder->path,
		    .handle = m->handle,
		    .staged = m->stage.name,
		    .sender = m->sender,
		    .subject = m->subject,
		    .identity = m->identity,
		};
	}
	status = inbound_state_stage(
	    b->in->state, b->mailbox->id, records, count, known, err);
	for (size_t i = share.begin; i < share.end && status == MT_OK; i++) {
		b->messages[i].known = known[i - share.begin];
		b->messages[i].recorded = !known[i - share.begin];
	}
	return status;
}

/* ---- between ---- */

static enum mt_status
hold_message(struct dispatch *d, struct batch_message *m, struct mt_error *err)
{
	struct dispatch_message *held = &d->held[d->count];

	*held = (struct dispatch_message){
	    .uid = m->uid, .sender = m->sender, .subject = m->subject};
	memcpy(held->handle, m->handle, sizeof(held->handle));
	memcpy(held->staged, m->stage.name, sizeof(held->staged));
	m->sender = m->subject = NULL;
	d->count++;
	return risk_add(
	    &d->paths, d->folder->path, m->handle, m->stage.fd, err);
}

/* The cursor stops below what of the batch is still to come. */
static uint32_t
cursor_after(const struct dispatch *d, const struct batch *b,
    struct share share, uint32_t cursor)
{
	if (share.end < b->count && b->messages[share.end].uid <= cursor)
		cursor = b->messages[share.end].uid - 1;
	return cursor > d->next_cursor ? cursor : d->next_cursor;
}

static enum mt_status
hold_share(struct dispatch *d, struct batch *b, struct share share,
    uint32_t cursor, struct mt_error *err)
{
	size_t count = d->count + share.end - share.begin;
	struct dispatch_message *held =
	    reallocarray(d->held, count + 1, sizeof(*held));
	enum mt_status status = MT_OK;

	if (!held)
		return mt_fail(err, MT_NO_MEMORY, "no memory for messages");
	d->held = held;
	if (!d->count)
		d->began_ms = now_ms();
	for (size_t i = share.begin; i < share.end && status == MT_OK; i++)
		if (!b->messages[i].known)
			status = hold_message(d, &b->messages[i], err);
	d->next_cursor = cursor_after(d, b, share, cursor);
	return status;
}

static bool
is_due(const struct dispatch *d)
{
	int64_t waited = now_ms() - d->began_ms;

	return waited >= d->cost_ms * HOLD_COSTS || waited >= HOLD_MS ||
	       d->count + WORKLIST_BATCH_MAX > HELD_MAX;
}

/* ---- to the agents ---- */

static struct inbound_message
record_of(const struct dispatch *d, const struct dispatch_message *m)
{
	return (struct inbound_message){
	    .uid = m->uid,
	    .folder = d->folder->path,
	    .handle = m->handle,
	    .staged = m->staged,
	    .sender = m->sender,
	    .subject = m->subject,
	};
}

/* Step 4. */
static enum mt_status
enter_risk(struct dispatch *d, struct mt_error *err)
{
	int64_t began_ms = now_ms();
	enum mt_status status =
	    risk_enter(d->in, d->folder->path, &d->paths, MANIFEST_SET, err);

	d->cost_ms = now_ms() - began_ms;
	return status;
}

/* Step 5. */
static enum mt_status
publish(struct dispatch *d, struct mt_error *err)
{
	enum mt_status status = MT_OK;

	for (size_t i = 0; i < d->count && status == MT_OK; i++) {
		struct inbound_staged_message m = {
		    .mailbox_id = d->mailbox->id,
		    .uidvalidity = d->mailbox->uidvalidity,
		    .message = record_of(d, &d->held[i]),
		};
		char handle[INBOUND_HANDLE_MAX];

		status = placing_publish(d->in, d->folder, &m, handle, err);
		if (status == MT_OK)
			memcpy(d->held[i].handle, handle, sizeof(handle));
	}
	if (status == MT_OK)
		status = publish_folder_sync(d->in->publisher, d->folder, err);
	return status;
}

/* Step 6. */
static enum mt_status
finish(struct dispatch *d, struct mt_error *err)
{
	uint32_t *uids = calloc(d->count + 1, sizeof(*uids));
	enum mt_status status;

	if (!uids)
		return mt_fail(err, MT_NO_MEMORY, "no memory for messages");
	for (size_t i = 0; i < d->count; i++)
		uids[i] = d->held[i].uid;
	status = inbound_state_finish(
	    d->in->state, d->mailbox->id, uids, d->count, d->next_cursor, err);
	free(uids);
	if (status == MT_OK)
		d->cursor = d->next_cursor;
	return status;
}

static enum mt_status
flush(struct dispatch *d, struct mt_error *err)
{
	enum mt_status status = enter_risk(d, err);

	if (status == MT_OK)
		status = publish(d, err);
	if (status == MT_OK)
		status = finish(d, err);
	for (size_t i = 0; i < d->count && status == MT_OK; i++) {
		struct inbound_message record = record_of(d, &d->held[i]);
		placing_report(d->in, &record, d->held[i].handle);
	}
	forget_held(d);
	return status;
}

enum mt_status
dispatch_flush(struct dispatch *d, struct mt_error *err)
{
	enum mt_status status;

	if (d->failed || (!d->count && d->cursor == d->next_cursor))
		return MT_OK;
	status = flush(d, err);
	d->failed = status != MT_OK;
	return status;
}

/* ---- a batch ---- */

static int
compare_uids(const void *a, const void *b)
{
	const struct batch_message *x = a, *y = b;

	return (x->uid > y->uid) - (x->uid < y->uid);
}

/* The plain UID for each message that can have it. */
static enum mt_status
choose_handles(struct batch *b, struct mt_error *err)
{
	uint32_t uids[WORKLIST_BATCH_MAX];
	bool available[WORKLIST_BATCH_MAX];
	enum mt_status status;

	for (size_t i = 0; i < b->count; i++)
		uids[i] = b->messages[i].uid;
	status =
	    placing_are_free(b->in, b->folder, uids, b->count, available, err);
	for (size_t i = 0; i < b->count && status == MT_OK; i++)
		if (available[i])
			inbound_handle(b->messages[i].handle, 0, uids[i], 0);
	return status;
}

static enum mt_status
dispatch_share(struct dispatch *d, struct batch *b, struct share *share,
    uint32_t cursor, struct mt_error *err)
{
	enum mt_status status = prepare_share(b, share, err);

	if (status == MT_OK)
		status = sync_staged(b, *share, err);
	if (status == MT_OK)
		status = record_staged(b, *share, err);
	if (status == MT_OK)
		status = hold_share(d, b, *share, cursor, err);
	/* what took so long alone is not made to wait longer */
	if (status == MT_OK && (share->end < b->count || is_due(d)))
		status = dispatch_flush(d, err);
	return status;
}

enum mt_status
dispatch_batch(
    struct dispatch *d, struct batch *b, uint32_t cursor, struct mt_error *err)
{
	struct share share = {0, 0};
	enum mt_status status;

	/* in the order of the mailbox, whatever the server's */
	qsort(b->messages, b->count, sizeof(*b->messages), compare_uids);
	status = choose_handles(b, err);
	while (share.end < b->count && status == MT_OK) {
		share.begin = share.end;
		status = dispatch_share(d, b, &share, cursor, err);
	}
	d->failed = d->failed || status != MT_OK;
	return status;
}
