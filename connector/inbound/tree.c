/* SPDX-License-Identifier: ISC */
#include "inbound/tree.h"

#include "base/utf8.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct walk {
	const char *folder;
	struct manifest_paths *paths; /* NULL: they are only counted */
	size_t entries;               /* directories, too: they cost as much */
	char path[PATH_MAX];          /* the handle, and directories below it */
};

static enum mt_status
fail_read(const struct walk *w, struct mt_error *err)
{
	return mt_fail_errno(err, MT_RETRY_LATER, errno,
	    "cannot read the directory of message %s", w->path);
}

static int
open_dir(int parent, const char *name)
{
	return openat(
	    parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static enum mt_status
add_file(struct walk *w, const char *name, struct mt_error *err)
{
	if (!w->paths || utf8_valid_len(name, strlen(name)) != strlen(name))
		return MT_OK;
	return manifest_paths_add(w->paths, w->folder, w->path, name, err);
}

static enum mt_status walk_dir(
    struct walk *w, int dir, unsigned depth, struct mt_error *err);

/* A directory or anything else; `d_type` may be unknown. */
static enum mt_status
add_entry(struct walk *w, DIR *entries, const char *name, unsigned depth,
    struct mt_error *err)
{
	size_t len = strlen(w->path);
	enum mt_status status;
	int dir;

	if (++w->entries > TREE_FILES_MAX)
		return mt_fail(err, MT_BAD_INPUT, "%s holds more than %d files",
		    w->path, TREE_FILES_MAX);
	dir = open_dir(dirfd(entries), name);
	if (dir < 0)
		return add_file(w, name, err);
	if (depth == TREE_DEPTH_MAX ||
	    snprintf(w->path + len, sizeof(w->path) - len, "/%s", name) >=
		(int)(sizeof(w->path) - len))
		status = mt_fail(err, MT_BAD_INPUT,
		    "%.200s holds directories in directories beyond all "
		    "measure",
		    w->path);
	else
		status = walk_dir(w, dir, depth + 1, err);
	w->path[len] = '\0';
	close(dir);
	return status;
}

static enum mt_status
walk_dir(struct walk *w, int dir, unsigned depth, struct mt_error *err)
{
	int own = open_dir(dir, ".");
	DIR *entries = own < 0 ? NULL : fdopendir(own);
	enum mt_status status = MT_OK;
	struct dirent *entry;

	if (!entries) {
		status = fail_read(w, err);
		if (own >= 0)
			close(own);
		return status;
	}
	while (status == MT_OK && (errno = 0, entry = readdir(entries)))
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
			status =
			    add_entry(w, entries, entry->d_name, depth, err);
	if (status == MT_OK && errno)
		status = fail_read(w, err);
	closedir(entries);
	return status;
}

enum mt_status
tree_list(int dir, const char *folder, const char *handle,
    struct manifest_paths *paths, struct mt_error *err)
{
	struct walk w = {.folder = folder, .paths = paths};

	snprintf(w.path, sizeof(w.path), "%s", handle);
	return walk_dir(&w, dir, 0, err);
}

enum mt_status
tree_check(int dir, struct mt_error *err)
{
	return tree_list(dir, "", "it", NULL, err);
}
