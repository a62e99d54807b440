/* SPDX-License-Identifier: ISC */
/*
 * Frames between the MIME client and its worker, both ends.  A frame is one
 * packet of a SOCK_SEQPACKET socket: a byte that says what it is, and what it
 * carries.  The client sends a request with the message's descriptor; the
 * worker answers with frames in any order, and with DONE.  Whether they make
 * sense is for the receiver to judge.
 */
#ifndef MT_MIME_MIME_WIRE_H
#define MT_MIME_MIME_WIRE_H

#include "mime_client.h"
#include "mime_summary.h"

#include "base/deadline.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum mime_frame_kind {
	/* Texts; several frames of one kind are one text. */
	MIME_FRAME_MESSAGE_ID,
	MIME_FRAME_FROM,
	MIME_FRAME_FROM_ADDRESS,
	MIME_FRAME_TO,
	MIME_FRAME_CC,
	MIME_FRAME_SUBJECT,
	MIME_FRAME_DATE,
	MIME_FRAME_DATE_RAW,
	MIME_FRAME_REPLY_TO,
	MIME_FRAME_IN_REPLY_TO,
	MIME_FRAME_REFERENCES,
	MIME_FRAME_BODY_TEXT,
	MIME_FRAME_BODY_HTML,
	MIME_FRAME_TEXTS, /* how many kinds of text there are; no frame */

	MIME_FRAME_ATTACHMENT = 32, /* struct mime_wire_attachment */
	MIME_FRAME_DATA,            /* bytes of the attachment begun last */
	MIME_FRAME_SUMMARY,         /* struct mime_wire_row: its head */
	MIME_FRAME_ROW,             /* struct mime_wire_row, after its head */
	MIME_FRAME_DEFECT,          /* a sentence */
	MIME_FRAME_DONE,            /* flags, one byte */
	MIME_FRAME_READY,           /* the worker is locked down and waits */
	MIME_FRAME_REQUEST,         /* from the client only */
};

/* The flags of MIME_FRAME_DONE */
#define MIME_DONE_TRUNCATED 0x01 /* a limit cut something */
#define MIME_DONE_UNPARSED 0x02  /* nothing but defects */

#define MIME_WIRE_MAX 65536 /* bytes that one frame carries */

/* The limits of what mime_limits does not name, the NUL not counted. */
#define MIME_WIRE_NAME_MAX 1000 /* a sender's file name */
#define MIME_WIRE_TYPE_MAX 255  /* type/subtype, RFC 6838 section 4.2 */
#define MIME_WIRE_ID_MAX 998    /* a Content-ID: one line, RFC 5322 2.1.1 */
#define MIME_WIRE_DEFECT_MAX 300
#define MIME_WIRE_DEFECTS 64

/* Bytes that a summary's frame may carry. */
#define MIME_WIRE_ROW_MAX                                                      \
	(1 + MIME_SUMMARY_TEXTS_MAX * (MIME_SUMMARY_TEXT_LEN + 1))

/* Bytes that an attachment frame may carry. */
#define MIME_WIRE_ATTACHMENT_MAX                                               \
	(1 + MIME_WIRE_TYPE_MAX + MIME_WIRE_ID_MAX + MIME_WIRE_NAME_MAX + 3)

struct mime_wire_attachment {
	bool is_inline;
	bool is_unpacked; /* from the last attachment that is not */
	const char *content_type;
	const char *content_id;
	const char *original_filename;
};

struct mime_frame {
	enum mime_frame_kind kind;
	const void *data;
	size_t len;
};

/* Sends one frame.  Blocks until the peer has room; false if it is gone. */
bool mime_wire_send(int fd, enum mime_frame_kind kind, const void *data,
    size_t len) MT_MUST_CHECK;

/* Writes an attachment frame's contents into `out`, which has
 * MIME_WIRE_ATTACHMENT_MAX bytes; each text is within its limit.  Returns the length. */
size_t mime_wire_put_attachment(
    uint8_t *out, const struct mime_wire_attachment *attachment);

/* Takes it apart in place.  False if it is malformed. */
bool mime_wire_get_attachment(const struct mime_frame *frame,
    struct mime_wire_attachment *ret_attachment) MT_MUST_CHECK;

/* The texts of a summary's head, or of one of its rows. */
struct mime_wire_row {
	enum mime_summary_kind kind;
	const char *texts[MIME_SUMMARY_TEXTS_MAX];
};

/* Writes a summary's frame into `out`, which has MIME_WIRE_ROW_MAX bytes: the
 * first `count` texts, each within MIME_SUMMARY_TEXT_LEN.  Returns the length. */
size_t mime_wire_put_row(
    uint8_t *out, const struct mime_wire_row *row, size_t count);

/* Takes a MIME_FRAME_SUMMARY or MIME_FRAME_ROW apart in place: as many texts as
 * its kind has.  False if it is malformed. */
bool mime_wire_get_row(const struct mime_frame *frame,
    struct mime_wire_row *ret_row) MT_MUST_CHECK;

enum mime_wire_result {
	MIME_WIRE_FRAME,   /* there is one */
	MIME_WIRE_CLOSED,  /* the peer is gone */
	MIME_WIRE_LATE,    /* the deadline has passed */
	MIME_WIRE_GARBAGE, /* it is no frame */
};

/* Receives one frame into `buffer`, which has MIME_WIRE_MAX + 1 bytes and which
 * *ret_frame points into.  Blocks until `deadline` at most. */
enum mime_wire_result mime_wire_receive(int fd, uint8_t *buffer,
    struct mime_frame *ret_frame, struct deadline deadline) MT_MUST_CHECK;

/* Sends a request.  False if the peer is gone. */
bool mime_wire_send_request(
    int fd, int message_fd, const struct mime_limits *limits) MT_MUST_CHECK;

/* Waits for a request.  False if the peer is gone or talks nonsense; otherwise
 * the caller closes *ret_message_fd. */
bool mime_wire_receive_request(
    int fd, int *ret_message_fd, struct mime_limits *ret_limits) MT_MUST_CHECK;

#endif
