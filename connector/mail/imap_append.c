/* SPDX-License-Identifier: ISC */
#include "mail/imap_append.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mail/imap_ask.h"
#include "mail/imap_command.h"
#include "mail/imap_mailboxes.h"
#include "net/guard.h"

#define ANSWER_BYTES 65536
#define WHAT "cannot file the message"

struct append {
	struct imap_conn *conn;
	const char *wire, *rest;
	const void *bytes;
	size_t len;
	bool try_create; /* the server said [TRYCREATE] */
};

/* The bytes, right out of the caller's memory. */
static enum mt_status
send_literal(const struct append *a, struct mt_error *err)
{
	mailstream *stream = a->conn->imap->imap_stream;
	const struct mt_error *failure = net_error(a->conn->net);

	if (mailstream_write(stream, a->bytes, a->len) == (ssize_t)a->len &&
	    mailstream_write(stream, "\r\n", 2) == 2 &&
	    mailstream_flush(stream) == 0)
		return MT_OK;
	a->conn->broken = true;
	if (failure->status == MT_OK)
		return mt_fail(err, MT_NO_MEMORY, "out of memory");
	return mt_fail(err, failure->status, WHAT ": %s", failure->text);
}

/*
 * A server must ask for the bytes before they go out (no LITERAL+, RFC 7888):
 * what it would refuse need not be sent, and is not in doubt.
 */
static enum mt_status
ask_to_send(struct append *a, struct mt_error *err)
{
	const char *request = NULL;
	struct imap_reply reply;
	enum mt_status status =
	    imap_ask_send(a->conn, "APPEND ", a->wire, a->rest, err);

	if (status != MT_OK)
		return status;
	status = imap_ask_reply(a->conn, WHAT, NULL, &request, &reply, err);
	if (request)
		return MT_OK;
	if (status == MT_OK) {
		a->conn->broken = true;
		return mt_fail(err, MT_RETRY_LATER,
		    WHAT ": %s answered before it had it",
		    net_name(a->conn->net));
	}
	a->try_create = imap_conn_is_usable(a->conn) &&
			strcasecmp(reply.code, "TRYCREATE") == 0;
	return status;
}

static enum mt_status
append(struct append *a, struct imap_place *ret_place, struct deadline deadline,
    struct mt_error *err)
{
	struct imap_reply reply = {0};
	enum mt_status status;

	a->try_create = false;
	imap_conn_begin(a->conn, deadline, ANSWER_BYTES);
	status = ask_to_send(a, err);
	if (status != MT_OK)
		return status;
	status = send_literal(a, err);
	if (status != MT_OK)
		return status;
	status = imap_ask_reply(a->conn, WHAT, NULL, NULL, &reply, err);
	if (status == MT_OK)
		(void)!imap_place_appended(&reply, ret_place);
	else
		/* some servers look only now */
		a->try_create = imap_conn_is_usable(a->conn) &&
				strcasecmp(reply.code, "TRYCREATE") == 0;
	return status;
}

/* Flags come from the program, so a wrong one is a bug, not an attack. */
static bool
are_flags(const char *flags)
{
	return strspn(flags, "\\$ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			     "abcdefghijklmnopqrstuvwxyz ") == strlen(flags);
}

/* " (flags) "date" {len}" */
static void
describe(char ret_rest[256], const char *flags, time_t date, size_t len)
{
	static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May",
	    "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	char when[64] = "";
	struct tm tm;

	/* in C a year may have more than four digits */
	if (date > 0 && gmtime_r(&date, &tm) && tm.tm_year < 8000)
		snprintf(when, sizeof(when),
		    "\"%2d-%s-%04d %02d:%02d:%02d +0000\" ", tm.tm_mday,
		    months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min,
		    tm.tm_sec);
	snprintf(ret_rest, 256, " %s%s%s%s{%zu}", *flags ? "(" : "", flags,
	    *flags ? ") " : "", when, len);
}

enum mt_status
imap_conn_append(struct imap_conn *conn, const char *mailbox, const char *flags,
    time_t date, const void *bytes, size_t len, struct imap_place *ret_place,
    struct deadline deadline, struct mt_error *err)
{
	struct append a = {.conn = conn, .bytes = bytes, .len = len};
	struct imap_place place = {0};
	char *wire = NULL, rest[256];
	enum mt_status status;
	bool existed;

	if (!are_flags(flags) || strlen(flags) > 100)
		return mt_fail(err, MT_BUG, "no flags: %.100s", flags);
	if (!len || memchr(bytes, '\0', len))
		return mt_fail(err, MT_BAD_INPUT,
		    "a message that is empty or has a NUL cannot be filed");
	status = imap_command_wire_name(&wire, mailbox, err);
	if (status != MT_OK)
		return status;
	describe(rest, flags, date, len);
	a.wire = wire;
	a.rest = rest;
	status = append(&a, &place, deadline, err);
	if (status != MT_OK && a.try_create) {
		status =
		    imap_conn_create(conn, mailbox, &existed, deadline, err);
		if (status == MT_OK)
			status = append(&a, &place, deadline, err);
	}
	free(wire);
	*ret_place = place;
	return status;
}
