/* SPDX-License-Identifier: ISC */
/*
 * One command that changes or searches something, and its answer: what the
 * units that do so have in common.  Line by line, not by libetpan, whose parser
 * ends the connection at the first response that it does not know
 * (imap_gate.h).
 */
#ifndef MT_MAIL_IMAP_ASK_H
#define MT_MAIL_IMAP_ASK_H

#include "mail/imap_priv.h"

/* Sends `command`, the mailbox name `wire` (quoted; NULL: none), and `rest`
 * (NULL: none). */
enum mt_status imap_ask_send(struct imap_conn *conn, const char *command,
    const char *wire, const char *rest, struct mt_error *err) MT_MUST_CHECK;

/* Takes the untagged lines.  `inside`: the line belongs to the response of the
 * line before, and begins with inside->bytes of a literal; else it is NULL. */
struct imap_ask_taker {
	void *context;
	void (*take)(
	    void *context, const char *line, const struct imap_literal *inside);
};

/*
 * Reads up to the tagged reply; `taker` may be NULL, and ret_request is as in
 * imap_command_reply.  MT_OK: the server answered OK (or requests what is to
 * follow).  MT_REFUSED and MT_RETRY_LATER with a connection that is still
 * usable: it answered NO or BAD; "WHAT: host:port answered: text".
 */
enum mt_status imap_ask_reply(struct imap_conn *conn, const char *what,
    const struct imap_ask_taker *taker, const char **ret_request,
    struct imap_reply *ret_reply, struct mt_error *err) MT_MUST_CHECK;

/* Both: begins, sends, reads the reply. */
struct imap_ask {
	const char *command, *wire, *rest;
	const char *what; /* "cannot do this" */
	const struct imap_ask_taker *taker;
	size_t max_bytes; /* of the answer */
};

enum mt_status imap_ask_run(struct imap_conn *conn, const struct imap_ask *ask,
    struct imap_reply *ret_reply, struct deadline deadline,
    struct mt_error *err) MT_MUST_CHECK;

#endif
