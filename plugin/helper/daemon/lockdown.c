/* SPDX-License-Identifier: ISC */
#include "lockdown.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

/* A sanitizer forks and traces this process at its end, to look for leaks. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

/* gcov writes beside the objects. */
#ifdef MT_COVERAGE
#define MEASURED 1
#else
#define MEASURED 0
#endif

/* ---- files ---- */

#ifndef LANDLOCK_ACCESS_FS_REFER
#define LANDLOCK_ACCESS_FS_REFER (1ULL << 13)
#endif
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif

#define CHANGES                                                                \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE |          \
	    LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |   \
	    LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR |       \
	    LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK |       \
	    LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK |     \
	    LANDLOCK_ACCESS_FS_MAKE_SYM)
#define STORE                                                                  \
	(LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_FILE |      \
	    LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_TRUNCATE)
#define SOCKETS (LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_SOCK)

/* What this kernel's Landlock knows of; 0: it has none. */
static uint64_t
known_rights(void)
{
	long version = syscall(SYS_landlock_create_ruleset, NULL, 0,
	    LANDLOCK_CREATE_RULESET_VERSION);

	if (version < 1)
		return 0;
	return CHANGES | (version >= 2 ? LANDLOCK_ACCESS_FS_REFER : 0) |
	       (version >= 3 ? LANDLOCK_ACCESS_FS_TRUNCATE : 0);
}

/* What is not there cannot be allowed, and need not. */
static void
allow(int rules, const char *path, uint64_t rights)
{
	struct landlock_path_beneath_attr rule = {
	    .allowed_access = rights,
	    .parent_fd = open(path, O_PATH | O_CLOEXEC),
	};

	if (rule.parent_fd < 0)
		return;
	syscall(
	    SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
	close(rule.parent_fd);
}

static void
allow_directory_of(int rules, const char *socket, uint64_t rights)
{
	char copy[PATH_MAX];

	snprintf(copy, sizeof(copy), "%s", socket);
	allow(rules, dirname(copy), rights);
}

static bool
restrict_files(const struct lockdown *plan)
{
	const uint64_t known = known_rights();
	struct landlock_ruleset_attr attr = {.handled_access_fs = known};
	bool ok;
	int rules;

	rules =
	    (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	if (rules < 0)
		return false;
	allow(rules, plan->state_dir, STORE & known);
	allow(rules, "/dev/null", LANDLOCK_ACCESS_FS_WRITE_FILE);
	for (size_t i = 0; i < plan->socket_count; i++)
		allow_directory_of(rules, plan->sockets[i], SOCKETS & known);
	ok = syscall(SYS_landlock_restrict_self, rules, 0) == 0;
	close(rules);
	return ok;
}

/* ---- system calls ---- */

/* By name: not every kernel and architecture has all of them. */
static const char *const refused[] = {
    "acct",
    "add_key",
    "bpf",
    "chroot",
    "clock_settime",
    "delete_module",
    "finit_module",
    "fsconfig",
    "fsmount",
    "fsopen",
    "fspick",
    "init_module",
    "io_uring_enter", /* does what other calls do, past this filter */
    "io_uring_register",
    "io_uring_setup",
    "ioperm",
    "iopl",
    "kcmp",
    "kexec_file_load",
    "kexec_load",
    "keyctl",
    "mount",
    "mount_setattr",
    "move_mount",
    "open_by_handle_at",
    "open_tree",
    "perf_event_open",
    "personality",
    "pidfd_getfd",
    "pivot_root",
    "process_vm_readv",
    "process_vm_writev",
    "quotactl",
    "quotactl_fd",
    "reboot",
    "request_key",
    "setdomainname",
    "sethostname",
    "setns",
    "settimeofday",
    "swapoff",
    "swapon",
    "syslog",
    "umount",
    "umount2",
    "unshare",
    "uselib",
    "userfaultfd",
    "vhangup",
};

static const char *const running[] = {"execve", "execveat", "fork", "vfork"};

static const int families[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};
#define FAMILY_BITS 5 /* all of them are below 32 */

static const uint64_t namespaces[] = {CLONE_NEWCGROUP, CLONE_NEWIPC,
    CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWUSER, CLONE_NEWUTS};

static bool
refuse(scmp_filter_ctx filter, const char *name, int error)
{
	int call = seccomp_syscall_resolve_name(name);

	return call == __NR_SCMP_ERROR ||
	       seccomp_rule_add(
		   filter, SCMP_ACT_ERRNO((uint32_t)error), call, 0) == 0;
}

static bool
refuse_all(scmp_filter_ctx filter, const char *const *names, size_t count)
{
	bool ok = true;

	for (size_t i = 0; i < count && ok; i++)
		ok = refuse(filter, names[i], EPERM);
	return ok;
}

/* Refuses the call when `mask` of its first argument is `value`.  The kernel
 * looks at the lower half of the register only, and so does the mask. */
static bool
refuse_when(
    scmp_filter_ctx filter, int call, int error, uint64_t mask, uint64_t value)
{
	return seccomp_rule_add(filter, SCMP_ACT_ERRNO((uint32_t)error), call,
		   1, SCMP_A0(SCMP_CMP_MASKED_EQ, mask, value)) == 0;
}

static bool
is_ours(uint64_t family)
{
	for (size_t i = 0; i < COUNT(families); i++)
		if (family == (uint64_t)families[i])
			return true;
	return false;
}

/* A filter cannot say "none of these": each other number below 32, and each bit
 * above. */
static bool
refuse_families(scmp_filter_ctx filter)
{
	bool ok = true;

	for (uint64_t n = 0; n < 1U << FAMILY_BITS && ok; n++)
		ok = is_ours(n) || refuse_when(filter, SCMP_SYS(socket),
				       EAFNOSUPPORT, UINT32_MAX, n);
	for (unsigned int bit = FAMILY_BITS; bit < 32 && ok; bit++)
		ok = refuse_when(filter, SCMP_SYS(socket), EAFNOSUPPORT,
		    1ULL << bit, 1ULL << bit);
	return ok;
}

/* Threads stay; a filter cannot see what clone3 is asked for, and without it
 * the C library uses clone. */
static bool
refuse_children(scmp_filter_ctx filter)
{
	bool ok = refuse(filter, "clone3", ENOSYS);

	for (size_t i = 0; i < COUNT(namespaces) && ok; i++)
		ok = refuse_when(filter, SCMP_SYS(clone), EPERM, namespaces[i],
		    namespaces[i]);
	if (ok && !SANITIZED)
		ok = refuse_all(filter, running, COUNT(running)) &&
		     refuse_when(
			 filter, SCMP_SYS(clone), EPERM, CLONE_THREAD, 0);
	return ok;
}

static bool
restrict_calls(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	bool ok;

	if (!filter)
		return false;
	ok = !seccomp_attr_set(
		 filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS) &&
	     refuse_all(filter, refused, COUNT(refused)) &&
	     (SANITIZED || refuse(filter, "ptrace", EPERM)) &&
	     refuse_families(filter) && refuse_children(filter) &&
	     !seccomp_load(filter);
	seccomp_release(filter);
	return ok;
}

void
lockdown_enter(const struct lockdown *plan)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		log_debug("this kernel does not know PR_SET_NO_NEW_PRIVS");
	if (!MEASURED && !restrict_files(plan))
		log_debug("this kernel has no Landlock: files are guarded by "
			  "their owners and modes alone");
	if (!restrict_calls())
		log_debug("this kernel has no seccomp filters: no system call "
			  "is refused");
}
