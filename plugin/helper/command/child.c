/* SPDX-License-Identifier: ISC */
#include "child.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GIVEN_FD 3

static bool
is_wanted(const char *variable, const char *const *names)
{
	for (; *names; names++) {
		size_t len = strlen(*names);
		bool prefix = len && (*names)[len - 1] == '*';

		if (strncmp(variable, *names, prefix ? len - 1 : len) == 0 &&
		    (prefix || variable[len] == '='))
			return true;
	}
	return false;
}

/* The wanted part of our environment; free() the list, not the strings. */
static char **
pick_environment(const char *const *names)
{
	size_t count = 0;
	char **picked;

	while (environ[count])
		count++;
	picked = calloc(count + 1, sizeof(*picked));
	if (!picked)
		return NULL;
	count = 0;
	for (char **variable = environ; *variable; variable++)
		if (is_wanted(*variable, names))
			picked[count++] = *variable;
	return picked;
}

/* 0 or an errno value, as all of posix_spawn(3). */
static int
plan_descriptors(posix_spawn_file_actions_t *actions, const struct child *child)
{
	int first_to_close = child->give_fd >= 0 ? GIVEN_FD + 1 : GIVEN_FD;
	int error = 0;

	if (child->give_fd >= 0)
		error = posix_spawn_file_actions_adddup2(
		    actions, child->give_fd, GIVEN_FD);
	if (!error)
		error = posix_spawn_file_actions_addopen(
		    actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	if (!error && child->silent)
		error = posix_spawn_file_actions_addopen(
		    actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	if (!error)
		error = posix_spawn_file_actions_adddup2(
		    actions, STDERR_FILENO, STDOUT_FILENO);
	if (!error)
		error = posix_spawn_file_actions_addclosefrom_np(
		    actions, first_to_close);
	return error;
}

static int
plan_signals(posix_spawnattr_t *attributes)
{
	sigset_t all, none;

	sigfillset(&all);
	sigemptyset(&none);
	posix_spawnattr_setsigdefault(attributes, &all);
	posix_spawnattr_setsigmask(attributes, &none);
	return posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSID |
							POSIX_SPAWN_SETSIGDEF |
							POSIX_SPAWN_SETSIGMASK);
}

static int
start(const struct child *child, char *const *environment, pid_t *ret_pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int error = posix_spawn_file_actions_init(&actions);

	if (error)
		return error;
	error = posix_spawnattr_init(&attributes);
	if (!error) {
		error = plan_descriptors(&actions, child);
		if (!error)
			error = plan_signals(&attributes);
		if (!error)
			error = posix_spawnp(ret_pid, child->argv[0], &actions,
			    &attributes, child->argv, environment);
		posix_spawnattr_destroy(&attributes);
	}
	posix_spawn_file_actions_destroy(&actions);
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

enum mt_status
child_start(const struct child *child, pid_t *ret_pid, struct mt_error *err)
{
	char **environment = pick_environment(child->variables);
	int error;

	if (!environment)
		return mt_fail(err, MT_NO_MEMORY, "no memory for a child");
	error = start(child, environment, ret_pid);
	free(environment);
	if (error)
		return mt_fail_errno(err, MT_UNREACHABLE, error,
		    "cannot start %s", child->argv[0]);
	return MT_OK;
}
