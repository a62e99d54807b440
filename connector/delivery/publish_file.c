/* SPDX-License-Identifier: ISC */
#include "publish_priv.h"

#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_LOOK_MS 5
#define COPY_SIZE 65536

/* Whether the kernel copies nothing between these two files: it is too old, or
 * they are of different file systems, or of a kind that it knows no way for.
 * (For some kinds it says that it copied nothing.) */
static bool
is_copy_refused(int error)
{
	return error == EXDEV || error == EINVAL || error == ENOSYS ||
	       error == EOPNOTSUPP || error == EPERM;
}

/* Up to `len` bytes by way of our memory; as copy_file_range(2). */
static ssize_t
copy_some(int from, off_t *at, int to, size_t len)
{
	char bytes[COPY_SIZE];
	ssize_t n =
	    pread(from, bytes, len < sizeof(bytes) ? len : sizeof(bytes), *at);

	if (n <= 0)
		return n;
	*at += n;
	return fs_write_all(to, bytes, (size_t)n) ? -1 : n;
}

static int
copy_part(int from, off_t at, int to, size_t len)
{
	bool refused = false;
	ssize_t n;

	while (len) {
		n = refused ? copy_some(from, &at, to, len)
			    : copy_file_range(from, &at, to, NULL, len, 0);
		if (n > 0) {
			len -= (size_t)n;
		} else if (!refused && (n == 0 || is_copy_refused(errno))) {
			refused = true;
		} else if (n == 0) {
			errno = ESTALE;
			return -1;
		} else if (errno != EINTR) {
			return -1;
		}
	}
	return 0;
}

static int
write_parts(int fd, const struct publish_part *parts, size_t count)
{
	int result = 0;

	for (size_t i = 0; i < count && !result; i++) {
		const struct publish_part *part = &parts[i];

		if (part->data)
			result = fs_write_all(fd, part->data, part->len);
		else
			result =
			    copy_part(part->fd, part->begin, fd, part->len);
	}
	return result;
}

static int
write_staged_file(const struct publisher *p, const char *name,
    const struct publish_part *parts, size_t count, mode_t mode)
{
	int fd = openat(p->staging_fd, name,
	    O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, mode);
	int result;

	if (fd < 0)
		return -1;
	result = write_parts(fd, parts, count);
	if (!result)
		result = publish_set_access(p, fd, mode);
	if (!result)
		result = fsync(fd);
	if (close(fd))
		result = -1;
	return result;
}

enum mt_status
publish_stage_file(struct publisher *p, const char *name,
    const struct publish_part *parts, size_t count, mode_t mode,
    struct mt_error *err)
{
	if (write_staged_file(p, name, parts, count, mode))
		return publish_fail(p, "write", name, err);
	return MT_OK;
}

static enum mt_status
put(struct publisher *p, const char *staged,
    const struct publish_folder *folder, const char *name, struct mt_error *err)
{
	if (renameat(p->staging_fd, staged, folder->fd, name) ||
	    fsync(folder->fd))
		return publish_fail(p, "write", name, err);
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
	const struct publish_part part = {.data = data, .len = len};
	char staged[PUBLISH_NAME_MAX];
	enum mt_status status = MT_OK;

	/* other accounts stage files of the same name in the same place */
	if (publish_random_name(staged) ||
	    write_staged_file(p, staged, &part, 1, PUBLISH_FILE_MODE))
		status = publish_fail(p, "write", name, err);
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
			return publish_fail(p, "lock", name, err);
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
		return publish_fail(p, "open", name, err);
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
			   : publish_fail(p, "read", name, err);
	n = fstat(fd, &info) || !S_ISREG(info.st_mode)
		? 0
		: pread(fd, ret_text, size - 1, 0);
	close(fd);
	if (n < 0)
		return publish_fail(p, "read", name, err);
	ret_text[n] = '\0';
	*ret_found = n > 0;
	return MT_OK;
}
