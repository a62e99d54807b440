/* SPDX-License-Identifier: ISC */
/*
 * Builds a struct mime_message and the attachments' files from what the worker
 * says about one message.  Trusts nothing: kinds, sizes, counts, order, UTF-8
 * and names are checked, the names on disk, sizes and hashes are made here.
 */
#ifndef MT_MIME_MIME_REPLY_H
#define MT_MIME_MIME_REPLY_H

#include "mime_client.h"
#include "mime_wire.h"

#include "base/status.h"

struct mime_reply;

enum mime_reply_state {
	MIME_REPLY_MORE,    /* go on */
	MIME_REPLY_DONE,    /* the message is whole */
	MIME_REPLY_GARBAGE, /* no worker of ours says this */
	MIME_REPLY_FAILED,  /* our own failure: disk or memory */
};

/* `limits` outlives it; `dir_fd` stays the caller's.  NULL: no memory. */
struct mime_reply *mime_reply_new(int dir_fd, const struct mime_limits *limits);

/* The files that were written stay. */
void mime_reply_free(struct mime_reply **reply);

/* Removes the files that were written. */
void mime_reply_discard(struct mime_reply *reply);

/* Takes one frame.  `err` is filled when MIME_REPLY_FAILED is returned. */
enum mime_reply_state mime_reply_take(struct mime_reply *reply,
    const struct mime_frame *frame, struct mt_error *err) MT_MUST_CHECK;

/* Moves the message out, after MIME_REPLY_DONE. */
enum mt_status mime_reply_finish(struct mime_reply *reply,
    struct mime_message *ret_message, struct mt_error *err) MT_MUST_CHECK;

#endif
