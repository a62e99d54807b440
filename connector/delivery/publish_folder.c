/* SPDX-License-Identifier: ISC */
#include "publish_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Whether there is no directory, as opposed to one that cannot be opened. */
static bool
is_no_dir(int error)
{
	return error == ENOENT || error == ENOTDIR || error == ELOOP;
}

enum mt_status
publish_folder_find(struct publisher *p, const char *path,
    struct publish_folder *ret_folder, struct mt_error *err)
{
	char part[PATH_MAX];
	char *name = part, *slash;
	int fd = p->root_fd, next;

	if (snprintf(part, sizeof(part), "%s", path) >= (int)sizeof(part))
		return mt_fail(err, MT_BAD_CONFIG, "path too long: %s", path);
	do {
		slash = strchr(name, '/');
		if (slash)
			*slash = '\0';
		next = publish_open_dir(fd, name);
		if (fd != p->root_fd)
			close(fd);
		fd = next;
		name = slash ? slash + 1 : NULL;
	} while (fd >= 0 && name);
	if (fd < 0 && !is_no_dir(errno))
		return publish_fail(p, "open", path, err);
	*ret_folder = (struct publish_folder){.path = path, .fd = fd};
	return MT_OK;
}

enum mt_status
publish_folder_open(struct publisher *p, const char *path,
    struct publish_folder *ret_folder, struct mt_error *err)
{
	struct publish_folder folder = {.path = path, .fd = -1};
	enum mt_status status = publish_enter_path(p, path, &folder.fd, err);

	if (status == MT_OK)
		*ret_folder = folder;
	return status;
}

void
publish_folder_close(struct publish_folder *folder)
{
	if (folder->fd >= 0)
		close(folder->fd);
	folder->fd = -1;
}

enum mt_status
publish_folder_has(struct publisher *p, const struct publish_folder *folder,
    const char *name, bool *ret_has, struct mt_error *err)
{
	struct stat info;

	if (!fstatat(folder->fd, name, &info, AT_SYMLINK_NOFOLLOW))
		*ret_has = true;
	else if (errno == ENOENT)
		*ret_has = false;
	else
		return publish_fail(p, "look into", folder->path, err);
	return MT_OK;
}

/* renameat2 without replacing, also where the file system cannot promise it. */
static int
rename_new(int from_dir, const char *from, int to_dir, const char *to)
{
	struct stat info;

	if (!renameat2(from_dir, from, to_dir, to, RENAME_NOREPLACE))
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -1;
	if (!fstatat(to_dir, to, &info, AT_SYMLINK_NOFOLLOW)) {
		errno = EEXIST;
		return -1;
	}
	return renameat(from_dir, from, to_dir, to);
}

enum mt_status
publish_rename(struct publisher *p, const char *staged,
    const struct publish_folder *folder, const char *name,
    enum publish_result *ret_result, struct mt_error *err)
{
	struct stat info;
	int error;

	if (!rename_new(p->staging_fd, staged, folder->fd, name)) {
		*ret_result = PUBLISH_DONE;
		return MT_OK;
	}
	error = errno;
	if (error == EEXIST || error == ENOTEMPTY) {
		*ret_result = PUBLISH_TAKEN;
		return MT_OK;
	}
	/* ENOENT also says that somebody removed the open folder */
	if (error == ENOENT &&
	    fstatat(p->staging_fd, staged, &info, AT_SYMLINK_NOFOLLOW) &&
	    errno == ENOENT) {
		*ret_result = PUBLISH_GONE;
		return MT_OK;
	}
	if (error == EXDEV)
		return mt_fail(err, MT_BAD_CONFIG,
		    "%s and .tri-onyx in the workspace %s must be on the same "
		    "file system",
		    folder->path, p->workspace);
	errno = error;
	return publish_fail(p, "put mail into", folder->path, err);
}

static bool
is_dir(int parent, const char *name)
{
	struct stat info;

	return !fstatat(parent, name, &info, AT_SYMLINK_NOFOLLOW) &&
	       S_ISDIR(info.st_mode);
}

/* What somebody has put in the directory's place just now goes back. */
static enum mt_status
check_taken(struct publisher *p, const struct publish_folder *folder,
    const char *name, const char *staged, enum publish_result *ret_result,
    struct mt_error *err)
{
	*ret_result = PUBLISH_DONE;
	if (!is_dir(p->staging_fd, staged)) {
		(void)!rename_new(p->staging_fd, staged, folder->fd, name);
		*ret_result = PUBLISH_GONE;
	}
	if (fsync(p->staging_fd))
		return publish_fail(p, "sync", PUBLISH_STAGING, err);
	return publish_folder_sync(p, folder, err);
}

enum mt_status
publish_take(struct publisher *p, const struct publish_folder *folder,
    const char *name, const char *staged, enum publish_result *ret_result,
    struct mt_error *err)
{
	*ret_result = PUBLISH_GONE;
	if (!is_dir(folder->fd, name))
		return MT_OK;
	if (!rename_new(folder->fd, name, p->staging_fd, staged))
		return check_taken(p, folder, name, staged, ret_result, err);
	if (errno == ENOENT)
		return MT_OK;
	if (errno != EEXIST && errno != ENOTEMPTY)
		return publish_fail(p, "take mail out of", folder->path, err);
	*ret_result = PUBLISH_TAKEN;
	return MT_OK;
}

enum mt_status
publish_folder_sync(struct publisher *p, const struct publish_folder *folder,
    struct mt_error *err)
{
	if (fsync(folder->fd))
		return publish_fail(p, "sync", folder->path, err);
	return MT_OK;
}
