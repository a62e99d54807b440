/* SPDX-License-Identifier: ISC */
#include "beneath.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* O_NONBLOCK: a FIFO without a writer, and a file that is leased */
#define READ_FLAGS (O_RDONLY | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC)

static void
close_quietly(int fd)
{
	int error = errno;

	close(fd);
	errno = error;
}

/* No part of it is ".."; it is relative, and not empty. */
static bool
stays_below(const char *path)
{
	const char *part = path;

	if (!*path || *path == '/')
		return false;
	while (part) {
		size_t len = strcspn(part, "/");

		if (len == 2 && !memcmp(part, "..", 2))
			return false;
		part = part[len] ? part + len + 1 : NULL;
	}
	return true;
}

static int
open_at_once(int directory, const char *path)
{
	struct open_how how = {
	    .flags = READ_FLAGS,
	    .resolve =
		RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};

	return (int)syscall(SYS_openat2, directory, path, &how, sizeof(how));
}

/* A directory on the way; -1 with ELOOP for a symbolic link. */
static int
enter(int directory, const char *name)
{
	int fd = openat(directory, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) != 0)
		st.st_mode = 0;
	else if (S_ISLNK(st.st_mode))
		errno = ELOOP;
	else if (!S_ISDIR(st.st_mode))
		errno = ENOTDIR;
	if (fd < 0 || S_ISDIR(st.st_mode))
		return fd;
	close_quietly(fd);
	return -1;
}

/* Takes the first part off the path and opens it; *path is NULL when it was the
 * last. */
static int
open_part(int directory, const char **path)
{
	size_t len = strcspn(*path, "/");
	const char *rest = *path + len;
	char name[NAME_MAX + 1] = "."; /* behind a slash at the end */

	if (len >= sizeof(name)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	if (len) {
		memcpy(name, *path, len);
		name[len] = '\0';
	}
	*path = *rest ? rest + strspn(rest, "/") : NULL;
	return *path ? enter(directory, name)
		     : openat(directory, name, READ_FLAGS);
}

/* The same one part after the other: for kernels before 5.6, and for sandboxes
 * that do not know openat2. */
static int
open_in_steps(int directory, const char *path)
{
	int fd = directory;

	do {
		int above = fd;

		fd = open_part(above, &path);
		if (above != directory)
			close_quietly(above);
	} while (fd >= 0 && path);
	return fd;
}

/* Whether it may be read as a file; else errno says why not. */
static bool
is_file(int fd)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return false;
	errno = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
	return S_ISREG(st.st_mode);
}

int
beneath_open(int directory, const char *path)
{
	int fd;

	errno = EXDEV;
	if (!stays_below(path))
		return -1;
	fd = open_at_once(directory, path);
	/* EAGAIN: somebody renames what lies on the way */
	if (fd < 0 && (errno == ENOSYS || errno == EPERM || errno == EAGAIN))
		fd = open_in_steps(directory, path);
	if (fd < 0 && errno == ELOOP)
		errno = EXDEV;
	if (fd >= 0 && !is_file(fd)) {
		close_quietly(fd);
		fd = -1;
	}
	return fd;
}

bool
beneath_read(int fd, struct buf *b)
{
	char chunk[65536];
	ssize_t n;

	do {
		n = read(fd, chunk, sizeof(chunk));
		if (n > 0)
			buf_add(b, chunk, (size_t)n);
		if (n < 0 && errno != EINTR)
			return false;
	} while (n != 0 && buf_ok(b));
	return true;
}
