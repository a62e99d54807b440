/* SPDX-License-Identifier: ISC */
#include "mail/imap_told.h"

#include <stdio.h>

#include "mail/imap_command.h"

bool
imap_told_is_tagged(const struct imap_conn *conn, const char *line,
    struct imap_reply *ret_reply)
{
	char tag[16];

	snprintf(tag, sizeof(tag), "%d", conn->imap->imap_tag);
	return imap_reply_parse(line, tag, ret_reply);
}

enum mt_status
imap_told_broken(struct imap_conn *conn, struct mt_error *err)
{
	const struct mt_error *failure = net_error(conn->net);

	conn->broken = true;
	if (failure->status != MT_OK)
		return mt_fail(err, failure->status, "%s", failure->text);
	return mt_fail(err, MT_RETRY_LATER, "%s has ended the connection",
	    net_name(conn->net));
}

enum mt_status
imap_told_wrong(struct imap_conn *conn, struct mt_error *err)
{
	conn->broken = true;
	return mt_fail(err, MT_RETRY_LATER, "%s sent %s", net_name(conn->net),
	    conn->reader.wrong);
}

static void
take(void *context, const char *line)
{
	imap_news_take(context, line);
}

enum mt_status
imap_told_reply(struct imap_conn *conn, const char **ret_request,
    struct imap_reply *ret_reply, struct mt_error *err)
{
	enum mt_status status = imap_command_reply(
	    conn, take, &conn->reader, ret_request, ret_reply, err);

	if (status == MT_OK && conn->reader.wrong)
		return imap_told_wrong(conn, err);
	if (status == MT_OK && !(ret_request && *ret_request) &&
	    ret_reply->condition == IMAP_BYE) {
		imap_news_take_bye(&conn->reader, ret_reply);
		status = imap_command_failed(
		    conn, "ends the connection", ret_reply, err);
	}
	if (status != MT_OK)
		conn->broken = true;
	return status;
}

void
imap_told_give(struct imap_conn *conn, struct imap_news *ret_news)
{
	struct imap_news *news = &conn->reader.news;

	if (conn->gate.grew)
		news->selected_changed = true;
	conn->gate.grew = false;
	if (news->overflow)
		conn->watch.notify_refused = true;
	news->bytes = conn->gate.received - conn->bytes_told;
	conn->bytes_told = conn->gate.received;
	*ret_news = *news;
	*news = (struct imap_news){0};
}
