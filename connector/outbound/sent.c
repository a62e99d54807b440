/* SPDX-License-Identifier: ISC */
#include "outbound/sent.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mail/envelope.h"
#include "mail/imap_append.h"
#include "mail/imap_conn.h"
#include "mail/imap_mailboxes.h"
#include "mail/imap_search.h"

#define SERVER_ID_MIN 16 /* bytes; a shorter one may be anybody's */
#define ID_DIGITS 32     /* of our own Message-IDs, before the "@" */

/* A look into one mailbox. */
struct look {
	struct imap_conn *conn;
	const struct sent_message *message;
	struct envelope envelope; /* of the message */
	struct deadline deadline;
	const char *wanted_id; /* that of the search; NULL: the envelope */
	bool found;
	bool no_memory;
};

/* ---- is it this one? ---- */

/* A Message-ID without what stands around it. */
static const char *
bare_id(const char *id, size_t *ret_len)
{
	const char *open = strchr(id, '<');

	if (open)
		id = open + 1;
	*ret_len = strcspn(id, "> \t");
	return id;
}

/* Is it the id, or does it begin with it, where a server tells no more of it
 * than what is before the "@"? */
static bool
is_id(const char *found, const char *wanted)
{
	size_t found_len, wanted_len;

	found = bare_id(found, &found_len);
	wanted = bare_id(wanted, &wanted_len);
	return wanted_len && strncmp(found, wanted, wanted_len) == 0 &&
	       (found_len == wanted_len || found[wanted_len] == '@');
}

/* Did we make this Message-ID, and for another message?  Then the server has
 * not replaced it, however alike the two messages are. */
static bool
is_another_of_ours(const char *found, const char *own)
{
	size_t found_len, own_len;

	found = bare_id(found, &found_len);
	own = bare_id(own, &own_len);
	return found_len == own_len && own_len > ID_DIGITS &&
	       own[ID_DIGITS] == '@' &&
	       strspn(found, "0123456789abcdef") == ID_DIGITS &&
	       strncasecmp(found + ID_DIGITS, own + ID_DIGITS,
		   own_len - ID_DIGITS) == 0 &&
	       strncmp(found, own, ID_DIGITS) != 0;
}

/* Called for each candidate; false ends the look. */
static bool
examine_header(void *context, const struct imap_header *header)
{
	struct look *l = context;
	struct envelope envelope;

	if (!envelope_parse(&envelope, header->bytes, header->len)) {
		l->no_memory = true;
		return false;
	}
	if (l->wanted_id)
		l->found = is_id(envelope.message_id, l->wanted_id);
	else
		l->found = !header->is_cut &&
			   envelope_same(&envelope, &l->envelope) &&
			   !is_another_of_ours(
			       envelope.message_id, l->message->message_id);
	envelope_done(&envelope);
	return !l->found;
}

/* ---- one mailbox ---- */

static enum mt_status
look_at(
    struct look *l, const uint32_t *uids, size_t count, struct mt_error *err)
{
	enum mt_status status = imap_conn_headers(
	    l->conn, uids, count, examine_header, l, l->deadline, err);

	if (status == MT_OK && l->no_memory)
		status = mt_fail(err, MT_NO_MEMORY, "out of memory");
	return status;
}

static enum mt_status
look_by_id(struct look *l, const char *id, struct mt_error *err)
{
	uint32_t *uids = NULL;
	size_t count = 0;
	enum mt_status status;

	l->wanted_id = id;
	status = imap_conn_search_message_id(
	    l->conn, id, &uids, &count, l->deadline, err);
	if (status == MT_OK)
		status = look_at(l, uids, count, err);
	free(uids);
	return status;
}

static enum mt_status
look_by_envelope(struct look *l, struct mt_error *err)
{
	uint32_t *uids = NULL;
	size_t count = 0;
	enum mt_status status;

	l->wanted_id = NULL;
	status = imap_conn_search_sent_on(
	    l->conn, l->envelope.date, &uids, &count, l->deadline, err);
	if (status == MT_OK)
		status = look_at(l, uids, count, err);
	free(uids);
	return status;
}

static bool
has_server_id(const struct sent_message *message)
{
	size_t len;

	(void)bare_id(message->server_id, &len);
	return len >= SERVER_ID_MIN &&
	       !is_id(message->server_id, message->message_id);
}

static enum mt_status
look_by_ids(struct look *l, const char *mailbox, struct mt_error *err)
{
	struct imap_mailbox opened;
	enum mt_status status =
	    imap_conn_examine(l->conn, mailbox, &opened, l->deadline, err);

	if (status == MT_OK)
		status = look_by_id(l, l->message->message_id, err);
	if (status == MT_OK && !l->found && has_server_id(l->message))
		status = look_by_id(l, l->message->server_id, err);
	return status;
}

static enum mt_status
look_into(struct look *l, const char *mailbox, struct mt_error *err)
{
	enum mt_status status = look_by_ids(l, mailbox, err);

	if (status == MT_OK && !l->found && l->envelope.has_date &&
	    l->envelope.recipient_count)
		status = look_by_envelope(l, err);
	return status;
}

/* ---- which mailbox ---- */

/* Where sent mail is, or should be. */
static enum mt_status
find_sent(struct imap_conn *conn, const char *override,
    char ret_name[IMAP_MAILBOX_NAME_MAX], bool *ret_exists,
    struct deadline deadline, struct mt_error *err)
{
	if (!override || !*override)
		return imap_conn_find_role(
		    conn, IMAP_ROLE_SENT, ret_name, ret_exists, deadline, err);
	if (strlen(override) >= IMAP_MAILBOX_NAME_MAX)
		return mt_fail(err, MT_BAD_INPUT,
		    "the name of the mailbox for sent mail is too long");
	memcpy(ret_name, override, strlen(override) + 1);
	return imap_conn_has_mailbox(conn, override, ret_exists, deadline, err);
}

static enum mt_status
look_into_all(struct look *l, const char *sent, struct mt_error *err)
{
	char name[IMAP_MAILBOX_NAME_MAX];
	bool exists = false;
	enum mt_status status = imap_conn_find_role(
	    l->conn, IMAP_ROLE_ALL, name, &exists, l->deadline, err);

	if (status == MT_OK && exists && strcmp(name, sent) != 0)
		status = look_into(l, name, err);
	return status;
}

static enum mt_status
begin(struct look *l, struct imap_conn *conn,
    const struct sent_message *message, struct deadline deadline,
    struct mt_error *err)
{
	*l = (struct look){.conn = conn,
	    .message = message,
	    .envelope = ENVELOPE_INIT,
	    .deadline = deadline};
	return envelope_parse(&l->envelope, message->bytes, message->len)
		   ? MT_OK
		   : mt_fail(err, MT_NO_MEMORY, "out of memory");
}

static enum mt_status
find(struct look *l, const char *override, struct mt_error *err)
{
	char sent[IMAP_MAILBOX_NAME_MAX];
	bool exists = false;
	enum mt_status status =
	    find_sent(l->conn, override, sent, &exists, l->deadline, err);

	if (status == MT_OK && exists)
		status = look_into(l, sent, err);
	if (status == MT_OK && !l->found)
		status = look_into_all(l, sent, err);
	return status;
}

enum mt_status
sent_find(struct imap_conn *conn, const char *mailbox_override,
    const struct sent_message *message, bool *ret_found,
    struct deadline deadline, struct mt_error *err)
{
	struct look l;
	enum mt_status status = begin(&l, conn, message, deadline, err);

	*ret_found = false;
	if (status == MT_OK)
		status = find(&l, mailbox_override, err);
	if (status == MT_OK)
		*ret_found = l.found;
	envelope_done(&l.envelope);
	return status;
}

static enum mt_status
file(struct look *l, const char *override, struct mt_error *err)
{
	char sent[IMAP_MAILBOX_NAME_MAX];
	struct imap_place place;
	bool exists = false, existed;
	enum mt_status status =
	    find_sent(l->conn, override, sent, &exists, l->deadline, err);

	if (status == MT_OK && exists)
		status = look_by_ids(l, sent, err);
	if (status == MT_OK && !exists)
		status =
		    imap_conn_create(l->conn, sent, &existed, l->deadline, err);
	if (status != MT_OK || l->found)
		return status;
	return imap_conn_append(l->conn, sent, "\\Seen", l->message->date,
	    l->message->bytes, l->message->len, &place, l->deadline, err);
}

enum mt_status
sent_file(struct imap_conn *conn, const char *mailbox_override,
    const struct sent_message *message, struct deadline deadline,
    struct mt_error *err)
{
	struct look l;
	enum mt_status status = begin(&l, conn, message, deadline, err);

	if (status == MT_OK)
		status = file(&l, mailbox_override, err);
	envelope_done(&l.envelope);
	return status;
}
