/* SPDX-License-Identifier: ISC */
/*
 * The lock of an account's sender: a byte of one file, so that no name of an
 * account becomes a file's.  Two names of one byte, of 2^62, would wait for
 * each other, and no more.
 */
#include "outbox.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "state_db.h"

#define LOCK_POLL_MS 20

/* FNV-1a */
static off_t
byte_of(const char *account)
{
	uint64_t hash = 0xcbf29ce484222325;

	for (; *account; account++)
		hash = (hash ^ (unsigned char)*account) * 0x100000001b3;
	return (off_t)(hash >> 2);
}

/* An open file description's lock, as state_lock_deliverer's; it has no
 * deadline of its own. */
static enum mt_status
take(struct state *state, int fd, const char *account, const char *path,
    struct deadline deadline, struct mt_error *err)
{
	struct flock byte = {
	    .l_type = F_WRLCK,
	    .l_whence = SEEK_SET,
	    .l_start = byte_of(account),
	    .l_len = 1,
	};

	while (fcntl(fd, F_OFD_SETLK, &byte)) {
		if (errno != EAGAIN && errno != EACCES && errno != EINTR)
			return mt_fail_errno(
			    err, MT_BAD_CONFIG, errno, "cannot lock %s", path);
		if (deadline_passed(deadline))
			return mt_fail(err, MT_RETRY_LATER,
			    "another process is sending from %s", state->dir);
		poll(NULL, 0, LOCK_POLL_MS);
	}
	return MT_OK;
}

enum mt_status
outbox_lock(struct state *state, const char *account, int *ret_lock,
    struct deadline deadline, struct mt_error *err)
{
	char path[PATH_MAX + sizeof("/sender.lock")];
	enum mt_status status;
	int fd;

	snprintf(path, sizeof(path), "%s/sender.lock", state->dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return mt_fail_errno(
		    err, MT_BAD_CONFIG, errno, "cannot open %s", path);
	status = take(state, fd, account, path, deadline, err);
	if (status == MT_OK)
		*ret_lock = fd;
	else
		close(fd);
	return status;
}

void
outbox_unlock(int lock)
{
	close(lock);
}
