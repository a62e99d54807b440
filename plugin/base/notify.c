/* SPDX-License-Identifier: ISC */
#include "notify.h"

#ifdef MT_HAVE_SYSTEMD

#include <stdint.h>
#include <systemd/sd-daemon.h>
#include <time.h>

_Static_assert(NOTIFY_FIRST_FD == SD_LISTEN_FDS_START, "as systemd has it");

int
notify_listen_fds(char ***ret_names)
{
	int count;

	*ret_names = NULL;
	count = sd_listen_fds_with_names(1, ret_names);
	return count > 0 ? count : 0;
}

void
notify_ready(void)
{
	sd_notify(0, "READY=1");
}

void
notify_reloading(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld",
	    (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
}

void
notify_stopping(void)
{
	sd_notify(0, "STOPPING=1");
}

long
notify_watchdog_ms(void)
{
	uint64_t limit_us = 0;

	if (sd_watchdog_enabled(0, &limit_us) <= 0)
		return 0;
	/* half of it, as sd_watchdog_enabled(3) says */
	return limit_us > 2000 ? (long)(limit_us / 2000) : 1;
}

void
notify_alive(void)
{
	sd_notify(0, "WATCHDOG=1");
}

#else

int
notify_listen_fds(char ***ret_names)
{
	*ret_names = NULL;
	return 0;
}

void
notify_ready(void)
{
}

void
notify_reloading(void)
{
}

void
notify_stopping(void)
{
}

long
notify_watchdog_ms(void)
{
	return 0;
}

void
notify_alive(void)
{
}

#endif
