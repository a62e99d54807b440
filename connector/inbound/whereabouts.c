/* SPDX-License-Identifier: ISC */
#include "inbound/whereabouts.h"

#include "inbound/identity.h"

#include <stdlib.h>
#include <string.h>

#define CHUNK 64

/* What the server says of some messages; a server may send one twice. */
struct chunk {
	struct whereabouts found[CHUNK];
	size_t count;
};

static void
take(void *context, const struct imap_description *d)
{
	struct chunk *chunk = context;
	struct whereabouts *w = &chunk->found[chunk->count];

	for (size_t i = 0; i < chunk->count; i++)
		if (chunk->found[i].uid == d->uid)
			return;
	if (chunk->count == CHUNK)
		return;
	*w = (struct whereabouts){
	    .uid = d->uid,
	    .identity = {.internal_date = d->internal_date, .size = d->size},
	};
	identity_set_message_id(&w->identity, d->message_id);
	chunk->count++;
}

static bool
same_message_id(
    const struct inbound_identity *a, const struct inbound_identity *b)
{
	return a->has_message_id && b->has_message_id &&
	       !memcmp(a->message_id, b->message_id, sizeof(a->message_id));
}

static bool
is_same(const struct inbound_identity *a, const struct inbound_identity *b)
{
	if (a->size != b->size)
		return false;
	if (a->has_message_id || b->has_message_id)
		return same_message_id(a, b);
	return a->internal_date && a->internal_date == b->internal_date;
}

struct looking {
	const struct whereabouts_search *search;
	struct whereabouts *found;
	size_t hits;
};

static enum mt_status
compare(struct looking *l, const struct whereabouts *w, struct mt_error *err)
{
	const struct whereabouts_search *s = l->search;
	enum mt_status status = MT_OK;
	bool other = false;

	if (!is_same(&w->identity, s->identity))
		return MT_OK;
	if (s->is_other)
		status = s->is_other(s->context, w->uid, &other, err);
	if (status != MT_OK || other)
		return status;
	if (l->hits++ == 0 || w->uid < l->found->uid)
		*l->found = *w;
	return MT_OK;
}

static enum mt_status
look_at(struct looking *l, struct imap_conn *conn, const uint32_t *uids,
    size_t count, struct deadline deadline, struct mt_error *err)
{
	struct chunk chunk = {.count = 0};
	enum mt_status status =
	    imap_conn_describe(conn, uids, count, take, &chunk, deadline, err);

	for (size_t i = 0; i < chunk.count && status == MT_OK; i++)
		status = compare(l, &chunk.found[i], err);
	return status;
}

/* Of one size are few; only these are looked at. */
static enum mt_status
look_at_all(struct looking *l, struct imap_conn *conn,
    const struct imap_summary *list, size_t count, struct deadline deadline,
    struct mt_error *err)
{
	enum mt_status status = MT_OK;
	uint32_t uids[CHUNK];
	size_t n = 0;

	for (size_t i = 0; i < count && status == MT_OK; i++) {
		if (list[i].size == l->search->identity->size)
			uids[n++] = list[i].uid;
		if (n && (n == CHUNK || i + 1 == count)) {
			status = look_at(l, conn, uids, n, deadline, err);
			n = 0;
		}
	}
	return status;
}

enum mt_status
whereabouts_search(struct imap_conn *conn,
    const struct whereabouts_search *search, struct whereabouts *ret_found,
    struct deadline deadline, struct mt_error *err)
{
	struct looking looking = {.search = search, .found = ret_found};
	struct imap_summary *list = NULL;
	size_t count = 0;
	enum mt_status status =
	    imap_conn_list(conn, search->first ? search->first : 1, UINT32_MAX,
		&list, &count, deadline, err);

	*ret_found = (struct whereabouts){0};
	if (status == MT_OK)
		status =
		    look_at_all(&looking, conn, list, count, deadline, err);
	free(list);
	/* a date alone tells nothing of two that have it */
	if (looking.hits > 1 && !search->identity->has_message_id)
		*ret_found = (struct whereabouts){0};
	return status;
}

static enum mt_status
find_uid(struct imap_conn *conn, const struct place *place,
    struct whereabouts *ret_found, struct deadline deadline,
    struct mt_error *err)
{
	struct chunk chunk = {.count = 0};
	enum mt_status status = imap_conn_describe(
	    conn, &place->uid, 1, take, &chunk, deadline, err);

	*ret_found = (struct whereabouts){0};
	if (status != MT_OK || !chunk.count || chunk.found[0].uid != place->uid)
		return status;
	/* a server that has given the UID anew would have us move another's */
	if (place->identity.has_message_id &&
	    chunk.found[0].identity.has_message_id &&
	    !same_message_id(&place->identity, &chunk.found[0].identity))
		return MT_OK;
	*ret_found = chunk.found[0];
	return MT_OK;
}

enum mt_status
whereabouts_find(struct imap_conn *conn, const struct imap_mailbox *opened,
    const struct place *place, struct whereabouts *ret_found,
    struct deadline deadline, struct mt_error *err)
{
	const struct whereabouts_search search = {
	    .first = 1, .identity = &place->identity};

	if (opened->exists && place->uid &&
	    opened->uidvalidity == place->uidvalidity)
		return find_uid(conn, place, ret_found, deadline, err);
	*ret_found = (struct whereabouts){0};
	if (!opened->exists || !place->identity.size)
		return MT_OK;
	return whereabouts_search(conn, &search, ret_found, deadline, err);
}
