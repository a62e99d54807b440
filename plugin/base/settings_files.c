/* SPDX-License-Identifier: ISC */
#include "settings_files.h"

#include "buf.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool
settings_owner_is_trusted(uid_t owner)
{
	return owner == 0 || owner == geteuid();
}

static enum mt_status
read_all(int fd, const char *path, struct buf *text, struct mt_error *err)
{
	char chunk[4096];
	ssize_t n;

	while ((n = read(fd, chunk, sizeof(chunk))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return mt_fail_errno(
			    err, MT_BAD_CONFIG, errno, "cannot read %s", path);
		buf_add(text, chunk, (size_t)n);
	}
	if (!buf_ok(text))
		return mt_fail(err, MT_BAD_CONFIG,
		    "%s is longer than %zu bytes", path, text->max);
	if (text->len && memchr(text->data, '\0', text->len))
		return mt_fail(err, MT_BAD_CONFIG, "%s holds a NUL byte", path);
	return MT_OK;
}

/* Who can write a settings file decides who gets tokens.  A file without a name
 * (memfd, O_TMPFILE) can only be reached through its descriptor. */
static enum mt_status
check_writers(const char *path, const struct stat *st, struct mt_error *err)
{
	if (st->st_nlink > 0 && st->st_mode & (S_IWGRP | S_IWOTH))
		return mt_fail(err, MT_BAD_CONFIG,
		    "%s can be written by group or others; chmod go-w it",
		    path);
	return MT_OK;
}

static enum mt_status
read_file(const struct settings_files *files, const char *path, bool optional,
    struct mt_error *err)
{
	struct buf text = BUF_INIT(SETTINGS_FILE_MAX * 16);
	enum mt_status status;
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0 && errno == ENOENT && optional)
		return MT_OK;
	if (fd < 0 || fstat(fd, &st)) {
		status = mt_fail_errno(
		    err, MT_BAD_CONFIG, errno, "cannot open %s", path);
		if (fd >= 0)
			close(fd);
		return status;
	}
	status = check_writers(path, &st, err);
	if (status == MT_OK)
		status = files->begin(files->context, path, st.st_uid, err);
	if (status == MT_OK)
		status = read_all(fd, path, &text, err);
	if (status == MT_OK)
		status = settings_parse(
		    path, buf_text(&text), files->line, files->context, err);
	buf_done(&text);
	close(fd);
	return status;
}

static enum mt_status
read_dir(const struct settings_files *files, struct mt_error *err)
{
	char path[PATH_MAX];
	enum mt_status status;
	glob_t found = {0};

	snprintf(path, sizeof(path), "%s/mailtoken.conf", files->dir);
	status = read_file(files, path, true, err);
	if (status != MT_OK)
		return status;
	snprintf(path, sizeof(path), "%s/accounts.d/*.conf", files->dir);
	if (glob(path, 0, NULL, &found) == 0)
		for (size_t i = 0; status == MT_OK && i < found.gl_pathc; i++)
			status =
			    read_file(files, found.gl_pathv[i], false, err);
	globfree(&found);
	return status;
}

enum mt_status
settings_files_read(const struct settings_files *files, struct mt_error *err)
{
	return files->file ? read_file(files, files->file, false, err)
			   : read_dir(files, err);
}
