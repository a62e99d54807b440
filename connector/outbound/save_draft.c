/* SPDX-License-Identifier: ISC */
#include "save_draft.h"

#include "base/buf.h"
#include "mail/imap_append.h"
#include "mail/imap_conn.h"
#include "mail/imap_mailboxes.h"
#include "mail/imap_search.h"
#include "mail/imap_select.h"
#include "mail/imap_watch.h"
#include "state/draft_state.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REQUEST_ID_MAX 256 /* bytes */
#define LOOK_MS 50         /* for another one that works on the same request */

/* What is to be filed, and how far it is. */
struct filing {
	const struct save_draft_settings *settings;
	struct imap_conn *conn; /* NULL: none */
	struct buf bytes;
	const char *message_id;
	time_t date;
	char mailbox[IMAP_MAILBOX_NAME_MAX]; /* "": not known yet */
	bool exists;                         /* the mailbox */
};

/* ---- the server ------------------------------------------------------------- */

static enum mt_status
find_mailbox(struct filing *f, struct mt_error *err)
{
	const struct save_draft_settings *s = f->settings;
	bool existed;
	enum mt_status status;

	if (s->mailbox) {
		snprintf(f->mailbox, sizeof(f->mailbox), "%s", s->mailbox);
		status = imap_conn_has_mailbox(
		    f->conn, f->mailbox, &f->exists, s->deadline, err);
	} else {
		status = imap_conn_find_role(f->conn, IMAP_ROLE_DRAFTS,
		    f->mailbox, &f->exists, s->deadline, err);
	}
	if (status != MT_OK || f->exists)
		return status;
	return imap_conn_create(
	    f->conn, f->mailbox, &existed, s->deadline, err);
}

static enum mt_status
enter(struct filing *f, struct mt_error *err)
{
	const struct save_draft_settings *s = f->settings;
	struct mt_error why;
	enum mt_status status;

	if (f->conn && imap_conn_is_usable(f->conn))
		return MT_OK;
	imap_conn_close(&f->conn);
	status = s->open(s->context, &f->conn, s->deadline, err);
	if (status != MT_OK)
		return status;
	status = find_mailbox(f, &why);
	if (status != MT_OK)
		return mt_fail(err, status, "IMAP APPEND failed: %s", why.text);
	return MT_OK;
}

struct sight {
	const char *message_id;
	bool found;
};

static void
look_at(void *context, const struct imap_description *d)
{
	struct sight *sight = context;

	if (strstr(d->message_id, sight->message_id))
		sight->found = true;
}

/* Is it there?  What a server finds is a hint. */
static enum mt_status
look(struct filing *f, bool *ret_found, struct mt_error *err)
{
	const struct deadline deadline = f->settings->deadline;
	struct sight sight = {.message_id = f->message_id};
	struct imap_mailbox opened;
	uint32_t *uids = NULL;
	size_t count = 0;
	enum mt_status status =
	    imap_conn_select(f->conn, f->mailbox, &opened, deadline, err);

	if (status == MT_OK && opened.exists)
		status = imap_conn_search_message_id(
		    f->conn, f->message_id, &uids, &count, deadline, err);
	if (status == MT_OK && count)
		status = imap_conn_describe(
		    f->conn, uids, count, look_at, &sight, deadline, err);
	free(uids);
	*ret_found = sight.found;
	return status;
}

static enum mt_status
append(struct filing *f, struct mt_error *err)
{
	struct imap_place place;

	return imap_conn_append(f->conn, f->mailbox, "\\Draft \\Seen", f->date,
	    f->bytes.data, f->bytes.len, &place, f->settings->deadline, err);
}

/* After a failure of which nobody knows what it means: what is found to be there
 * is. */
static enum mt_status
find_out(struct filing *f, enum mt_status result)
{
	bool found = false;

	if (result != MT_RETRY_LATER || imap_conn_is_usable(f->conn))
		return result;
	if (enter(f, NULL) != MT_OK || look(f, &found, NULL) != MT_OK)
		return result;
	return found ? MT_OK : result;
}

/* Files it, unless it is there by an earlier attempt. */
static enum mt_status
file(struct filing *f, bool fresh, struct mt_error *err)
{
	struct mt_error why;
	bool found = false;
	enum mt_status status = enter(f, err);

	if (status != MT_OK)
		return status;
	if (!fresh)
		status = look(f, &found, &why);
	if (status == MT_OK && !found) {
		status = append(f, &why);
		if (status != MT_OK)
			status = find_out(f, status);
	}
	if (status != MT_OK)
		return mt_fail(err, status, "IMAP APPEND failed: %s", why.text);
	return MT_OK;
}

/* ---- the request ------------------------------------------------------------ */

/* The record of the request, which is ours to work on or finished.  If another
 * one works on it, it ends soon, one way or the other. */
static enum mt_status
begin(const struct save_draft_settings *s, const struct draft_request *request,
    struct draft_record *ret_record, struct mt_error *err)
{
	for (;;) {
		enum mt_status status =
		    draft_state_begin(s->state, request, ret_record, err);

		if (status != MT_OK || ret_record->mailbox ||
		    ret_record->claim >= 0)
			return status;
		draft_record_done(ret_record);
		if (deadline_passed(s->deadline))
			return mt_fail(err, MT_RETRY_LATER,
			    "this draft is being saved already");
		poll(NULL, 0, LOOK_MS);
	}
}

static enum mt_status
file_message(struct filing *f, const struct draft *draft,
    const struct address *author, bool fresh, struct mt_error *err)
{
	enum mt_status status = compose_message(
	    &f->bytes, draft, author, f->message_id, f->date, err);

	if (status == MT_OK)
		status = file(f, fresh, err);
	imap_conn_close(&f->conn);
	buf_done(&f->bytes);
	return status;
}

static void
tell(const struct filing *f, struct saved_draft *ret_saved)
{
	snprintf(ret_saved->message_id, sizeof(ret_saved->message_id), "%s",
	    f->message_id);
	snprintf(
	    ret_saved->mailbox, sizeof(ret_saved->mailbox), "%s", f->mailbox);
}

/* With a request_id the Message-ID is durable before the server is asked. */
static enum mt_status
save_request(struct filing *f, const struct draft_request *request,
    const struct draft *draft, const struct address *author,
    struct saved_draft *ret_saved, struct mt_error *err)
{
	struct draft_record record = DRAFT_RECORD_INIT;
	enum mt_status status = begin(f->settings, request, &record, err);

	if (status != MT_OK)
		return status;
	f->message_id = record.message_id;
	f->date = record.date;
	if (record.mailbox) {
		snprintf(f->mailbox, sizeof(f->mailbox), "%s", record.mailbox);
	} else {
		status = file_message(f, draft, author, record.fresh, err);
		if (status == MT_OK)
			status = draft_state_saved(
			    f->settings->state, record.id, f->mailbox, err);
	}
	if (status == MT_OK)
		tell(f, ret_saved);
	draft_record_done(&record);
	return status;
}

static enum mt_status
save(const struct save_draft_settings *s, const struct draft_request *request,
    const struct draft *draft, const struct address *author,
    struct saved_draft *ret_saved, struct mt_error *err)
{
	struct filing f = {
	    .settings = s,
	    .bytes = BUF_INIT(COMPOSE_MESSAGE_MAX),
	    .message_id = request->message_id,
	    .date = request->now,
	};
	enum mt_status status;

	if (request->request_id)
		return save_request(&f, request, draft, author, ret_saved, err);
	status = file_message(&f, draft, author, true, err);
	if (status == MT_OK)
		tell(&f, ret_saved);
	return status;
}

static enum mt_status
save_as(const struct save_draft_settings *s, const char *request_id,
    const struct draft *draft, const unsigned char *digest,
    struct saved_draft *ret_saved, struct mt_error *err)
{
	struct address_list author = ADDRESS_LIST_INIT;
	char message_id[COMPOSE_MESSAGE_ID_MAX];
	const struct draft_request request = {
	    .account = s->account,
	    .request_id = request_id && *request_id ? request_id : NULL,
	    .digest = digest,
	    .message_id = message_id,
	    .now = time(NULL),
	};
	enum mt_status status = address_read_author(&author, s->from, err);

	if (status == MT_OK)
		status = compose_message_id(message_id, author.items, err);
	if (status == MT_OK)
		status = save(s, &request, draft, author.items, ret_saved, err);
	address_list_done(&author);
	return status;
}

enum mt_status
save_draft(const struct save_draft_settings *s, const char *request_id,
    const struct draft_source *source, struct saved_draft *ret_saved,
    struct mt_error *err)
{
	unsigned char digest[DRAFT_DIGEST_BYTES];
	struct draft draft = {0};
	enum mt_status status;

	_Static_assert(
	    DRAFT_DIGEST_BYTES == DRAFT_STATE_DIGEST_BYTES, "one digest");
	if (request_id && strlen(request_id) > REQUEST_ID_MAX)
		return mt_fail(err, MT_BAD_INPUT,
		    "request_id is longer than %d bytes", REQUEST_ID_MAX);
	status = draft_source_read(&draft, source, digest, err);
	if (status != MT_OK)
		return status;
	status = save_as(s, request_id, &draft, digest, ret_saved, err);
	draft_done(&draft);
	return status;
}
