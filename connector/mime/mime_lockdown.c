/* SPDX-License-Identifier: ISC */
#include "mime_lockdown.h"

#include <errno.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "base/secret.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))
#define MIB ((rlim_t)1024 * 1024)

/* Sanitizers map terabytes of address space. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MEMORY_MAX RLIM_INFINITY
#else
#define MEMORY_MAX (1024 * MIB)
#endif

static const struct {
	__rlimit_resource_t resource;
	rlim_t max;
} limits[] = {
    {RLIMIT_AS, MEMORY_MAX}, {RLIMIT_STACK, 8 * MIB},
    {RLIMIT_CPU, 600}, /* seconds, over all messages of a worker */
    {RLIMIT_CORE, 0},
    {RLIMIT_FSIZE, 0},   /* a message's descriptor may be writable */
    {RLIMIT_NOFILE, 16}, /* the socket, a message, and few more */
};

/* Never more than this process was given. */
static bool
set_limits(void)
{
	for (size_t i = 0; i < COUNT(limits); i++) {
		struct rlimit limit;

		if (getrlimit(limits[i].resource, &limit))
			return false;
		if (limit.rlim_cur > limits[i].max)
			limit.rlim_cur = limits[i].max;
		limit.rlim_max = limit.rlim_cur;
		if (setrlimit(limits[i].resource, &limit))
			return false;
	}
	return true;
}

/* Memory, time, reading, and the end of the process. */
static const int allowed[] = {
    SCMP_SYS(brk),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(close),
    SCMP_SYS(exit_group),
    SCMP_SYS(futex),
    SCMP_SYS(getrandom),
    SCMP_SYS(lseek),
    SCMP_SYS(madvise),
    SCMP_SYS(mremap),
    SCMP_SYS(munmap),
    SCMP_SYS(pread64),
    SCMP_SYS(read),
    SCMP_SYS(rt_sigreturn),
};

/* Libraries look for files; they learn that there are none. */
static const int refused[] = {
    SCMP_SYS(access),
    SCMP_SYS(faccessat),
    SCMP_SYS(fstat),
    SCMP_SYS(newfstatat),
    SCMP_SYS(open),
    SCMP_SYS(openat),
    SCMP_SYS(readlink),
    SCMP_SYS(readlinkat),
    SCMP_SYS(stat),
    SCMP_SYS(lstat),
    SCMP_SYS(statx),
};

/* What is allowed with certain arguments only: no packets but on the socket, no
 * memory with contents of files or code, for what can be executed is there
 * already. */
static int
add_conditions(scmp_filter_ctx filter, int socket_fd)
{
	const scmp_datum_t fd = (scmp_datum_t)socket_fd;
	const struct {
		int call;
		unsigned count;
		struct scmp_arg_cmp when[2];
	} rules[] = {
	    {SCMP_SYS(sendmsg), 1, {SCMP_A0_32(SCMP_CMP_EQ, fd)}},
	    {SCMP_SYS(recvmsg), 1, {SCMP_A0_32(SCMP_CMP_EQ, fd)}},
	    {SCMP_SYS(mprotect), 1,
		{SCMP_A2_32(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)}},
	    {SCMP_SYS(mmap), 2,
		{SCMP_A2_32(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0),
		    SCMP_A3_32(
			SCMP_CMP_MASKED_EQ, MAP_ANONYMOUS, MAP_ANONYMOUS)}},
	};
	int error = 0;

	for (size_t i = 0; i < COUNT(rules) && !error; i++)
		error = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW,
		    rules[i].call, rules[i].count, rules[i].when);
	return error;
}

static int
add_calls(
    scmp_filter_ctx filter, uint32_t action, const int *calls, size_t count)
{
	int error = 0;

	for (size_t i = 0; i < count && !error; i++)
		error = seccomp_rule_add(filter, action, calls[i], 0);
	return error;
}

/* Calls by another architecture's numbers kill, too. */
static bool
load_filter(int socket_fd)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	bool ok;

	if (!filter)
		return false;
	ok = !seccomp_attr_set(
		 filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS) &&
	     !add_calls(filter, SCMP_ACT_ALLOW, allowed, COUNT(allowed)) &&
	     !add_calls(
		 filter, SCMP_ACT_ERRNO(EACCES), refused, COUNT(refused)) &&
	     !add_conditions(filter, socket_fd) && !seccomp_load(filter);
	seccomp_release(filter);
	return ok;
}

bool
mime_lockdown(int socket_fd)
{
	secret_protect_process();
	return set_limits() && load_filter(socket_fd);
}
