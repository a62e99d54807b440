/* SPDX-License-Identifier: ISC */
/*
 * Service manager: readiness, watchdog and socket activation (sd_notify(3),
 * sd_watchdog_enabled(3), sd_listen_fds(3)), for programs.  Without libsystemd at build time, and outside systemd,
 * everything here does nothing.
 */
#ifndef MT_BASE_NOTIFY_H
#define MT_BASE_NOTIFY_H

/* The number of listening sockets that were passed, the first being
 * NOTIFY_FIRST_FD.  *ret_names: as many names and the array, all for the caller
 * to free; or NULL. */
#define NOTIFY_FIRST_FD 3
int notify_listen_fds(char ***ret_names);

void notify_ready(void);
void notify_reloading(void);
void notify_stopping(void);

/* How often, in milliseconds, notify_alive is to be called at least; 0: nobody
 * waits for it. */
long notify_watchdog_ms(void);
void notify_alive(void);

#endif
