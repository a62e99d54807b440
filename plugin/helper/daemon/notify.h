/* SPDX-License-Identifier: ISC */
/*
 * Service manager: readiness and socket activation (sd_notify(3),
 * sd_listen_fds(3)).  Without libsystemd at build time, and outside systemd,
 * everything here does nothing.
 */
#ifndef MT_DAEMON_NOTIFY_H
#define MT_DAEMON_NOTIFY_H

/* The number of listening sockets that were passed, the first being
 * NOTIFY_FIRST_FD.  *ret_names: as many names and the array, all for the caller
 * to free; or NULL. */
#define NOTIFY_FIRST_FD 3
int notify_listen_fds(char ***ret_names);

void notify_ready(void);
void notify_reloading(void);
void notify_stopping(void);

#endif
