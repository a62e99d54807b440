/* SPDX-License-Identifier: ISC */
/*
 * The inside of a publisher, for publish*.c only: publish.c opens it,
 * publish_stage.c makes staged directories, publish_folder.c gives them their
 * places, publish_file.c is for single files.
 */
#ifndef MT_DELIVERY_PUBLISH_PRIV_H
#define MT_DELIVERY_PUBLISH_PRIV_H

#include "publish.h"

#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

#define PUBLISH_DIR_MODE 0750
#define PUBLISH_FILE_MODE 0640
#define PUBLISH_STAGING "email-tmp"

struct publisher {
	char workspace[PATH_MAX]; /* for error texts only */
	int root_fd;
	int staging_fd;
	gid_t group;
	bool can_sync_all;          /* syncfs(2) is as good as fsync(2) */
	atomic_uint sync_all_pause; /* calls for which it is not used */
};

/* "cannot DO WHAT in the workspace W: why", from errno. */
enum mt_status publish_fail(const struct publisher *p, const char *action,
    const char *what, struct mt_error *err);

/* Gives a file or directory the workspace's group and the mode that its kind
 * has.  Setgid is never added: what the parent passed on is kept. */
int publish_set_access(const struct publisher *p, int fd, mode_t mode);

/* Opens a directory that must be a real one, not a symbolic link. */
int publish_open_dir(int parent, const char *name);

/* Enters `path` from the root, one name after another. */
enum mt_status publish_enter_path(const struct publisher *p, const char *path,
    int *ret_fd, struct mt_error *err) MT_MUST_CHECK;

/* A name that nothing has; -1 with errno. */
int publish_random_name(char name[PUBLISH_NAME_MAX]);

#endif
