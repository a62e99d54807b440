/* SPDX-License-Identifier: ISC */
/*
 * What an account does at which time: deadlines of askers, saving again, and
 * refreshes that nobody waits for.
 *
 * An account is in use when somebody asked for a token since the one at hand was
 * fetched; then the next is fetched before the need.  One that nobody uses is
 * refreshed often enough that the server does not end the login for idleness.
 */
#include "account_impl.h"

#include "clock.h"
#include "refresh.h"

#include "base/log.h"

/* Refreshes against idleness begin at whole multiples of this, so that any
 * number of accounts wakes the machine twelve times an hour at most. */
#define GRID_MS (5LL * 60 * 1000)

/* A timer that is later than this was held up by a sleep. */
#define LATE_MS 10000

/* What fell due together begins within this time for each account, in all. */
#define SPREAD_EACH_MS 10
#define SPREAD_MAX_MS 60000

static int64_t
spread_ms(const struct account *a)
{
	size_t most = a->env->account_count * SPREAD_EACH_MS;

	return crypto_random_below(
	    (uint32_t)(most < SPREAD_MAX_MS ? most : SPREAD_MAX_MS) + 1);
}

void
account_plan_ahead(struct account *a)
{
	int64_t got_ms = a->expires_ms - (int64_t)a->lifetime_s * 1000;

	a->ahead_ms = got_ms + refresh_ahead_ms(a->lifetime_s, a->wanted_s);
}

void
account_plan_keep_alive(struct account *a)
{
	long keep_alive_s = refresh_keep_alive_s(a->settings);
	int64_t age_s = clock_wall_s() - a->refreshed_at;
	int64_t in_ms;

	if (!keep_alive_s) {
		a->keep_alive_ms = ACCOUNT_NEVER_MS;
		return;
	}
	if (!a->refreshed_at)
		age_s = -1;
	in_ms = refresh_keep_alive_in_ms(keep_alive_s, age_s);
	a->keep_alive_ms = clock_boot_ms() + (in_ms > 0 ? in_ms : spread_ms(a));
	if (in_ms > GRID_MS)
		a->keep_alive_ms -= a->keep_alive_ms % GRID_MS;
}

void
account_note_use(struct account *a, long min_ttl_s)
{
	bool wants_more = min_ttl_s > a->wanted_s;

	if (min_ttl_s > a->wish_s)
		a->wish_s = min_ttl_s;
	if (a->asked && !wants_more)
		return;
	a->asked = true;
	if (wants_more) {
		a->wanted_s = min_ttl_s;
		if (a->token.len)
			account_plan_ahead(a);
	}
	account_plan(a);
}

/* Its login cannot be read before somebody unlocks the store. */
static bool
is_locked(const struct account *a)
{
	struct mt_error ignored;

	return !account_settings_app_only(a->settings) &&
	       records_ready(a->env->store, &ignored) != MT_OK;
}

/* When to refresh without being asked; *ret_cause says what for. */
static int64_t
next_refresh(const struct account *a, enum account_cause *ret_cause)
{
	int64_t due = a->keep_alive_ms, ahead = ACCOUNT_NEVER_MS;

	if (a->flight.active || a->retired || a->env->stopping ||
	    a->state == ACCOUNT_NEEDS_LOGIN || is_locked(a))
		return ACCOUNT_NEVER_MS;
	/* without a token the last attempt failed, and its pause counts */
	if (a->asked && a->token.len)
		ahead = a->ahead_ms;
	else if (a->asked && a->state != ACCOUNT_OK)
		ahead = a->next_attempt_ms;
	*ret_cause = ahead <= due ? CAUSE_AHEAD : CAUSE_IDLENESS;
	if (ahead < due)
		due = ahead;
	if (a->state != ACCOUNT_OK && due < a->next_attempt_ms)
		due = a->next_attempt_ms;
	return due;
}

int64_t
account_next_refresh_ms(const struct account *a)
{
	enum account_cause cause;
	int64_t due = next_refresh(a, &cause);
	int64_t now = clock_boot_ms();

	if (due == ACCOUNT_NEVER_MS)
		return -1;
	if (due < a->postponed_ms)
		due = a->postponed_ms;
	return due > now ? due - now : 0;
}

static void
announce(struct account *a, const char *event)
{
	if (a->env->announce)
		a->env->announce(a->env->context, a, event);
}

/* Of an account that nobody has logged in to yet, or that somebody has logged
 * out of, nothing was lost.  That the store is locked is said once, by others.
 * Settings that were read again are not mended yet: a new token shows that. */
void
account_announce(struct account *a)
{
	int64_t again_ms = (int64_t)a->env->announce_again_s * 1000;
	int64_t now = clock_boot_ms();
	bool lasts = a->state == ACCOUNT_NEEDS_LOGIN ||
		     a->state == ACCOUNT_NEEDS_ADMIN ||
		     a->state == ACCOUNT_BROKEN_CONFIG;

	if (a->retired || is_locked(a))
		return;
	if (a->never_logged_in && a->state == ACCOUNT_NEEDS_LOGIN) {
		a->announce_ms = ACCOUNT_NEVER_MS;
		return;
	}
	if (lasts && (a->announced != a->state || a->announce_ms <= now)) {
		announce(a, account_state_word(a->state));
		a->announced = a->state;
		a->announced_serial = a->serial;
		a->announce_ms = again_ms ? now + again_ms : ACCOUNT_NEVER_MS;
		if (again_ms > GRID_MS)
			a->announce_ms -= a->announce_ms % GRID_MS;
	} else if (a->state == ACCOUNT_OK && a->announced != ACCOUNT_OK &&
		   a->serial != a->announced_serial) {
		announce(a, "recovered");
		a->announced = ACCOUNT_OK;
	}
}

void
account_try_soon(struct account *a)
{
	int64_t soon = clock_boot_ms() + spread_ms(a);

	if (a->postponed_ms > soon)
		a->postponed_ms = soon;
	if (a->state == ACCOUNT_DEGRADED && !a->pause_is_servers &&
	    a->next_attempt_ms > soon)
		a->next_attempt_ms = soon;
}

void
account_network_changed(struct account *a)
{
	account_try_soon(a);
	account_plan(a);
}

void
account_postpone(struct account *a, int64_t until_ms)
{
	a->postponed_ms = until_ms + spread_ms(a);
}

static void
refresh_unasked(struct account *a)
{
	enum account_cause cause;
	struct mt_error err = {0};
	int64_t now = clock_boot_ms();

	if (next_refresh(a, &cause) > now || a->postponed_ms > now)
		return;
	if (account_start(a, cause, &err) == MT_OK)
		log_debug("account=%s: %s", a->settings->name,
		    cause == CAUSE_AHEAD ? "ahead of need"
					 : "against idleness");
}

static void
on_timer(void *context)
{
	struct account *a = context;
	int64_t now = clock_boot_ms();

	if (now - a->timer.due_ms > LATE_MS)
		a->postponed_ms = now + spread_ms(a);
	account_answer_late(a);
	if (a->unsaved && now >= a->save_again_ms)
		account_save_again(a);
	if (a->announced != ACCOUNT_OK && now >= a->announce_ms)
		account_announce(a);
	refresh_unasked(a);
	account_plan(a);
}

void
account_plan(struct account *a)
{
	int64_t next = ACCOUNT_NEVER_MS, refresh = account_next_refresh_ms(a);
	struct account_waiter *w;

	if (refresh >= 0) /* not now: each turn does one thing */
		next = clock_boot_ms() + (refresh ? refresh : 1);
	LIST_FOREACH(w, &a->waiters, link)
	if (w->deadline_ms < next)
		next = w->deadline_ms;
	if (a->unsaved && a->save_again_ms < next)
		next = a->save_again_ms;
	if (a->announced == a->state && a->announced != ACCOUNT_OK &&
	    !a->retired && a->announce_ms < next)
		next = a->announce_ms;
	a->timer.run = on_timer;
	schedule_set(a->env->schedule, &a->timer, next);
}
