/* SPDX-License-Identifier: ISC */
/* Each try is a child that locks itself down and then does one thing: the
 * function is the worker's own. */
#include "mime/mime_lockdown.h"

#include "unit/cmocka_headers.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define SOCKET 3
#define OTHER 4
#define EXIT(condition) syscall(SYS_exit_group, (condition) ? 0 : 1)

static void
open_file(void)
{
	EXIT(open("/etc/passwd", O_RDONLY) == -1 && errno == EACCES);
}

static void
create_file(void)
{
	EXIT(open("/tmp/made-by-worker", O_WRONLY | O_CREAT, 0600) == -1 &&
	     errno == EACCES);
}

static void
look_for_file(void)
{
	EXIT(access("/etc/passwd", R_OK) == -1 && errno == EACCES);
}

static void
use_memory(void)
{
	void *small = malloc(100), *big = malloc(10 << 20);

	if (big)
		memset(big, 1, 10 << 20);
	EXIT(small && big);
}

static void
read_a_descriptor(void)
{
	char byte;

	EXIT(lseek(OTHER, 0, SEEK_SET) == 0 && read(OTHER, &byte, 1) == 1);
}

static void
send_on_socket(void)
{
	char byte = 'x';
	struct iovec part = {&byte, 1};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

	EXIT(sendmsg(SOCKET, &message, MSG_NOSIGNAL) == 1);
}

static void
make_socket(void)
{
	EXIT(socket(AF_INET, SOCK_STREAM, 0) == -1);
}

static void
make_unix_socket(void)
{
	EXIT(socket(AF_UNIX, SOCK_STREAM, 0) == -1);
}

static void
send_elsewhere(void)
{
	char byte = 'x';
	struct iovec part = {&byte, 1};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

	EXIT(sendmsg(OTHER, &message, MSG_NOSIGNAL) == -1);
}

static void
write_a_descriptor(void)
{
	EXIT(write(OTHER, "x", 1) == -1);
}

static void
truncate_a_descriptor(void)
{
	EXIT(ftruncate(OTHER, 0) == -1);
}

static void
start_program(void)
{
	char *const argv[] = {(char[]){"true"}, NULL};

	EXIT(execv("/bin/true", argv) == -1);
}

static void
fork_child(void)
{
	EXIT(syscall(SYS_fork) == -1);
}

static void
signal_parent(void)
{
	EXIT(kill(getppid(), 0) == -1);
}

static void
map_code(void)
{
	EXIT(mmap(NULL, 4096, PROT_READ | PROT_EXEC,
		 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED);
}

static void
map_file(void)
{
	EXIT(mmap(NULL, 1, PROT_READ | PROT_WRITE, MAP_SHARED, OTHER, 0) ==
	     MAP_FAILED);
}

static void
make_code(void)
{
	static char page[8192] __attribute__((aligned(4096)));

	EXIT(mprotect(page, 4096, PROT_READ | PROT_EXEC) == -1);
}

static void
trace_parent(void)
{
	EXIT(ptrace(PTRACE_ATTACH, 1, NULL, NULL) == -1);
}

static void
become_dumpable(void)
{
	EXIT(prctl(PR_SET_DUMPABLE, 1) == -1);
}

static void
remove_file(void)
{
	EXIT(unlink("/tmp/made-by-worker") == -1);
}

static const struct {
	const char *name;
	void (*action)(void);
	bool killed; /* else it does what it should, or fails as it should */
} tries[] = {
    {"use memory", use_memory, false},
    {"read a descriptor", read_a_descriptor, false},
    {"send on the socket", send_on_socket, false},
    {"open a file", open_file, false},
    {"create a file", create_file, false},
    {"look for a file", look_for_file, false},
    {"make a socket", make_socket, true},
    {"make a local socket", make_unix_socket, true},
    {"send elsewhere", send_elsewhere, true},
    {"write a descriptor", write_a_descriptor, true},
    {"truncate a descriptor", truncate_a_descriptor, true},
    {"start a program", start_program, true},
    {"fork", fork_child, true},
    {"signal the parent", signal_parent, true},
    {"map code", map_code, true},
    {"map a file", map_file, true},
    {"make code of data", make_code, true},
    {"trace the parent", trace_parent, true},
    {"become dumpable", become_dumpable, true},
    {"remove a file", remove_file, true},
};

/* Runs one try in a child; its wait status. */
static int
run(void (*action)(void))
{
	int pair[2], file = memfd_create("file", MFD_CLOEXEC), status;
	pid_t pid;

	assert_true(file >= 0);
	assert_int_equal(write(file, "abc", 3), 3);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		int message = dup(file), peer = dup(pair[1]);

		if (dup2(peer, SOCKET) < 0 || dup2(message, OTHER) < 0 ||
		    !mime_lockdown(SOCKET))
			_exit(99);
		action();
		_exit(98);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	close(file);
	close(pair[0]);
	close(pair[1]);
	return status;
}

static void
only_memory_and_the_socket_are_left(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(tries) / sizeof(*tries); i++) {
		int status = run(tries[i].action);

		if (tries[i].killed
			? !WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS
			: !WIFEXITED(status) || WEXITSTATUS(status) != 0)
			fail_msg("%s: %s %d", tries[i].name,
			    WIFSIGNALED(status) ? "signal" : "exit",
			    WIFSIGNALED(status) ? WTERMSIG(status)
						: WEXITSTATUS(status));
	}
}

static void
look_at_limits(void)
{
	/* the values were set before; getrlimit is forbidden, so the effect
	 * is looked at: 17 descriptors are too many */
	size_t count = 0;

	while (count < 64 && malloc(32 << 20))
		count++;
	EXIT(count < 64);
}

static void
memory_is_bounded(void **state)
{
	int status;

	(void)state;
#ifdef __SANITIZE_ADDRESS__
	skip(); /* it reserves more address space than any limit */
#endif
	status = run(look_at_limits);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(only_memory_and_the_socket_are_left),
	    cmocka_unit_test(memory_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
