/* SPDX-License-Identifier: ISC */
/*
 * The attributes of a TNEF stream ([MS-OXTNEF] section 2.1.3) as they lie in
 * memory: lengths are checked, contents are not read.  For the worker only.
 */
#ifndef MT_MIME_MIME_TNEF_STREAM_H
#define MT_MIME_MIME_TNEF_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum mime_tnef_id {
	MIME_TNEF_BODY = 0x0002800c,
	MIME_TNEF_ATTACH_DATA = 0x0006800f,
	MIME_TNEF_ATTACH_TITLE = 0x00018010,
	MIME_TNEF_ATTACH_REND_DATA = 0x00069002, /* an attachment begins */
	MIME_TNEF_MESSAGE_PROPS = 0x00069003,
	MIME_TNEF_ATTACH_PROPS = 0x00069005,
	MIME_TNEF_CODE_PAGE = 0x00069007,
};

struct mime_tnef_attribute {
	uint32_t id;
	const uint8_t *data;
	size_t len;
	bool is_intact; /* its checksum is right */
};

struct mime_tnef_stream {
	const uint8_t *p;
	const uint8_t *end;
	bool is_cut; /* the stream ended within an attribute */
};

#define MIME_TNEF_HEADER_LEN 6 /* signature and key */

uint32_t mime_tnef_u32(const uint8_t *p);
uint16_t mime_tnef_checksum(const uint8_t *data, size_t len);

/* Begins to read; false if it is no TNEF. */
bool mime_tnef_stream_open(
    struct mime_tnef_stream *stream, const uint8_t *bytes, size_t len);

/* Takes the next attribute; false at the end. */
bool mime_tnef_stream_next(
    struct mime_tnef_stream *stream, struct mime_tnef_attribute *ret_attribute);

#endif
