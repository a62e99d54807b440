/* SPDX-License-Identifier: ISC */
/*
 * The attachments of a draft, as its member "attachments" lists them:
 *
 *     path | content_base64     where the content is: one of the two
 *     filename                  what the recipient sees; with path, the last
 *                               part of it serves
 *     content_type              such as application/pdf
 *     sha256                    of the content, 64 hexadecimal digits
 *
 * This unit opens no file: draft_source does, and hands the content over.
 */
#ifndef MT_OUTBOUND_ATTACHMENT_H
#define MT_OUTBOUND_ATTACHMENT_H

#include "base/status.h"

#include <stddef.h>

#define ATTACHMENTS_MAX 100                      /* in one draft */
#define ATTACHMENTS_BYTES_MAX (25 * 1024 * 1024) /* of all contents together */
#define ATTACHMENT_NAME_MAX 2048                 /* bytes */

struct json_object;

struct attachment {
	char *path;         /* as written; NULL: the content was in the draft */
	char *filename;     /* UTF-8 without control characters and "/" */
	char *content_type; /* type/subtype[; charset=...], lower case */
	char *sha256;       /* lower case; NULL: none was given */
	void *bytes;        /* NULL until it is read */
	size_t len;
};

struct attachment_list {
	struct attachment *items;
	size_t count;
};

void attachment_list_done(struct attachment_list *list);

/*
 * Reads the member's value (NULL: there is none).  What is no usable content
 * type becomes application/octet-stream.  MT_BAD_INPUT: the text begins with
 * "attachment <n>" (from 1), or "attachments".
 */
enum mt_status attachment_list_parse(struct attachment_list *ret_list,
    struct json_object *value, struct mt_error *err) MT_MUST_CHECK;

/* How many bytes more the contents may have. */
size_t attachment_list_room(const struct attachment_list *list);

/*
 * Gives the attachment its content, which is taken over (malloc), also when
 * this fails.  MT_BAD_INPUT: it is not what its sha256 says, or all of them
 * together have become too large.
 */
enum mt_status attachment_set_content(struct attachment_list *list,
    size_t index, void *bytes, size_t len, struct mt_error *err) MT_MUST_CHECK;

#endif
