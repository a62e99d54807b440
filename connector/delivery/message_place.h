/* SPDX-License-Identifier: ISC */
/*
 * Says in a message.json where the message is now.  The text may have been
 * written by anybody: it is read once, strictly forward and without a tree, and
 * all that does not say where the message is stays as it is, byte for byte.
 * Pure.
 */
#ifndef MT_DELIVERY_MESSAGE_PLACE_H
#define MT_DELIVERY_MESSAGE_PLACE_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct message_place {
	const char *handle;
	uint32_t imap_uid; /* 0: not known */
	uint32_t uidvalidity;
};

/*
 * Appends to `out` the text with other values of "uid", "imap_uid" and
 * "uidvalidity", as far as its outermost object has them as text.  False: it
 * is no object with a "uid", or does not fit.
 */
bool message_place_set(struct buf *out, const char *text, size_t len,
    const struct message_place *place);

#endif
