/* SPDX-License-Identifier: ISC */
#include "emit_file.h"

#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum mt_status
emit_file_create(struct emit_file *file, const char *path, struct mt_error *err)
{
	int fd = open(
	    path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0 && errno == EEXIST)
		return mt_fail(err, MT_BAD_INPUT,
		    "%s exists already; name a new file for the refresh token",
		    path);
	if (fd < 0)
		return mt_fail_errno(
		    err, MT_BAD_INPUT, errno, "cannot make %s", path);
	*file = (struct emit_file){path, fd};
	return MT_OK;
}

static enum mt_status
sync_parent(const char *path, struct mt_error *err)
{
	char *copy = strdup(path);
	enum mt_status status;

	if (!copy)
		return mt_fail(err, MT_NO_MEMORY, "no memory for a path");
	status = fs_sync_dir(dirname(copy), err);
	free(copy);
	return status;
}

enum mt_status
emit_file_keep(struct emit_file *file, struct mt_error *err)
{
	struct stat info;

	if (fstat(file->fd, &info) || fsync(file->fd))
		return mt_fail_errno(
		    err, MT_RETRY_LATER, errno, "cannot write %s", file->path);
	if (info.st_size == 0)
		return mt_fail(err, MT_UNREACHABLE,
		    "the token helper wrote no refresh token to %s",
		    file->path);
	close(file->fd);
	file->fd = -1;
	return sync_parent(file->path, err);
}

void
emit_file_remove(struct emit_file *file)
{
	struct stat ours, there;

	if (file->fd < 0)
		return;
	if (fstat(file->fd, &ours) == 0 && lstat(file->path, &there) == 0 &&
	    ours.st_dev == there.st_dev && ours.st_ino == there.st_ino)
		unlink(file->path);
	close(file->fd);
	file->fd = -1;
}
