/* SPDX-License-Identifier: ISC */
/*
 * One IMAP command and its answer, line by line, for the commands that are not
 * left to libetpan.
 */
#ifndef MT_MAIL_IMAP_COMMAND_H
#define MT_MAIL_IMAP_COMMAND_H

#include "base/secret.h"
#include "mail/imap_priv.h"

/* Sends a tagged line: `command`, then `secret` (may be NULL). */
enum mt_status imap_command_send(struct imap_conn *conn, const char *command,
    const struct secret *secret, struct mt_error *err) MT_MUST_CHECK;

/* Reads one line, whatever it is; it lives until the next one. */
enum mt_status imap_command_line(struct imap_conn *conn, const char **ret_line,
    struct mt_error *err) MT_MUST_CHECK;

/*
 * Reads up to the tagged reply, or "* BYE".  Untagged lines, and what follows
 * a literal in one, go to `on_untagged` (may be NULL).  If `ret_request` is not
 * NULL, a continuation request ends it too: its text is there then, and NULL
 * otherwise.  What the results point to lives until the next line is read.
 */
enum mt_status imap_command_reply(struct imap_conn *conn,
    void (*on_untagged)(void *context, const char *line), void *context,
    const char **ret_request, struct imap_reply *ret_reply,
    struct mt_error *err) MT_MUST_CHECK;

/* Adds a quoted string (RFC 3501 section 4.3); `text` has passed the guard. */
void imap_command_add_quoted(struct secret *line, const char *text);

/*
 * A mailbox name as the wire has it (mailbox_name.h), ready to be quoted;
 * caller: free().  MT_BAD_INPUT: it cannot be the name of one.
 */
enum mt_status imap_command_wire_name(
    char **ret_wire, const char *name, struct mt_error *err) MT_MUST_CHECK;

/* MT_RETRY_LATER: "host:port WHAT: " and what the reply says. */
enum mt_status imap_command_failed(const struct imap_conn *conn,
    const char *what, const struct imap_reply *reply, struct mt_error *err);

#endif
