/* SPDX-License-Identifier: ISC */
/*
 * Opens a file that somebody else named, beneath a directory and nowhere else:
 * no "..", no symbolic link on the way or at its end, nothing of /proc, and
 * nothing but a regular file, so that neither a FIFO nor a device is waited
 * for.
 */
#ifndef MT_OUTBOUND_BENEATH_H
#define MT_OUTBOUND_BENEATH_H

#include "base/buf.h"

/*
 * Opens `path` (relative; `directory` may be AT_FDCWD) for reading.  Returns
 * the descriptor, or -1 with errno: EXDEV where the path leads out of the
 * directory or over a symbolic link, EISDIR, EINVAL for what is no regular
 * file, or what open(2) says.
 */
int beneath_open(int directory, const char *path);

/*
 * Reads all of a file; buf_ok() is false if it is longer than b->max.  False
 * with errno: it cannot be read.
 */
bool beneath_read(int fd, struct buf *b);

#endif
