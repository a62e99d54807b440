/* SPDX-License-Identifier: ISC */
#include "delivery/publish.h"

#include "unit/cmocka_headers.h"
#include "unit/connector/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define ID "0123456789abcdef"
#define STAGING ".tri-onyx/email-tmp"
#define INBOX "agents/email/inbox"
#define SMALL "nr_inodes=32,mode=0755"

/* A file system without RENAME_NOREPLACE, such as NFS, answers EINVAL. */
static bool cannot_promise;

int
renameat2(
    int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
	if (cannot_promise) {
		errno = EINVAL;
		return -1;
	}
	return (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, flags);
}

static struct publisher *
open_publisher(const char *workspace)
{
	struct publisher *p = NULL;

	OK(publish_open(&p, workspace, ID, &err));
	return p;
}

static void
write_file(int dir, const char *name, const char *text)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

/* Stages a directory with one file, `text`. */
static struct publish_stage
stage(struct publisher *p, const char *text)
{
	struct publish_stage s;

	OK(publish_stage_new(p, &s, &err));
	write_file(s.fd, "message.json", text);
	OK(publish_sync_stages(
	    p, &(const struct publish_stage *){&s}, 1, &err));
	publish_stage_close(&s);
	return s;
}

static struct publish_folder
open_inbox(struct publisher *p)
{
	struct publish_folder folder;

	OK(publish_folder_open(p, INBOX, &folder, &err));
	return folder;
}

static enum publish_result
put(struct publisher *p, const struct publish_stage *s, const char *name)
{
	struct publish_folder folder = open_inbox(p);
	enum publish_result result = PUBLISH_GONE;

	OK(publish_rename(p, s->name, &folder, name, &result, &err));
	OK(publish_folder_sync(p, &folder, &err));
	publish_folder_close(&folder);
	return result;
}

static void
assert_text(const char *dir, const char *name, const char *expected)
{
	char *text = scratch_read(dir, name);

	assert_non_null(text);
	assert_string_equal(text, expected);
	free(text);
}

static void
staged_directory_appears_complete(void **ws)
{
	struct publisher *p = open_publisher(*ws);
	struct publish_stage s = stage(p, "{}");
	char staged[64];

	snprintf(staged, sizeof(staged), STAGING "/" ID "/%s", s.name);
	assert_true(scratch_exists(*ws, staged));
	assert_false(scratch_exists(*ws, "agents"));
	assert_int_equal(put(p, &s, "12"), PUBLISH_DONE);
	assert_text(*ws, INBOX "/12/message.json", "{}");
	assert_false(scratch_exists(*ws, staged));
	assert_int_equal(put(p, &s, "12"), PUBLISH_GONE);
	assert_text(*ws, STAGING "/.gitignore", "*\n");
	publish_close(&p);
	assert_null(p);
}

static gid_t
group_of(const char *dir, const char *name)
{
	struct stat info;

	assert_int_equal(stat(scratch_path(dir, name), &info), 0);
	return info.st_gid;
}

/* Any group that this process may give files to, if there is another. */
static gid_t
other_group(void)
{
	gid_t groups[64];
	int count = getgroups(64, groups);

	for (int i = 0; i < count; i++)
		if (groups[i] != getegid())
			return groups[i];
	return geteuid() == 0 ? 1 : getegid();
}

static void
modes_are_fixed_and_the_group_is_the_workspaces(void **ws)
{
	static const char *const dirs[] = {
	    ".tri-onyx", STAGING, STAGING "/" ID, "agents", INBOX, INBOX "/12"};
	static const char *const files[] = {
	    STAGING "/.gitignore", INBOX "/12/message.json"};
	static const mode_t umasks[] = {077, 0};
	gid_t group = other_group();

	assert_int_equal(chown(*ws, (uid_t)-1, group), 0);
	for (size_t u = 0; u < 2; u++) {
		mode_t old = umask(umasks[u]);
		struct publisher *p = open_publisher(*ws);
		struct publish_stage s = stage(p, "{}");

		assert_int_equal(put(p, &s, "12"), PUBLISH_DONE);
		umask(old);
		publish_close(&p);
		for (size_t i = 0; i < sizeof(dirs) / sizeof(*dirs); i++) {
			assert_int_equal(scratch_mode(*ws, dirs[i]), 0750);
			assert_int_equal(group_of(*ws, dirs[i]), group);
		}
		for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
			assert_int_equal(scratch_mode(*ws, files[i]), 0640);
			assert_int_equal(group_of(*ws, files[i]), group);
		}
		scratch_remove(*ws, "agents");
		scratch_remove(*ws, ".tri-onyx");
	}
}

static void
setgid_is_passed_on_and_never_added(void **ws)
{
	mode_t old = umask(077);
	struct publisher *p;
	struct publish_stage s;

	assert_int_equal(chmod(*ws, 02755), 0);
	p = open_publisher(*ws);
	s = stage(p, "{}");
	assert_int_equal(put(p, &s, "12"), PUBLISH_DONE);
	umask(old);
	assert_int_equal(scratch_mode(*ws, INBOX), 02750);
	assert_int_equal(scratch_mode(*ws, INBOX "/12"), 02750);
	publish_close(&p);
}

static void
symbolic_links_in_the_workspace_are_refused(void **scratch)
{
	static const struct {
		const char *link;
		const char *parents[3];
	} cases[] = {
	    {".tri-onyx", {NULL}},
	    {STAGING, {".tri-onyx", NULL}},
	    {STAGING "/" ID, {".tri-onyx", STAGING, NULL}},
	    {"agents", {NULL}},
	    {"agents/email", {"agents", NULL}},
	    {INBOX, {"agents", "agents/email", NULL}},
	};
	const char *outside = scratch_path(*scratch, "outside");

	scratch_mkdir(*scratch, "outside");
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct mt_error err = {0};
		struct publisher *p = NULL;
		struct publish_folder folder;
		enum mt_status status;

		scratch_mkdir(*scratch, "ws");
		for (size_t j = 0; cases[i].parents[j]; j++)
			scratch_mkdir(
			    scratch_path(*scratch, "ws"), cases[i].parents[j]);
		assert_int_equal(
		    symlink(outside, scratch_path(scratch_path(*scratch, "ws"),
					 cases[i].link)),
		    0);
		status =
		    publish_open(&p, scratch_path(*scratch, "ws"), ID, &err);
		if (status == MT_OK)
			status = publish_folder_open(p, INBOX, &folder, &err);
		publish_close(&p);
		if (status != MT_BAD_CONFIG ||
		    !strstr(err.text, "symbolic link"))
			fail_msg("%s: %d, %s", cases[i].link, status, err.text);
		assert_int_equal(scratch_count(*scratch, "outside"), 0);
		scratch_remove(*scratch, "ws");
	}
}

static void
odd_folder_names_are_refused(void **ws)
{
	static const char *const paths[] = {"", "..", "agents/../..", "/etc",
	    "agents//inbox", "agents/", "./agents"};
	struct publisher *p = open_publisher(*ws);
	struct publish_folder folder;

	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++)
		assert_int_equal(
		    publish_folder_open(p, paths[i], &folder, NULL),
		    MT_BAD_CONFIG);
	publish_close(&p);
}

static void
file_in_place_of_a_directory_is_refused(void **ws)
{
	struct publisher *p = open_publisher(*ws);
	struct publish_folder folder;
	struct mt_error err = {0};

	scratch_write(*ws, "agents", "");
	assert_int_equal(
	    publish_folder_open(p, INBOX, &folder, &err), MT_BAD_CONFIG);
	assert_non_null(strstr(err.text, "agents"));
	publish_close(&p);
}

static void
what_has_the_name_already_is_left_alone(void **ws)
{
	struct publisher *p = open_publisher(*ws);
	struct publish_folder inbox = open_inbox(p);
	struct publish_stage s = stage(p, "new");

	scratch_mkdir(*ws, INBOX "/1");
	scratch_mkdir(*ws, INBOX "/2");
	scratch_write(*ws, INBOX "/2/message.json", "old");
	scratch_write(*ws, INBOX "/3", "file");
	assert_int_equal(symlink("nowhere", scratch_path(*ws, INBOX "/4")), 0);
	for (int round = 0; round < 2; round++) {
		static const char *const names[] = {"1", "2", "3", "4"};
		cannot_promise = round == 1;
		for (size_t i = 0; i < 4; i++) {
			bool has = false;
			OK(publish_folder_has(p, &inbox, names[i], &has, &err));
			assert_true(has);
			assert_int_equal(put(p, &s, names[i]), PUBLISH_TAKEN);
		}
	}
	assert_int_equal(scratch_count(*ws, INBOX "/1"), 0);
	assert_text(*ws, INBOX "/2/message.json", "old");
	assert_text(*ws, INBOX "/3", "file");
	assert_int_equal(put(p, &s, "5"), PUBLISH_DONE);
	cannot_promise = false;
	assert_text(*ws, INBOX "/5/message.json", "new");
	publish_folder_close(&inbox);
	publish_close(&p);
}

static void
folder_that_vanished_is_not_taken_for_published(void **ws)
{
	struct publisher *p = open_publisher(*ws);
	struct publish_folder inbox = open_inbox(p);
	struct publish_stage s = stage(p, "{}");
	enum publish_result result;
	struct mt_error err = {0};

	assert_int_equal(rmdir(scratch_path(*ws, INBOX)), 0);
	assert_int_equal(publish_rename(p, s.name, &inbox, "1", &result, &err),
	    MT_BAD_CONFIG);
	publish_folder_close(&inbox);
	assert_int_equal(put(p, &s, "1"), PUBLISH_DONE);
	publish_close(&p);
}

static void
only_regular_files_are_published(void **ws)
{
	struct publisher *p = open_publisher(*ws);
	struct publish_stage s;
	bool found;

	for (int i = 0; i < 3; i++) {
		struct mt_error why = {0};
		int result;

		OK(publish_stage_new(p, &s, &err));
		if (i == 0)
			result = symlinkat("/etc/passwd", s.fd, "x");
		else if (i == 1)
			result = mkfifoat(s.fd, "x", 0600);
		else
			result = mkdirat(s.fd, "x", 0700);
		assert_int_equal(result, 0);
		assert_int_not_equal(publish_stage_sync(p, &s, &why), MT_OK);
		if (i < 2) {
			publish_stage_discard(p, &s);
			OK(publish_stage_open(p, s.name, &s, &found, &err));
			assert_false(found);
		} else {
			publish_stage_close(&s);
		}
	}
	publish_close(&p);
}

static bool
is_staged(struct publisher *p, const struct publish_stage *s)
{
	struct publish_stage again;
	bool found;

	OK(publish_stage_open(p, s->name, &again, &found, &err));
	publish_stage_close(&again);
	return found;
}

static void
sweep_removes_what_is_ours_only(void **ws)
{
	struct publisher *p = open_publisher(*ws), *other = NULL;
	struct publish_stage a = stage(p, "a"), b = stage(p, "b"), c;

	OK(publish_open(&other, *ws, "another", &err));
	c = stage(other, "c");
	scratch_write(*ws, STAGING "/" ID "/last_uid", "half");
	assert_true(is_staged(p, &b));
	publish_sweep(p, NULL, NULL);
	assert_false(is_staged(p, &a));
	assert_false(is_staged(p, &b));
	assert_true(is_staged(other, &c));
	assert_int_equal(scratch_count(*ws, STAGING "/" ID), 0);
	publish_close(&other);
	publish_close(&p);
}

static bool
keep_one(void *context, const char *name)
{
	return strcmp(name, context) == 0;
}

static void
sweep_leaves_what_is_wanted(void **ws)
{
	struct publisher *p = open_publisher(*ws);
	struct publish_stage a = stage(p, "a"), b = stage(p, "b");

	publish_sweep(p, keep_one, a.name);
	assert_true(is_staged(p, &a));
	assert_false(is_staged(p, &b));
	publish_stage_close(&a);
	publish_stage_close(&b);
	publish_close(&p);
}

static enum publish_result
take(struct publisher *p, const char *name, const char *staged)
{
	enum publish_result result = PUBLISH_TAKEN;
	struct publish_folder folder = open_inbox(p);

	OK(publish_take(p, &folder, name, staged, &result, &err));
	publish_folder_close(&folder);
	return result;
}

static void
directory_is_taken_out_of_its_folder(void **ws)
{
	struct publisher *p = open_publisher(*ws);
	struct publish_stage again;
	char name[PUBLISH_NAME_MAX];
	bool found = false;

	OK(publish_stage_name(p, name, &err));
	assert_int_equal(take(p, "1", name), PUBLISH_GONE);
	scratch_mkdir(*ws, INBOX "/1");
	scratch_write(*ws, INBOX "/1/file", "text");
	assert_int_equal(take(p, "1", name), PUBLISH_DONE);
	assert_false(scratch_exists(*ws, INBOX "/1"));
	OK(publish_stage_open(p, name, &again, &found, &err));
	assert_true(found);
	assert_int_equal(faccessat(again.fd, "file", F_OK, 0), 0);
	publish_stage_close(&again);

	assert_int_equal(take(p, "1", name), PUBLISH_GONE);
	scratch_mkdir(*ws, INBOX "/2");
	scratch_write(*ws, INBOX "/2/file", "text");
	assert_int_equal(take(p, "2", name), PUBLISH_TAKEN);
	assert_true(scratch_exists(*ws, INBOX "/2/file"));
	publish_close(&p);
}

static void
what_is_no_directory_is_not_taken(void **ws)
{
	struct publisher *p = open_publisher(*ws);

	assert_int_equal(take(p, "file", "a"), PUBLISH_GONE);
	scratch_write(*ws, INBOX "/file", "text");
	assert_int_equal(symlink("/", scratch_path(*ws, INBOX "/link")), 0);
	assert_int_equal(take(p, "file", "a"), PUBLISH_GONE);
	assert_int_equal(take(p, "link", "a"), PUBLISH_GONE);
	assert_true(scratch_exists(*ws, INBOX "/file"));
	assert_true(scratch_exists(*ws, INBOX "/link"));
	publish_close(&p);
}

static void
small_file_is_replaced_and_read_without_following_links(void **ws)
{
	struct publisher *p = open_publisher(*ws);
	struct publish_folder folder;
	char text[4];
	bool found;

	OK(publish_folder_open(p, "agents/email/state", &folder, &err));
	OK(publish_read(
	    p, &folder, "last_uid", text, sizeof(text), &found, &err));
	assert_false(found);
	scratch_write(*ws, "victim", "keep");
	assert_int_equal(symlink("../../../victim",
			     scratch_path(*ws, "agents/email/state/last_uid")),
	    0);
	OK(publish_read(
	    p, &folder, "last_uid", text, sizeof(text), &found, &err));
	assert_false(found);
	OK(publish_replace(p, &folder, "last_uid", "12345", 5, &err));
	assert_text(*ws, "victim", "keep");
	assert_text(*ws, "agents/email/state/last_uid", "12345");
	assert_int_equal(
	    scratch_mode(*ws, "agents/email/state/last_uid"), 0640);
	OK(publish_read(
	    p, &folder, "last_uid", text, sizeof(text), &found, &err));
	assert_true(found);
	assert_string_equal(text, "123");
	assert_int_equal(scratch_count(*ws, STAGING "/" ID), 0);
	publish_folder_close(&folder);
	publish_close(&p);
}

static void
small_file_on_its_way_meets_no_other_of_its_name(void **ws)
{
	struct publisher *p = open_publisher(*ws);
	struct publish_folder folder;

	/* as of another account's, between its two steps */
	scratch_write(*ws, STAGING "/" ID "/last_uid", "theirs");
	OK(publish_folder_open(p, "agents/email/state", &folder, &err));
	OK(publish_replace(p, &folder, "last_uid", "ours", 4, &err));
	assert_text(*ws, STAGING "/" ID "/last_uid", "theirs");
	assert_text(*ws, "agents/email/state/last_uid", "ours");
	assert_int_equal(scratch_count(*ws, STAGING "/" ID), 1);
	publish_folder_close(&folder);
	publish_close(&p);
}

/* What a file of `source` and memory in turn becomes; *ret_text is free()d. */
static enum mt_status
stage_parts(const char *ws, int source, off_t begin, char **ret_text)
{
	const struct publish_part parts[] = {
	    {.data = "<", .len = 1},
	    {.fd = source, .begin = begin, .len = 300000},
	    {.data = ">", .len = 1},
	    {.fd = source, .begin = 3, .len = 2},
	};
	struct publisher *p = open_publisher(ws);
	struct publish_folder folder = open_inbox(p);
	struct mt_error why;
	enum mt_status status =
	    publish_stage_file(p, "parts", parts, 4, 0640, &why);

	if (status == MT_OK) {
		OK(publish_put_file(p, &folder, "parts", &err));
		*ret_text = scratch_read(ws, INBOX "/parts");
	}
	publish_folder_close(&folder);
	publish_close(&p);
	return status;
}

/* Also of a file system from which the kernel copies nothing to that of the
 * workspace, where it goes by way of our memory. */
static void
file_is_put_together_of_memory_and_ranges_of_another(void **ws)
{
	enum { SIZE = 300010 };
	char *source = calloc(1, SIZE + 1), *text;
	int fds[2] = {-1, memfd_create("source", MFD_CLOEXEC)};

	assert_non_null(source);
	for (size_t i = 0; i < SIZE; i++)
		source[i] = (char)('a' + i % 23);
	scratch_write(*ws, "source", source);
	fds[0] = open(scratch_path(*ws, "source"), O_RDONLY);
	assert_int_equal(write(fds[1], source, SIZE), SIZE);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(stage_parts(*ws, fds[i], 10, &text), MT_OK);
		assert_int_equal(strlen(text), 300004);
		assert_int_equal(text[0], '<');
		assert_memory_equal(text + 1, source + 10, 300000);
		assert_string_equal(text + 300001, ">de");
		free(text);
		/* it has become shorter */
		assert_int_equal(
		    stage_parts(*ws, fds[i], 11, &text), MT_RETRY_LATER);
		close(fds[i]);
	}
	free(source);
}

static void
missing_workspace_is_named(void **ws)
{
	struct publisher *p = NULL;
	struct mt_error err = {0};
	const char *path = scratch_path(*ws, "missing");

	assert_int_equal(publish_open(&p, path, ID, &err), MT_BAD_CONFIG);
	assert_non_null(strstr(err.text, path));
	assert_null(p);
}

/* Runs a part of a test in a process that is not root. */
static void
as_nobody(const char *ws, void (*part)(const char *ws))
{
	int status;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		if (geteuid() == 0 &&
		    (setgid(65534) || setgroups(0, NULL) || setuid(65534)))
			_exit(99);
		part(ws);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void
expect_refusal(const char *ws)
{
	struct publisher *p = NULL;
	struct mt_error err = {0};

	if (publish_open(&p, ws, ID, &err) != MT_BAD_CONFIG ||
	    !strstr(err.text, ws) || !strstr(err.text, "denied"))
		_exit(1);
}

static void
workspace_that_cannot_be_written_is_named(void **ws)
{
	assert_int_equal(chmod(*ws, 0555), 0);
	as_nobody(*ws, expect_refusal);
	assert_int_equal(chmod(*ws, 0755), 0);
}

/* Stages directories until there is no room for one more. */
static bool
fill_disk(struct publisher *p)
{
	struct publish_stage s;
	struct mt_error err = {0};

	while (publish_stage_new(p, &s, &err) == MT_OK)
		publish_stage_close(&s);
	return err.status == MT_RETRY_LATER && strstr(err.text, "No space");
}

static void
full_disk_is_a_matter_of_time(void **ws)
{
	int status;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		struct publisher *p = NULL;
		struct publish_folder folder;

		if (!scratch_mount(*ws, SMALL))
			_exit(99);
		if (publish_open(&p, *ws, ID, NULL) != MT_OK ||
		    publish_folder_open(p, INBOX, &folder, NULL) != MT_OK)
			_exit(1);
		if (!fill_disk(p))
			_exit(2);
		if (publish_replace(p, &folder, "x", "1", 1, NULL) !=
		    MT_RETRY_LATER)
			_exit(3);
		publish_sweep(p, NULL, NULL);
		if (scratch_count(*ws, STAGING "/" ID) != 0)
			_exit(4);
		if (publish_replace(p, &folder, "x", "1", 1, NULL) != MT_OK)
			_exit(5);
		publish_folder_close(&folder);
		publish_close(&p);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void
file_systems_must_be_the_same(void **ws)
{
	int status;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		struct publisher *p;
		struct publish_stage s;
		struct publish_folder folder;
		enum publish_result result;
		struct mt_error err = {0};

		scratch_mkdir(*ws, "agents");
		if (!scratch_mount(scratch_path(*ws, "agents"), SMALL))
			_exit(99);
		p = open_publisher(*ws);
		s = stage(p, "{}");
		folder = open_inbox(p);
		if (publish_rename(p, s.name, &folder, "1", &result, &err) !=
			MT_BAD_CONFIG ||
		    !strstr(err.text, "same file system"))
			_exit(1);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

int
main(void)
{
#define CASE(name)                                                             \
	cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
	const struct CMUnitTest tests[] = {
	    CASE(staged_directory_appears_complete),
	    CASE(modes_are_fixed_and_the_group_is_the_workspaces),
	    CASE(setgid_is_passed_on_and_never_added),
	    CASE(symbolic_links_in_the_workspace_are_refused),
	    CASE(odd_folder_names_are_refused),
	    CASE(file_in_place_of_a_directory_is_refused),
	    CASE(what_has_the_name_already_is_left_alone),
	    CASE(folder_that_vanished_is_not_taken_for_published),
	    CASE(only_regular_files_are_published),
	    CASE(sweep_removes_what_is_ours_only),
	    CASE(sweep_leaves_what_is_wanted),
	    CASE(directory_is_taken_out_of_its_folder),
	    CASE(what_is_no_directory_is_not_taken),
	    CASE(small_file_is_replaced_and_read_without_following_links),
	    CASE(small_file_on_its_way_meets_no_other_of_its_name),
	    CASE(file_is_put_together_of_memory_and_ranges_of_another),
	    CASE(missing_workspace_is_named),
	    CASE(workspace_that_cannot_be_written_is_named),
	    CASE(full_disk_is_a_matter_of_time),
	    CASE(file_systems_must_be_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
