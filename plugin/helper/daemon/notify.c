/* SPDX-License-Identifier: ISC */
#include "notify.h"

#ifdef MT_HAVE_SYSTEMD

#include <stdint.h>
#include <systemd/sd-daemon.h>
#include <time.h>

_Static_assert(NOTIFY_FIRST_FD == SD_LISTEN_FDS_START, "as systemd has it");

int
notify_listen_fds(void)
{
	int count = sd_listen_fds(1);

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

#else

int
notify_listen_fds(void)
{
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

#endif
