/* SPDX-License-Identifier: ISC */
#include "control_listen.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define TEMP_MARK '~' /* behind the name, until it listens */

static enum mt_status
make_address(const struct control_place *place, struct sockaddr_un *ret_address,
    struct mt_error *err)
{
	size_t len = strlen(place->path);

	*ret_address = (struct sockaddr_un){.sun_family = AF_UNIX};
	/* and room for TEMP_MARK and the NUL */
	if (len + 2 > sizeof(ret_address->sun_path))
		return mt_fail(err, MT_BAD_CONFIG,
		    "%s is too long for a socket; set %s to a shorter one",
		    place->path, place->setting);
	memcpy(ret_address->sun_path, place->path, len + 1);
	return MT_OK;
}

static int
make_socket(void)
{
	return socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

/* True if connecting says that nobody listens. */
static bool
is_stale(const struct sockaddr_un *address)
{
	int fd = make_socket();
	bool stale =
	    fd >= 0 &&
	    connect(fd, (const struct sockaddr *)address, sizeof(*address)) &&
	    errno == ECONNREFUSED;

	if (fd >= 0)
		close(fd);
	return stale;
}

static enum mt_status
check_free(const struct control_place *place, const struct sockaddr_un *address,
    struct mt_error *err)
{
	struct stat st;

	if (lstat(place->path, &st))
		return errno == ENOENT
			   ? MT_OK
			   : mt_fail_errno(err, MT_BAD_CONFIG, errno,
				 "cannot listen on %s", place->path);
	if (!S_ISSOCK(st.st_mode))
		return mt_fail(err, MT_BAD_CONFIG,
		    "%s is there and is no socket; remove it, or set %s to "
		    "another path",
		    place->path, place->setting);
	if (place->shared && !is_stale(address))
		return mt_fail(err, MT_RETRY_LATER,
		    "another process listens on %s; end it, or set %s to "
		    "another path",
		    place->path, place->setting);
	return MT_OK;
}

/* Who may reach the directory is its group; so it is for the socket. */
static int
give_to_group(const struct sockaddr_un *address)
{
	char path[sizeof(address->sun_path)];
	struct stat directory, st;

	memcpy(path, address->sun_path, sizeof(path));
	if (stat(dirname(path), &directory) || lstat(address->sun_path, &st))
		return -1;
	if (st.st_gid != directory.st_gid &&
	    lchown(address->sun_path, (uid_t)-1, directory.st_gid))
		return -1;
	return fchmodat(AT_FDCWD, address->sun_path, 0660, AT_SYMLINK_NOFOLLOW);
}

/* Bound to a name beside, which nobody expects; until it listens nobody can
 * connect. */
static int
bind_closed(int fd, const struct sockaddr_un *address,
    const struct control_place *place)
{
	unlink(address->sun_path);
	/* Linux: the mode that it is made with, so that it is never wider */
	if (fchmod(fd, 0600) ||
	    bind(fd, (const struct sockaddr *)address, sizeof(*address)))
		return -1;
	return place->shared ? give_to_group(address) : 0;
}

static int
appear(int fd, const struct sockaddr_un *address,
    const struct control_place *place, struct stat *ret_socket)
{
	struct sockaddr_un beside = *address;
	int error;

	beside.sun_path[strlen(beside.sun_path)] = TEMP_MARK;
	if (bind_closed(fd, &beside, place) == 0 &&
	    listen(fd, CONTROL_BACKLOG) == 0 &&
	    lstat(beside.sun_path, ret_socket) == 0 &&
	    rename(beside.sun_path, address->sun_path) == 0)
		return 0;
	error = errno;
	unlink(beside.sun_path);
	errno = error;
	return -1;
}

enum mt_status
control_listen(const struct control_place *place, int *ret_fd,
    struct stat *ret_socket, struct mt_error *err)
{
	struct sockaddr_un address;
	enum mt_status status = make_address(place, &address, err);
	int fd;

	if (status == MT_OK)
		status = check_free(place, &address, err);
	if (status != MT_OK)
		return status;
	fd = make_socket();
	if (fd >= 0 && appear(fd, &address, place, ret_socket) == 0) {
		*ret_fd = fd;
		return MT_OK;
	}
	status = mt_fail_errno(err, MT_BAD_CONFIG, errno,
	    place->shared
		? "cannot listen on %s with the group of its directory"
		: "cannot listen on %s",
	    place->path);
	if (fd >= 0)
		close(fd);
	return status;
}

void
control_unlisten(const char *path, const struct stat *socket)
{
	struct stat st;

	if (lstat(path, &st) == 0 && st.st_dev == socket->st_dev &&
	    st.st_ino == socket->st_ino)
		unlink(path);
}
