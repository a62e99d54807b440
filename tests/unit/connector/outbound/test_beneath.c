/* SPDX-License-Identifier: ISC */
#include "outbound/beneath.h"

#include "unit/cmocka_headers.h"

#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "unit/connector/scratch.h"

/*
 * The directory of the agent is "in"; beside it lies what it must not reach.
 * Every case is tried with openat2 and, in a second run, without.
 */
static int
setup(void **state)
{
	const char *dir;

	if (scratch_setup(state) != 0)
		return -1;
	dir = *state;
	scratch_write(dir, "secret", "secret");
	scratch_mkdir(dir, "in");
	scratch_mkdir(dir, "in/drafts");
	scratch_write(dir, "in/drafts/a.json", "draft");
	if (symlink("a.json", scratch_path(dir, "in/drafts/inner")) != 0 ||
	    symlink("../../secret", scratch_path(dir, "in/drafts/outer")) !=
		0 ||
	    symlink("..", scratch_path(dir, "in/up")) != 0 ||
	    symlink("drafts", scratch_path(dir, "in/same")) != 0 ||
	    symlink("/proc/self", scratch_path(dir, "in/proc")) != 0 ||
	    symlink("/dev/stdin", scratch_path(dir, "in/stdin")) != 0 ||
	    mkfifo(scratch_path(dir, "in/fifo"), 0600) != 0)
		return -1;
	return 0;
}

static int
open_in(const char *dir, const char *path)
{
	int at = open(scratch_path(dir, "in"), O_PATH | O_CLOEXEC);
	int fd, error;

	assert_true(at >= 0);
	fd = beneath_open(at, path);
	error = errno;
	close(at);
	errno = error;
	return fd;
}

static void
files_beneath_are_opened(void **state)
{
	static const char *const paths[] = {"drafts/a.json", "drafts//a.json",
	    "./drafts/./a.json", "drafts/./a.json"};

	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		struct buf b = BUF_INIT(100);
		int fd = open_in(*state, paths[i]);

		assert_true(fd >= 0);
		assert_true(beneath_read(fd, &b));
		assert_string_equal(buf_text(&b), "draft");
		buf_done(&b);
		close(fd);
	}
}

static void
the_directory_may_be_the_current_one(void **state)
{
	int fd;

	assert_int_equal(chdir(scratch_path(*state, "in")), 0);
	fd = beneath_open(AT_FDCWD, "drafts/a.json");
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(beneath_open(AT_FDCWD, "up/secret"), -1);
	assert_int_equal(chdir("/"), 0);
}

static void
everything_else_is_refused(void **state)
{
	static const struct {
		const char *path;
		int error;
	} cases[] = {
	    {"", EXDEV},
	    {"/etc/passwd", EXDEV},
	    {"//etc/passwd", EXDEV},
	    {"..", EXDEV},
	    {"../secret", EXDEV},
	    {"../in/drafts/a.json", EXDEV},
	    {"drafts/../../secret", EXDEV},
	    {"drafts/../drafts/a.json", EXDEV},
	    {"drafts/..", EXDEV},
	    {"up/secret", EXDEV},
	    {"same/a.json", EXDEV},
	    {"drafts/inner", EXDEV},
	    {"drafts/outer", EXDEV},
	    {"proc/environ", EXDEV},
	    {"stdin", EXDEV},
	    {"drafts", EISDIR},
	    {"drafts/", EISDIR},
	    {".", EISDIR},
	    {"fifo", EINVAL},
	    {"nowhere", ENOENT},
	    {"nowhere/a", ENOENT},
	    {"drafts/a.json/b", ENOTDIR},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		int fd = open_in(*state, cases[i].path);
		int error = errno;

		if (fd >= 0 || error != cases[i].error)
			fail_msg("%s: %d, errno %d in place of %d",
			    cases[i].path, fd, error, cases[i].error);
	}
}

static void
names_that_are_too_long_are_refused(void **state)
{
	char path[600];

	memset(path, 'a', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(open_in(*state, path), -1);
	assert_int_equal(errno, ENAMETOOLONG);
	path[300] = '/';
	assert_int_equal(open_in(*state, path), -1);
	assert_int_equal(errno, ENAMETOOLONG);
}

/* Nobody writes into the FIFO, and nobody answers at the socket. */
static void
nothing_waits_for_a_peer(void **state)
{
	const char *path = scratch_path(*state, "in/socket");
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	assert_int_equal(
	    bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(open_in(*state, "socket"), -1);
	assert_int_equal(errno, ENXIO);
	assert_int_equal(open_in(*state, "fifo"), -1);
	assert_int_equal(errno, EINVAL);
	close(fd);
}

static void
no_more_is_read_than_is_wanted(void **state)
{
	struct buf b = BUF_INIT(4);
	int fd = open_in(*state, "drafts/a.json");

	assert_true(beneath_read(fd, &b));
	assert_false(buf_ok(&b));
	close(fd);
}

static void
no_descriptor_is_left_open(void **state)
{
	int before = open("/dev/null", O_RDONLY | O_CLOEXEC), after;

	close(before);
	everything_else_is_refused(state);
	files_beneath_are_opened(state);
	after = open("/dev/null", O_RDONLY | O_CLOEXEC);
	close(after);
	assert_int_equal(before, after);
}

/* As a container's filter from before openat2 has it. */
static bool
forbid_openat2(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	bool done = filter &&
		    seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM),
			SCMP_SYS(openat2), 0) == 0 &&
		    seccomp_load(filter) == 0;

	seccomp_release(filter);
	return done;
}

#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, setup, scratch_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(files_beneath_are_opened),
	    TEST(the_directory_may_be_the_current_one),
	    TEST(everything_else_is_refused),
	    TEST(names_that_are_too_long_are_refused),
	    TEST(nothing_waits_for_a_peer),
	    TEST(no_more_is_read_than_is_wanted),
	    TEST(no_descriptor_is_left_open),
	};
	int failed =
	    cmocka_run_group_tests_name("with openat2", tests, NULL, NULL);

	if (!forbid_openat2())
		return 1;
	return failed + cmocka_run_group_tests_name(
			    "without openat2", tests, NULL, NULL);
}
