/* SPDX-License-Identifier: ISC */
#include "base/fs.h"

#include "unit/cmocka_headers.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64];

static int
enter_directory(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/test_fs.XXXXXX");
	return mkdtemp(dir) && chdir(dir) == 0 ? 0 : -1;
}

static int
leave_directory(void **state)
{
	char command[96];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return chdir("/") || system(command);
}

static int
entries(void)
{
	DIR *d = opendir(dir);
	int count = 0;

	while (readdir(d))
		count++;
	closedir(d);
	return count - 2;
}

static void
replaced_file_has_new_contents_and_mode(void **state)
{
	struct buf b = BUF_INIT(100);
	struct stat st;
	char path[100];

	(void)state;
	snprintf(path, sizeof(path), "%s/f", dir);
	umask(077);
	assert_int_equal(fs_replace(path, "one", 3, 0644, NULL), MT_OK);
	assert_int_equal(fs_replace(path, "three", 5, 0600, NULL), MT_OK);
	assert_int_equal(fs_read(&b, path, NULL, NULL), MT_OK);
	assert_string_equal(buf_text(&b), "three");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(entries(), 1);
	buf_done(&b);
}

static void
failed_replacement_keeps_the_old_contents(void **state)
{
	struct buf b = BUF_INIT(100);
	struct rlimit old, small = {4, 4};
	struct mt_error err;
	char path[100];

	(void)state;
	snprintf(path, sizeof(path), "%s/f", dir);
	assert_int_equal(fs_replace(path, "old", 3, 0600, NULL), MT_OK);
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &old);
	small.rlim_max = old.rlim_max;
	setrlimit(RLIMIT_FSIZE, &small);
	assert_int_equal(
	    fs_replace(path, "too long", 8, 0600, &err), MT_RETRY_LATER);
	setrlimit(RLIMIT_FSIZE, &old);
	assert_non_null(strstr(err.text, path));
	assert_int_equal(fs_read(&b, path, NULL, NULL), MT_OK);
	assert_string_equal(buf_text(&b), "old");
	assert_int_equal(entries(), 1);
	buf_done(&b);
}

static void
missing_file_is_an_error_unless_expected(void **state)
{
	struct buf b = BUF_INIT(100);
	bool found = true;

	(void)state;
	assert_int_equal(fs_read(&b, "none", &found, NULL), MT_OK);
	assert_false(found);
	assert_int_equal(fs_read(&b, "none", NULL, NULL), MT_BAD_CONFIG);
	buf_done(&b);
}

static void
directories_are_made_with_their_parents(void **state)
{
	struct stat st;
	char path[100];

	(void)state;
	umask(022);
	snprintf(path, sizeof(path), "%s/a/b/c", dir);
	assert_int_equal(fs_make_dirs(path, 0700, NULL), MT_OK);
	assert_int_equal(fs_make_dirs(path, 0700, NULL), MT_OK);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	snprintf(path, sizeof(path), "%s/a/b/f", dir);
	assert_int_equal(fs_replace(path, "", 0, 0600, NULL), MT_OK);
	snprintf(path, sizeof(path), "%s/a/b/f/d", dir);
	assert_int_equal(fs_make_dirs(path, 0700, NULL), MT_BAD_CONFIG);
}

int
main(void)
{
#define IN_DIRECTORY(test)                                                     \
	cmocka_unit_test_setup_teardown(test, enter_directory, leave_directory)
	const struct CMUnitTest tests[] = {
	    IN_DIRECTORY(replaced_file_has_new_contents_and_mode),
	    IN_DIRECTORY(failed_replacement_keeps_the_old_contents),
	    IN_DIRECTORY(missing_file_is_an_error_unless_expected),
	    IN_DIRECTORY(directories_are_made_with_their_parents),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
