/* SPDX-License-Identifier: ISC */
#include "child_program.h"

#include "base/buf.h"
#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define OUR_FD_MIN 10 /* children are given descriptors below this */

/* The directory of the running executable, with its final slash; len 0: not
 * known. */
static void
add_own_dir(struct buf *path)
{
	char own[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", own, sizeof(own));
	const char *slash = len > 0 ? memrchr(own, '/', (size_t)len) : NULL;

	if (slash)
		buf_add(path, own, (size_t)(slash + 1 - own));
}

char *
child_program_find(const char *name, const char *installed_dir)
{
	struct buf path = BUF_INIT(PATH_MAX);

	add_own_dir(&path);
	if (path.len) {
		buf_add_text(&path, name);
		if (buf_ok(&path) && access(buf_text(&path), X_OK) == 0)
			return buf_take(&path);
	}
	buf_reset(&path);
	buf_add_format(&path, "%s/%s", installed_dir, name);
	return buf_take(&path);
}

int
child_program_fd(int fd)
{
	int moved = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, OUR_FD_MIN);
	int error = errno;

	if (fd >= 0)
		close(fd);
	errno = error;
	return moved;
}

int
child_program_file(const char *name, const void *data, size_t len)
{
	int fd = child_program_fd(memfd_create(name, MFD_CLOEXEC));
	int error;

	if (fd < 0 || (!fchmod(fd, 0600) && !fs_write_all(fd, data, len) &&
			  lseek(fd, 0, SEEK_SET) == 0))
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}
