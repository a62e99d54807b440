/* SPDX-License-Identifier: ISC */
#include "mail/imap_move.h"

#include <stdio.h>
#include <stdlib.h>

#include "mail/imap_ask.h"
#include "mail/imap_command.h"
#include "mail/imap_watch.h"

#define ANSWER_BYTES 262144 /* with what the server tells beside it */

struct move {
	struct imap_conn *conn;
	uint32_t uid;
	struct deadline deadline;
	struct imap_place place; /* once it is known */
};

/* MOVE answers with COPYUID before the tagged reply (RFC 6851 section 4.3). */
static void
note_place(void *context, const char *line, const struct imap_literal *inside)
{
	struct move *m = context;
	struct imap_reply reply;

	if (!inside && imap_reply_parse(line, "*", &reply) &&
	    reply.condition == IMAP_OK)
		(void)!imap_place_copied(&reply, m->uid, &m->place);
}

/* "UID COMMAND uid", then the mailbox, then `rest`. */
static enum mt_status
command(struct move *m, const char *word, const char *wire, const char *rest,
    struct mt_error *err)
{
	const struct imap_ask_taker taker = {m, note_place};
	char text[64];
	const struct imap_ask ask = {
	    .command = text,
	    .wire = wire,
	    .rest = rest,
	    .what =
		wire ? "cannot move the message" : "cannot remove the message",
	    .taker = &taker,
	    .max_bytes = ANSWER_BYTES,
	};
	struct imap_reply reply;
	enum mt_status status;

	snprintf(
	    text, sizeof(text), "UID %s %u%s", word, m->uid, wire ? " " : "");
	status = imap_ask_run(m->conn, &ask, &reply, m->deadline, err);
	if (status == MT_OK && wire)
		(void)!imap_place_copied(&reply, m->uid, &m->place);
	return status;
}

/* Is it in the mailbox? */
static enum mt_status
look(struct move *m, bool *ret_there, struct mt_error *err)
{
	struct imap_summary *list = NULL;
	size_t count = 0;
	enum mt_status status = imap_conn_sizes(
	    m->conn, &m->uid, 1, &list, &count, m->deadline, err);

	*ret_there = count > 0;
	free(list);
	return status;
}

/* The same after a command that has had its OK; without an answer nobody knows
 * what has become of the message. */
static enum mt_status
look_again(struct move *m, bool *ret_there, struct mt_error *err)
{
	enum mt_status status = look(m, ret_there, err);

	if (status != MT_OK)
		m->conn->broken = true;
	return status;
}

/* UID MOVE.  A server that does not tell where the message is now could have
 * done nothing. */
static enum mt_status
move(struct move *m, const char *wire, struct mt_error *err)
{
	enum mt_status status = command(m, "MOVE", wire, NULL, err);
	bool there = false;

	if (status == MT_OK && !m->place.uid)
		status = look_again(m, &there, err);
	if (status != MT_OK || !there)
		return status;
	m->conn->broken = true;
	return mt_fail(err, MT_RETRY_LATER,
	    "cannot move the message: %s says that it has, and still has it",
	    net_name(m->conn->net));
}

static enum mt_status
copy_and_remove(struct move *m, const char *wire, bool *ret_gone,
    bool *ret_copied, struct mt_error *err)
{
	enum mt_status status = command(m, "COPY", wire, NULL, err);
	bool there = true;

	/* a copy of nothing is OK, too */
	if (status == MT_OK && !m->place.uid)
		status = look_again(m, &there, err);
	if (status != MT_OK)
		return status;
	*ret_gone = !there;
	if (!there)
		return MT_OK;
	status = imap_conn_remove(m->conn, m->uid, m->deadline, err);
	*ret_copied = status != MT_OK;
	return status;
}

static enum mt_status
run(struct move *m, const char *wire, bool *ret_gone, bool *ret_copied,
    struct mt_error *err)
{
	bool there = false;
	enum mt_status status = look(m, &there, err);

	if (status != MT_OK)
		return status;
	*ret_gone = !there;
	if (!there)
		return MT_OK;
	if (imap_conn_offers(m->conn, "MOVE"))
		return move(m, wire, err);
	return copy_and_remove(m, wire, ret_gone, ret_copied, err);
}

enum mt_status
imap_conn_move(struct imap_conn *conn, uint32_t uid, const char *mailbox,
    struct imap_place *ret_place, bool *ret_gone, bool *ret_copied,
    struct deadline deadline, struct mt_error *err)
{
	struct move m = {.conn = conn, .uid = uid, .deadline = deadline};
	char *wire = NULL;
	enum mt_status status = imap_command_wire_name(&wire, mailbox, err);

	*ret_place = m.place;
	*ret_gone = false;
	*ret_copied = false;
	if (status == MT_OK && !uid)
		status = mt_fail(err, MT_BUG, "there is no message 0");
	if (status == MT_OK)
		status = run(&m, wire, ret_gone, ret_copied, err);
	free(wire);
	*ret_place = m.place;
	return status;
}

enum mt_status
imap_conn_remove(struct imap_conn *conn, uint32_t uid, struct deadline deadline,
    struct mt_error *err)
{
	struct move m = {.conn = conn, .uid = uid, .deadline = deadline};
	enum mt_status status =
	    command(&m, "STORE", NULL, " +FLAGS.SILENT (\\Deleted)", err);

	if (status == MT_OK && imap_conn_offers(conn, "UIDPLUS"))
		status = command(&m, "EXPUNGE", NULL, NULL, err);
	return status;
}
