/* SPDX-License-Identifier: ISC */
#include "fs.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum mt_status
read_to_end(struct buf *b, int fd, const char *path, struct mt_error *err)
{
	char chunk[4096];
	ssize_t n;

	buf_reset(b);
	while ((n = read(fd, chunk, sizeof(chunk))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return mt_fail_errno(
			    err, MT_BAD_CONFIG, errno, "cannot read %s", path);
		buf_add(b, chunk, (size_t)n);
	}
	if (!buf_ok(b))
		return mt_fail(err, MT_BAD_CONFIG,
		    "%s is longer than %zu bytes", path, b->max);
	return MT_OK;
}

enum mt_status
fs_read(struct buf *b, const char *path, bool *ret_found, struct mt_error *err)
{
	enum mt_status status;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0 && errno == ENOENT && ret_found) {
		*ret_found = false;
		return MT_OK;
	}
	if (fd < 0)
		return mt_fail_errno(
		    err, MT_BAD_CONFIG, errno, "cannot open %s", path);
	status = read_to_end(b, fd, path, err);
	close(fd);
	if (status == MT_OK && ret_found)
		*ret_found = true;
	return status;
}

int
fs_write_all(int fd, const void *data, size_t len)
{
	const char *p = data;

	while (len) {
		ssize_t n = write(fd, p, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

enum mt_status
fs_sync_dir(const char *path, struct mt_error *err)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int result, error;

	if (fd < 0)
		return mt_fail_errno(
		    err, MT_RETRY_LATER, errno, "cannot open %s", path);
	result = fsync(fd);
	error = errno;
	close(fd);
	if (result)
		return mt_fail_errno(
		    err, MT_RETRY_LATER, error, "cannot sync %s", path);
	return MT_OK;
}

static int
write_and_sync(int fd, const void *data, size_t len, mode_t mode)
{
	/* fchmod: the mode that was asked for, whatever the umask */
	if (fs_write_all(fd, data, len) || fchmod(fd, mode) || fsync(fd))
		return -1;
	return 0;
}

enum mt_status
fs_replace(const char *path, const void *data, size_t len, mode_t mode,
    struct mt_error *err)
{
	char temp[PATH_MAX], dir[PATH_MAX];
	int fd, error;

	if (snprintf(temp, sizeof(temp), "%s.XXXXXX", path) >=
	    (int)sizeof(temp))
		return mt_fail(err, MT_BAD_CONFIG, "path too long: %s", path);
	snprintf(dir, sizeof(dir), "%s", path);
	fd = mkostemp(temp, O_CLOEXEC);
	if (fd < 0)
		return mt_fail_errno(
		    err, MT_RETRY_LATER, errno, "cannot create %s", temp);
	error = write_and_sync(fd, data, len, mode) ? errno : 0;
	if (close(fd) && !error)
		error = errno;
	if (!error && rename(temp, path))
		error = errno;
	if (error) {
		unlink(temp);
		return mt_fail_errno(
		    err, MT_RETRY_LATER, error, "cannot write %s", path);
	}
	return fs_sync_dir(dirname(dir), err);
}

/* Makes one directory, and its name durable; it may be there. */
static enum mt_status
make_dir(const char *path, mode_t mode, struct mt_error *err)
{
	char copy[PATH_MAX];

	if (mkdir(path, mode))
		return errno == EEXIST
			   ? MT_OK
			   : mt_fail_errno(err,
				 errno == ENOSPC || errno == EDQUOT
				     ? MT_RETRY_LATER
				     : MT_BAD_CONFIG,
				 errno, "cannot make directory %s", path);
	snprintf(copy, sizeof(copy), "%s", path);
	return fs_sync_dir(dirname(copy), err);
}

enum mt_status
fs_make_dirs(const char *path, mode_t mode, struct mt_error *err)
{
	char part[PATH_MAX];
	enum mt_status status;

	if (snprintf(part, sizeof(part), "%s", path) >= (int)sizeof(part))
		return mt_fail(err, MT_BAD_CONFIG, "path too long: %s", path);
	for (char *slash = part;;) {
		slash = strchr(slash + 1, '/');
		if (slash)
			*slash = '\0';
		status = make_dir(part, mode, err);
		if (status != MT_OK || !slash)
			return status;
		*slash = '/';
	}
}

static enum mt_status
check_keeper(const char *path, struct mt_error *err)
{
	struct stat st;
	bool shared;

	if (stat(path, &st))
		return mt_fail_errno(
		    err, MT_BAD_CONFIG, errno, "cannot look at %s", path);
	if (st.st_uid != 0 && st.st_uid != geteuid())
		return mt_fail(err, MT_BAD_CONFIG,
		    "%s belongs to uid %lu, neither root nor the helper's user",
		    path, (unsigned long)st.st_uid);
	/* in a directory like /tmp nobody touches what is another's */
	shared = S_ISDIR(st.st_mode) && st.st_mode & S_ISVTX;
	if (st.st_mode & (S_IWGRP | S_IWOTH) && !shared)
		return mt_fail(err, MT_BAD_CONFIG,
		    "%s can be written by group or others; chmod go-w it",
		    path);
	return MT_OK;
}

enum mt_status
fs_check_kept(const char *path, char ret_real[PATH_MAX], struct mt_error *err)
{
	char walk[PATH_MAX];
	enum mt_status status;
	struct stat st;
	char *slash;

	if (!realpath(path, ret_real))
		return mt_fail_errno(
		    err, MT_BAD_CONFIG, errno, "cannot find %s", path);
	if (stat(ret_real, &st) || !S_ISREG(st.st_mode))
		return mt_fail(
		    err, MT_BAD_CONFIG, "%s is not a regular file", path);
	memcpy(walk, ret_real, PATH_MAX);
	status = check_keeper(walk, err);
	while (status == MT_OK && (slash = strrchr(walk, '/'))) {
		*slash = '\0';
		status = check_keeper(*walk ? walk : "/", err);
	}
	return status;
}
