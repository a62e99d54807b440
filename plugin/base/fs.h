/* SPDX-License-Identifier: ISC */
/*
 * Durable small files: read whole, replace atomically, make directories.
 * Everything here blocks for as long as the disk does.
 */
#ifndef MT_BASE_FS_H
#define MT_BASE_FS_H

#include "buf.h"
#include "status.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * Reads the file at `path`, to its end, into `b` (whose maximum bounds it).
 * A missing file is MT_OK with *ret_found false; `ret_found` may be NULL, then
 * it is an error as any other (MT_BAD_CONFIG).
 */
enum mt_status fs_read(struct buf *b, const char *path, bool *ret_found,
    struct mt_error *err) MT_MUST_CHECK;

/* write(2) until all is written.  0, or -1 with errno. */
int fs_write_all(int fd, const void *data, size_t len);

/* Makes the entries of the directory `path` durable. */
enum mt_status fs_sync_dir(const char *path, struct mt_error *err);

/*
 * Replaces the file at `path` by `data`, durably: temporary file beside it,
 * fsync, rename, fsync of the directory.  The old contents survive any failure.
 * Fails with MT_RETRY_LATER (a full disk may become free).
 */
enum mt_status fs_replace(const char *path, const void *data, size_t len,
    mode_t mode, struct mt_error *err) MT_MUST_CHECK;

/* Makes a directory and its missing parents, each with `mode`, durably. */
enum mt_status fs_make_dirs(
    const char *path, mode_t mode, struct mt_error *err) MT_MUST_CHECK;

/*
 * Whether a regular file is in nobody's hand but root's and our own user's: it,
 * and the directories that it lies in, must belong to them, and nobody else may
 * write there.  *ret_real is its path without symbolic links, to be used instead:
 * they may be changed at any time.  MT_BAD_CONFIG says what is in the way.
 */
enum mt_status fs_check_kept(const char *path, char ret_real[PATH_MAX],
    struct mt_error *err) MT_MUST_CHECK;

#endif
