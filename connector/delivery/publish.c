/* SPDX-License-Identifier: ISC */
#include "publish_priv.h"

#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

/* What to do about a failed system call: wait for space, or for a person. */
static enum mt_status
status_of(int error)
{
	switch (error) {
	case EACCES:
	case EPERM:
	case EROFS:
	case ENOENT:
	case ENOTDIR:
	case ELOOP:
	case EXDEV:
	case EISDIR:
	case ENAMETOOLONG:
		return MT_BAD_CONFIG;
	default:
		return MT_RETRY_LATER;
	}
}

enum mt_status
publish_fail(const struct publisher *p, const char *action, const char *what,
    struct mt_error *err)
{
	int error = errno;

	if (error == EPERM)
		return mt_fail_errno(err, MT_BAD_CONFIG, error,
		    "cannot %s %s in the workspace %s; this program's user "
		    "must be in group %lu, which the workspace belongs to",
		    action, what, p->workspace, (unsigned long)p->group);
	return mt_fail_errno(err, status_of(error), error,
	    "cannot %s %s in the workspace %s", action, what, p->workspace);
}

int
publish_set_access(const struct publisher *p, int fd, mode_t mode)
{
	struct stat info;

	if (fstat(fd, &info))
		return -1;
	if (info.st_gid != p->group && fchown(fd, (uid_t)-1, p->group))
		return -1;
	if ((info.st_mode & 0777) == mode)
		return 0;
	return fchmod(fd, mode | (info.st_mode & S_ISGID));
}

int
publish_open_dir(int parent, const char *name)
{
	return openat(
	    parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* Makes a directory durably.  -1 with errno; that it is there is no failure. */
static int
make_dir(const struct publisher *p, int parent, const char *name)
{
	int fd, result;

	if (mkdirat(parent, name, PUBLISH_DIR_MODE))
		return errno == EEXIST ? 0 : -1;
	fd = publish_open_dir(parent, name);
	if (fd < 0)
		return -1;
	result = publish_set_access(p, fd, PUBLISH_DIR_MODE);
	if (!result)
		result = fsync(parent);
	close(fd);
	return result;
}

static enum mt_status
fail_open(const struct publisher *p, int parent, const char *name,
    const char *path, struct mt_error *err)
{
	int error = errno;
	struct stat info;

	if (!fstatat(parent, name, &info, AT_SYMLINK_NOFOLLOW) &&
	    S_ISLNK(info.st_mode))
		return mt_fail(err, MT_BAD_CONFIG,
		    "%s in the workspace %s is a symbolic link; it must be a "
		    "directory",
		    path, p->workspace);
	errno = error;
	return publish_fail(p, "open", path, err);
}

/* Opens `name` in `parent`, after making it if need be; `path` is what errors
 * call it. */
static enum mt_status
enter_dir(const struct publisher *p, int parent, const char *name,
    const char *path, int *ret_fd, struct mt_error *err)
{
	int fd;

	if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return mt_fail(err, MT_BAD_CONFIG,
		    "'%s' cannot be a folder in a workspace", path);
	fd = publish_open_dir(parent, name);
	if (fd < 0 && errno == ENOENT) {
		if (make_dir(p, parent, name))
			return publish_fail(p, "create", path, err);
		fd = publish_open_dir(parent, name);
	}
	if (fd < 0)
		return fail_open(p, parent, name, path, err);
	*ret_fd = fd;
	return MT_OK;
}

enum mt_status
publish_enter_path(const struct publisher *p, const char *path, int *ret_fd,
    struct mt_error *err)
{
	char part[PATH_MAX];
	enum mt_status status = MT_OK;
	int fd, next = -1;

	if (snprintf(part, sizeof(part), "%s", path) >= (int)sizeof(part))
		return mt_fail(err, MT_BAD_CONFIG, "path too long: %s", path);
	fd = fcntl(p->root_fd, F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		return publish_fail(p, "open", path, err);
	for (char *name = part, *slash; name && status == MT_OK;) {
		slash = strchr(name, '/');
		if (slash)
			*slash = '\0';
		status = enter_dir(p, fd, name, part, &next, err);
		if (status == MT_OK) {
			close(fd);
			fd = next;
		}
		name = slash ? slash + 1 : NULL;
		if (slash)
			*slash = '/';
	}
	if (status == MT_OK)
		*ret_fd = fd;
	else
		close(fd);
	return status;
}

/* Keeps staged mail out of the workspace's git repository. */
static int
write_gitignore(const struct publisher *p, int dir)
{
	static const char text[] = "*\n";
	struct stat info;
	int result;
	int fd = openat(dir, ".gitignore",
	    O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
	    PUBLISH_FILE_MODE);

	if (fd < 0)
		return -1;
	result = fstat(fd, &info);
	if (!result && info.st_size == 0) {
		result = fs_write_all(fd, text, sizeof(text) - 1);
		if (!result)
			result = publish_set_access(p, fd, PUBLISH_FILE_MODE);
	}
	close(fd);
	return result;
}

static enum mt_status
open_staging(struct publisher *p, const char *id, struct mt_error *err)
{
	static const char path[] = ".tri-onyx/" PUBLISH_STAGING;
	enum mt_status status;
	int shared = -1;

	status = publish_enter_path(p, path, &shared, err);
	if (status == MT_OK && write_gitignore(p, shared))
		status = publish_fail(p, "write .gitignore in", path, err);
	if (status == MT_OK)
		status = enter_dir(p, shared, id, id, &p->staging_fd, err);
	if (status == MT_OK &&
	    publish_set_access(p, p->staging_fd, PUBLISH_DIR_MODE))
		status = publish_fail(p, "use", path, err);
	if (shared >= 0)
		close(shared);
	return status;
}

/*
 * syncfs(2) makes files durable and tells of failures since Linux 5.8, on file
 * systems that implement it.  Those of which we know nothing are trusted with
 * fsync(2) only; FUSE, for one, does nothing for syncfs.
 */
static bool
can_sync_all(int fd)
{
	struct utsname kernel;
	struct statfs info;
	int major = 0, minor = 0;

	if (uname(&kernel) || fstatfs(fd, &info) ||
	    sscanf(kernel.release, "%d.%d", &major, &minor) != 2 || major < 5 ||
	    (major == 5 && minor < 8))
		return false;
	return info.f_type == EXT4_SUPER_MAGIC ||
	       info.f_type == XFS_SUPER_MAGIC ||
	       info.f_type == BTRFS_SUPER_MAGIC;
}

static enum mt_status
open_root(struct publisher *p, struct mt_error *err)
{
	struct stat info;

	p->root_fd = open(p->workspace, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (p->root_fd < 0 || fstat(p->root_fd, &info))
		return mt_fail_errno(err, status_of(errno), errno,
		    "cannot open the workspace %s", p->workspace);
	p->group = info.st_gid;
	return MT_OK;
}

enum mt_status
publish_open(struct publisher **ret_publisher, const char *workspace,
    const char *id, struct mt_error *err)
{
	struct publisher *p = calloc(1, sizeof(*p));
	enum mt_status status;

	if (!p)
		return mt_fail(err, MT_NO_MEMORY, "no memory for a publisher");
	p->root_fd = p->staging_fd = -1;
	if (snprintf(p->workspace, PATH_MAX, "%s", workspace) >= PATH_MAX)
		status = mt_fail(err, MT_BAD_CONFIG,
		    "the workspace's path is too long: %s", workspace);
	else
		status = open_root(p, err);
	if (status == MT_OK)
		status = open_staging(p, id, err);
	if (status == MT_OK) {
		p->can_sync_all = can_sync_all(p->staging_fd);
		*ret_publisher = p;
	} else {
		publish_close(&p);
	}
	return status;
}

void
publish_close(struct publisher **publisher)
{
	struct publisher *p = *publisher;

	*publisher = NULL;
	if (!p)
		return;
	if (p->staging_fd >= 0)
		close(p->staging_fd);
	if (p->root_fd >= 0)
		close(p->root_fd);
	free(p);
}

int
publish_random_name(char name[PUBLISH_NAME_MAX])
{
	uint64_t number = 0;
	ssize_t n = getrandom(&number, sizeof(number), 0);

	snprintf(name, PUBLISH_NAME_MAX, "%016" PRIx64, number);
	return n == sizeof(number) ? 0 : -1;
}
