/* SPDX-License-Identifier: ISC */
/*
 * Makes directories appear in the workspace complete or not at all: they are
 * staged in .tri-onyx/email-tmp/<id>/, synced, and renamed to where agents see
 * them.  Knows directories and files, not messages, and keeps no record: the
 * caller writes the staged name down before it publishes, and asks again after
 * a crash.
 *
 * Agents can write in parts of the workspace, so no symbolic link beneath it is
 * ever followed; everything is reached by descriptors of real directories.
 * Directories are 0750, files 0640, and both have the workspace's group.
 *
 * Failures of all calls: MT_RETRY_LATER when the disk is full or failing,
 * MT_BAD_CONFIG when the workspace is missing, not writable or not what it
 * should be.  Everything blocks for as long as the disk does.
 */
#ifndef MT_DELIVERY_PUBLISH_H
#define MT_DELIVERY_PUBLISH_H

#include "base/deadline.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct publisher;

/*
 * Opens the workspace and makes the staging directory.  `id` tells the users of
 * one workspace apart: each has staged directories of its own.  Threads may
 * share a publisher.
 */
enum mt_status publish_open(struct publisher **ret_publisher,
    const char *workspace, const char *id, struct mt_error *err) MT_MUST_CHECK;
void publish_close(struct publisher **publisher);

#define PUBLISH_NAME_MAX 17

/* A directory in the making, for files and nothing else. */
struct publish_stage {
	char name[PUBLISH_NAME_MAX]; /* what finds it again */
	int fd;
};

#define PUBLISH_STAGE_INIT                                                     \
	{                                                                      \
		.fd = -1                                                       \
	}

/* Makes a staged directory.  It stays until it is published or discarded;
 * publish_stage_close releases the descriptor only. */
enum mt_status publish_stage_new(struct publisher *publisher,
    struct publish_stage *ret_stage, struct mt_error *err) MT_MUST_CHECK;

/* Makes up a name for publish_take. */
enum mt_status publish_stage_name(struct publisher *publisher,
    char ret_name[PUBLISH_NAME_MAX], struct mt_error *err) MT_MUST_CHECK;

/* Opens a staged directory again; *ret_found false: there is none. */
enum mt_status publish_stage_open(struct publisher *publisher, const char *name,
    struct publish_stage *ret_stage, bool *ret_found,
    struct mt_error *err) MT_MUST_CHECK;

/* Gives all files in it their mode and group and makes them durable. */
enum mt_status publish_stage_sync(struct publisher *publisher,
    const struct publish_stage *stage, struct mt_error *err) MT_MUST_CHECK;

void publish_stage_close(struct publish_stage *stage);

/* Removes a staged directory and closes it, as far as that goes: what cannot be
 * removed is left for publish_sweep. */
void publish_stage_discard(
    struct publisher *publisher, struct publish_stage *stage);

/*
 * The same for several, which are open, and makes their names durable as well;
 * to be called before these are written down.  Together this costs little more
 * than one alone.
 */
enum mt_status publish_sync_stages(struct publisher *publisher,
    const struct publish_stage *const *stages, size_t count,
    struct mt_error *err) MT_MUST_CHECK;

/* Removes all that is staged, as far as that goes, but for what `keep` wants
 * (NULL: nothing). */
void publish_sweep(struct publisher *publisher,
    bool (*keep)(void *context, const char *name), void *context);

/* A directory in the workspace that others see. */
struct publish_folder {
	const char *path; /* the caller's */
	int fd;
};

/* Opens the folder at `path`, such as "agents/email/inbox", and makes what is
 * missing of it.  `path` must outlive the folder. */
enum mt_status publish_folder_open(struct publisher *publisher,
    const char *path, struct publish_folder *ret_folder,
    struct mt_error *err) MT_MUST_CHECK;
void publish_folder_close(struct publish_folder *folder);

/* Opens a folder, and makes nothing.  Its `fd` is -1 if there is none, or
 * something else in its place. */
enum mt_status publish_folder_find(struct publisher *publisher,
    const char *path, struct publish_folder *ret_folder,
    struct mt_error *err) MT_MUST_CHECK;

/* Whether anything in the folder has this name. */
enum mt_status publish_folder_has(struct publisher *publisher,
    const struct publish_folder *folder, const char *name, bool *ret_has,
    struct mt_error *err) MT_MUST_CHECK;

enum publish_result {
	PUBLISH_DONE,
	PUBLISH_GONE,  /* nothing staged has that name: it was published */
	PUBLISH_TAKEN, /* the folder has something of that name */
};

/* Renames a staged directory to folder/name; never replaces anything. */
enum mt_status publish_rename(struct publisher *publisher, const char *staged,
    const struct publish_folder *folder, const char *name,
    enum publish_result *ret_result, struct mt_error *err) MT_MUST_CHECK;

/*
 * Takes the directory folder/name away and stages it as `staged`, a name from
 * publish_stage_name, durably.  PUBLISH_GONE: there is no directory; anything
 * else of that name stays.  PUBLISH_TAKEN: something is staged by that name.
 */
enum mt_status publish_take(struct publisher *publisher,
    const struct publish_folder *folder, const char *name, const char *staged,
    enum publish_result *ret_result, struct mt_error *err) MT_MUST_CHECK;

/* Makes what was renamed into the folder durable. */
enum mt_status publish_folder_sync(struct publisher *publisher,
    const struct publish_folder *folder, struct mt_error *err) MT_MUST_CHECK;

/* Replaces the small file folder/name atomically and durably.  Several may do so
 * at once. */
enum mt_status publish_replace(struct publisher *publisher,
    const struct publish_folder *folder, const char *name, const void *data,
    size_t len, struct mt_error *err) MT_MUST_CHECK;

/* A piece of a new file: of memory, or, where `data` is NULL, of another file. */
struct publish_part {
	const void *data;
	int fd;
	off_t begin;
	size_t len;
};

/*
 * The same in two steps, for a file in pieces: publish_stage_file writes and
 * syncs it out of sight, publish_put_file gives it its place.  One at a time may
 * do so with this `name`.  MT_RETRY_LATER also when a file that is copied from
 * has become shorter.
 */
enum mt_status publish_stage_file(struct publisher *publisher, const char *name,
    const struct publish_part *parts, size_t count, mode_t mode,
    struct mt_error *err) MT_MUST_CHECK;
enum mt_status publish_put_file(struct publisher *publisher,
    const struct publish_folder *folder, const char *name,
    struct mt_error *err) MT_MUST_CHECK;

/* Takes a lock that all users of the workspace share, until *ret_fd is closed.
 * MT_RETRY_LATER: not before the deadline. */
enum mt_status publish_lock(struct publisher *publisher, const char *name,
    struct deadline deadline, int *ret_fd, struct mt_error *err) MT_MUST_CHECK;

/* Reads at most `size` - 1 bytes of a small file there, and ends them with a
 * NUL; *ret_found false: there is no such regular file. */
enum mt_status publish_read(struct publisher *publisher,
    const struct publish_folder *folder, const char *name, char *ret_text,
    size_t size, bool *ret_found, struct mt_error *err) MT_MUST_CHECK;

#endif
