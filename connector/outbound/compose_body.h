/* SPDX-License-Identifier: ISC */
/*
 * What follows the header of a message (RFC 2045, 2046), by what the draft
 * has: text, text and HTML beside each other, and in front of attachments.
 */
#ifndef MT_OUTBOUND_COMPOSE_BODY_H
#define MT_OUTBOUND_COMPOSE_BODY_H

#include "base/buf.h"
#include "base/status.h"

struct draft;

#define COMPOSE_BOUNDARY_MAX 40 /* the NUL counted */

struct compose_body {
	const struct draft *draft;
	char mixed[COMPOSE_BOUNDARY_MAX];
	char alternative[COMPOSE_BOUNDARY_MAX];
};

/* Chooses boundaries, which follow from the Message-ID and occur in no part. */
enum mt_status compose_body_plan(struct compose_body *ret_body,
    const struct draft *draft, const char *message_id,
    struct mt_error *err) MT_MUST_CHECK;

/* Appends the header field Content-Type. */
void compose_body_add_type(struct buf *out, const struct compose_body *body);

/* Appends Content-Transfer-Encoding, if it needs one, the empty line, and the
 * body.  MT_BAD_INPUT: the message becomes longer than out->max. */
enum mt_status compose_body_add(struct buf *out,
    const struct compose_body *body, struct mt_error *err) MT_MUST_CHECK;

#endif
