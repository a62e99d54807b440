/* SPDX-License-Identifier: ISC */
#include "hook_list.h"

#include "base/fs.h"
#include "base/settings_files.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum mt_status
hook_check_program(
    const char *path, char ret_real[PATH_MAX], struct mt_error *err)
{
	if (fs_check_kept(path, ret_real, err) != MT_OK)
		return MT_BAD_CONFIG;
	if (access(ret_real, X_OK))
		return mt_fail(err, MT_BAD_CONFIG,
		    "%s is no program that can be run", path);
	return MT_OK;
}

/* ---- the list ---- */

enum mt_status
hook_list_add(
    struct hook_list *list, const char *path, uid_t owner, struct mt_error *err)
{
	char *copy, real[PATH_MAX];
	enum mt_status status;

	if (*path != '/')
		return mt_fail(err, MT_BAD_CONFIG,
		    "hook: '%s' is not an absolute path", path);
	if (!settings_owner_is_trusted(owner))
		return mt_fail(err, MT_BAD_CONFIG,
		    "hook: only a file of root's or the helper's user can name "
		    "one, this belongs to uid %lu",
		    (unsigned long)owner);
	if (list->count == HOOKS_MAX)
		return mt_fail(
		    err, MT_BAD_CONFIG, "more than %d hooks", HOOKS_MAX);
	status = hook_check_program(path, real, err);
	if (status != MT_OK)
		return status;
	copy = strdup(path);
	if (!copy)
		return mt_fail(err, MT_NO_MEMORY, "no memory");
	list->programs[list->count++] = copy;
	return MT_OK;
}

bool
hook_list_has(const struct hook_list *list, const char *path)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->programs[i], path) == 0)
			return true;
	return false;
}

void
hook_list_done(struct hook_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->programs[i]);
	*list = (struct hook_list){0};
}

/* ---- the settings ---- */

struct reader {
	struct hook_list list;
	char state_dir[PATH_MAX];
	uid_t owner; /* of the file */
	bool in_section;
};

static bool
is_beneath(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	return strncmp(path, dir, len) == 0 && path[len] == '/';
}

/* Neither it nor the link to it. */
static enum mt_status
check_place(const struct reader *reader, const char *path, struct mt_error *err)
{
	char real[PATH_MAX];

	if (!is_beneath(path, reader->state_dir) &&
	    (!realpath(path, real) || !is_beneath(real, reader->state_dir)))
		return MT_OK;
	return mt_fail(err, MT_BAD_CONFIG,
	    "%s lies in the state directory, where the helper itself could "
	    "change it",
	    path);
}

static enum mt_status
begin_file(void *context, const char *path, uid_t owner, struct mt_error *err)
{
	struct reader *reader = context;

	reader->owner = owner;
	reader->in_section = false;
	return check_place(reader, path, err);
}

/* What the other settings say is the helper's affair. */
static enum mt_status
take_line(void *context, const struct settings_line *line, struct mt_error *err)
{
	struct reader *reader = context;
	enum mt_status status;

	if (!line->name)
		reader->in_section = true;
	if (reader->in_section || strcmp(line->name, "hook") != 0)
		return MT_OK;
	status = check_place(reader, line->value, err);
	if (status == MT_OK)
		status = hook_list_add(
		    &reader->list, line->value, reader->owner, err);
	return status;
}

enum mt_status
hook_list_read(struct hook_list *ret_list, const struct hook_places *places,
    struct mt_error *err)
{
	struct reader reader = {0};
	const struct settings_files files = {
	    .file = places->config_file,
	    .dir = places->config_dir,
	    .begin = begin_file,
	    .line = take_line,
	    .context = &reader,
	};
	enum mt_status status;

	if (!realpath(places->state_dir, reader.state_dir))
		return mt_fail_errno(err, MT_BAD_CONFIG, errno,
		    "cannot find %s", places->state_dir);
	status = settings_files_read(&files, err);
	if (status == MT_OK)
		*ret_list = reader.list;
	else
		hook_list_done(&reader.list);
	return status;
}
