/* SPDX-License-Identifier: ISC */
/* What is gone after lockdown_enter(), and what is not.  Each test is a child of
 * its own, which cannot get out of it. */
#include "lockdown.h"

#include "base/log.h"
#include "unit/cmocka_headers.h"
#include "unit/connector/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <netdb.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Under a sanitizer what it needs itself is not taken away. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#endif

/* The number of the first check that fails, as the end of the child. */
#define CHECK(promise)                                                         \
	do {                                                                   \
		if (!(promise)) {                                              \
			fprintf(stderr, "%d: %s: errno %d\n", __LINE__,        \
			    #promise, errno);                                  \
			_exit(1);                                              \
		}                                                              \
	} while (0)

static void
enter(const char *dir)
{
	struct lockdown plan = {
	    .state_dir = scratch_path(dir, "state"),
	    .sockets = {scratch_path(dir, "run/socket")},
	    .socket_count = 1,
	};

	lockdown_enter(&plan);
}

static void
run_in_child(void **state, void (*body)(const char *dir))
{
	int status;
	pid_t pid;

	scratch_mkdir(*state, "state");
	scratch_mkdir(*state, "run");
	scratch_write(*state, "settings", "a = b\n");
	pid = fork();
	if (pid == 0) {
		enter(*state);
		body(*state);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void *
nothing(void *context)
{
	return context;
}

/* ---- gone ---- */

static void
try_children(void)
{
#ifndef SANITIZED
	char *const argv[] = {(char[]){"/bin/true"}, NULL};

	CHECK(execv(argv[0], argv) == -1 && errno == EPERM);
	CHECK(syscall(SYS_execveat, AT_FDCWD, argv[0], argv, NULL, 0) == -1 &&
	      errno == EPERM);
	CHECK(fork() == -1 && errno == EPERM);
	CHECK(ptrace(PTRACE_ATTACH, getppid(), NULL, NULL) == -1 &&
	      errno == EPERM);
#endif
}

static void
try_what_is_gone(const char *dir)
{
	char byte;
	struct iovec io = {&byte, 1};

	try_children();
	CHECK(syscall(SYS_clone3, NULL, 0) == -1 && errno == ENOSYS);
	CHECK(process_vm_readv(getpid(), &io, 1, &io, 1, 0) == -1 &&
	      errno == EPERM);
	CHECK(mount("none", dir, "tmpfs", 0, NULL) == -1 && errno == EPERM);
	CHECK(unshare(CLONE_NEWUSER) == -1 && errno == EPERM);
	CHECK(unshare(CLONE_NEWNET) == -1 && errno == EPERM);
	CHECK(syscall(SYS_init_module, NULL, 0, "") == -1 && errno == EPERM);
	CHECK(syscall(SYS_io_uring_setup, 1, NULL) == -1 && errno == EPERM);
	CHECK(syscall(SYS_keyctl, 0, 0, 0, 0, 0) == -1 && errno == EPERM);
}

static void
programs_children_and_the_kernel_are_out_of_reach(void **state)
{
	run_in_child(state, try_what_is_gone);
}

static void
try_families(const char *dir)
{
	static const int open[] = {AF_UNIX, AF_INET, AF_INET6};
	int fd;

	(void)dir;
	for (size_t i = 0; i < sizeof(open) / sizeof(*open); i++)
		CHECK(
		    (fd = socket(open[i], SOCK_STREAM, 0)) >= 0 && !close(fd));
	CHECK((fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE)) >= 0 &&
	      !close(fd));
	for (int family = 0; family < 100; family++)
		if (family != AF_UNIX && family != AF_INET &&
		    family != AF_INET6 && family != AF_NETLINK)
			CHECK(socket(family, SOCK_RAW, 0) == -1 &&
			      errno == EAFNOSUPPORT);
	/* the kernel looks at 32 bits */
	CHECK(syscall(SYS_socket, 0x100000000 | AF_PACKET, SOCK_RAW, 0) == -1 &&
	      errno == EAFNOSUPPORT);
}

static void
only_four_families_of_sockets_are_left(void **state)
{
	run_in_child(state, try_families);
}

static int
make(const char *dir, const char *name, int flags)
{
	int fd = open(scratch_path(dir, name), O_WRONLY | flags, 0600);

	if (fd >= 0)
		close(fd);
	return fd < 0 ? -1 : 0;
}

static void
try_files(const char *dir)
{
	CHECK(make(dir, "new", O_CREAT) == -1 && errno == EACCES);
	CHECK(make(dir, "settings", 0) == -1 && errno == EACCES);
	CHECK(make(dir, "settings", O_TRUNC) == -1 && errno == EACCES);
	CHECK(unlink(scratch_path(dir, "settings")) == -1 && errno == EACCES);
	CHECK(mkdir(scratch_path(dir, "new"), 0700) == -1 && errno == EACCES);
	CHECK(symlink("x", scratch_path(dir, "state/new")) == -1 &&
	      errno == EACCES);
	CHECK(make(dir, "run/new", O_CREAT) == -1 && errno == EACCES);
	CHECK(make("/", "tmp/mailtoken-test-lockdown", O_CREAT) == -1 &&
	      errno == EACCES);
}

static void
files_are_written_in_the_state_directory_only(void **state)
{
	run_in_child(state, try_files);
	assert_false(scratch_exists(*state, "new"));
}

/* ---- left ---- */

static void
try_store(const char *dir)
{
	CHECK(make(dir, "state/a", O_CREAT) == 0);
	CHECK(make(dir, "state/a", O_TRUNC) == 0);
	CHECK(rename(scratch_path(dir, "state/a"),
		  scratch_path(dir, "state/b")) == 0);
	CHECK(unlink(scratch_path(dir, "state/b")) == 0);
}

static void
try_socket(const char *dir)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s",
	    scratch_path(dir, "run/socket"));
	CHECK(bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
	CHECK(rename(address.sun_path, scratch_path(dir, "run/other")) == 0);
	CHECK(unlink(scratch_path(dir, "run/other")) == 0);
	close(fd);
}

static void
try_reading(const char *dir)
{
	struct addrinfo *found = NULL;
	char *text = scratch_read(dir, "settings");
	time_t now = time(NULL);
	struct tm tm;
	pthread_t thread;

	CHECK(text && strcmp(text, "a = b\n") == 0);
	free(text);
	CHECK(getaddrinfo("localhost", "443", NULL, &found) == 0);
	freeaddrinfo(found);
	/* a zone that was not read before */
	setenv("TZ", "Asia/Kathmandu", 1);
	tzset();
	CHECK(localtime_r(&now, &tm) && tm.tm_gmtoff == 20700);
	CHECK(pthread_create(&thread, NULL, nothing, NULL) == 0);
	CHECK(pthread_join(thread, NULL) == 0);
}

static void
try_what_is_left(const char *dir)
{
	try_store(dir);
	try_socket(dir);
	try_reading(dir);
}

static void
store_sockets_names_time_and_threads_are_left(void **state)
{
	run_in_child(state, try_what_is_left);
}

int
main(void)
{
#define TEST(f)                                                                \
	cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)
	const struct CMUnitTest tests[] = {
	    TEST(programs_children_and_the_kernel_are_out_of_reach),
	    TEST(only_four_families_of_sockets_are_left),
	    TEST(files_are_written_in_the_state_directory_only),
	    TEST(store_sockets_names_time_and_threads_are_left),
	};

	log_init("test", true);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
