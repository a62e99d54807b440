/* SPDX-License-Identifier: ISC */
#include "clock.h"

#include <time.h>

int64_t
clock_boot_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t
clock_wall_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec;
}

const char *
clock_format(int64_t wall_s, char text[CLOCK_TEXT_SIZE])
{
	time_t seconds = wall_s;
	struct tm parts;

	text[0] = '\0';
	if (wall_s > 0 && gmtime_r(&seconds, &parts))
		strftime(text, CLOCK_TEXT_SIZE, "%Y-%m-%dT%H:%M:%SZ", &parts);
	return text;
}
