/* SPDX-License-Identifier: ISC */
#include "mail/imap_command.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "mail/mailbox_name.h"
#include "mail/stream.h"
#include "net/guard.h"

enum mt_status
imap_command_send(struct imap_conn *conn, const char *command,
    const struct secret *secret, struct mt_error *err)
{
	struct secret line = SECRET_INIT;
	enum mt_status status;
	char tag[16];
	int len = snprintf(tag, sizeof(tag), "%d ", ++conn->imap->imap_tag);

	secret_add(&line, tag, (size_t)len);
	secret_add(&line, command, strlen(command));
	if (secret)
		secret_add(&line, secret_expose(secret), secret->len);
	secret_add(&line, "\r\n", 2);
	if (secret_ok(&line))
		status = stream_send_secret(
		    conn->imap->imap_stream, conn->net, &line, err);
	else
		status = mt_fail(err, MT_NO_MEMORY, "out of memory");
	secret_done(&line);
	return status;
}

enum mt_status
imap_command_line(
    struct imap_conn *conn, const char **ret_line, struct mt_error *err)
{
	enum mt_status status = stream_read_line(conn->imap->imap_stream,
	    conn->net, conn->imap->imap_stream_buffer, err);

	if (status == MT_OK)
		*ret_line = conn->imap->imap_stream_buffer->str;
	return status;
}

static enum mt_status
not_imap(const struct imap_conn *conn, struct mt_error *err)
{
	return mt_fail(err, MT_RETRY_LATER,
	    "%s does not answer as an IMAP server does", net_name(conn->net));
}

enum mt_status
imap_command_reply(struct imap_conn *conn,
    void (*on_untagged)(void *context, const char *line), void *context,
    const char **ret_request, struct imap_reply *ret_reply,
    struct mt_error *err)
{
	/* watching may have ended within a response */
	struct imap_literal literal = conn->reader.literal;
	enum mt_status status;
	const char *line;
	bool inside;
	char tag[16];

	snprintf(tag, sizeof(tag), "%d", conn->imap->imap_tag);
	while ((status = imap_command_line(conn, &line, err)) == MT_OK) {
		inside = literal.open;
		if (!imap_literal_follow(&literal, line))
			return not_imap(conn, err);
		if (inside) {
			if (on_untagged)
				on_untagged(context, line);
			continue;
		}
		if (ret_request)
			*ret_request = NULL;
		if (imap_reply_parse(line, tag, ret_reply))
			return MT_OK;
		if (line[0] == '+' && ret_request) {
			*ret_request = line + 1 + (line[1] == ' ');
			return MT_OK;
		}
		if (imap_reply_parse(line, "*", ret_reply) &&
		    ret_reply->condition == IMAP_BYE)
			return MT_OK;
		/* an empty line, which Exchange may send, is none */
		if (line[0] && line[0] != '*')
			return not_imap(conn, err);
		if (line[0] && on_untagged)
			on_untagged(context, line);
	}
	return status;
}

void
imap_command_add_quoted(struct secret *line, const char *text)
{
	secret_add(line, "\"", 1);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			secret_add(line, "\\", 1);
		secret_add(line, text, 1);
	}
	secret_add(line, "\"", 1);
}

enum mt_status
imap_command_wire_name(char **ret_wire, const char *name, struct mt_error *err)
{
	struct buf wire = BUF_INIT(GUARD_MAILBOX_MAX);
	const char *wrong = guard_login(name); /* empty, control characters */

	if (!wrong && !mailbox_name_encode(&wire, name))
		wrong = "is no UTF-8";
	if (!wrong)
		wrong = buf_ok(&wire) ? guard_mailbox(buf_text(&wire))
				      : "is too long";
	if (!wrong)
		*ret_wire = buf_take(&wire);
	buf_done(&wire);
	if (wrong)
		return mt_fail(
		    err, MT_BAD_INPUT, "the name of the mailbox %s", wrong);
	return *ret_wire ? MT_OK : mt_fail(err, MT_NO_MEMORY, "out of memory");
}

enum mt_status
imap_command_failed(const struct imap_conn *conn, const char *what,
    const struct imap_reply *reply, struct mt_error *err)
{
	return mt_fail(err, MT_RETRY_LATER, "%s %s: %.200s%s",
	    net_name(conn->net), what,
	    *reply->text ? reply->text : "no reason given",
	    imap_reply_explanation(reply->text));
}
