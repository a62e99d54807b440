/* SPDX-License-Identifier: ISC */
#include "mail/imap_ask.h"

#include <string.h>

#include "mail/imap_command.h"

enum mt_status
imap_ask_send(struct imap_conn *conn, const char *command, const char *wire,
    const char *rest, struct mt_error *err)
{
	struct secret words = SECRET_INIT;
	enum mt_status status;

	if (wire)
		imap_command_add_quoted(&words, wire);
	if (rest)
		secret_add(&words, rest, strlen(rest));
	status = secret_ok(&words)
		     ? imap_command_send(conn, command, &words, err)
		     : mt_fail(err, MT_NO_MEMORY, "out of memory");
	secret_done(&words);
	if (status != MT_OK)
		conn->broken = true;
	return status;
}

/* Tells the taker which lines are inside of a response. */
struct follower {
	const struct imap_ask_taker *taker;
	struct imap_literal literal;
};

static void
follow(void *context, const char *line)
{
	struct follower *f = context;
	struct imap_literal before = f->literal;

	/* a literal that cannot be has ended the reading before */
	if (imap_literal_follow(&f->literal, line))
		f->taker->take(
		    f->taker->context, line, before.open ? &before : NULL);
}

/* What a NO or BAD means; anything else ends the connection. */
static enum mt_status
fail_refused(struct imap_conn *conn, const char *what,
    const struct imap_reply *reply, struct mt_error *err)
{
	bool answered =
	    reply->condition == IMAP_NO || reply->condition == IMAP_BAD;
	bool later = !answered || imap_reply_is_temporary(reply);

	if (!answered)
		conn->broken = true;
	return mt_fail(err, later ? MT_RETRY_LATER : MT_REFUSED,
	    "%s: %s answered: %.200s%s%s", what, net_name(conn->net),
	    *reply->text ? reply->text : "no reason given",
	    imap_reply_explanation(reply->text),
	    reply->condition == IMAP_BYE ? " (and closed the connection)" : "");
}

enum mt_status
imap_ask_reply(struct imap_conn *conn, const char *what,
    const struct imap_ask_taker *taker, const char **ret_request,
    struct imap_reply *ret_reply, struct mt_error *err)
{
	struct follower f = {taker, conn->reader.literal};
	enum mt_status status = imap_command_reply(
	    conn, taker ? follow : NULL, &f, ret_request, ret_reply, err);

	if (status != MT_OK) {
		conn->broken = true;
		return status;
	}
	if ((ret_request && *ret_request) || ret_reply->condition == IMAP_OK)
		return MT_OK;
	return fail_refused(conn, what, ret_reply, err);
}

enum mt_status
imap_ask_run(struct imap_conn *conn, const struct imap_ask *ask,
    struct imap_reply *ret_reply, struct deadline deadline,
    struct mt_error *err)
{
	enum mt_status status;

	imap_conn_begin(conn, deadline, ask->max_bytes);
	status = imap_ask_send(conn, ask->command, ask->wire, ask->rest, err);
	if (status == MT_OK)
		status = imap_ask_reply(
		    conn, ask->what, ask->taker, NULL, ret_reply, err);
	return status;
}
