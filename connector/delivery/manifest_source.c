/* SPDX-License-Identifier: ISC */
#include "delivery/manifest_source.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

#define SIZE_MAX_BYTES (512 * 1024 * 1024)
#define SETTLE_LOOKS 20 /* a millisecond each; the clock moves every 1 to 10 */

void
manifest_source_close(struct manifest_source *s)
{
	if (s->fd >= 0)
		close(s->fd);
	*s = (struct manifest_source)MANIFEST_SOURCE_INIT;
}

static bool
same_state(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino &&
	       a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static bool
is_before(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec < b->tv_sec ||
	       (a->tv_sec == b->tv_sec && a->tv_nsec < b->tv_nsec);
}

/*
 * A file is written at a time of a clock that moves every few milliseconds.  One
 * that was written in the present step could be written again and look the same.
 */
static int
look(int fd, struct stat *ret_info)
{
	struct timespec now;

	for (int i = 0; i < SETTLE_LOOKS; i++) {
		if (clock_gettime(CLOCK_REALTIME_COARSE, &now) ||
		    fstat(fd, ret_info))
			return -1;
		if (is_before(&ret_info->st_mtim, &now))
			return 0;
		poll(NULL, 0, 1);
	}
	return 0; /* written in the future: the clock was set */
}

static enum mt_status
fail_read(int error, struct mt_error *err)
{
	return mt_fail_errno(err,
	    error == ELOOP || error == EACCES ? MT_BAD_CONFIG : MT_RETRY_LATER,
	    error, "cannot read " MANIFEST_PATH " in the workspace");
}

static enum mt_status
find(struct manifest_source *s, struct mt_error *err)
{
	if (look(s->fd, &s->found))
		return fail_read(errno, err);
	if (!S_ISREG(s->found.st_mode) || s->found.st_size > SIZE_MAX_BYTES)
		return mt_fail(err, MT_BAD_CONFIG,
		    MANIFEST_PATH " in the workspace is no file, or far too "
				  "large");
	return MT_OK;
}

enum mt_status
manifest_source_open(struct manifest_source *s,
    const struct publish_folder *folder, struct mt_error *err)
{
	enum mt_status status;

	manifest_source_close(s);
	s->fd = openat(folder->fd, MANIFEST_NAME,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (s->fd < 0)
		return errno == ENOENT ? MT_OK : fail_read(errno, err);
	status = find(s, err);
	s->place = s->found;
	return status;
}

ssize_t
manifest_source_read(void *context, void *data, size_t len, off_t at)
{
	const struct manifest_source *s = context;

	return pread(s->fd, data, len, at);
}

bool
manifest_source_is_current(
    const struct manifest_source *s, const struct publish_folder *folder)
{
	struct stat info;

	if (fstatat(folder->fd, MANIFEST_NAME, &info, AT_SYMLINK_NOFOLLOW))
		return errno == ENOENT && s->fd < 0;
	return s->fd >= 0 && same_state(&info, &s->place);
}

bool
manifest_source_was_written(const struct manifest_source *s)
{
	struct stat info;

	return s->fd >= 0 && !fstat(s->fd, &info) &&
	       !same_state(&info, &s->found);
}

void
manifest_source_displace(
    struct manifest_source *s, const struct publish_folder *folder)
{
	s->displaced =
	    !fstatat(folder->fd, MANIFEST_NAME, &s->place, AT_SYMLINK_NOFOLLOW);
}

enum mt_status
manifest_source_renew(struct manifest_source *s,
    const struct publish_folder *folder, struct mt_error *err)
{
	if (s->displaced && manifest_source_is_current(s, folder))
		return find(s, err);
	return manifest_source_open(s, folder, err);
}
