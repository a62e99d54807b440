/* SPDX-License-Identifier: ISC */
#include "child.h"

#include "fs.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- environment ---- */

static bool
is_wanted(const char *variable, const char *const *names)
{
	for (; names && *names; names++) {
		size_t len = strlen(*names);
		bool prefix = len && (*names)[len - 1] == '*';

		if (strncmp(variable, *names, prefix ? len - 1 : len) == 0 &&
		    (prefix || variable[len] == '='))
			return true;
	}
	return false;
}

/* free() the list, not the strings. */
static const char **
make_environment(const struct child *child)
{
	const char *const *more = child->more_variables;
	size_t count = 0;
	const char **made;

	while (environ[count])
		count++;
	for (size_t i = 0; more && more[i]; i++)
		count++;
	made = calloc(count + 1, sizeof(*made));
	if (!made)
		return NULL;
	count = 0;
	for (char **variable = environ; *variable; variable++)
		if (is_wanted(*variable, child->variables))
			made[count++] = *variable;
	for (; more && *more; more++)
		made[count++] = *more;
	return made;
}

/* ---- descriptors ---- */

static void
close_all(const int *fds, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

/* Copies with numbers that the child's own cannot meet: one would overwrite the
 * other. */
static int
move_away(const struct child *child, int moved[CHILD_FDS_MAX])
{
	int error;

	for (size_t i = 0; i < child->fd_count; i++) {
		moved[i] = -1;
		if (child->fds[i] == CHILD_NULL)
			continue;
		moved[i] = fcntl(child->fds[i], F_DUPFD_CLOEXEC, CHILD_FDS_MAX);
		if (moved[i] >= 0)
			continue;
		error = errno;
		close_all(moved, i);
		return error;
	}
	return 0;
}

/* 0 or an errno value, as all of posix_spawn(3). */
static int
plan_files(posix_spawn_file_actions_t *actions, const struct child *child,
    const int moved[CHILD_FDS_MAX])
{
	int error = 0;

	for (int fd = 0; fd < (int)child->fd_count && !error; fd++)
		error = moved[fd] >= 0
			    ? posix_spawn_file_actions_adddup2(
				  actions, moved[fd], fd)
			    : posix_spawn_file_actions_addopen(
				  actions, fd, "/dev/null", O_RDWR, 0);
	if (!error)
		error = posix_spawn_file_actions_addclosefrom_np(
		    actions, (int)child->fd_count);
	if (!error && child->in_root)
		error = posix_spawn_file_actions_addchdir_np(actions, "/");
	return error;
}

/* ---- start ---- */

static int
plan_process(posix_spawnattr_t *attributes)
{
	sigset_t all, none;
	int error;

	sigfillset(&all);
	sigemptyset(&none);
	error = posix_spawnattr_setsigdefault(attributes, &all);
	if (!error)
		error = posix_spawnattr_setsigmask(attributes, &none);
	if (!error)
		error = posix_spawnattr_setflags(
		    attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF |
				    POSIX_SPAWN_SETSIGMASK);
	return error;
}

static int
spawn(const struct child *child, const int moved[CHILD_FDS_MAX],
    const char *const *environment, pid_t *ret_pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int error = posix_spawn_file_actions_init(&actions);

	if (error)
		return error;
	error = posix_spawnattr_init(&attributes);
	if (!error) {
		error = plan_files(&actions, child, moved);
		if (!error)
			error = plan_process(&attributes);
		/* it changes no argument, only its prototype is too old */
		if (!error)
			error = posix_spawnp(ret_pid, child->program, &actions,
			    &attributes, (char *const *)(uintptr_t)child->argv,
			    (char *const *)(uintptr_t)environment);
		posix_spawnattr_destroy(&attributes);
	}
	posix_spawn_file_actions_destroy(&actions);
	return error;
}

int
child_start(const struct child *child, pid_t *ret_pid)
{
	const char **environment;
	int moved[CHILD_FDS_MAX];
	int error;

	assert(child->fd_count <= CHILD_FDS_MAX);
	error = move_away(child, moved);
	if (error)
		return error;
	environment = make_environment(child);
	error =
	    environment ? spawn(child, moved, environment, ret_pid) : ENOMEM;
	free(environment);
	close_all(moved, child->fd_count);
	return error;
}

const char *
child_find_program(const char *name, const char *installed, char path[PATH_MAX])
{
	ssize_t len = readlink("/proc/self/exe", path, PATH_MAX - 1);
	char *slash;

	if (len < 0)
		return installed;
	path[len] = '\0';
	slash = strrchr(path, '/');
	if (!slash || strlen(name) >= (size_t)(path + PATH_MAX - 1 - slash))
		return installed;
	memcpy(slash + 1, name, strlen(name) + 1);
	return access(path, X_OK) == 0 ? path : installed;
}

int
child_file(const char *name, const void *data, size_t len)
{
	int fd = memfd_create(name, MFD_CLOEXEC);
	int error;

	if (fd < 0 || (!fchmod(fd, 0600) && !fs_write_all(fd, data, len) &&
			  lseek(fd, 0, SEEK_SET) == 0))
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}
