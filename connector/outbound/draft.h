/* SPDX-License-Identifier: ISC */
/*
 * Reads a draft: the JSON object in which an agent or a person writes a
 * message.
 *
 *     to, subject, body         required, not empty
 *     cc, bcc, reply_to         optional: addresses, as to
 *     in_reply_to, references   optional: message ids
 *     body_html                 optional: the same in HTML, beside body
 *     attachments               optional: an array (attachment.h)
 *     dsn                       optional: "never", or which reports the sender
 *                               asks for (RFC 3461): "success", "failure",
 *                               "delay", several as addresses are
 *
 * Addresses are text, several separated by commas, or an array of such texts.
 * null and "" are as good as absent.  Other fields are refused, because what
 * is not sent must not be dropped in silence.
 *
 * A draft is written by somebody who may be tricked by mail: nothing in it can
 * add a header field, a recipient or an SMTP command.
 */
#ifndef MT_OUTBOUND_DRAFT_H
#define MT_OUTBOUND_DRAFT_H

#include "address.h"
#include "attachment.h"
#include "base/status.h"

#include <stddef.h>

#define DRAFT_MAX (1024 * 1024) /* bytes of JSON */

/* All text is UTF-8; there are no control characters but in the bodies. */
struct draft {
	struct address_list to;
	struct address_list cc;
	struct address_list bcc;
	struct address_list reply_to;
	char *subject;
	char *body;
	char *body_html;   /* "" if none */
	char *in_reply_to; /* "<id> <id>", "" if none; each id <= 900 bytes */
	char *references;
	struct attachment_list attachments;
	char dsn[32]; /* for NOTIFY=: "NEVER" or "SUCCESS,FAILURE,DELAY"; "" */
};

void draft_done(struct draft *draft);

/*
 * Checks and takes apart the draft in `json`; attachments by path have no
 * content yet (draft_source reads them).  MT_BAD_INPUT with, in this
 * order: "invalid JSON in draft file", "missing required field: <f>", "empty
 * required field: <f>" (to, subject, body), "email address must be a string",
 * "invalid email address: <a>" (to, cc), then what else is wrong.
 */
enum mt_status draft_parse(struct draft *ret_draft, const char *json,
    size_t len, struct mt_error *err) MT_MUST_CHECK;

#endif
