/* SPDX-License-Identifier: ISC */
/*
 * One message.  RSET and DATA are libetpan's.  MAIL and RCPT are not: it knows
 * no SMTPUTF8.  The message itself is not either: its data call adds an empty
 * line, and sends the final dot before anybody could note that it is about to.
 */
#include "mail/smtp_conn.h"

#include <stdio.h>
#include <string.h>

#include "net/guard.h"
#include "mail/smtp_priv.h"
#include "mail/stream.h"

#define COMMAND_MAX 1024 /* an address and all parameters */
#define ENVID_MAX 100    /* characters, RFC 3461 4.4 */
#define NO_REPORTS " (the server offers no delivery reports)"

struct sending {
	struct smtp_conn *conn;
	const struct smtp_envelope *envelope;
	struct smtp_outcome *outcome;
	struct deadline deadline;
	struct mt_error *err;
};

static void
note(struct sending *s, enum smtp_result result, int code, const char *text)
{
	s->outcome->result = result;
	s->outcome->code = code;
	smtp_flatten(text, s->outcome->reply, sizeof(s->outcome->reply));
}

/* No reply, or one that is none: `result` is what that leaves. */
static enum mt_status
broke(struct sending *s, enum smtp_result result, const char *what)
{
	const struct mt_error *failure = net_error(s->conn->net);

	s->conn->broken = true;
	note(s, result, 0, "");
	return mt_fail(s->err, MT_RETRY_LATER, "%s: %s", what,
	    failure->status != MT_OK ? failure->text
				     : "the answer is not understood");
}

/* A reply that is no success decides: permanent only if the server says so. */
static enum mt_status
denied(struct sending *s, int code, const char *text, const char *what)
{
	bool permanent = code >= 500 && code <= 599;

	if (code == 421)
		s->conn->broken = true;
	note(s, permanent ? SMTP_REFUSED : SMTP_DEFERRED, code, text);
	return mt_fail(s->err, permanent ? MT_REFUSED : MT_RETRY_LATER,
	    "%s: %s answered: %d %.200s", what, net_name(s->conn->net), code,
	    s->outcome->reply);
}

/* What came of a libetpan command. */
static enum mt_status
result(struct sending *s, int code, const char *what)
{
	const mailsmtp *smtp = s->conn->smtp;

	if (code == MAILSMTP_NO_ERROR)
		return MT_OK;
	if (code == MAILSMTP_ERROR_STREAM ||
	    net_error(s->conn->net)->status != MT_OK)
		return broke(s, SMTP_DEFERRED, what);
	return denied(
	    s, smtp->response_code, smtp->response ? smtp->response : "", what);
}

/* Each command gets a budget of its own, all of them one deadline. */
static mailsmtp *
next_command(struct sending *s)
{
	net_begin(s->conn->net, s->deadline, SMTP_REPLY_BYTES);
	return s->conn->smtp;
}

/* Sends one line, and takes any 2xx for success. */
static enum mt_status
say(struct sending *s, const struct buf *line, const char *what)
{
	struct smtp_reply reply = SMTP_REPLY_INIT;
	enum mt_status status;

	if (stream_send(next_command(s)->stream, s->conn->net, buf_text(line),
		NULL) != MT_OK ||
	    smtp_read_reply(s->conn, &reply, NULL) != MT_OK)
		status = broke(s, SMTP_DEFERRED, what);
	else if (reply.code / 100 != 2)
		status = denied(s, reply.code, buf_text(&reply.text), what);
	else
		status = MT_OK;
	smtp_reply_done(&reply);
	return status;
}

/* Whether reports are asked for, and can be. */
static bool
asks_for_reports(const struct sending *s)
{
	return s->conn->offered.dsn && s->envelope->dsn && *s->envelope->dsn;
}

/* ENVID= in xtext (RFC 3461 4), without angle brackets: some servers look for
 * the last one on the line. */
static void
add_envid(struct buf *line, const char *id)
{
	if (!id || !*id || strlen(id) > ENVID_MAX)
		return;
	buf_add_text(line, " ENVID=");
	for (; *id; id++) {
		if (*id == '<' || *id == '>')
			continue;
		if (*id > ' ' && *id <= '~' && *id != '+' && *id != '=')
			buf_add_char(line, *id);
		else
			buf_add_format(line, "+%02X", (unsigned char)*id);
	}
}

static enum mt_status
say_mail(struct sending *s)
{
	const struct smtp_envelope *e = s->envelope;
	struct buf line = BUF_INIT(COMMAND_MAX);
	enum mt_status status;
	char what[300];

	buf_add_format(&line, "MAIL FROM:<%s>", e->mail_from);
	if (s->conn->offered.size)
		buf_add_format(&line, " SIZE=%zu", e->message_len);
	if (e->smtputf8)
		buf_add_text(&line, " SMTPUTF8");
	if (asks_for_reports(s)) {
		buf_add_text(&line, " RET=HDRS");
		add_envid(&line, e->envid);
	}
	buf_add_text(&line, "\r\n");
	snprintf(what, sizeof(what), "cannot send as %s", e->mail_from);
	status = say(s, &line, what);
	buf_done(&line);
	return status;
}

static enum mt_status
say_rcpt(struct sending *s, const char *address)
{
	struct buf line = BUF_INIT(COMMAND_MAX);
	enum mt_status status;
	char what[300];

	buf_add_format(&line, "RCPT TO:<%s>", address);
	if (asks_for_reports(s))
		buf_add_format(&line, " NOTIFY=%s", s->envelope->dsn);
	buf_add_text(&line, "\r\n");
	snprintf(what, sizeof(what), "cannot send to %s", address);
	status = say(s, &line, what);
	buf_done(&line);
	return status;
}

/* Ends a transaction that is open.  Whatever the server says to this, it says
 * of the last message; libetpan takes any reply for success. */
static enum mt_status
begin_anew(struct sending *s)
{
	static const char what[] = "cannot begin another message";
	const mailsmtp *smtp = s->conn->smtp;
	enum mt_status status;

	if (!s->conn->transaction)
		return MT_OK;
	status = result(s, mailsmtp_reset(next_command(s)), what);
	if (status == MT_OK && smtp->response_code / 100 == 2)
		return MT_OK;
	if (status == MT_OK)
		(void)!denied(s, smtp->response_code,
		    smtp->response ? smtp->response : "", what);
	s->conn->broken = true;
	note(s, SMTP_DEFERRED, 0, "");
	if (s->err)
		s->err->status = MT_RETRY_LATER;
	return MT_RETRY_LATER;
}

static enum mt_status
send_envelope(struct sending *s)
{
	const struct smtp_envelope *e = s->envelope;
	enum mt_status status = begin_anew(s);

	if (status != MT_OK)
		return status;
	s->conn->transaction = true;
	status = say_mail(s);
	for (size_t i = 0; status == MT_OK && e->rcpt_to[i]; i++)
		status = say_rcpt(s, e->rcpt_to[i]);
	if (status == MT_OK)
		status = result(s, mailsmtp_data(next_command(s)),
		    "cannot send the message");
	return status;
}

static bool
put(mailstream *stream, const char *data, size_t len)
{
	return mailstream_write(stream, data, len) == (ssize_t)len;
}

/* The lines of the message, a dot doubled that begins one (RFC 5321 section
 * 4.5.2). */
static bool
put_lines(mailstream *stream, const char *text, size_t len)
{
	bool ended = true;

	while (len) {
		const char *end = memchr(text, '\n', len);
		size_t line = end ? (size_t)(end - text) + 1 : len;
		if (*text == '.' && !put(stream, ".", 1))
			return false;
		if (!put(stream, text, line))
			return false;
		ended = end != NULL;
		text += line;
		len -= line;
	}
	return ended || put(stream, "\r\n", 2);
}

static enum mt_status
send_lines(struct sending *s)
{
	mailstream *stream = next_command(s)->stream;

	if (put_lines(stream, s->envelope->message, s->envelope->message_len) &&
	    mailstream_flush(stream) == 0)
		return MT_OK;
	return broke(s, SMTP_DEFERRED, "cannot send the message");
}

/* From here on the server may have taken the message, whatever we hear. */
static enum mt_status
send_dot(struct sending *s)
{
	struct deadline answer = deadline_in_ms(s->envelope->answer_ms);
	struct smtp_reply reply = SMTP_REPLY_INIT;
	enum mt_status status;

	if (answer.at_ms > s->deadline.at_ms)
		s->deadline = answer;
	if (stream_send(next_command(s)->stream, s->conn->net, ".\r\n", NULL) !=
		MT_OK ||
	    smtp_read_reply(s->conn, &reply, NULL) != MT_OK) {
		status = broke(s, SMTP_UNCERTAIN,
		    "the server may or may not have accepted the message");
	} else if (reply.code / 100 == 2) {
		note(s, SMTP_ACCEPTED, reply.code, buf_text(&reply.text));
		status = MT_OK;
	} else {
		status = denied(s, reply.code, buf_text(&reply.text),
		    "cannot send the message");
	}
	s->conn->transaction = false;
	smtp_reply_done(&reply);
	return status;
}

static enum mt_status
check_addresses(const struct smtp_envelope *envelope, struct mt_error *err)
{
	const char *(*guard)(const char *) =
	    envelope->smtputf8 ? guard_utf8_address : guard_address;
	const char *wrong = guard(envelope->mail_from);

	if (wrong)
		return mt_fail(
		    err, MT_BAD_INPUT, "the sender's address %s", wrong);
	if (!envelope->rcpt_to[0])
		return mt_fail(err, MT_BAD_INPUT, "there is no recipient");
	for (size_t i = 0; envelope->rcpt_to[i]; i++) {
		wrong = guard(envelope->rcpt_to[i]);
		if (wrong)
			return mt_fail(err, MT_BAD_INPUT,
			    "the address of recipient %zu %s", i + 1, wrong);
	}
	return MT_OK;
}

/* A CR or LF on its own could end the message early for some servers. */
static enum mt_status
check_message(const char *text, size_t len, struct mt_error *err)
{
	for (size_t i = 0; i < len; i++) {
		bool lone_cr =
		    text[i] == '\r' && (i + 1 == len || text[i + 1] != '\n');
		bool lone_lf =
		    text[i] == '\n' && (i == 0 || text[i - 1] != '\r');
		if (lone_cr || lone_lf || !text[i])
			return mt_fail(err, MT_BAD_INPUT,
			    "the message holds a NUL byte or a line end "
			    "other than CR LF, at byte %zu",
			    i);
	}
	return MT_OK;
}

static enum mt_status
check(const struct smtp_envelope *envelope, struct mt_error *err)
{
	enum mt_status status = check_addresses(envelope, err);

	if (status == MT_OK && envelope->dsn &&
	    strspn(envelope->dsn, "ABCDEFGHIJKLMNOPQRSTUVWXYZ,") !=
		strlen(envelope->dsn))
		return mt_fail(err, MT_BAD_INPUT, "NOTIFY= has no such words");
	if (status == MT_OK)
		status = check_message(
		    envelope->message, envelope->message_len, err);
	return status;
}

/* What the server has announced that it cannot do. */
static enum mt_status
check_offer(struct sending *s)
{
	const struct smtp_extensions *offered = &s->conn->offered;
	const struct smtp_envelope *e = s->envelope;
	char text[300] = "";

	if (e->smtputf8 && !offered->smtputf8)
		snprintf(text, sizeof(text),
		    "%s does not offer SMTPUTF8, without which no address can "
		    "be used that has other letters than ASCII before its "
		    "\"@\"",
		    net_name(s->conn->net));
	else if (offered->size_max && e->message_len > offered->size_max)
		snprintf(text, sizeof(text),
		    "%s takes messages of up to %zu bytes, and this one has "
		    "%zu",
		    net_name(s->conn->net), offered->size_max, e->message_len);
	if (!*text)
		return MT_OK;
	note(s, SMTP_REFUSED, 0, text);
	return mt_fail(s->err, MT_REFUSED, "%s", text);
}

/* After it was accepted: whether something was left out. */
static void
note_missing_reports(struct sending *s)
{
	struct smtp_outcome *o = s->outcome;
	size_t len = strlen(o->reply);

	if (!s->envelope->dsn || !*s->envelope->dsn || asks_for_reports(s))
		return;
	o->without_dsn = true;
	if (len > sizeof(o->reply) - sizeof(NO_REPORTS))
		len = sizeof(o->reply) - sizeof(NO_REPORTS);
	snprintf(o->reply + len, sizeof(o->reply) - len, "%s", NO_REPORTS);
}

enum mt_status
smtp_conn_send(struct smtp_conn *conn, const struct smtp_envelope *envelope,
    enum mt_status (*on_data)(void *context, struct mt_error *err),
    void *context, struct smtp_outcome *ret_outcome, struct deadline deadline,
    struct mt_error *err)
{
	struct sending s = {
	    .conn = conn,
	    .envelope = envelope,
	    .outcome = ret_outcome,
	    .deadline = deadline,
	    .err = err,
	};
	enum mt_status status = check(envelope, err);

	*ret_outcome = (struct smtp_outcome){.result = SMTP_DEFERRED};
	if (status == MT_OK)
		status = check_offer(&s);
	if (status == MT_OK)
		status = send_envelope(&s);
	if (status == MT_OK)
		status = send_lines(&s);
	if (status == MT_OK && on_data) {
		status = on_data(context, err);
		conn->broken = status != MT_OK; /* the server waits for more */
	}
	if (status == MT_OK)
		status = send_dot(&s);
	if (status == MT_OK)
		note_missing_reports(&s);
	return status;
}
