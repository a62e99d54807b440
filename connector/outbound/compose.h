/* SPDX-License-Identifier: ISC */
/*
 * Turns a draft into the bytes that are sent (RFC 5322, MIME) and the envelope
 * they are sent in.
 *
 * The encoders are our own (header, encoding) and not GMime's: all that is
 * needed is a tree of three known shapes, while GMime would bring GLib, its own
 * choice of charsets and a second pass for line ends into the process that
 * holds the credentials.  Received mail never comes here.
 */
#ifndef MT_OUTBOUND_COMPOSE_H
#define MT_OUTBOUND_COMPOSE_H

#include "base/buf.h"
#include "base/status.h"
#include "draft.h"

#include <stdbool.h>
#include <time.h>

#define COMPOSE_MESSAGE_MAX (40 * 1024 * 1024)
#define COMPOSE_MESSAGE_ID_MAX 320 /* bytes, the NUL counted */

/*
 * Makes a Message-ID that nobody made before: <32 hex digits@domain of
 * `from`>.  MT_RETRY_LATER: no random numbers.
 */
enum mt_status compose_message_id(char ret_id[COMPOSE_MESSAGE_ID_MAX],
    const struct address *from, struct mt_error *err) MT_MUST_CHECK;

/*
 * Appends the message to `ret_message` (BUF_INIT(COMPOSE_MESSAGE_MAX)): CRLF
 * line ends, at most 998 bytes a line, no Bcc.  The same arguments give the
 * same bytes.  A reply's References end with what it is In-Reply-To (RFC 5322
 * 3.6.4).
 *
 * Every byte is 7-bit, so that 8BITMIME is never needed; the one exception are
 * addresses that need SMTPUTF8, which stand in the header as they are (RFC
 * 6532).  MT_BAD_INPUT: it would be longer than COMPOSE_MESSAGE_MAX.
 */
enum mt_status compose_message(struct buf *ret_message,
    const struct draft *draft, const struct address *from,
    const char *message_id, time_t date, struct mt_error *err) MT_MUST_CHECK;

/*
 * The recipients in To, Cc and Bcc, each once, ended by NULL.  The strings are
 * the draft's, the array is the caller's to free.  NULL: no memory.
 */
const char **compose_recipients(const struct draft *draft) MT_MUST_CHECK;

/* Whether any address in the envelope or the header needs SMTPUTF8. */
bool compose_needs_smtputf8(
    const struct draft *draft, const struct address *from);

#endif
