/* SPDX-License-Identifier: ISC */
/*
 * Looks at a message's header as lines, before and beside the parser, for what
 * the parser passes over in silence.  (GMime can be asked for warnings, but
 * then takes quadratic time over a field with many parameters.)  For the worker
 * only.
 */
#ifndef MT_MIME_MIME_BLOCK_H
#define MT_MIME_MIME_BLOCK_H

#include "mime_report.h"

#include <sys/types.h>

/* Where in the file the header starts: after the separator line of a mailbox
 * file that some program has left at the top, which is no field. */
off_t mime_block_start(struct mime_report *report, int fd);

/* Reports lines that are no fields and NUL characters from the offset `start`
 * to `end`, or to the end of the file if that is -1. */
void mime_block_check(
    struct mime_report *report, int fd, off_t start, off_t end);

#endif
