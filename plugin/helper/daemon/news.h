/* SPDX-License-Identifier: ISC */
/*
 * What the hooks are told: the states of accounts that only a person mends, and
 * that the logins are locked, which is said once, not by each account.
 */
#ifndef MT_DAEMON_NEWS_H
#define MT_DAEMON_NEWS_H

#include "account.h"
#include "hook.h"
#include "schedule.h"

struct news {
	struct hooks *hooks; /* NULL: whoever asks is told, no one else */
	struct schedule *schedule;
	long again_s; /* while it lasts; 0: never */
	bool locked;
	struct schedule_item again;
};

/* See hooks_new(). */
enum mt_status news_open(struct news *news, uv_loop_t *loop,
    struct schedule *schedule, const struct hook_places *places,
    struct mt_error *err) MT_MUST_CHECK;

/* Takes the hooks and the time from the settings. */
void news_configure(struct news *news, const struct config *config);

/* `event` is a word for it. */
void news_of_account(
    struct news *news, const struct account *account, const char *event);

/* The store waits for its passphrase, or does not any more. */
void news_of_lock(struct news *news, bool locked);

/* Before the schedule. */
void news_close(struct news *news);

#endif
