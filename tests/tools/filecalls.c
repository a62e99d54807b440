/* SPDX-License-Identifier: ISC */
/*
 * filecalls.so, for LD_PRELOAD: sees each call of a program that changes files.
 *
 *   FILECALLS_LOG=PATH       writes down what the calls did, in their order
 *   FILECALLS_KILL=T:N       kills the process just before the N-th such call of
 *                            its T-th thread, both from 0; threads are numbered
 *                            by their first such call; T -1: of all threads
 *   FILECALLS_FULL=T:N       the disk is full from that call on: nothing can be
 *                            made or written any more, but all else be done
 *
 *   FILECALLS_NETWORK=1      connect, send and recv count as such calls, too
 *
 * One call at a time: the order of the log is the order on the disk.  A record
 * is its length (8 bytes, as this machine has them), and fields that end with a
 * NUL, of which the last, the data, may have NULs too:
 *
 *   thread, call, result (0, or -1: nothing changed), and then
 *   create DIR NAME INODE         mkdir DIR NAME INODE
 *   write INODE OFFSET DATA       truncate INODE SIZE
 *   sync INODE                    syncfs
 *   rename DIR NAME DIR NAME      unlink DIR NAME
 *   output DATA                   to standard output
 *   network                       written down before the call
 *
 * DIR and INODE are inode numbers.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int log_fd = -1;
static struct moment {
	long thread, number;
} kill_at = {-1, -1}, full_at = {-1, -1};
static int full, network;
static long threads, calls;
static _Thread_local long thread = -1, number;

static void
read_moment(const char *variable, struct moment *moment)
{
	const char *text = getenv(variable);

	if (text &&
	    sscanf(text, "%ld:%ld", &moment->thread, &moment->number) != 2)
		abort();
}

static int
is_now(struct moment moment)
{
	if (moment.thread < 0)
		return calls == moment.number;
	return thread == moment.thread && number == moment.number;
}

__attribute__((constructor)) static void
set_up(void)
{
	const char *path = getenv("FILECALLS_LOG");

	if (path)
		log_fd = (int)syscall(SYS_openat, AT_FDCWD, path,
		    O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	read_moment("FILECALLS_KILL", &kill_at);
	read_moment("FILECALLS_FULL", &full_at);
	network = getenv("FILECALLS_NETWORK") != NULL;
}

/* To be called before each call that may change something. */
static void
begin(void)
{
	pthread_mutex_lock(&lock);
	if (thread < 0)
		thread = threads++;
	if (is_now(kill_at))
		kill(getpid(), SIGKILL);
	full |= is_now(full_at);
	number++;
	calls++;
}

/* Writes a record: the fields that `format` makes, separated by '|', and data.
 * To be called after it; keeps errno. */
static void
end(int failed, const void *data, size_t len, const char *format, ...)
{
	int error = errno;
	char text[2 * NAME_MAX + 200];
	uint64_t size;
	va_list args;
	int n = snprintf(text, sizeof(text), "%ld|", thread);
	struct iovec parts[3];

	va_start(args, format);
	n += vsnprintf(text + n, sizeof(text) - (size_t)n, format, args);
	va_end(args);
	n += snprintf(text + n, sizeof(text) - (size_t)n, "|%d|", failed);
	for (char *p = text; *p; p++)
		if (*p == '|')
			*p = '\0';
	size = (size_t)n + len;
	parts[0] = (struct iovec){&size, sizeof(size)};
	parts[1] = (struct iovec){text, (size_t)n};
	parts[2] = (struct iovec){(void *)(uintptr_t)data, len};
	if (log_fd >= 0 && syscall(SYS_writev, log_fd, parts, 3) !=
			       (long)(sizeof(size) + size))
		abort();
	pthread_mutex_unlock(&lock);
	errno = error;
}

/* syscall(2), for calls that need space. */
static long
grow(long call, long a, long b, long c, long d)
{
	if (!full)
		return syscall(call, a, b, c, d);
	errno = ENOSPC;
	return -1;
}

static unsigned long
inode_of(int fd)
{
	struct stat info;

	return fstat(fd, &info) ? 0 : info.st_ino;
}

/* The directory that a path names something in, and the name. */
static unsigned long
parent_of(int dir, const char *path, const char **ret_name)
{
	const char *slash = strrchr(path, '/');
	char parent[PATH_MAX];
	struct stat info;

	*ret_name = slash ? slash + 1 : path;
	snprintf(parent, sizeof(parent), "%.*s",
	    slash ? (int)(slash - path) + 1 : 1, slash ? path : ".");
	if (!slash && dir != AT_FDCWD)
		return inode_of(dir);
	return fstatat(dir, parent, &info, 0) ? 0 : info.st_ino;
}

static int
do_open(int dir, const char *path, int flags, mode_t mode)
{
	const char *name;
	unsigned long parent;
	struct stat info;
	int fd, existed;

	if (!(flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE)
		return (int)syscall(SYS_openat, dir, path, flags, mode);
	begin();
	existed = !fstatat(dir, path, &info, AT_SYMLINK_NOFOLLOW);
	parent = parent_of(dir, path, &name);
	if (existed)
		fd = (int)syscall(SYS_openat, dir, path, flags, mode);
	else
		fd = (int)grow(SYS_openat, dir, (long)path, flags, mode);
	if (existed && (flags & O_TRUNC))
		end(fd < 0, NULL, 0, "truncate|%lu|0", inode_of(fd));
	else
		end(fd < 0 || existed, NULL, 0, "create|%lu|%s|%lu", parent,
		    name, fd < 0 ? 0 : inode_of(fd));
	return fd;
}

#define OPEN(function, ...)                                                    \
	mode_t mode = 0;                                                       \
	if (flags & O_CREAT) {                                                 \
		va_list args;                                                  \
		va_start(args, flags);                                         \
		mode = va_arg(args, mode_t);                                   \
		va_end(args);                                                  \
	}                                                                      \
	return do_open(__VA_ARGS__, flags, mode)

int
open(const char *path, int flags, ...)
{
	OPEN(open, AT_FDCWD, path);
}

int
open64(const char *path, int flags, ...)
{
	OPEN(open64, AT_FDCWD, path);
}

int
openat(int dir, const char *path, int flags, ...)
{
	OPEN(openat, dir, path);
}

int
openat64(int dir, const char *path, int flags, ...)
{
	OPEN(openat64, dir, path);
}

static int
is_file(int fd)
{
	struct stat info;

	/* without a name: memory */
	return !fstat(fd, &info) && S_ISREG(info.st_mode) && info.st_nlink;
}

ssize_t
write(int fd, const void *bytes, size_t len)
{
	off_t at = 0;
	ssize_t n;
	int file = is_file(fd) && fd != STDOUT_FILENO;

	if (!file && fd != STDOUT_FILENO)
		return syscall(SYS_write, fd, bytes, len);
	begin();
	if (file)
		at = lseek(
		    fd, 0, fcntl(fd, F_GETFL) & O_APPEND ? SEEK_END : SEEK_CUR);
	n = file ? grow(SYS_write, fd, (long)bytes, (long)len, 0)
		 : syscall(SYS_write, fd, bytes, len);
	if (file)
		end(n < 0, bytes, n < 0 ? 0 : (size_t)n, "write|%lu|%ld",
		    inode_of(fd), (long)at);
	else
		end(n < 0, bytes, n < 0 ? 0 : (size_t)n, "output");
	return n;
}

static ssize_t
do_pwrite(int fd, const void *bytes, size_t len, off_t at)
{
	ssize_t n;

	begin();
	n = grow(SYS_pwrite64, fd, (long)bytes, (long)len, at);
	end(n < 0, bytes, n < 0 ? 0 : (size_t)n, "write|%lu|%ld", inode_of(fd),
	    (long)at);
	return n;
}

ssize_t
pwrite(int fd, const void *bytes, size_t len, off_t at)
{
	return do_pwrite(fd, bytes, len, at);
}

ssize_t
pwrite64(int fd, const void *bytes, size_t len, off64_t at)
{
	return do_pwrite(fd, bytes, len, at);
}

/* Written down as what it writes. */
ssize_t
copy_file_range(
    int from, off_t *from_at, int to, off_t *to_at, size_t len, unsigned flags)
{
	off_t begin_at, at;
	void *bytes;
	ssize_t n = -1;

	begin();
	begin_at = from_at ? *from_at : lseek(from, 0, SEEK_CUR);
	at = to_at ? *to_at : lseek(to, 0, SEEK_CUR);
	errno = ENOSPC;
	if (!full)
		n = syscall(
		    SYS_copy_file_range, from, from_at, to, to_at, len, flags);
	bytes = n > 0 ? malloc((size_t)n) : NULL;
	if (n > 0 && (!bytes || pread(from, bytes, (size_t)n, begin_at) != n))
		abort();
	end(n < 0, bytes, n < 0 ? 0 : (size_t)n, "write|%lu|%ld", inode_of(to),
	    (long)at);
	free(bytes);
	return n;
}

static int
do_truncate(int fd, off_t size)
{
	int result;

	begin();
	result = (int)syscall(SYS_ftruncate, fd, size);
	end(result, NULL, 0, "truncate|%lu|%ld", inode_of(fd), (long)size);
	return result;
}

int
ftruncate(int fd, off_t size)
{
	return do_truncate(fd, size);
}

int
ftruncate64(int fd, off64_t size)
{
	return do_truncate(fd, size);
}

static int
do_sync(long call, int fd)
{
	int result;

	begin();
	result = (int)syscall(call, fd);
	if (call == SYS_syncfs)
		end(result, NULL, 0, "syncfs");
	else
		end(result, NULL, 0, "sync|%lu", inode_of(fd));
	return result;
}

int
fsync(int fd)
{
	return do_sync(SYS_fsync, fd);
}

int
fdatasync(int fd)
{
	return do_sync(SYS_fdatasync, fd);
}

int
syncfs(int fd)
{
	return do_sync(SYS_syncfs, fd);
}

int
renameat2(
    int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
	const char *from_name, *to_name;
	unsigned long from_parent, to_parent;
	int result;

	begin();
	from_parent = parent_of(from_dir, from, &from_name);
	to_parent = parent_of(to_dir, to, &to_name);
	result = (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, flags);
	end(result, NULL, 0, "rename|%lu|%s|%lu|%s", from_parent, from_name,
	    to_parent, to_name);
	return result;
}

int
renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	return renameat2(from_dir, from, to_dir, to, 0);
}

int
rename(const char *from, const char *to)
{
	return renameat2(AT_FDCWD, from, AT_FDCWD, to, 0);
}

int
unlinkat(int dir, const char *path, int flags)
{
	const char *name;
	unsigned long parent;
	int result;

	begin();
	parent = parent_of(dir, path, &name);
	result = (int)syscall(SYS_unlinkat, dir, path, flags);
	end(result, NULL, 0, "unlink|%lu|%s", parent, name);
	return result;
}

int
unlink(const char *path)
{
	return unlinkat(AT_FDCWD, path, 0);
}

int
rmdir(const char *path)
{
	return unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

int
mkdirat(int dir, const char *path, mode_t mode)
{
	const char *name;
	unsigned long parent;
	struct stat info = {0};
	int result;

	begin();
	parent = parent_of(dir, path, &name);
	result = (int)grow(SYS_mkdirat, dir, (long)path, mode, 0);
	if (!result && fstatat(dir, path, &info, AT_SYMLINK_NOFOLLOW))
		abort();
	end(result, NULL, 0, "mkdir|%lu|%s|%lu", parent, name,
	    (unsigned long)info.st_ino);
	return result;
}

int
mkdir(const char *path, mode_t mode)
{
	return mkdirat(AT_FDCWD, path, mode);
}

/* Not during the call, which may wait for the peer. */
static void
note_network(void)
{
	if (!network)
		return;
	begin();
	end(0, NULL, 0, "network");
}

int
connect(int fd, __CONST_SOCKADDR_ARG address, socklen_t len)
{
	note_network();
	return (int)syscall(SYS_connect, fd, address.__sockaddr__, len);
}

ssize_t
sendto(int fd, const void *bytes, size_t len, int flags,
    __CONST_SOCKADDR_ARG address, socklen_t address_len)
{
	note_network();
	return syscall(SYS_sendto, fd, bytes, len, flags, address.__sockaddr__,
	    address_len);
}

ssize_t
send(int fd, const void *bytes, size_t len, int flags)
{
	note_network();
	return syscall(SYS_sendto, fd, bytes, len, flags, NULL, 0);
}

ssize_t
sendmsg(int fd, const struct msghdr *message, int flags)
{
	note_network();
	return syscall(SYS_sendmsg, fd, message, flags);
}

ssize_t
recvfrom(int fd, void *bytes, size_t len, int flags, __SOCKADDR_ARG address,
    socklen_t *address_len)
{
	note_network();
	return syscall(SYS_recvfrom, fd, bytes, len, flags,
	    address.__sockaddr__, address_len);
}

ssize_t
recv(int fd, void *bytes, size_t len, int flags)
{
	note_network();
	return syscall(SYS_recvfrom, fd, bytes, len, flags, NULL, NULL);
}
