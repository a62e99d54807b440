/* SPDX-License-Identifier: ISC */
#include "inbound/fetch.h"

#include "base/deadline.h"
#include "delivery/publish.h"
#include "inbound/batch.h"
#include "inbound/recover.h"
#include "inbound/takeover.h"
#include "inbound/worklist.h"
#include "mail/imap_conn.h"
#include "state/inbound_state.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define COMMAND_MS 60000
#define MIN_BYTES_PER_MS 32
#define BATCH_BYTES (4u * 1024 * 1024)

/* Servers may be somewhat wrong about sizes. */
#define SIZE_SLACK (1024u * 1024)

struct poll {
	const struct inbound *in;
	struct imap_conn *conn;
	struct imap_mailbox opened;
	struct inbound_mailbox mailbox;
	struct publish_folder folder;
	struct worklist list;
};

static void MT_PRINTF(2, 3)
    notice(const struct inbound *in, const char *format, ...)
{
	char text[MT_ERROR_TEXT_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	in->notice(in->context, text);
}

/* Begins to follow a mailbox that the state has never seen. */
static enum mt_status
begin_mailbox(struct poll *p, struct mt_error *err)
{
	const struct inbound *in = p->in;
	struct uid_list delivered = {0};
	uint32_t cursor = 0;
	enum mt_status status = MT_OK;

	if (in->gateway_state)
		status = takeover_read(in, &cursor, &delivered, err);
	if (status == MT_OK)
		status = inbound_state_add(in->state, in->account, in->mailbox,
		    p->opened.uidvalidity, cursor, in->folder, &delivered,
		    &p->mailbox, err);
	if (status == MT_OK && (cursor || delivered.count))
		notice(in,
		    "taking over %s from the gateway's poller: it delivered "
		    "%zu messages that are there, up to UID %" PRIu32,
		    in->mailbox, delivered.count, cursor);
	uid_list_done(&delivered);
	return status;
}

static enum mt_status
begin_epoch(struct poll *p, struct mt_error *err)
{
	const struct inbound *in = p->in;
	enum mt_status status =
	    inbound_state_add(in->state, in->account, in->mailbox,
		p->opened.uidvalidity, 0, in->folder, NULL, &p->mailbox, err);

	if (status == MT_OK)
		notice(in,
		    "the server has numbered %s anew (UIDVALIDITY %" PRIu32
		    "): all of its messages are delivered again",
		    in->mailbox, p->opened.uidvalidity);
	return status;
}

static enum mt_status
open_mailbox(struct poll *p, struct mt_error *err)
{
	const struct inbound *in = p->in;
	enum inbound_seen seen = INBOUND_NEVER_SEEN;
	enum mt_status status = imap_conn_examine(
	    p->conn, in->mailbox, &p->opened, deadline_in_ms(COMMAND_MS), err);

	if (status != MT_OK)
		return status;
	if (!p->opened.uidvalidity)
		return mt_fail(err, MT_BAD_CONFIG,
		    "the server gives %s no UIDVALIDITY, so its messages "
		    "cannot be told apart",
		    in->mailbox);
	status = inbound_state_find(in->state, in->account, in->mailbox,
	    p->opened.uidvalidity, &seen, &p->mailbox, err);
	if (status != MT_OK || seen == INBOUND_SEEN)
		return status;
	return seen == INBOUND_NEVER_SEEN ? begin_mailbox(p, err)
					  : begin_epoch(p, err);
}

static enum mt_status
compare_with_state(struct poll *p, const struct imap_summary *listed,
    size_t count, struct mt_error *err)
{
	struct uid_list known = {0}, suspects = {0};
	enum mt_status status = inbound_state_known(
	    p->in->state, p->mailbox.id, p->mailbox.cursor, &known, err);

	if (status == MT_OK)
		status = inbound_state_suspects(
		    p->in->state, p->mailbox.id, &suspects, err);
	if (status == MT_OK)
		status = worklist_init(&p->list, listed, count,
		    p->mailbox.cursor, &known, &suspects, err);
	uid_list_done(&suspects);
	uid_list_done(&known);
	return status;
}

static enum mt_status
list_new(struct poll *p, struct mt_error *err)
{
	struct imap_summary *listed = NULL;
	size_t count = 0;
	enum mt_status status = MT_OK;

	if (p->opened.exists && p->mailbox.cursor < UINT32_MAX)
		status = imap_conn_list(p->conn, p->mailbox.cursor + 1, &listed,
		    &count, deadline_in_ms(COMMAND_MS), err);
	if (status == MT_OK)
		status = compare_with_state(p, listed, count, err);
	free(listed);
	return status;
}

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
	    &sink,
	    deadline_in_ms(COMMAND_MS + (int64_t)(bytes / MIN_BYTES_PER_MS)),
	    err);
}

/* What the gateway's poller would go on from.  Mail does not wait for it. */
static void
tell_gateway(const struct poll *p)
{
	struct mt_error err = {0};

	if (p->in->gateway_state &&
	    takeover_write(p->in, p->mailbox.cursor, &err) != MT_OK)
		notice(p->in, "mail is delivered, but last_uid is not kept: %s",
		    err.text);
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
	tell_gateway(p);
	return MT_OK;
}

/* Remembers which messages a failed fetch was about. */
static enum mt_status
suspect(struct poll *p, struct work *const *work, size_t count,
    struct mt_error *err)
{
	uint32_t uids[WORKLIST_BATCH_MAX];
	size_t missing = 0;

	for (size_t i = 0; i < count; i++)
		if (!work[i]->done)
			uids[missing++] = work[i]->uid;
	return inbound_state_suspect(
	    p->in->state, p->mailbox.id, uids, missing, err);
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
	enum mt_status status = deliver(p, batch, work, count, err);

	if (status == MT_OK && batch->too_large && count == 1)
		return deliver_too_large(p, work[0], err);
	if (status == MT_OK)
		status = suspect(p, work, count, err);
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
		status = deliver(p, &batch, work, count, err);
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
check_stop(const struct poll *p, struct mt_error *err)
{
	if (p->in->stop && atomic_load(p->in->stop))
		return mt_fail(err, MT_RETRY_LATER,
		    "ended before all that is new was fetched");
	if (p->in->is_full && p->in->is_full(p->in->context))
		return mt_fail(err, MT_RETRY_LATER,
		    "too much mail waits to be handed on; the rest is fetched "
		    "after that");
	return MT_OK;
}

static enum mt_status
do_all(struct poll *p, struct mt_error *err)
{
	struct work *work[WORKLIST_BATCH_MAX];
	enum mt_status status = MT_OK;
	size_t count;

	while (status == MT_OK &&
	       (count = worklist_take(&p->list, BATCH_BYTES, work)) > 0) {
		status = check_stop(p, err);
		if (status == MT_OK)
			status = do_batch(p, work, count, err);
	}
	if (status == MT_OK)
		status = move_cursor(p, err);
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
	status = open_mailbox(&p, err);
	if (status == MT_OK)
		status = list_new(&p, err);
	if (status == MT_OK)
		status = do_all(&p, err);
	worklist_done(&p.list);
	publish_folder_close(&p.folder);
	return status;
}
