/* SPDX-License-Identifier: ISC */
/* EXAMINE and SELECT. */
#include "mail/imap_select.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mail/imap_ask.h"
#include "mail/imap_command.h"

#define ANSWER_BYTES 262144 /* flags and keywords of a mailbox */

/* The number in "[CODE number]"; 0 if there is none of 32 bits. */
static uint32_t
read_number(const char *detail)
{
	char *end;
	unsigned long number = strtoul(detail, &end, 10);

	return *end == ']' && number <= UINT32_MAX ? (uint32_t)number : 0;
}

/* The gate has noted EXISTS. */
static void
note_mailbox(void *context, const char *line, const struct imap_literal *inside)
{
	struct imap_mailbox *mailbox = context;
	struct imap_reply reply;

	if (inside || !imap_reply_parse(line, "*", &reply))
		return;
	if (strcasecmp(reply.code, "UIDVALIDITY") == 0)
		mailbox->uidvalidity = read_number(reply.detail);
	else if (strcasecmp(reply.code, "UIDNEXT") == 0)
		mailbox->uidnext = read_number(reply.detail);
}

static enum mt_status
ask(struct imap_conn *conn, const char *command, const char *name,
    struct imap_mailbox *mailbox, struct imap_reply *ret_reply,
    struct mt_error *err)
{
	const struct imap_ask_taker taker = {mailbox, note_mailbox};
	char *wire = NULL, what[128];
	enum mt_status status = imap_command_wire_name(&wire, name, err);

	if (status != MT_OK)
		return status;
	snprintf(what, sizeof(what), "cannot open the mailbox %.100s", name);
	/* whatever comes of it, the one before is closed */
	conn->imap->imap_state = MAILIMAP_STATE_AUTHENTICATED;
	status = imap_ask_send(conn, command, wire, NULL, err);
	free(wire);
	if (status == MT_OK)
		status =
		    imap_ask_reply(conn, what, &taker, NULL, ret_reply, err);
	return status;
}

static enum mt_status
open_mailbox(struct imap_conn *conn, const char *command, const char *name,
    struct imap_mailbox *ret_mailbox, struct imap_reply *ret_reply,
    struct deadline deadline, struct mt_error *err)
{
	struct imap_mailbox found = {0};
	enum mt_status status;

	imap_conn_begin(conn, deadline, ANSWER_BYTES);
	conn->gate.exists = 0;
	status = ask(conn, command, name, &found, ret_reply, err);
	if (status != MT_OK)
		return status;
	if (!found.uidvalidity) {
		conn->broken = true;
		return mt_fail(err, MT_RETRY_LATER,
		    "%s does not tell the UIDVALIDITY of %.100s",
		    net_name(conn->net), name);
	}
	conn->imap->imap_state = MAILIMAP_STATE_SELECTED;
	found.exists = conn->gate.exists;
	conn->gate.grew = false;
	conn->reader.news.selected_changed = false;
	*ret_mailbox = found;
	return MT_OK;
}

enum mt_status
imap_conn_examine(struct imap_conn *conn, const char *mailbox,
    struct imap_mailbox *ret_mailbox, struct deadline deadline,
    struct mt_error *err)
{
	struct imap_reply reply;
	enum mt_status status = open_mailbox(
	    conn, "EXAMINE ", mailbox, ret_mailbox, &reply, deadline, err);

	if (status == MT_OK || status == MT_BAD_INPUT)
		return status; /* or nothing was sent */
	conn->broken = true;
	if (err && status == MT_REFUSED)
		err->status = MT_RETRY_LATER;
	return status == MT_REFUSED ? MT_RETRY_LATER : status;
}

enum mt_status
imap_conn_select(struct imap_conn *conn, const char *mailbox,
    struct imap_mailbox *ret_mailbox, struct deadline deadline,
    struct mt_error *err)
{
	struct imap_mailbox found;
	struct imap_reply reply;
	enum mt_status status = open_mailbox(
	    conn, "SELECT ", mailbox, &found, &reply, deadline, err);

	if (status != MT_OK)
		return status;
	if (strcasecmp(reply.code, "READ-ONLY") == 0) {
		conn->imap->imap_state = MAILIMAP_STATE_AUTHENTICATED;
		return mt_fail(err, MT_REFUSED,
		    "%s lets the mailbox %.100s be read only",
		    net_name(conn->net), mailbox);
	}
	*ret_mailbox = found;
	return MT_OK;
}
