/* SPDX-License-Identifier: ISC */
/* Which messages a mailbox has, and what tells them apart. */
#include "mail/imap_conn.h"

#include <stdlib.h>
#include <string.h>

#include "mail/imap_uid_fetch.h"

#define LIST_MAX 5000000 /* messages */
#define MARKS_MAX 250
#define HEADER_MAX 8192 /* bytes of a Message-ID field */
#define MESSAGE_ID_MAX 1024

/* The array grows by a half: a long list does not need twice its memory. */
static void *
grow(void *array, size_t count, size_t *capacity, size_t size)
{
	if (count < *capacity)
		return array;
	*capacity += *capacity / 2 + 64;
	return reallocarray(array, *capacity, size);
}

static enum mt_status
fail_memory(size_t count, struct mt_error *err)
{
	return mt_fail(
	    err, MT_NO_MEMORY, "no memory for the list of %zu messages", count);
}

/* How many messages a list of the mailbox may have. */
static size_t
most(const struct imap_conn *conn)
{
	return conn->gate.exists < LIST_MAX ? conn->gate.exists : LIST_MAX;
}

static int
compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static bool
has(const uint32_t *uids, size_t count, uint32_t uid)
{
	return bsearch(&uid, uids, count, sizeof(uid), compare) != NULL;
}

/* "first:*" if there is no end; NULL: no memory. */
static struct mailimap_set *
range_of(uint32_t first_uid, uint32_t last_uid)
{
	/* 0 stands for "*" */
	return mailimap_set_new_interval(
	    first_uid, last_uid == UINT32_MAX ? 0 : last_uid);
}

/* ---- UIDs and sizes ---- */

struct listing {
	uint32_t first_uid;
	uint32_t last_uid;
	const uint32_t *wanted; /* ascending; NULL: all from first_uid on */
	size_t wanted_count;
	struct imap_summary *list;
	size_t count, capacity;
	bool failed;
};

static void
list_message(struct mailimap_msg_att *att, void *context)
{
	struct listing *l = context;
	struct imap_answer message = imap_answer_read(att);
	struct imap_summary *list;

	/* "n:*" always means the last message too; flags come unasked */
	if (l->failed || message.uid < l->first_uid ||
	    message.uid > l->last_uid || !message.has_size ||
	    (l->wanted && !has(l->wanted, l->wanted_count, message.uid)))
		return;
	list = grow(l->list, l->count, &l->capacity, sizeof(*list));
	l->failed = !list;
	if (!list)
		return;
	l->list = list;
	l->list[l->count++] = (struct imap_summary){message.uid, message.size};
}

/* Ascending, each once. */
static void
sort_list(struct listing *l)
{
	size_t kept = 0;

	if (!l->count)
		return;
	/* the UID comes first in a summary */
	qsort(l->list, l->count, sizeof(*l->list), compare);
	for (size_t i = 1; i < l->count; i++)
		if (l->list[i].uid != l->list[kept].uid)
			l->list[++kept] = l->list[i];
	l->count = kept + 1;
}

static enum mt_status
end_listing(struct listing *l, enum mt_status status,
    struct imap_summary **ret_list, size_t *ret_count, struct mt_error *err)
{
	if (status == MT_OK && l->failed)
		status = fail_memory(l->count, err);
	if (status != MT_OK) {
		free(l->list);
		return status;
	}
	sort_list(l);
	*ret_list = l->list;
	*ret_count = l->count;
	return MT_OK;
}

enum mt_status
imap_conn_list(struct imap_conn *conn, uint32_t first_uid, uint32_t last_uid,
    struct imap_summary **ret_list, size_t *ret_count, struct deadline deadline,
    struct mt_error *err)
{
	struct listing l = {
	    .first_uid = first_uid ? first_uid : 1,
	    .last_uid = last_uid,
	};
	enum mt_status status;

	imap_uid_fetch_begin(conn, deadline, most(conn), 0);
	imap_uid_fetch_handlers(conn, list_message, NULL, &l);
	status = imap_uid_fetch(
	    conn, range_of(l.first_uid, last_uid), IMAP_ITEMS_SIZE, err);
	imap_uid_fetch_handlers(conn, NULL, NULL, NULL);
	return end_listing(&l, status, ret_list, ret_count, err);
}

enum mt_status
imap_conn_sizes(struct imap_conn *conn, const uint32_t *uids, size_t count,
    struct imap_summary **ret_list, size_t *ret_count, struct deadline deadline,
    struct mt_error *err)
{
	struct listing l = {
	    .last_uid = UINT32_MAX,
	    .wanted = uids,
	    .wanted_count = count,
	};
	enum mt_status status = MT_OK;
	size_t next = 0;

	imap_uid_fetch_begin(conn, deadline, count, 0);
	imap_uid_fetch_handlers(conn, list_message, NULL, &l);
	while (status == MT_OK && next < count)
		status = imap_uid_fetch(conn, imap_uid_set(uids, count, &next),
		    IMAP_ITEMS_SIZE, err);
	imap_uid_fetch_handlers(conn, NULL, NULL, NULL);
	return end_listing(&l, status, ret_list, ret_count, err);
}

/* ---- UIDs only ---- */

struct numbers {
	uint32_t first_uid;
	uint32_t last_uid;
	time_t newest;
	uint32_t *uids;
	size_t count, capacity;
	bool failed;
};

static void
take_number(struct mailimap_msg_att *att, void *context)
{
	struct numbers *n = context;
	struct imap_answer message = imap_answer_read(att);
	uint32_t *uids;

	/* "n:*" always means the last message too */
	if (n->failed || message.uid < n->first_uid ||
	    message.uid > n->last_uid)
		return;
	if (message.internal_date > n->newest)
		n->newest = message.internal_date;
	uids = grow(n->uids, n->count, &n->capacity, sizeof(*uids));
	n->failed = !uids;
	if (!uids)
		return;
	n->uids = uids;
	n->uids[n->count++] = message.uid;
}

/* Ascending, each once. */
static void
sort_numbers(struct numbers *n)
{
	size_t kept = 0;

	if (!n->count)
		return;
	qsort(n->uids, n->count, sizeof(*n->uids), compare);
	for (size_t i = 1; i < n->count; i++)
		if (n->uids[i] != n->uids[kept])
			n->uids[++kept] = n->uids[i];
	n->count = kept + 1;
}

static enum mt_status
take_numbers(struct imap_conn *conn, struct numbers *n, enum mt_status status,
    struct mt_error *err)
{
	imap_uid_fetch_handlers(conn, NULL, NULL, NULL);
	if (status == MT_OK && n->failed)
		status = fail_memory(n->count, err);
	if (status == MT_OK)
		sort_numbers(n);
	else
		free(n->uids);
	return status;
}

enum mt_status
imap_conn_uids(struct imap_conn *conn, uint32_t first_uid, uint32_t last_uid,
    uint32_t **ret_uids, size_t *ret_count, time_t *ret_newest,
    struct deadline deadline, struct mt_error *err)
{
	struct numbers n = {
	    .first_uid = first_uid ? first_uid : 1,
	    .last_uid = last_uid,
	};
	enum mt_status status;

	imap_uid_fetch_begin(conn, deadline, most(conn), 0);
	imap_uid_fetch_handlers(conn, take_number, NULL, &n);
	status = imap_uid_fetch(conn, range_of(n.first_uid, last_uid),
	    ret_newest ? IMAP_ITEMS_DATE : IMAP_ITEMS_UID, err);
	status = take_numbers(conn, &n, status, err);
	if (status != MT_OK)
		return status;
	*ret_uids = n.uids;
	*ret_count = n.count;
	if (ret_newest)
		*ret_newest = n.newest;
	return MT_OK;
}

/* ---- pieces ---- */

/* Every so many messages a piece ends; 0: all of it is one. */
static uint32_t
step_of(const struct imap_mailbox *mailbox, uint32_t first_uid)
{
	uint32_t step = mailbox->exists / (MARKS_MAX + 1) + 1;

	if (mailbox->exists <= IMAP_PIECE ||
	    (mailbox->uidnext &&
		(mailbox->uidnext <= first_uid ||
		    mailbox->uidnext - first_uid <= IMAP_PIECE)))
		return 0;
	return step < IMAP_PIECE ? IMAP_PIECE : step;
}

/* NULL: no memory. */
static struct mailimap_set *
marks_of(uint32_t exists, uint32_t step)
{
	struct mailimap_set *set = mailimap_set_new_empty();

	for (uint64_t at = step; set && at < exists; at += step)
		if (mailimap_set_add_single(set, (uint32_t)at) !=
		    MAILIMAP_NO_ERROR) {
			mailimap_set_free(set);
			set = NULL;
		}
	return set;
}

/*
 * Asks for the UIDs of some sequence numbers, which say how many messages there
 * are up to them: UIDs alone do not.  They need not be right for long.  Messages
 * that go meanwhile make a piece smaller or join two, and a server may refuse
 * the whole (RFC 2180 section 4.1), which leaves one piece.
 */
enum mt_status
imap_conn_divide(struct imap_conn *conn, const struct imap_mailbox *mailbox,
    uint32_t first_uid, uint32_t **ret_last, size_t *ret_count,
    struct deadline deadline, struct mt_error *err)
{
	struct numbers n = {
	    .first_uid = first_uid ? first_uid : 1,
	    .last_uid = UINT32_MAX - 1,
	};
	uint32_t step = step_of(mailbox, n.first_uid);
	enum mt_status status = MT_OK;

	if (step) {
		imap_uid_fetch_begin(conn, deadline, MARKS_MAX, 0);
		imap_uid_fetch_handlers(conn, take_number, NULL, &n);
		status = imap_fetch_numbers(
		    conn, marks_of(mailbox->exists, step), err);
		if (status == MT_RETRY_LATER && !conn->broken)
			status = MT_OK;
		status = take_numbers(conn, &n, status, err);
	}
	if (status != MT_OK)
		return status;
	*ret_last = n.uids;
	*ret_count = n.count < MARKS_MAX ? n.count : MARKS_MAX;
	return MT_OK;
}

/* ---- descriptions ---- */

struct describing {
	const uint32_t *uids;
	size_t count;
	void *context;
	void (*take)(void *context, const struct imap_description *description);
};

/* The value of the first field in `header`, unfolded; "" if there is none. */
static void
read_field(const char *header, size_t len, char ret_value[MESSAGE_ID_MAX])
{
	const char *end = header + len;
	const char *at = memchr(header, ':', len);
	size_t count = 0;

	for (at = at ? at + 1 : end; at < end && count < MESSAGE_ID_MAX - 1;
	     at++) {
		if (*at == '\n' &&
		    (at + 1 == end || (at[1] != ' ' && at[1] != '\t')))
			break;
		if (*at != '\r' && *at != '\n')
			ret_value[count++] = *at;
	}
	ret_value[count] = '\0';
}

static void
take_description(struct mailimap_msg_att *att, void *context)
{
	struct describing *d = context;
	struct imap_answer message = imap_answer_read(att);
	const char *header = message.body ? message.body->sec_body_part : NULL;
	char message_id[MESSAGE_ID_MAX];
	struct imap_description description = {
	    .uid = message.uid,
	    .size = message.size,
	    .internal_date = message.internal_date,
	    .message_id = message_id,
	};

	if (!message.has_size || !has(d->uids, d->count, message.uid))
		return;
	read_field(
	    header ? header : "", header ? strlen(header) : 0, message_id);
	d->take(d->context, &description);
}

enum mt_status
imap_conn_describe(struct imap_conn *conn, const uint32_t *uids, size_t count,
    void (*take)(void *context, const struct imap_description *description),
    void *context, struct deadline deadline, struct mt_error *err)
{
	struct describing d = {uids, count, context, take};
	enum mt_status status = MT_OK;
	size_t next = 0;

	imap_uid_fetch_begin(conn, deadline, count, HEADER_MAX);
	imap_gate_expect_fields(&conn->gate, "MESSAGE-ID");
	imap_uid_fetch_handlers(conn, take_description, NULL, &d);
	while (status == MT_OK && next < count)
		status = imap_uid_fetch(conn, imap_uid_set(uids, count, &next),
		    IMAP_ITEMS_DESCRIPTION, err);
	imap_uid_fetch_handlers(conn, NULL, NULL, NULL);
	return status;
}
