/* SPDX-License-Identifier: ISC */
#include "inbound/tree.h"

#include "unit/cmocka_headers.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit/connector/scratch.h"

static void
expect(const char *dir, const char *error)
{
	struct mt_error err = {0};
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(tree_check(fd, &err), *error ? MT_BAD_INPUT : MT_OK);
	if (!strstr(err.text, error))
		fail_msg("no '%s' in '%s'", error, err.text);
	close(fd);
}

static void
make(int dir, int number, bool directory)
{
	char name[16];

	snprintf(name, sizeof(name), "%d", number);
	assert_int_equal(directory ? mkdirat(dir, name, 0700)
				   : mknodat(dir, name, S_IFREG | 0600, 0),
	    0);
}

/* Directories take as long to look at as files do, be there any or none. */
static void
files_and_directories_have_a_maximum(void **state)
{
	int fd = open(*state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (int i = 0; i < TREE_FILES_MAX; i++)
		make(fd, i, i % 2);
	expect(*state, "");
	make(fd, TREE_FILES_MAX, true);
	expect(*state, "holds more than 10000 files");
	close(fd);
}

static void
depth_has_a_maximum(void **state)
{
	char path[100];
	int len = 0;

	for (int i = 0; i <= TREE_DEPTH_MAX; i++) {
		expect(*state, "");
		len += snprintf(
		    path + len, sizeof(path) - (size_t)len, i ? "/d" : "d");
		scratch_mkdir(*state, path);
	}
	expect(*state, "beyond all measure");
}

static void
links_lead_nowhere(void **state)
{
	assert_int_equal(symlink(".", scratch_path(*state, "round")), 0);
	assert_int_equal(symlink("/", scratch_path(*state, "up")), 0);
	expect(*state, "");
}

int
main(void)
{
#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
	const struct CMUnitTest tests[] = {
	    TEST(files_and_directories_have_a_maximum),
	    TEST(depth_has_a_maximum),
	    TEST(links_lead_nowhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
