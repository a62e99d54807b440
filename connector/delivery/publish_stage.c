/* SPDX-License-Identifier: ISC */
#include "publish_priv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* For how many directories at least one sync of the file system is tried, when
 * it is taken to be slow, and for how many times it is then not tried. */
#define SYNC_ALL_MIN 4
#define SYNC_ALL_MS_PER_STAGE 10
#define SYNC_ALL_PAUSE 20

/* Makes a directory of a new name, and tells the name. */
static int
make_stage(const struct publisher *p, char name[PUBLISH_NAME_MAX])
{
	do {
		if (publish_random_name(name))
			return -1;
		if (!mkdirat(p->staging_fd, name, PUBLISH_DIR_MODE))
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
		return publish_fail(
		    p, "create a directory in", PUBLISH_STAGING, err);
	stage.fd = publish_open_dir(p->staging_fd, stage.name);
	if (stage.fd < 0 || publish_set_access(p, stage.fd, PUBLISH_DIR_MODE)) {
		enum mt_status status = publish_fail(p, "use", stage.name, err);
		publish_stage_discard(p, &stage);
		return status;
	}
	*ret_stage = stage;
	return MT_OK;
}

enum mt_status
publish_stage_name(
    struct publisher *p, char ret_name[PUBLISH_NAME_MAX], struct mt_error *err)
{
	if (publish_random_name(ret_name))
		return publish_fail(
		    p, "make up a name in", PUBLISH_STAGING, err);
	return MT_OK;
}

enum mt_status
publish_stage_open(struct publisher *p, const char *name,
    struct publish_stage *ret_stage, bool *ret_found, struct mt_error *err)
{
	struct publish_stage stage;

	snprintf(stage.name, sizeof(stage.name), "%s", name);
	stage.fd = publish_open_dir(p->staging_fd, stage.name);
	if (stage.fd < 0 && errno != ENOENT)
		return publish_fail(p, "open", stage.name, err);
	*ret_found = stage.fd >= 0;
	*ret_stage = stage;
	return MT_OK;
}

/* The entries of a directory, which stays open; NULL with errno. */
static DIR *
list(int fd)
{
	int own = publish_open_dir(fd, ".");
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
	return publish_set_access(p, fd, PUBLISH_FILE_MODE);
}

static int
access_and_sync(const struct publisher *p, int fd)
{
	return publish_set_access(p, fd, PUBLISH_FILE_MODE) || fsync(fd) ? -1
									 : 0;
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
		return publish_fail(p, "read", stage->name, err);
	while (status == MT_OK && (name = next_name(entries)))
		if (treat_file(p, stage->fd, name, action))
			status =
			    publish_fail(p, "sync the new file", name, err);
	if (status == MT_OK && errno)
		status = publish_fail(p, "read", stage->name, err);
	closedir(entries);
	return status;
}

enum mt_status
publish_stage_sync(struct publisher *p, const struct publish_stage *stage,
    struct mt_error *err)
{
	enum mt_status status = treat_files(p, stage, access_and_sync, err);

	if (status == MT_OK && fsync(stage->fd))
		status = publish_fail(p, "sync", stage->name, err);
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
		status = publish_fail(p, "sync", PUBLISH_STAGING, err);
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
		status = publish_fail(p, "sync", PUBLISH_STAGING, err);
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
publish_sweep(struct publisher *p,
    bool (*keep)(void *context, const char *name), void *context)
{
	DIR *entries = list(p->staging_fd);
	const char *name;

	if (!entries)
		return;
	while ((name = next_name(entries)))
		if (!keep || !keep(context, name))
			sweep_entry(p, name);
	closedir(entries);
}
