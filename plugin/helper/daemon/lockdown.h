/* SPDX-License-Identifier: ISC */
/*
 * Takes from this process, for good, what a token helper never does, so that
 * whoever got hold of it by a bug in a library could not do it either:
 *
 * - run a program, or leave a copy of itself behind;
 * - write, make or remove files but in the places that it is told of
 *   (Landlock).  Reading stays allowed everywhere: settings, client secrets and
 *   certificates may lie anywhere, and more of them come with a reload;
 * - open sockets but of Unix, IPv4, IPv6 and netlink; look into other
 *   processes; mount; enter namespaces; change the kernel or the clock
 *   (seccomp);
 * - gain rights by running something set-uid.
 */
#ifndef MT_DAEMON_LOCKDOWN_H
#define MT_DAEMON_LOCKDOWN_H

#include <stddef.h>

#define LOCKDOWN_SOCKETS_MAX 64

struct lockdown {
	const char *state_dir;
	/* Sockets may be made and removed in the directories of these. */
	const char *sockets[LOCKDOWN_SOCKETS_MAX];
	size_t socket_count;
};

/* Before the first thread.  What the kernel does not have is left out, and
 * named in the log. */
void lockdown_enter(const struct lockdown *plan);

#endif
