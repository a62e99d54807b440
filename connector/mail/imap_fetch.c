/* SPDX-License-Identifier: ISC */
/*
 * Listing and fetching messages, on libetpan's UID FETCH.  Its handlers are
 * used, not its result list: they keep memory flat, and with a list a tagged
 * NO after some messages would pass for success.
 */
#include "mail/imap_conn.h"

#include <stdlib.h>
#include <string.h>

#include "mail/imap_priv.h"

#define ANY_BYTES 262144   /* what a server may tell of its own accord */
#define BYTES_PER_LINE 200 /* of an answer without a body, at most */
#define LIST_MAX 5000000   /* messages */
#define RANGES_PER_COMMAND 300

/* libetpan calls the handlers only if there is a progress callback as well. */
static void
ignore_progress(size_t current, size_t maximum, void *context)
{
	(void)current;
	(void)maximum;
	(void)context;
}

static void
set_handlers(struct imap_conn *conn, mailimap_msg_att_handler *on_message,
    mailimap_msg_body_handler *on_body, void *context)
{
	mailimap_set_progress_callback(
	    conn->imap, on_message ? ignore_progress : NULL, NULL, NULL);
	mailimap_set_msg_att_handler(conn->imap, on_message, context);
	mailimap_set_msg_body_handler(conn->imap, on_body, context);
}

/* What a FETCH response says, as far as it matters here. */
struct message {
	uint32_t uid;
	uint32_t size;
	bool has_size;
	time_t internal_date;
	const struct mailimap_msg_att_body_section *body; /* NULL: none */
};

static time_t
to_time(const struct mailimap_date_time *date)
{
	struct tm tm = {
	    .tm_year = date->dt_year - 1900,
	    .tm_mon = date->dt_month - 1,
	    .tm_mday = date->dt_day,
	    .tm_hour = date->dt_hour,
	    .tm_min = date->dt_min,
	    .tm_sec = date->dt_sec,
	};
	int zone = date->dt_zone; /* +hhmm as a decimal number */

	return timegm(&tm) - (zone / 100 * 3600 + zone % 100 * 60);
}

static void
read_item(struct message *message, const struct mailimap_msg_att_static *item)
{
	switch (item->att_type) {
	case MAILIMAP_MSG_ATT_UID:
		message->uid = item->att_data.att_uid;
		break;
	case MAILIMAP_MSG_ATT_RFC822_SIZE:
		message->size = item->att_data.att_rfc822_size;
		message->has_size = true;
		break;
	case MAILIMAP_MSG_ATT_INTERNALDATE:
		if (item->att_data.att_internal_date)
			message->internal_date =
			    to_time(item->att_data.att_internal_date);
		break;
	case MAILIMAP_MSG_ATT_BODY_SECTION:
		message->body = item->att_data.att_body_section;
		break;
	default:
		break;
	}
}

static struct message
read_message(const struct mailimap_msg_att *att)
{
	struct message message = {0};

	for (const clistiter *i = clist_begin(att->att_list); i;
	     i = clist_next(i)) {
		const struct mailimap_msg_att_item *item = clist_content(i);
		if (item->att_type == MAILIMAP_MSG_ATT_ITEM_STATIC)
			read_item(&message, item->att_data.att_static);
	}
	return message;
}

/* Takes the ownership of each `att`; NULL is "no memory". */
static bool
add_att(struct mailimap_fetch_type *type, struct mailimap_fetch_att *att)
{
	if (att && mailimap_fetch_type_new_fetch_att_list_add(type, att) ==
		       MAILIMAP_NO_ERROR)
		return true;
	if (att)
		mailimap_fetch_att_free(att);
	return false;
}

static struct mailimap_fetch_att *
whole_body(void)
{
	struct mailimap_section *section = mailimap_section_new(NULL);

	return section ? mailimap_fetch_att_new_body_peek_section(section)
		       : NULL;
}

/* (UID RFC822.SIZE) or (UID INTERNALDATE BODY.PEEK[]); NULL: no memory. */
static struct mailimap_fetch_type *
new_items(bool whole)
{
	struct mailimap_fetch_type *type =
	    mailimap_fetch_type_new_fetch_att_list_empty();

	if (!type)
		return NULL;
	if (add_att(type, mailimap_fetch_att_new_uid()) &&
	    (whole ? add_att(type, mailimap_fetch_att_new_internaldate()) &&
			 add_att(type, whole_body())
		   : add_att(type, mailimap_fetch_att_new_rfc822_size())))
		return type;
	mailimap_fetch_type_free(type);
	return NULL;
}

/* What the server said when it closed the connection, or NULL. */
static const char *
last_words(const struct imap_conn *conn)
{
	static const char bye[] = "* BYE ";
	const char *text = conn->imap->imap_stream_buffer->str;
	const char *found = NULL;

	while (text) {
		if (strncasecmp(text, bye, sizeof(bye) - 1) == 0)
			found = text + sizeof(bye) - 1;
		text = strchr(text, '\n');
		if (text)
			text++;
	}
	return found;
}

/* Begins a FETCH of so many messages, of this size at most (0: not whole). */
static void
begin(struct imap_conn *conn, struct deadline deadline, size_t count,
    uint64_t max_message)
{
	net_begin(conn->net, deadline, SIZE_MAX);
	imap_gate_begin_fetch(
	    &conn->gate, ANY_BYTES + count * BYTES_PER_LINE, max_message);
}

static enum mt_status
fail_with_text(struct imap_conn *conn, struct mt_error *err)
{
	const char *text = conn->imap->imap_response;

	if (!text || !*text)
		text = "no reason given";
	return mt_fail(err, MT_RETRY_LATER,
	    "cannot read the mailbox: %s answered: %.200s%s",
	    net_name(conn->net), text, imap_reply_explanation(text));
}

static enum mt_status
fail_broken(struct imap_conn *conn, struct mt_error *err)
{
	const struct mt_error *failure = net_error(conn->net);
	const char *bye = last_words(conn);

	conn->broken = true;
	return mt_fail(err, failure->status,
	    "cannot read the mailbox: %s%s%.*s", failure->text,
	    bye ? " and said: " : "", bye ? (int)strcspn(bye, "\r\n") : 0,
	    bye ? bye : "");
}

/* What came of a libetpan call. */
static enum mt_status
outcome_of(struct imap_conn *conn, int code, struct mt_error *err)
{
	if (code == MAILIMAP_NO_ERROR)
		return MT_OK;
	if (net_error(conn->net)->status != MT_OK)
		return fail_broken(conn, err);
	if (code == MAILIMAP_ERROR_UID_FETCH) /* a tagged NO */
		return fail_with_text(conn, err);
	conn->broken = true;
	if (code == MAILIMAP_ERROR_PROTOCOL) /* BAD, or an unknown tag */
		return fail_with_text(conn, err);
	return mt_fail(err, MT_RETRY_LATER,
	    "cannot read the mailbox: %s answered with something that is not "
	    "understood",
	    net_name(conn->net));
}

/* Runs one UID FETCH; takes the ownership of `set`, which may be NULL. */
static enum mt_status
uid_fetch(struct imap_conn *conn, struct mailimap_set *set, bool whole,
    struct mt_error *err)
{
	struct mailimap_fetch_type *items = new_items(whole);
	enum mt_status status;
	clist *result = NULL;
	int code;

	if (set && items) {
		code = mailimap_uid_fetch(conn->imap, set, items, &result);
		if (code == MAILIMAP_NO_ERROR)
			mailimap_fetch_list_free(result);
		status = outcome_of(conn, code, err);
	} else {
		status = mt_fail(err, MT_NO_MEMORY, "out of memory");
	}
	if (items)
		mailimap_fetch_type_free(items);
	if (set)
		mailimap_set_free(set);
	return status;
}

struct listing {
	uint32_t first_uid;
	struct imap_summary *list;
	size_t count, capacity;
	bool failed;
};

static void
list_message(struct mailimap_msg_att *att, void *context)
{
	struct listing *l = context;
	struct message message = read_message(att);
	struct imap_summary *list;
	size_t capacity;

	/* "n:*" always means the last message too; flags come unasked */
	if (l->failed || message.uid < l->first_uid || !message.has_size)
		return;
	if (l->count == l->capacity) {
		capacity = l->capacity ? l->capacity * 2 : 64;
		list = realloc(l->list, capacity * sizeof(*list));
		l->failed = !list;
		if (!list)
			return;
		l->list = list;
		l->capacity = capacity;
	}
	l->list[l->count++] = (struct imap_summary){message.uid, message.size};
}

static int
compare_uids(const void *a, const void *b)
{
	const struct imap_summary *x = a, *y = b;

	return (x->uid > y->uid) - (x->uid < y->uid);
}

/* Ascending, each once. */
static void
sort_list(struct listing *l)
{
	size_t kept = 0;

	if (!l->count)
		return;
	qsort(l->list, l->count, sizeof(*l->list), compare_uids);
	for (size_t i = 1; i < l->count; i++)
		if (l->list[i].uid != l->list[kept].uid)
			l->list[++kept] = l->list[i];
	l->count = kept + 1;
}

enum mt_status
imap_conn_list(struct imap_conn *conn, uint32_t first_uid,
    struct imap_summary **ret_list, size_t *ret_count, struct deadline deadline,
    struct mt_error *err)
{
	struct listing l = {.first_uid = first_uid ? first_uid : 1};
	size_t lines = conn->gate.exists;
	enum mt_status status;

	if (lines > LIST_MAX)
		lines = LIST_MAX;
	begin(conn, deadline, lines, 0);
	set_handlers(conn, list_message, NULL, &l);
	/* 0 stands for "*" */
	status = uid_fetch(
	    conn, mailimap_set_new_interval(l.first_uid, 0), false, err);
	set_handlers(conn, NULL, NULL, NULL);
	if (status == MT_OK && l.failed)
		status = mt_fail(err, MT_NO_MEMORY,
		    "no memory for the list of %zu messages", lines);
	if (status != MT_OK) {
		free(l.list);
		return status;
	}
	sort_list(&l);
	*ret_list = l.list;
	*ret_count = l.count;
	return MT_OK;
}

/* One UID FETCH of bodies as it comes in. */
struct reception {
	struct imap_conn *conn;
	const struct imap_fetch_sink *sink;
	size_t max_bytes;
	const uint32_t *uids; /* asked for, ascending */
	bool *seen;           /* which of them have come */
	size_t count;
	const void *section; /* the body that is coming in, NULL: none */
	bool begun;
	size_t received; /* bytes of it */
	enum mt_status status;
	struct mt_error *err;
};

static bool
begin_message(struct reception *r)
{
	if (r->begun)
		return true;
	r->begun = true;
	r->received = 0;
	r->status = r->sink->begin(r->sink->context, r->err);
	return r->status == MT_OK;
}

/* For "BODY[]" libetpan gives no section, or one without a specification. */
static bool
is_whole_message(int type, const struct mailimap_msg_att_body_section *section)
{
	return type == MAILIMAP_MSG_ATT_BODY_SECTION && section &&
	       (!section->sec_section || !section->sec_section->sec_spec) &&
	       !section->sec_origin_octet;
}

/* Called by libetpan with each piece of a body; false ends the fetch. */
static bool
take_bytes(int type, struct mailimap_msg_att_body_section *section,
    const char *bytes, size_t len, void *context)
{
	struct reception *r = context;

	if (!is_whole_message(type, section) ||
	    (r->begun && r->section != section)) {
		r->status = mt_fail(r->err, MT_RETRY_LATER,
		    "%s sent a part of a message that nobody asked for",
		    net_name(r->conn->net));
		return false;
	}
	if (!begin_message(r))
		return false;
	r->section = section;
	if (len > r->max_bytes - r->received) {
		r->status = mt_fail(r->err, MT_RETRY_LATER,
		    "a message is larger than %zu bytes", r->max_bytes);
		return false;
	}
	r->received += len;
	r->status = r->sink->data(r->sink->context, bytes, len, r->err);
	return r->status == MT_OK;
}

/* Was it asked for, and comes for the first time? */
static bool
is_expected(struct reception *r, uint32_t uid)
{
	size_t low = 0, high = r->count, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (r->uids[middle] < uid)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == r->count || r->uids[low] != uid || r->seen[low])
		return false;
	r->seen[low] = true;
	return true;
}

/*
 * The announced length counts only for a literal: libetpan gives 0 for a
 * quoted string, whose end is in the string itself.
 */
static bool
is_complete(const struct reception *r, const struct message *message)
{
	return message->body->sec_length == r->received ||
	       message->body->sec_length == 0;
}

static void
end_message(struct reception *r, const struct message *message)
{
	if (!is_complete(r, message) || !is_expected(r, message->uid)) {
		r->status = mt_fail(r->err, MT_RETRY_LATER,
		    "%s sent a message that is incomplete or that nobody "
		    "asked for",
		    net_name(r->conn->net));
		return;
	}
	r->begun = false;
	r->section = NULL;
	r->status = r->sink->end(
	    r->sink->context, message->uid, message->internal_date, r->err);
}

static void
take_message(struct mailimap_msg_att *att, void *context)
{
	struct reception *r = context;
	struct message message = read_message(att);

	if (r->status != MT_OK)
		return;
	if (!message.body && !r->begun)
		return; /* flags, unasked */
	/* an empty message has no piece that would have begun it */
	if (message.body && begin_message(r))
		end_message(r, &message);
}

static enum mt_status
receive(struct reception *r, struct mailimap_set *set)
{
	enum mt_status status;
	struct mt_error failure = {0};

	set_handlers(r->conn, take_message, take_bytes, r);
	status = uid_fetch(r->conn, set, true, &failure);
	set_handlers(r->conn, NULL, NULL, NULL);
	if (r->status == MT_OK && status == MT_OK)
		return MT_OK;
	if (r->status == MT_OK)
		return mt_fail(r->err, status, "%s", failure.text);
	r->conn->broken = true; /* in the middle of an answer */
	return r->status;
}

/* A set of UIDs from *next on, neighbours as ranges, as many as one command
 * may hold.  NULL: no memory. */
static struct mailimap_set *
next_set(const struct reception *r, size_t *next)
{
	struct mailimap_set *set = mailimap_set_new_empty();

	for (int ranges = 0;
	     set && *next < r->count && ranges < RANGES_PER_COMMAND; ranges++) {
		size_t first = *next, last = first;
		while (last + 1 < r->count &&
		       r->uids[last + 1] == r->uids[last] + 1)
			last++;
		*next = last + 1;
		if (mailimap_set_add_interval(set, r->uids[first],
			r->uids[last]) != MAILIMAP_NO_ERROR) {
			mailimap_set_free(set);
			set = NULL;
		}
	}
	return set;
}

enum mt_status
imap_conn_fetch(struct imap_conn *conn, const uint32_t *uids, size_t count,
    size_t max_bytes, const struct imap_fetch_sink *sink,
    struct deadline deadline, struct mt_error *err)
{
	struct reception r = {
	    .conn = conn,
	    .sink = sink,
	    .max_bytes = max_bytes,
	    .uids = uids,
	    .count = count,
	    .err = err,
	};
	enum mt_status status = MT_OK;
	size_t next = 0;

	r.seen = calloc(count + 1, sizeof(*r.seen));
	if (!r.seen)
		return mt_fail(err, MT_NO_MEMORY, "out of memory");
	begin(conn, deadline, count, max_bytes);
	while (status == MT_OK && next < count)
		status = receive(&r, next_set(&r, &next));
	free(r.seen);
	return status;
}
