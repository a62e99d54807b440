/* SPDX-License-Identifier: ISC */
#include "inbound/rematch.h"

#include "inbound/identity.h"

#include <inttypes.h>

#define CHUNK 256
#define BYTES_PER_HEADER 1000
#define ATTEMPTS 3

struct chunk {
	struct inbound_described messages[CHUNK];
	size_t count;
};

static bool
has_uid(const struct chunk *chunk, uint32_t uid)
{
	for (size_t i = 0; i < chunk->count; i++)
		if (chunk->messages[i].uid == uid)
			return true;
	return false;
}

static void
take(void *context, const struct imap_description *d)
{
	struct chunk *chunk = context;
	struct inbound_described *m = &chunk->messages[chunk->count];

	/* a server may send one twice */
	if (chunk->count == CHUNK || has_uid(chunk, d->uid))
		return;
	*m = (struct inbound_described){
	    .uid = d->uid,
	    .identity = {.internal_date = d->internal_date, .size = d->size},
	};
	identity_set_message_id(&m->identity, d->message_id);
	chunk->count++;
}

static enum mt_status
compare_chunk(struct poll *p, struct work *const *work, size_t count,
    struct mt_error *err)
{
	struct chunk chunk = {.count = 0};
	uint32_t uids[CHUNK];
	bool done[CHUNK];
	struct mt_error ignored;
	enum mt_status status;

	for (size_t i = 0; i < count; i++)
		uids[i] = work[i]->uid;
	status = imap_conn_describe(p->conn, uids, count, take, &chunk,
	    poll_deadline(count * BYTES_PER_HEADER), err);
	if (status != MT_OK) {
		/* counted even if the network is to blame: it costs no mail */
		(void)!mailbox_state_header_failed(
		    p->in->state, p->mailbox.id, &ignored);
		return status;
	}
	status = match_state_described(p->in->state, p->mailbox.id,
	    chunk.messages, chunk.count, done, err);
	for (size_t i = 0; i < chunk.count && status == MT_OK; i++) {
		if (!done[i])
			continue;
		worklist_mark_done(&p->list, chunk.messages[i].uid);
		if (p->in->counts)
			p->in->counts->matched++;
	}
	return status;
}

static size_t
next_chunk(struct worklist *list, size_t *next, struct work **ret_work)
{
	size_t count = 0;

	for (; *next < list->count && count < CHUNK; ++*next)
		if (!list->items[*next].done)
			ret_work[count++] = &list->items[*next];
	return count;
}

enum mt_status
rematch_begin(struct poll *p, struct mt_error *err)
{
	if (!p->mailbox.renumbered)
		return MT_OK;
	return match_state_prepare(p->in->state, p->mailbox.id, err);
}

enum mt_status
rematch_piece(struct poll *p, struct mt_error *err)
{
	struct work *work[CHUNK];
	size_t next = 0, count;
	enum mt_status status = MT_OK;

	if (!p->mailbox.renumbered || p->mailbox.header_failures >= ATTEMPTS)
		return MT_OK;
	while (status == MT_OK &&
	       (count = next_chunk(&p->list, &next, work)) > 0) {
		status = poll_check_stop(p, err);
		if (status == MT_OK)
			status = compare_chunk(p, work, count, err);
	}
	return status;
}

enum mt_status
rematch_report(struct poll *p, struct mt_error *err)
{
	struct inbound_reset reset = {0};
	enum mt_status status;

	if (!p->mailbox.renumbered)
		return MT_OK;
	status = mailbox_state_reset(p->in->state, p->mailbox.id, &reset, err);
	if (status != MT_OK)
		return status;
	poll_notice(p,
	    "mailbox_reset: %s was numbered anew (UIDVALIDITY %" PRIu32
	    "); messages known from before: %" PRIu64
	    ", new and delivered: %" PRIu64 ", older than wanted: %" PRIu64,
	    p->in->mailbox, p->mailbox.uidvalidity, reset.matched, reset.added,
	    reset.passed);
	return mailbox_state_reset_reported(p->in->state, p->mailbox.id, err);
}
