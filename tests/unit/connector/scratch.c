/* SPDX-License-Identifier: ISC */
#include "scratch.h"

#include "unit/cmocka_headers.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

int
scratch_setup(void **state)
{
	const char *base = getenv("TMPDIR");
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/mailtoken-test-XXXXXX",
	    base ? base : "/tmp");
	if (!mkdtemp(path))
		return -1;
	*state = strdup(path);
	return *state ? 0 : -1;
}

static int
remove_entry(
    const char *path, const struct stat *info, int flag, struct FTW *at)
{
	(void)info;
	(void)flag;
	(void)at;
	return remove(path);
}

int
scratch_teardown(void **state)
{
	int result = nftw(*state, remove_entry, 16, FTW_DEPTH | FTW_PHYS);

	free(*state);
	return result;
}

const char *
scratch_path(const char *dir, const char *name)
{
	static char paths[8][PATH_MAX];
	static unsigned next;
	char *path = paths[next++ % 8];

	assert_true(snprintf(path, PATH_MAX, "%s/%s", dir, name) < PATH_MAX);
	return path;
}

void
scratch_write(const char *dir, const char *name, const char *text)
{
	FILE *file = fopen(scratch_path(dir, name), "we");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

void
scratch_mkdir(const char *dir, const char *name)
{
	assert_int_equal(mkdir(scratch_path(dir, name), 0755), 0);
}

char *
scratch_read(const char *dir, const char *name)
{
	FILE *file = fopen(scratch_path(dir, name), "re");
	char *text = NULL;
	size_t room = 0;

	if (!file)
		return NULL;
	if (getdelim(&text, &room, '\0', file) < 0) {
		free(text);
		text = strdup("");
	}
	fclose(file);
	assert_non_null(text);
	return text;
}

bool
scratch_exists(const char *dir, const char *name)
{
	struct stat info;

	return lstat(scratch_path(dir, name), &info) == 0;
}

mode_t
scratch_mode(const char *dir, const char *name)
{
	struct stat info;

	assert_int_equal(lstat(scratch_path(dir, name), &info), 0);
	return info.st_mode & 07777;
}

void
scratch_remove(const char *dir, const char *name)
{
	assert_int_equal(nftw(scratch_path(dir, name), remove_entry, 16,
			     FTW_DEPTH | FTW_PHYS),
	    0);
}

size_t
scratch_count(const char *dir, const char *name)
{
	DIR *entries = opendir(scratch_path(dir, name));
	size_t count = 0;

	assert_non_null(entries);
	while (readdir(entries))
		count++;
	closedir(entries);
	return count - 2;
}

static bool
write_proc(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	bool done = fd >= 0 && write(fd, text, strlen(text)) > 0;

	close(fd);
	return done;
}

/* Lets a process that is not root mount, in namespaces of its own. */
static bool
become_root_here(void)
{
	char uids[64], gids[64];

	snprintf(uids, sizeof(uids), "0 %lu 1", (unsigned long)geteuid());
	snprintf(gids, sizeof(gids), "0 %lu 1", (unsigned long)getegid());
	return unshare(CLONE_NEWUSER) == 0 &&
	       write_proc("/proc/self/setgroups", "deny") &&
	       write_proc("/proc/self/uid_map", uids) &&
	       write_proc("/proc/self/gid_map", gids);
}

bool
scratch_mount(const char *path, const char *options)
{
	if (geteuid() != 0 && !become_root_here())
		return false;
	return unshare(CLONE_NEWNS) == 0 &&
	       mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("none", path, "tmpfs", 0, options) == 0;
}
