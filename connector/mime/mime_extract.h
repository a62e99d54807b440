/* SPDX-License-Identifier: ISC */
/*
 * Takes one message apart with GMime and says what is in it, as frames.
 *
 * Which part is what:
 *  - The body texts are the text/plain and text/html parts without a file name
 *    and with no disposition but inline; several of one kind are joined.  In
 *    multipart/alternative, and when it is the whole message, a part with a
 *    name is body, too; of the whole message also any other text/ type.
 *  - Everything else is an attachment: inline pictures, text with a name,
 *    calendars, signatures, delivery reports.  message/rfc822 is one, with
 *    exactly the bytes that came; it is not opened.  What is inside of TNEF
 *    follows it as further attachments.
 *  - The first delivery report and the first calendar with a METHOD are summed
 *    up as well.
 *  - Text is decoded and converted to UTF-8 with LF as line end, and
 *    without control characters but tab, LF and form feed.  format=flowed
 *    (RFC 3676) is left as it is: what is lost by not joining lines is less
 *    than what is lost by joining wrong ones.
 */
#ifndef MT_MIME_MIME_EXTRACT_H
#define MT_MIME_MIME_EXTRACT_H

#include "mime_client.h"
#include "mime_wire.h"

#include <stdbool.h>

/* Passes one frame on.  False: nobody listens any more, stop. */
typedef bool (*mime_extract_emit)(
    void *context, enum mime_frame_kind kind, const void *data, size_t len);

/* Sets GMime and libical up, once in a process, before the first message and
 * before the lock-down. */
void mime_extract_init(void);

/*
 * Parses the message in the regular file `fd`, from its start (its offset
 * moves), and emits all that it has; DONE is the last.  Never fails, but may
 * crash, or run out of memory and abort: it needs a process of its own.
 */
void mime_extract(int fd, const struct mime_limits *limits,
    mime_extract_emit emit, void *context);

#endif
