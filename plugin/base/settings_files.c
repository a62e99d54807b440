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

	while (buf_ok(text) && (n = read(fd, chunk, sizeof(chunk))) != 0) {
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
end_file(
    const struct settings_files *files, const char *path, struct mt_error *err)
{
	struct mt_error why = {0};

	if (!files->end || files->end(files->context, &why) == MT_OK)
		return MT_OK;
	return mt_fail(err, why.status, "%s: %s", path, why.text);
}

/* Closes the descriptor. */
static enum mt_status
read_open(const struct settings_files *files, const char *path, int fd,
    struct mt_error *err)
{
	struct buf text = BUF_INIT(SETTINGS_FILE_MAX * 16);
	enum mt_status status;
	struct stat st;

	if (fstat(fd, &st))
		status = mt_fail_errno(
		    err, MT_BAD_CONFIG, errno, "cannot look at %s", path);
	else
		status = check_writers(path, &st, err);
	if (status == MT_OK)
		status = files->begin(files->context, path, st.st_uid, err);
	if (status == MT_OK)
		status = read_all(fd, path, &text, err);
	if (status == MT_OK)
		status = settings_parse(
		    path, buf_text(&text), files->line, files->context, err);
	if (status == MT_OK)
		status = end_file(files, path, err);
	buf_done(&text);
	close(fd);
	return status;
}

static enum mt_status
cannot_open(const char *path, int error, struct mt_error *err)
{
	bool passes = error == EMFILE || error == ENFILE || error == ENOMEM;

	return mt_fail_errno(err, passes ? MT_RETRY_LATER : MT_BAD_CONFIG,
	    error, "cannot open %s", path);
}

static enum mt_status
read_file(const struct settings_files *files, const char *path, bool optional,
    struct mt_error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd >= 0)
		return read_open(files, path, fd, err);
	if (errno == ENOENT && optional)
		return MT_OK;
	return cannot_open(path, errno, err);
}

/* ---- accounts.d/ ---- */

/* Of one that cannot be looked at, such as a link to a place that is closed to
 * us, the owner is nobody who is trusted. */
static bool
is_trusted(const char *path, int fd)
{
	struct stat st;

	return (fd >= 0 ? fstat(fd, &st) : stat(path, &st)) == 0 &&
	       settings_owner_is_trusted(st.st_uid);
}

/* Without waiting for anybody who should write into it. */
static enum mt_status
read_entry(const struct settings_files *files, const char *path, bool trusted,
    struct mt_error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	int error = errno;
	struct mt_error why = {0};
	enum mt_status status;

	if (is_trusted(path, fd) != trusted) {
		if (fd >= 0)
			close(fd);
		return MT_OK;
	}
	status = fd < 0 ? cannot_open(path, error, &why)
			: read_open(files, path, fd, &why);
	if (status == MT_BAD_CONFIG && !trusted) {
		if (files->left_out)
			files->left_out(files->context, &why);
		return MT_OK;
	}
	return status == MT_OK ? MT_OK : mt_fail(err, status, "%s", why.text);
}

static enum mt_status
read_dir(const struct settings_files *files, struct mt_error *err)
{
	static const bool order[] = {true, false}; /* who is trusted first */
	char path[PATH_MAX];
	enum mt_status status;
	glob_t found = {0};

	snprintf(path, sizeof(path), "%s/mailtoken.conf", files->dir);
	status = read_file(files, path, true, err);
	if (status != MT_OK)
		return status;
	snprintf(path, sizeof(path), "%s/accounts.d/*.conf", files->dir);
	if (glob(path, 0, NULL, &found) == 0)
		for (size_t i = 0; status == MT_OK && i < 2 * found.gl_pathc;
		     i++)
			status = read_entry(files,
			    found.gl_pathv[i % found.gl_pathc],
			    order[i / found.gl_pathc], err);
	globfree(&found);
	return status;
}

enum mt_status
settings_files_read(const struct settings_files *files, struct mt_error *err)
{
	return files->file ? read_file(files, files->file, false, err)
			   : read_dir(files, err);
}
