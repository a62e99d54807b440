/* SPDX-License-Identifier: ISC */
#include "pause.h"

#include "base/log.h"

#include <stdlib.h>

#define RETRY_FIRST_MS 5000
#define RETRY_MAX_MS 3600000
#define FRESH_MS 60000 /* what a person must mend is not mended before */

void
pause_init(struct pause *pause, const char *what, const char *account,
    int64_t interval_ms)
{
	*pause = (struct pause){
	    .what = what,
	    .account = account,
	    .interval_ms = (uint64_t)interval_ms,
	};
}

bool
pause_is_a_persons(const struct pause *pause)
{
	return pause->failures && pause->error.status != MT_RETRY_LATER &&
	       pause->error.status != MT_UNREACHABLE &&
	       pause->error.status != MT_NO_MEMORY;
}

static uint64_t
delay_of(const struct pause *pause)
{
	uint64_t interval = pause->interval_ms;
	bool temporary = !pause_is_a_persons(pause);
	uint64_t delay =
	    temporary && interval > RETRY_FIRST_MS ? RETRY_FIRST_MS : interval;
	uint64_t most = interval > RETRY_MAX_MS ? interval : RETRY_MAX_MS;

	if (temporary)
		most = interval;
	for (unsigned i = 1; i < pause->failures && delay < most; i++)
		delay *= 2;
	if (delay > most)
		delay = most;
	return delay - arc4random_uniform((uint32_t)(delay / 8 + 1));
}

void
pause_note(struct pause *pause, uint64_t now, enum mt_status status,
    const struct mt_error *err)
{
	if (status == MT_OK) {
		if (pause->failures)
			log_info("%s works again (account %s)", pause->what,
			    pause->account);
		pause->worked = true;
		pause->failures = 0;
		pause->until = 0;
		return;
	}
	if (!pause_is_over(pause, now))
		return;
	pause->failures++;
	pause->error = *err;
	pause->failed_at = now;
	pause->until = now + delay_of(pause);
	log_error("%s failed: %s (account %s, next try in %llu s)", pause->what,
	    err->text, pause->account,
	    (unsigned long long)(pause_left(pause, now) + 999) / 1000);
}

bool
pause_is_over(const struct pause *pause, uint64_t now)
{
	return now >= pause->until;
}

uint64_t
pause_left(const struct pause *pause, uint64_t now)
{
	return pause->until > now ? pause->until - now : 0;
}

void
pause_shorten(struct pause *pause, uint64_t now)
{
	uint64_t fresh = pause_is_a_persons(pause) ? FRESH_MS : RETRY_FIRST_MS;

	if (pause->failures && now >= pause->failed_at + fresh)
		pause->until = now;
}

void
pause_end(struct pause *pause)
{
	pause->until = 0;
}
