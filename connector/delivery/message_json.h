/* SPDX-License-Identifier: ISC */
/*
 * The bytes of `message.json`: UTF-8, pretty with two spaces, no final line
 * end.  The gateway's contract names the keys uid, message_id, from, to, cc,
 * subject, date, body_text, body_html, headers and attachments, all text, an
 * absent one "".  Everything else is an addition that readers may ignore;
 * docs/message-json.md describes each key.
 */
#ifndef MT_DELIVERY_MESSAGE_JSON_H
#define MT_DELIVERY_MESSAGE_JSON_H

#include "mime/mime_client.h"

#include "base/buf.h"
#include "base/status.h"

#include <stdint.h>

/* Where a message came from. */
struct message_origin {
	const char *handle; /* the name of its directory: `uid` */
	uint32_t imap_uid;
	uint32_t uidvalidity;
	uint64_t message_size; /* bytes, as it came */
};

/* Appends the JSON text to `json`, whose maximum bounds it.  Fails with
 * MT_NO_MEMORY when it does not fit, too. */
enum mt_status message_json_write(struct buf *json,
    const struct mime_message *message, const struct message_origin *origin,
    struct mt_error *err) MT_MUST_CHECK;

#endif
