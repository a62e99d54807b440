/* SPDX-License-Identifier: ISC */
#include "helper/command/emit_file.h"

#include "unit/cmocka_headers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct place {
	char dir[64];
	char path[80];
};

static int
set_up(void **state)
{
	static struct place place;

	place = (struct place){.dir = "/tmp/test_emit_file.XXXXXX"};
	if (!mkdtemp(place.dir))
		return -1;
	snprintf(place.path, sizeof(place.path), "%s/token", place.dir);
	*state = &place;
	return 0;
}

static int
tear_down(void **state)
{
	const struct place *place = *state;

	unlink(place->path);
	return rmdir(place->dir);
}

static void
kept_file_is_private_and_whole(void **state)
{
	const struct place *place = *state;
	struct emit_file file = EMIT_FILE_NONE;
	struct mt_error err = {0};
	struct stat info;

	umask(0);
	assert_int_equal(emit_file_create(&file, place->path, &err), MT_OK);
	assert_int_equal(write(file.fd, "token\n", 6), 6);
	assert_int_equal(emit_file_keep(&file, &err), MT_OK);
	emit_file_remove(&file);
	assert_int_equal(stat(place->path, &info), 0);
	assert_int_equal(info.st_mode & 07777, 0600);
	assert_int_equal(info.st_size, 6);
}

static void
existing_file_is_left_alone(void **state)
{
	const struct place *place = *state;
	struct emit_file file = EMIT_FILE_NONE;
	struct mt_error err = {0};
	struct stat info;

	/* a dangling link is something, too */
	assert_int_equal(symlink("nowhere", place->path), 0);
	assert_int_equal(
	    emit_file_create(&file, place->path, &err), MT_BAD_INPUT);
	assert_int_equal(file.fd, -1);
	assert_non_null(strstr(err.text, "exists already"));
	emit_file_remove(&file);
	assert_int_equal(lstat(place->path, &info), 0);
}

static void
empty_file_is_an_error_and_removed(void **state)
{
	const struct place *place = *state;
	struct emit_file file = EMIT_FILE_NONE;
	struct mt_error err = {0};

	assert_int_equal(emit_file_create(&file, place->path, &err), MT_OK);
	assert_int_equal(emit_file_keep(&file, &err), MT_UNREACHABLE);
	emit_file_remove(&file);
	assert_int_equal(access(place->path, F_OK), -1);
}

static void
file_that_took_its_place_is_left_alone(void **state)
{
	const struct place *place = *state;
	struct emit_file file = EMIT_FILE_NONE, other = EMIT_FILE_NONE;
	struct mt_error err = {0};

	assert_int_equal(emit_file_create(&file, place->path, &err), MT_OK);
	assert_int_equal(unlink(place->path), 0);
	assert_int_equal(emit_file_create(&other, place->path, &err), MT_OK);
	emit_file_remove(&file);
	assert_int_equal(access(place->path, F_OK), 0);
	emit_file_remove(&other);
	assert_int_equal(access(place->path, F_OK), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		kept_file_is_private_and_whole, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(
		existing_file_is_left_alone, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(
		empty_file_is_an_error_and_removed, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(
		file_that_took_its_place_is_left_alone, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
