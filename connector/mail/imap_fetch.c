/* SPDX-License-Identifier: ISC */
/* Fetching whole messages. */
#include "mail/imap_conn.h"

#include <stdlib.h>

#include "mail/imap_uid_fetch.h"

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
is_complete(const struct reception *r, const struct imap_answer *message)
{
	return message->body->sec_length == r->received ||
	       message->body->sec_length == 0;
}

static void
end_message(struct reception *r, const struct imap_answer *message)
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
	struct imap_answer message = imap_answer_read(att);

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

	imap_uid_fetch_handlers(r->conn, take_message, take_bytes, r);
	status = imap_uid_fetch(r->conn, set, IMAP_ITEMS_WHOLE, &failure);
	imap_uid_fetch_handlers(r->conn, NULL, NULL, NULL);
	if (r->status == MT_OK && status == MT_OK)
		return MT_OK;
	if (r->status == MT_OK)
		return mt_fail(r->err, status, "%s", failure.text);
	r->conn->broken = true; /* in the middle of an answer */
	return r->status;
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
	imap_uid_fetch_begin(conn, deadline, count, max_bytes);
	while (status == MT_OK && next < count)
		status = receive(&r, imap_uid_set(uids, count, &next));
	free(r.seen);
	return status;
}
