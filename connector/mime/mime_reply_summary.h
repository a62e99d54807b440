/* SPDX-License-Identifier: ISC */
/* The share of mime_reply that builds summaries.  Trusts nothing, as that. */
#ifndef MT_MIME_MIME_REPLY_SUMMARY_H
#define MT_MIME_MIME_REPLY_SUMMARY_H

#include "mime_summary.h"
#include "mime_wire.h"

#include "base/status.h"

/*
 * Takes a MIME_FRAME_SUMMARY, of which there is one of a kind, or one of its
 * rows; `attachment` is the number of the attachment that came last.  Fails
 * with MT_BAD_INPUT, when no worker of ours says this, or MT_NO_MEMORY.
 */
enum mt_status mime_reply_summary_take(
    struct mime_summary summaries[MIME_SUMMARIES],
    const struct mime_frame *frame, size_t attachment) MT_MUST_CHECK;

#endif
