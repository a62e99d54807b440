/* SPDX-License-Identifier: ISC */
/*
 * The dialogue is ours: libetpan's IDLE waits in select(2) and crashes without
 * a SELECT of its own, and it knows no NOTIFY.
 *
 * Measured with Dovecot 2.3: behind NOTIFY it tells news of other mailboxes at
 * once, those of the opened one in an IDLE only, so there is always one.  After
 * NOTIFY NONE, and so after an overflow (RFC 5465 section 5.8), an IDLE tells
 * nothing at all until a NOTIFY SET asks for the opened mailbox.
 */
#include "mail/imap_watch.h"

#include <stdlib.h>
#include <string.h>

#include "mail/imap_command.h"
#include "mail/imap_told.h"
#include "mail/mailbox_name.h"

#define LINE_MAX_BYTES 8000  /* of a NOTIFY, that every server takes */
#define WATCH_BYTES 16777216 /* some 400,000 changes of flags */
#define READ_BYTES 65536     /* at a time, of one connection among many */
#define STREAM_BUFFER_MAX 1024

/* Events come for both or neither (RFC 5465 section 5.2). */
#define EVENTS "(MessageNew MessageExpunge)"
#define NOTIFY_SELECTED "NOTIFY SET (SELECTED " EVENTS ")"
#define NOTIFY_BEGIN "NOTIFY SET STATUS (SELECTED " EVENTS ") (MAILBOXES ("
#define NOTIFY_END ") " EVENTS ")"

enum imap_push
imap_watch_offered(const struct imap_conn *conn)
{
	if (!imap_conn_offers(conn, "IDLE"))
		return IMAP_PUSH_NONE;
	return imap_conn_offers(conn, "NOTIFY") && !conn->watch.notify_refused
		   ? IMAP_PUSH_NOTIFY
		   : IMAP_PUSH_IDLE;
}

enum imap_push
imap_watch_push(const struct imap_conn *conn)
{
	return conn->watch.on ? conn->watch.push : IMAP_PUSH_NONE;
}

uint64_t
imap_watch_covered(const struct imap_conn *conn)
{
	uint64_t covered = 0;

	for (size_t i = 0; i < conn->reader.count; i++)
		if (conn->reader.mailboxes[i].covered)
			covered |= UINT64_C(1) << i;
	return covered;
}

bool
imap_watch_status(
    const struct imap_conn *conn, size_t i, struct imap_mailbox *ret_mailbox)
{
	if (i >= conn->reader.count || !conn->reader.mailboxes[i].told)
		return false;
	*ret_mailbox = conn->reader.mailboxes[i].status;
	return true;
}

int
imap_watch_fd(const struct imap_conn *conn)
{
	return net_fd(conn->net);
}

/* -- the mailboxes beside the opened one ------------------------------- */

static void
free_mailboxes(struct imap_watched *mailboxes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(mailboxes[i].name);
		free(mailboxes[i].utf8);
	}
	free(mailboxes);
}

void
imap_watch_forget(struct imap_conn *conn)
{
	free_mailboxes(conn->reader.mailboxes, conn->reader.count);
	conn->reader.mailboxes = NULL;
	conn->reader.count = 0;
}

/* What was told of it, unless that is still to be handed out. */
static void
inherit(struct imap_watched *w, const struct imap_news_reader *old)
{
	for (size_t i = 0; i < old->count; i++)
		if (strcmp(old->mailboxes[i].name, w->name) == 0 &&
		    !(old->news.others >> i & 1)) {
			w->told = old->mailboxes[i].told;
			w->status = old->mailboxes[i].status;
			return;
		}
}

static enum mt_status
make_watched(struct imap_watched *w, const char *name, struct mt_error *err)
{
	struct buf utf8 = BUF_INIT(IMAP_STATUS_NAME_MAX);
	enum mt_status status = imap_command_wire_name(&w->name, name, err);

	if (status == MT_OK && mailbox_name_decode(&utf8, w->name) &&
	    strcmp(buf_text(&utf8), w->name) != 0)
		w->utf8 = buf_take(&utf8);
	buf_done(&utf8);
	return status;
}

static enum mt_status
set_mailboxes(struct imap_conn *conn, const char *const *names, size_t count,
    struct mt_error *err)
{
	struct imap_news_reader *reader = &conn->reader;
	struct imap_watched *mailboxes;
	enum mt_status status = MT_OK;

	if (count > IMAP_WATCHED_MAX)
		return mt_fail(err, MT_BAD_INPUT,
		    "no more than %d mailboxes can be watched in one "
		    "connection",
		    IMAP_WATCHED_MAX);
	mailboxes = calloc(count + 1, sizeof(*mailboxes));
	if (!mailboxes)
		return mt_fail(err, MT_NO_MEMORY, "out of memory");
	for (size_t i = 0; i < count && status == MT_OK; i++)
		status = make_watched(&mailboxes[i], names[i], err);
	if (status != MT_OK) {
		free_mailboxes(mailboxes, count);
		return status;
	}
	for (size_t i = 0; i < count; i++)
		inherit(&mailboxes[i], reader);
	imap_watch_forget(conn);
	reader->mailboxes = mailboxes;
	reader->count = count;
	reader->news.others_changed = false;
	reader->news.others = 0;
	return MT_OK;
}

/* -- beginning ----------------------------------------------------------- */

/* Sends a NOTIFY; *ret_agreed: was it accepted? */
static enum mt_status
notify(struct imap_conn *conn, const char *command,
    const struct secret *mailboxes, bool *ret_agreed, struct mt_error *err)
{
	struct imap_reply reply;
	enum mt_status status =
	    imap_command_send(conn, command, mailboxes, err);

	if (status == MT_OK)
		status = imap_told_reply(conn, NULL, &reply, err);
	if (status == MT_OK)
		*ret_agreed = reply.condition == IMAP_OK;
	return status;
}

/* As notify; a server is not asked for what cannot be in one line. */
static enum mt_status
notify_mailboxes(struct imap_conn *conn, bool *ret_agreed, struct mt_error *err)
{
	const struct imap_news_reader *reader = &conn->reader;
	struct secret names = SECRET_INIT;
	enum mt_status status = MT_OK;

	*ret_agreed = false;
	for (size_t i = 0; i < reader->count; i++) {
		if (i)
			secret_add(&names, " ", 1);
		imap_command_add_quoted(&names, reader->mailboxes[i].name);
	}
	secret_add(&names, NOTIFY_END, strlen(NOTIFY_END));
	if (!secret_ok(&names))
		status = mt_fail(err, MT_NO_MEMORY, "out of memory");
	else if (names.len <= LINE_MAX_BYTES)
		status = notify(conn, NOTIFY_BEGIN, &names, ret_agreed, err);
	secret_done(&names);
	return status;
}

/* NOTIFY for all of it; refused, it is never tried again. */
static enum mt_status
begin_notify(struct imap_conn *conn, struct mt_error *err)
{
	bool agreed;
	enum mt_status status;

	for (size_t i = 0; i < conn->reader.count; i++)
		conn->reader.mailboxes[i].covered = false;
	status = notify_mailboxes(conn, &agreed, err);
	if (status != MT_OK)
		return status;
	if (agreed) {
		conn->watch.notify_set = true;
		conn->watch.push = IMAP_PUSH_NOTIFY;
	} else {
		conn->watch.notify_refused = true;
	}
	return MT_OK;
}

/* Takes back a NOTIFY that is in force, or was until it overflowed. */
static enum mt_status
end_notify(struct imap_conn *conn, struct mt_error *err)
{
	bool agreed;
	enum mt_status status =
	    notify(conn, NOTIFY_SELECTED, NULL, &agreed, err);

	if (status == MT_OK && !agreed)
		status = mt_fail(err, MT_RETRY_LATER,
		    "%s does not take its NOTIFY back", net_name(conn->net));
	conn->watch.notify_set = false;
	return status;
}

/* Holds nothing that a connection at rest needs not. */
static void
rest(struct imap_conn *conn)
{
	MMAPString *small;

	imap_gate_rest(&conn->gate);
	stream_rest(conn->imap->imap_stream);
	if (conn->imap->imap_stream_buffer->allocated_len <= STREAM_BUFFER_MAX)
		return;
	small = mmap_string_new("");
	if (!small)
		return;
	mmap_string_free(conn->imap->imap_stream_buffer);
	conn->imap->imap_stream_buffer = small;
}

static enum mt_status
begin_idle(struct imap_conn *conn, struct mt_error *err)
{
	struct imap_reply reply;
	const char *request;
	enum mt_status status = imap_command_send(conn, "IDLE", NULL, err);

	if (status == MT_OK)
		status = imap_told_reply(conn, &request, &reply, err);
	if (status != MT_OK)
		return status;
	if (!request)
		return mt_fail(err, MT_REFUSED, "%s refuses to IDLE: %.200s%s",
		    net_name(conn->net), reply.text,
		    imap_reply_explanation(reply.text));
	conn->watch.on = true;
	conn->watch.ended = false;
	rest(conn);
	return MT_OK;
}

static enum mt_status
begin(struct imap_conn *conn, struct mt_error *err)
{
	enum mt_status status = MT_OK;

	conn->watch.push = IMAP_PUSH_IDLE;
	if (conn->reader.count && !conn->watch.notify_refused)
		status = begin_notify(conn, err);
	if (status == MT_OK && conn->watch.push == IMAP_PUSH_IDLE &&
	    conn->watch.notify_set)
		status = end_notify(conn, err);
	return status == MT_OK ? begin_idle(conn, err) : status;
}

enum mt_status
imap_watch_begin(struct imap_conn *conn, enum imap_push push,
    const char *const *mailboxes, size_t count, struct deadline deadline,
    struct mt_error *err)
{
	enum mt_status status;

	if (push == IMAP_PUSH_NONE || conn->watch.on ||
	    conn->imap->imap_state != MAILIMAP_STATE_SELECTED)
		return mt_fail(err, MT_BUG,
		    "nothing to be watched in the connection to %s",
		    net_name(conn->net));
	status = set_mailboxes(
	    conn, mailboxes, push == IMAP_PUSH_NOTIFY ? count : 0, err);
	if (status != MT_OK)
		return status;
	imap_conn_begin(conn, deadline, WATCH_BYTES);
	status = begin(conn, err);
	if (status != MT_OK && status != MT_REFUSED)
		conn->broken = true;
	return status;
}

/* -- while it is watched --------------------------------------------------- */

static void
take_line(struct imap_conn *conn, const char *line)
{
	struct imap_reply reply;

	if (!conn->reader.literal.open &&
	    imap_told_is_tagged(conn, line, &reply))
		conn->watch.ended = conn->reader.news.ended = true;
	else
		imap_news_take(&conn->reader, line);
}

/* Takes lines until there is none, or enough for this time: then it still
 * empties TLS, which poll(2) does not see. */
static enum imap_line
take_lines(struct imap_conn *conn)
{
	uint64_t before = conn->gate.received;
	const char *line;
	enum imap_line result;
	bool read;

	for (;;) {
		read = conn->gate.received - before < READ_BYTES ||
		       net_has_ready(conn->net);
		result = imap_gate_ready_line(&conn->gate, read, &line);
		if (result != IMAP_LINE_READY)
			return result;
		take_line(conn, line);
		if (conn->reader.wrong || conn->reader.news.bye)
			return IMAP_LINE_NONE;
	}
}

enum mt_status
imap_watch_read(
    struct imap_conn *conn, struct imap_news *ret_news, struct mt_error *err)
{
	enum mt_status status = MT_OK;
	enum imap_line last = IMAP_LINE_FAILED;

	*ret_news = (struct imap_news){0};
	if (!conn->watch.on)
		return mt_fail(err, MT_BUG,
		    "the connection to %s is not watched", net_name(conn->net));
	if (!conn->broken)
		last = take_lines(conn);
	if (last == IMAP_LINE_FAILED)
		status = imap_told_broken(conn, err);
	else if (conn->reader.wrong)
		status = imap_told_wrong(conn, err);
	if (conn->reader.news.bye || status != MT_OK)
		conn->broken = true;
	imap_gate_rest(&conn->gate);
	imap_told_give(conn, ret_news);
	return status;
}

static enum mt_status
finish(struct imap_conn *conn, struct mt_error *err)
{
	struct imap_reply reply;
	enum mt_status status = stream_wake(conn->imap->imap_stream, err);

	if (status != MT_OK || conn->watch.ended)
		return status;
	status =
	    stream_send(conn->imap->imap_stream, conn->net, "DONE\r\n", err);
	if (status == MT_OK)
		status = imap_told_reply(conn, NULL, &reply, err);
	if (status == MT_OK && reply.condition != IMAP_OK)
		status = imap_command_failed(
		    conn, "does not end its IDLE", &reply, err);
	return status;
}

enum mt_status
imap_watch_end(struct imap_conn *conn, struct imap_news *ret_news,
    struct deadline deadline, struct mt_error *err)
{
	enum mt_status status;

	*ret_news = (struct imap_news){0};
	if (!conn->watch.on)
		return mt_fail(err, MT_BUG,
		    "the connection to %s is not watched", net_name(conn->net));
	conn->watch.on = false;
	if (conn->broken) {
		status = imap_told_broken(conn, err);
	} else {
		imap_conn_begin(conn, deadline, WATCH_BYTES);
		status = finish(conn, err);
	}
	if (status != MT_OK)
		conn->broken = true;
	imap_told_give(conn, ret_news);
	return status;
}
