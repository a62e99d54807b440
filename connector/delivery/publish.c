/* SPDX-License-Identifier: ISC */
#include "publish.h"

#include "base/deadline.h"
#include "base/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/magic.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#define DIR_MODE 0750
#define FILE_MODE 0640
#define STAGING "email-tmp"
#define LOCK_LOOK_MS 5

/* For how many directories at least one sync of the file system is tried, when
 * it is taken to be slow, and for how many times it is then not tried. */
#define SYNC_ALL_MIN 4
#define SYNC_ALL_MS_PER_STAGE 10
#define SYNC_ALL_PAUSE 20

struct publisher {
	char workspace[PATH_MAX]; /* for error texts only */
	int root_fd;
	int staging_fd;
	gid_t group;
	bool can_sync_all;          /* syncfs(2) is as good as fsync(2) */
	atomic_uint sync_all_pause; /* calls for which it is not used */
};

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

/* "cannot DO WHAT in the workspace W: why", from errno. */
static enum mt_status
fail(const struct publisher *p, const char *action, const char *what,
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

/* Gives a file or directory the workspace's group and the mode that its kind
 * has.  Setgid is never added: what the parent passed on is kept. */
static int
set_access(const struct publisher *p, int fd, mode_t mode)
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

/* Opens a directory that must be a real one, not a symbolic link. */
static int
open_dir(int parent, const char *name)
{
	return openat(
	    parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* Makes a directory durably.  -1 with errno; that it is there is no failure. */
static int
make_dir(const struct publisher *p, int parent, const char *name)
{
	int fd, result;

	if (mkdirat(parent, name, DIR_MODE))
		return errno == EEXIST ? 0 : -1;
	fd = open_dir(parent, name);
	if (fd < 0)
		return -1;
	result = set_access(p, fd, DIR_MODE);
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
	return fail(p, "open", path, err);
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
	fd = open_dir(parent, name);
	if (fd < 0 && errno == ENOENT) {
		if (make_dir(p, parent, name))
			return fail(p, "create", path, err);
		fd = open_dir(parent, name);
	}
	if (fd < 0)
		return fail_open(p, parent, name, path, err);
	*ret_fd = fd;
	return MT_OK;
}

/* Whether there is no directory, as opposed to one that cannot be opened. */
static bool
is_no_dir(int error)
{
	return error == ENOENT || error == ENOTDIR || error == ELOOP;
}

/* Enters `path` from the root, one name after another. */
static enum mt_status
enter_path(const struct publisher *p, const char *path, int *ret_fd,
    struct mt_error *err)
{
	char part[PATH_MAX];
	enum mt_status status = MT_OK;
	int fd, next = -1;

	if (snprintf(part, sizeof(part), "%s", path) >= (int)sizeof(part))
		return mt_fail(err, MT_BAD_CONFIG, "path too long: %s", path);
	fd = fcntl(p->root_fd, F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		return fail(p, "open", path, err);
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
	    FILE_MODE);

	if (fd < 0)
		return -1;
	result = fstat(fd, &info);
	if (!result && info.st_size == 0) {
		result = fs_write_all(fd, text, sizeof(text) - 1);
		if (!result)
			result = set_access(p, fd, FILE_MODE);
	}
	close(fd);
	return result;
}

static enum mt_status
open_staging(struct publisher *p, const char *id, struct mt_error *err)
{
	static const char path[] = ".tri-onyx/" STAGING;
	enum mt_status status;
	int shared = -1;

	status = enter_path(p, path, &shared, err);
	if (status == MT_OK && write_gitignore(p, shared))
		status = fail(p, "write .gitignore in", path, err);
	if (status == MT_OK)
		status = enter_dir(p, shared, id, id, &p->staging_fd, err);
	if (status == MT_OK && set_access(p, p->staging_fd, DIR_MODE))
		status = fail(p, "use", path, err);
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

static int
random_name(char name[PUBLISH_NAME_MAX])
{
	uint64_t number = 0;
	ssize_t n = getrandom(&number, sizeof(number), 0);

	snprintf(name, PUBLISH_NAME_MAX, "%016" PRIx64, number);
	return n == sizeof(number) ? 0 : -1;
}

/* Makes a directory of a new name, and tells the name. */
static int
make_stage(const struct publisher *p, char name[PUBLISH_NAME_MAX])
{
	do {
		if (random_name(name))
			return -1;
		if (!mkdirat(p->staging_fd, name, DIR_MODE))
			return 0;
	} while (errno == EEXIST);
	return -1;
}

enum mt_status
publish_stage_new(
    struct publisher *p, struct publish_stage *ret_stage, struct mt_error *err)
{
	struct publish_stage stage = {.fd = -1};

	if (make_stage(p, stage.name))
		return fail(p, "create a directory in", STAGING, err);
	stage.fd = open_dir(p->staging_fd, stage.name);
	if (stage.fd < 0 || set_access(p, stage.fd, DIR_MODE)) {
		enum mt_status status = fail(p, "use", stage.name, err);
		publish_stage_discard(p, &stage);
		return status;
	}
	*ret_stage = stage;
	return MT_OK;
}

enum mt_status
publish_stage_open(struct publisher *p, const char *name,
    struct publish_stage *ret_stage, bool *ret_found, struct mt_error *err)
{
	struct publish_stage stage;

	snprintf(stage.name, sizeof(stage.name), "%s", name);
	stage.fd = open_dir(p->staging_fd, stage.name);
	if (stage.fd < 0 && errno != ENOENT)
		return fail(p, "open", stage.name, err);
	*ret_found = stage.fd >= 0;
	*ret_stage = stage;
	return MT_OK;
}

/* The entries of a directory, which stays open; NULL with errno. */
static DIR *
list(int fd)
{
	int own = open_dir(fd, ".");
	DIR *entries = own < 0 ? NULL : fdopendir(own);

	if (!entries && own >= 0)
		close(own);
	return entries;
}

/* The next entry but "." and ".."; NULL with errno 0 at the end. */
static const char *
next_name(DIR *entries)
{
	struct dirent *entry;

	do {
		errno = 0;
		entry = readdir(entries);
	} while (entry && (strcmp(entry->d_name, ".") == 0 ||
			      strcmp(entry->d_name, "..") == 0));
	return entry ? entry->d_name : NULL;
}

/* What is to be done to each new file. */
typedef int (*file_action)(const struct publisher *p, int fd);

static int
only_access(const struct publisher *p, int fd)
{
	return set_access(p, fd, FILE_MODE);
}

static int
access_and_sync(const struct publisher *p, int fd)
{
	return set_access(p, fd, FILE_MODE) || fsync(fd) ? -1 : 0;
}

static int
treat_file(
    const struct publisher *p, int dir, const char *name, file_action action)
{
	int fd =
	    openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat info;
	int result;

	if (fd < 0)
		return -1;
	result = fstat(fd, &info);
	if (!result && !S_ISREG(info.st_mode)) {
		errno = EISDIR;
		result = -1;
	}
	if (!result)
		result = action(p, fd);
	close(fd);
	return result;
}

static enum mt_status
treat_files(const struct publisher *p, const struct publish_stage *stage,
    file_action action, struct mt_error *err)
{
	enum mt_status status = MT_OK;
	DIR *entries = list(stage->fd);
	const char *name;

	if (!entries)
		return fail(p, "read", stage->name, err);
	while (status == MT_OK && (name = next_name(entries)))
		if (treat_file(p, stage->fd, name, action))
			status = fail(p, "sync the new file", name, err);
	if (status == MT_OK && errno)
		status = fail(p, "read", stage->name, err);
	closedir(entries);
	return status;
}

enum mt_status
publish_stage_sync(struct publisher *p, const struct publish_stage *stage,
    struct mt_error *err)
{
	enum mt_status status = treat_files(p, stage, access_and_sync, err);

	if (status == MT_OK && fsync(stage->fd))
		status = fail(p, "sync", stage->name, err);
	return status;
}

static enum mt_status
sync_one_by_one(struct publisher *p, const struct publish_stage *const *stages,
    size_t count, struct mt_error *err)
{
	enum mt_status status = MT_OK;

	for (size_t i = 0; i < count && status == MT_OK; i++)
		status = publish_stage_sync(p, stages[i], err);
	if (status == MT_OK && fsync(p->staging_fd))
		status = fail(p, "sync", STAGING, err);
	return status;
}

/*
 * One commit of the file system in place of one for each file.  It writes what
 * others have left unwritten there too: a call that took longer than the files
 * alone are likely to take makes us go back to these for a while.
 */
static enum mt_status
sync_all(struct publisher *p, const struct publish_stage *const *stages,
    size_t count, struct mt_error *err)
{
	struct deadline late =
	    deadline_in_ms((int64_t)count * SYNC_ALL_MS_PER_STAGE);
	enum mt_status status = MT_OK;

	for (size_t i = 0; i < count && status == MT_OK; i++)
		status = treat_files(p, stages[i], only_access, err);
	if (status == MT_OK && syncfs(p->staging_fd))
		status = fail(p, "sync", STAGING, err);
	if (deadline_passed(late))
		atomic_store(&p->sync_all_pause, SYNC_ALL_PAUSE);
	return status;
}

/* Whether sync_all is the better for so many; each call counts down a pause. */
static bool
is_worth_all(struct publisher *p, size_t count)
{
	unsigned pause = atomic_load(&p->sync_all_pause);

	if (!p->can_sync_all || count < SYNC_ALL_MIN)
		return false;
	return pause == 0 || !atomic_compare_exchange_strong(
				 &p->sync_all_pause, &pause, pause - 1);
}

enum mt_status
publish_sync_stages(struct publisher *p,
    const struct publish_stage *const *stages, size_t count,
    struct mt_error *err)
{
	if (is_worth_all(p, count))
		return sync_all(p, stages, count, err);
	return sync_one_by_one(p, stages, count, err);
}

void
publish_stage_close(struct publish_stage *stage)
{
	if (stage->fd >= 0)
		close(stage->fd);
	stage->fd = -1;
}

/* Empties a directory that has files only. */
static void
remove_files(int fd)
{
	DIR *entries = list(fd);
	const char *name;

	if (!entries)
		return;
	while ((name = next_name(entries)))
		unlinkat(fd, name, 0);
	closedir(entries);
}

void
publish_stage_discard(struct publisher *p, struct publish_stage *stage)
{
	if (stage->fd >= 0)
		remove_files(stage->fd);
	publish_stage_close(stage);
	unlinkat(p->staging_fd, stage->name, AT_REMOVEDIR);
}

static void
sweep_entry(struct publisher *p, const char *name)
{
	struct publish_stage stage;
	bool found;

	if (!unlinkat(p->staging_fd, name, 0))
		return;
	if (strlen(name) < sizeof(stage.name) &&
	    publish_stage_open(p, name, &stage, &found, NULL) == MT_OK)
		publish_stage_discard(p, &stage);
}

void
publish_sweep(struct publisher *p)
{
	DIR *entries = list(p->staging_fd);
	const char *name;

	if (!entries)
		return;
	while ((name = next_name(entries)))
		sweep_entry(p, name);
	closedir(entries);
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
		next = open_dir(fd, name);
		if (fd != p->root_fd)
			close(fd);
		fd = next;
		name = slash ? slash + 1 : NULL;
	} while (fd >= 0 && name);
	if (fd < 0 && !is_no_dir(errno))
		return fail(p, "open", path, err);
	*ret_folder = (struct publish_folder){.path = path, .fd = fd};
	return MT_OK;
}

enum mt_status
publish_folder_open(struct publisher *p, const char *path,
    struct publish_folder *ret_folder, struct mt_error *err)
{
	struct publish_folder folder = {.path = path, .fd = -1};
	enum mt_status status = enter_path(p, path, &folder.fd, err);

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
		return fail(p, "look into", folder->path, err);
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
	return fail(p, "put mail into", folder->path, err);
}

enum mt_status
publish_folder_sync(struct publisher *p, const struct publish_folder *folder,
    struct mt_error *err)
{
	if (fsync(folder->fd))
		return fail(p, "sync", folder->path, err);
	return MT_OK;
}

/* writev(2) until all is written. */
static int
write_parts(int fd, const struct iovec *parts, size_t count)
{
	int result = 0;

	for (size_t i = 0; i < count && !result; i++)
		result = fs_write_all(fd, parts[i].iov_base, parts[i].iov_len);
	return result;
}

static int
write_staged_file(const struct publisher *p, const char *name,
    const struct iovec *parts, size_t count, mode_t mode)
{
	int fd = openat(p->staging_fd, name,
	    O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, mode);
	int result;

	if (fd < 0)
		return -1;
	result = write_parts(fd, parts, count);
	if (!result)
		result = set_access(p, fd, mode);
	if (!result)
		result = fsync(fd);
	if (close(fd))
		result = -1;
	return result;
}

enum mt_status
publish_stage_file(struct publisher *p, const char *name,
    const struct iovec *parts, size_t count, mode_t mode, struct mt_error *err)
{
	if (write_staged_file(p, name, parts, count, mode))
		return fail(p, "write", name, err);
	return MT_OK;
}

static enum mt_status
put(struct publisher *p, const char *staged,
    const struct publish_folder *folder, const char *name, struct mt_error *err)
{
	if (renameat(p->staging_fd, staged, folder->fd, name) ||
	    fsync(folder->fd))
		return fail(p, "write", name, err);
	return MT_OK;
}

enum mt_status
publish_put_file(struct publisher *p, const struct publish_folder *folder,
    const char *name, struct mt_error *err)
{
	return put(p, name, folder, name, err);
}

enum mt_status
publish_replace(struct publisher *p, const struct publish_folder *folder,
    const char *name, const void *data, size_t len, struct mt_error *err)
{
	const struct iovec part = {(void *)(uintptr_t)data, len};
	char staged[PUBLISH_NAME_MAX];
	enum mt_status status = MT_OK;

	/* other accounts stage files of the same name in the same place */
	if (random_name(staged) ||
	    write_staged_file(p, staged, &part, 1, FILE_MODE))
		status = fail(p, "write", name, err);
	else
		status = put(p, staged, folder, name, err);
	if (status != MT_OK)
		unlinkat(p->staging_fd, staged, 0);
	return status;
}

static enum mt_status
take_lock(const struct publisher *p, int fd, const char *name,
    struct deadline deadline, struct mt_error *err)
{
	while (flock(fd, LOCK_EX | LOCK_NB)) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return fail(p, "lock", name, err);
		if (deadline_passed(deadline))
			return mt_fail(err, MT_RETRY_LATER,
			    "another process keeps %s in the workspace %s "
			    "locked",
			    name, p->workspace);
		poll(NULL, 0, LOCK_LOOK_MS);
	}
	return MT_OK;
}

enum mt_status
publish_lock(struct publisher *p, const char *name, struct deadline deadline,
    int *ret_fd, struct mt_error *err)
{
	char path[NAME_MAX + 4];
	enum mt_status status;
	int fd;

	/* staging_fd is a real directory, and so has a real parent */
	snprintf(path, sizeof(path), "../%s", name);
	fd = openat(p->staging_fd, path,
	    O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0660);
	if (fd < 0)
		return fail(p, "open", name, err);
	status = take_lock(p, fd, name, deadline, err);
	if (status == MT_OK)
		*ret_fd = fd;
	else
		close(fd);
	return status;
}

enum mt_status
publish_read(struct publisher *p, const struct publish_folder *folder,
    const char *name, char *ret_text, size_t size, bool *ret_found,
    struct mt_error *err)
{
	struct stat info;
	ssize_t n;
	int fd = openat(
	    folder->fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	*ret_found = false;
	if (fd < 0)
		return errno == ENOENT || errno == ELOOP
			   ? MT_OK
			   : fail(p, "read", name, err);
	n = fstat(fd, &info) || !S_ISREG(info.st_mode)
		? 0
		: pread(fd, ret_text, size - 1, 0);
	close(fd);
	if (n < 0)
		return fail(p, "read", name, err);
	ret_text[n] = '\0';
	*ret_found = n > 0;
	return MT_OK;
}
