/* SPDX-License-Identifier: ISC */
#include "inbound/watch.h"

#define RETRY_FIRST_MS 5000
#define RETRY_MAX_MS 3600000
#define STABLE_MS 300000    /* a session that lasted so long was a good one */
#define RETURN_MS 2000      /* after a good session, at most */
#define NEW_TOKEN_MS 20000  /* spread of the logins after a refresh */
#define OWN_REFRESH_MS 5000 /* after a login: the refresh was for that one */
#define NEWS_GAP_MS 250     /* from one visit that news brought to the next */
#define NEVER INT64_MIN

/* Up to an eighth less: never later than promised. */
static int64_t
spread(int64_t ms, uint32_t dice)
{
	return ms - ms / 8 * (int64_t)(dice % 1024) / 1024;
}

static int64_t
doubled(int64_t first, unsigned times, int64_t most)
{
	while (times-- && first < most)
		first *= 2;
	return first < most ? first : most;
}

static int64_t
smaller(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t
larger(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

void
watch_init(
    struct watch *w, const struct watch_settings *settings, int64_t now_ms)
{
	*w = (struct watch){
	    .settings = *settings,
	    .due_ms = now_ms,
	    .compared_ms = NEVER,
	};
}

struct watch_visit
watch_begin(struct watch *w)
{
	struct watch_visit visit = {
	    .log_in_again = w->log_in_again,
	    .reconcile = w->compare || w->compared_ms == NEVER ||
			 w->due_ms - w->compared_ms >= w->settings.reconcile_ms,
	    .news_only = w->news_only,
	    .failures = w->failures,
	};

	/* what the old session has not been read of, nobody tells the new one */
	if (visit.reconcile || visit.log_in_again)
		visit.news_only = false;
	w->compare = visit.reconcile; /* until it has gone well */
	w->state = WATCH_VISITED;
	w->missed = false;
	w->news_only = false;
	w->log_in_again = false;
	return visit;
}

/*
 * Temporary trouble is tried again soon and then ever later; what a person
 * must mend is not hurried: the interval doubles up to an hour.
 */
static int64_t
pause_ms(const struct watch *w, enum mt_status status)
{
	int64_t poll = w->settings.poll_ms;
	unsigned again = w->failures - 1;

	if (status == MT_RETRY_LATER || status == MT_UNREACHABLE)
		return doubled(
		    poll < RETRY_FIRST_MS ? poll : RETRY_FIRST_MS, again, poll);
	return doubled(poll, again, poll > RETRY_MAX_MS ? poll : RETRY_MAX_MS);
}

/* The session is over: how long to wait before another is worth its login. */
static int64_t
return_ms(struct watch *w, int64_t now_ms, uint32_t dice)
{
	bool good = now_ms - w->entered_ms >= STABLE_MS;

	w->short_lives = good ? 0 : w->short_lives + 1;
	if (good)
		return (int64_t)(dice % RETURN_MS);
	return spread(
	    doubled(RETRY_FIRST_MS, w->short_lives - 1, w->settings.poll_ms),
	    dice);
}

/* A server whose news have no end, or whose sessions break at each of them, is
 * not to be visited without pause. */
static void
hold_news(struct watch *w, const struct watch_result *result, int64_t now_ms,
    uint32_t dice)
{
	int64_t pause = NEWS_GAP_MS;

	if (result->lost.status != MT_OK)
		pause = return_ms(w, now_ms, dice);
	w->news_after_ms = larger(w->news_after_ms, now_ms + pause);
}

static void
succeed(struct watch *w, const struct watch_result *result, int64_t now_ms,
    uint32_t dice)
{
	int64_t next = w->settings.poll_ms;

	w->failures = 0;
	if (w->compare && !result->more)
		w->compared_ms = now_ms;
	w->compare = w->compare && result->more;
	if (result->listening)
		next = smaller(next, w->settings.renew_ms);
	w->state = result->listening ? WATCH_LISTENED : WATCH_AWAY;
	w->due_ms =
	    w->missed || result->more ? now_ms : now_ms + spread(next, dice);
}

void
watch_end(struct watch *w, const struct watch_result *result, int64_t now_ms,
    uint32_t dice)
{
	hold_news(w, result, now_ms, dice);
	if (result->entered)
		w->entered_ms = now_ms;
	if (result->status == MT_OK) {
		succeed(w, result, now_ms, dice);
		return;
	}
	w->failures++;
	w->state = WATCH_AWAY;
	w->due_ms = w->missed
			? now_ms
			: now_ms + spread(pause_ms(w, result->status), dice);
}

void
watch_hear(struct watch *w, int64_t now_ms)
{
	int64_t at = larger(now_ms, w->news_after_ms);

	if (w->state == WATCH_VISITED) {
		w->missed = true;
		return;
	}
	/* unless it is time for a visit to all anyway */
	w->news_only = w->news_only || w->due_ms > at;
	w->due_ms = smaller(w->due_ms, at);
}

void
watch_ask(struct watch *w, int64_t now_ms)
{
	w->missed = true;
	w->news_only = false;
	w->due_ms = now_ms;
}

void
watch_lose(struct watch *w, int64_t now_ms, uint32_t dice)
{
	w->state = WATCH_AWAY;
	w->news_only = false;
	w->compare = true; /* what was told meanwhile is lost */
	w->due_ms = now_ms + return_ms(w, now_ms, dice);
}

void
watch_renew_token(struct watch *w, int64_t now_ms, uint32_t dice)
{
	int64_t at = now_ms + (int64_t)(dice % NEW_TOKEN_MS);

	if (w->state != WATCH_LISTENED ||
	    now_ms - w->entered_ms < OWN_REFRESH_MS)
		return;
	w->log_in_again = true;
	w->due_ms = smaller(w->due_ms, at);
}
