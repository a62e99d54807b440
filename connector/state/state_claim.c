/* SPDX-License-Identifier: ISC */
#include "state_claim.h"

#include "state_db.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum mt_status
state_claim(struct state *state, const char *name, int64_t id,
    bool *ret_claimed, int *ret_fd, struct mt_error *err)
{
	/* an open file description's lock (fcntl(2)): of a thread, too */
	struct flock byte = {
	    .l_type = F_WRLCK,
	    .l_whence = SEEK_SET,
	    .l_start = id,
	    .l_len = 1,
	};
	char path[PATH_MAX];
	int fd, error;

	if (snprintf(path, sizeof(path), "%s/%s", state->dir, name) >=
	    (int)sizeof(path))
		return mt_fail(err, MT_BAD_CONFIG,
		    "the state directory's path is too long: %s", state->dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return mt_fail_errno(
		    err, MT_RETRY_LATER, errno, "cannot open %s", path);
	*ret_claimed = !fcntl(fd, F_OFD_SETLK, &byte);
	if (*ret_claimed) {
		*ret_fd = fd;
		return MT_OK;
	}
	error = errno;
	close(fd);
	if (error == EAGAIN || error == EACCES)
		return MT_OK;
	return mt_fail_errno(
	    err, MT_RETRY_LATER, error, "cannot lock %s", path);
}
