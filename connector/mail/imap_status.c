/* SPDX-License-Identifier: ISC */
/* Asking, where a server does not tell: STATUS and NOOP. */
#include "mail/imap_watch.h"

#include <stdlib.h>
#include <string.h>

#include "mail/imap_command.h"
#include "mail/imap_told.h"

#define ITEMS " (MESSAGES UIDNEXT UIDVALIDITY)"
#define ANSWER_BYTES 1048576 /* with what the server tells beside it */

bool
imap_conn_is_usable(const struct imap_conn *conn)
{
	return !conn->broken && net_error(conn->net)->status == MT_OK;
}

int64_t
imap_conn_last_byte_ms(const struct imap_conn *conn)
{
	return net_last_byte_ms(conn->net);
}

bool
imap_conn_offers(const struct imap_conn *conn, const char *capability)
{
	return conn->capabilities &&
	       imap_capabilities_have(conn->capabilities, capability);
}

static enum mt_status
send_status(struct imap_conn *conn, const char *name, struct mt_error *err)
{
	struct secret words = SECRET_INIT;
	enum mt_status status;

	imap_command_add_quoted(&words, name);
	secret_add(&words, ITEMS, strlen(ITEMS));
	status = secret_ok(&words)
		     ? imap_command_send(conn, "STATUS ", &words, err)
		     : mt_fail(err, MT_NO_MEMORY, "out of memory");
	secret_done(&words);
	return status;
}

/* Sends a command and reads the reply; any failure breaks the connection. */
static enum mt_status
ask(struct imap_conn *conn, const char *mailbox, struct deadline deadline,
    struct imap_reply *ret_reply, struct mt_error *err)
{
	enum mt_status status;

	imap_conn_begin(conn, deadline, ANSWER_BYTES);
	status = mailbox ? send_status(conn, mailbox, err)
			 : imap_command_send(conn, "NOOP", NULL, err);
	if (status != MT_OK)
		conn->broken = true;
	else
		status = imap_told_reply(conn, NULL, ret_reply, err);
	return status;
}

/* What a NO means; a BAD says nothing of the mailbox. */
static enum mt_status
fail_status(const struct imap_conn *conn, const char *mailbox,
    const struct imap_reply *reply, struct mt_error *err)
{
	bool later =
	    reply->condition != IMAP_NO || imap_reply_is_temporary(reply);

	return mt_fail(err, later ? MT_RETRY_LATER : MT_BAD_INPUT,
	    "no status of the mailbox %.100s: %s answered: %.200s%s", mailbox,
	    net_name(conn->net), reply->text,
	    imap_reply_explanation(reply->text));
}

static enum mt_status
run_status(struct imap_conn *conn, const char *mailbox,
    struct imap_question *question, struct deadline deadline,
    struct mt_error *err)
{
	struct imap_reply reply;
	enum mt_status status;

	conn->reader.question = question;
	status = ask(conn, question->name, deadline, &reply, err);
	conn->reader.question = NULL;
	if (status != MT_OK)
		return status;
	if (reply.condition != IMAP_OK)
		return fail_status(conn, mailbox, &reply, err);
	if (!question->answered)
		return mt_fail(err, MT_RETRY_LATER,
		    "%s does not tell the status of the mailbox %.100s",
		    net_name(conn->net), mailbox);
	return MT_OK;
}

enum mt_status
imap_conn_status(struct imap_conn *conn, const char *mailbox,
    struct imap_mailbox *ret_mailbox, struct deadline deadline,
    struct mt_error *err)
{
	struct imap_question question = {0};
	char *name = NULL;
	enum mt_status status = imap_command_wire_name(&name, mailbox, err);

	if (status != MT_OK)
		return status;
	question.name = name;
	status = run_status(conn, mailbox, &question, deadline, err);
	free(name);
	if (status == MT_OK)
		*ret_mailbox = question.answer.mailbox;
	return status;
}

enum mt_status
imap_conn_noop(struct imap_conn *conn, struct imap_news *ret_news,
    struct deadline deadline, struct mt_error *err)
{
	struct imap_reply reply;
	enum mt_status status = ask(conn, NULL, deadline, &reply, err);

	if (status == MT_OK && reply.condition != IMAP_OK) {
		status =
		    imap_command_failed(conn, "refuses a NOOP", &reply, err);
		conn->broken = true;
	}
	imap_told_give(conn, ret_news);
	return status;
}
