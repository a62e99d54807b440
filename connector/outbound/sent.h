/* SPDX-License-Identifier: ISC */
/*
 * The copy of a sent message at the IMAP server: finds it, or files it.
 */
#ifndef MT_OUTBOUND_SENT_H
#define MT_OUTBOUND_SENT_H

#include "base/deadline.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

struct imap_conn;

struct sent_message {
	const char *message_id; /* with its angle brackets */
	/* The Message-ID that the server's reply to DATA named, with brackets
	 * or without; "": none. */
	const char *server_id;
	time_t date; /* that of the Date field; becomes the INTERNALDATE */
	/* The message itself, to file it, and to know it again by the Date,
	 * To, Cc and Subject in its header. */
	const void *bytes;
	size_t len;
};

/*
 * Looks for the message in Sent (`mailbox_override`, UTF-8, or NULL: the
 * server's) and then in \All, where there is one: by its Message-ID, by the
 * server's, or, as servers replace that, by the same second, recipients (To
 * and Cc) and subject, all three.
 *
 * MT_OK: *ret_found is the whole answer.  Anything else: the question was not
 * answered, and nothing may be concluded.
 */
enum mt_status sent_find(struct imap_conn *conn, const char *mailbox_override,
    const struct sent_message *message, bool *ret_found,
    struct deadline deadline, struct mt_error *err) MT_MUST_CHECK;

/*
 * Files the message in Sent, as read, unless it is there already: by the two
 * Message-IDs only, as where we file nobody replaces them, and the third way
 * reads the headers of three days.  Creates the mailbox if need be.  MT_OK: it is there.  MT_REFUSED: the server will not
 * have it.  MT_RETRY_LATER: it may be there or not; calling again, with another
 * connection if this one is not usable any more, finds out.
 */
enum mt_status sent_file(struct imap_conn *conn, const char *mailbox_override,
    const struct sent_message *message, struct deadline deadline,
    struct mt_error *err) MT_MUST_CHECK;

#endif
