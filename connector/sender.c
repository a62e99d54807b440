/* SPDX-License-Identifier: ISC */
#include "sender_impl.h"

#include "base/log.h"
#include "report.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>

#define LOCKED_MS 1000  /* between looks at a lock that others hold, ... */
#define WATCHED_MS 200  /* ... and at what they do, when somebody waits */
#define ROUND_MS 300000 /* who queues something says so; in case nobody did */
#define BROKEN_STATE_MS 5000
#define TIDY_MS 3600000

static void
free_handle(uv_handle_t *handle)
{
	free(handle);
}

/* ---- what is next ---- */

bool
sender_works(const struct sender *s)
{
	bool working = s->imap.running;

	for (unsigned i = 0; i < s->settings.connections; i++)
		working = working || s->smtp[i].running;
	return working;
}

static void
sooner(uint64_t *delay, uint64_t other)
{
	if (other < *delay)
		*delay = other;
}

/* Of what is due in `seconds`, and not before the pause is over. */
static void
sooner_at(const struct sender *s, uint64_t *delay, time_t seconds,
    const struct pause *pause)
{
	uint64_t wait = pause_left(pause, uv_now(s->loop));

	if (seconds < 0)
		return;
	if (wait < (uint64_t)seconds * 1000)
		wait = (uint64_t)seconds * 1000;
	if (wait)
		sooner(delay, wait);
}

static void
on_time(uv_timer_t *timer)
{
	sender_open_desk(timer->data);
}

static void
set_timer(struct sender *s)
{
	const struct sender_desk *d = &s->desk;
	uint64_t delay = ROUND_MS;
	struct sender_watch *w;

	if (d->held)
		delay = TAILQ_EMPTY(&s->watches) ? LOCKED_MS : WATCHED_MS;
	else if (d->status != MT_OK)
		delay = BROKEN_STATE_MS;
	else {
		sooner_at(s, &delay, s->plan.send_s, &s->smtp_pause);
		sooner_at(s, &delay, s->plan.file_s, &s->imap_pause);
	}
	TAILQ_FOREACH(w, &s->watches, link)
	sooner(&delay,
	    w->patience > uv_now(s->loop) ? w->patience - uv_now(s->loop) : 1);
	uv_timer_start(s->timer, on_time, delay, 0);
}

static void
start(struct sender *s, struct sender_work *w, const struct pause *pause)
{
	w->running = true;
	w->job.failures = pause->failures;
	w->job.new = !pause->worked;
	pool_submit(s->pool, &w->job);
}

/* As many connections as there are messages to send; those that are open and
 * have none just now take one. */
static void
start_smtp(struct sender *s)
{
	size_t due = s->plan.due, free = 0;
	size_t claimed = s->plan.claimed;

	/* to recover, all have to end */
	if (!s->settled || !pause_is_over(&s->smtp_pause, uv_now(s->loop)))
		return;
	for (unsigned i = 0; i < s->settings.connections; i++)
		free += s->smtp[i].running;
	free -= claimed < free ? claimed : free;
	for (unsigned i = 0; i < s->settings.connections && due > free; i++) {
		if (s->smtp[i].running)
			continue;
		start(s, &s->smtp[i], &s->smtp_pause);
		free++;
	}
}

static void
start_works(struct sender *s)
{
	if (s->stopping || s->desk.status != MT_OK)
		return;
	start_smtp(s);
	if (s->plan.file_s == 0 && !s->imap.running &&
	    pause_is_over(&s->imap_pause, uv_now(s->loop)))
		start(s, &s->imap, &s->imap_pause);
}

/* ---- the end ---- */

static void
end_if_over(struct sender *s)
{
	if (s->desk.running || sender_works(s))
		return;
	if (!s->told_all) {
		s->told_all = true;
		sender_open_desk(s);
		return;
	}
	sender_watches_end(s);
	uv_timer_stop(s->timer);
	if (s->lock >= 0)
		outbox_unlock(s->lock);
	s->lock = -1;
	s->stopped(s->context, s);
}

/* ---- the desk ---- */

void
sender_open_desk(struct sender *s)
{
	struct sender_desk *d = &s->desk;

	if (d->running) {
		d->again = true;
		return;
	}
	d->again = false;
	d->running = true;
	d->only_looks = s->stopping;
	d->recover = !s->settled && !sender_works(s);
	d->tidy = !s->tidied || uv_now(s->loop) - s->tidied >= TIDY_MS;
	d->away = s->smtp_pause.failures > 0;
	d->blocked = pause_is_a_persons(&s->smtp_pause) &&
		     !pause_is_over(&s->smtp_pause, uv_now(s->loop));
	snprintf(d->why, sizeof(d->why), "%s",
	    s->smtp_pause.failures ? s->smtp_pause.error.text : "");
	sender_watches_ask(s);
	pool_submit(s->pool, &d->job);
}

static void
take_desk_result(struct sender *s)
{
	const struct sender_desk *d = &s->desk;
	bool broken = d->status != MT_OK && !d->held;

	if (broken && !s->state_broken)
		log_error("the outbox cannot be used: %s", d->error.text);
	s->state_broken = broken;
	s->desk_error.status = MT_OK;
	if (d->status != MT_OK)
		s->desk_error = d->error;
	else if (!d->only_looks)
		s->plan = d->plan;
	if (d->status != MT_OK || d->only_looks)
		return;
	s->settled = s->settled || d->recover;
	if (d->tidy)
		s->tidied = uv_now(s->loop);
}

static void
on_desk_done(struct pool_job *job)
{
	struct sender *s = sender_of_desk(job);
	struct sender_desk *d = &s->desk;

	take_desk_result(s);
	start_works(s);
	sender_watches_tell(s); /* they may have it stopped */
	d->running = false;
	if (s->stopping)
		end_if_over(s);
	else if (d->again)
		sender_open_desk(s);
	else
		set_timer(s);
}

static void
on_work_done(struct pool_job *job)
{
	struct sender_work *w = sender_work_of(job);
	struct sender *s = w->sender;
	bool smtp = w != &s->imap;

	w->running = false;
	/* as if it had died */
	if (w->stranded)
		s->settled = false;
	w->stranded = false;
	if (!s->stopping)
		pause_note(smtp ? &s->smtp_pause : &s->imap_pause,
		    uv_now(s->loop), job->status, &w->error);
	if (s->stopping)
		end_if_over(s);
	else
		sender_open_desk(s);
}

static void
on_news(uv_async_t *news)
{
	struct sender *s = news->data;

	if (!s->stopping)
		sender_open_desk(s);
}

/* ---- from outside ---- */

void
sender_wake(struct sender *s)
{
	if (s->stopping)
		return;
	pause_shorten(&s->smtp_pause, uv_now(s->loop));
	sender_open_desk(s);
}

void
sender_mended(struct sender *s)
{
	if (s->stopping)
		return;
	pause_end(&s->smtp_pause);
	pause_end(&s->imap_pause);
	sender_open_desk(s);
}

enum mt_status
sender_trouble(const struct sender *s, struct mt_error *ret_trouble)
{
	if (s->desk_error.status != MT_OK)
		*ret_trouble = s->desk_error;
	else if (s->smtp_pause.failures)
		*ret_trouble = s->smtp_pause.error;
	else
		return MT_OK;
	return ret_trouble->status;
}

void
sender_describe(const struct sender *s, struct json_object *status)
{
	struct json_object *sending = json_object_new_object();
	struct mt_error trouble = {.text = ""};

	json_object_object_add(
	    sending, "due", json_object_new_int64((int64_t)s->plan.due));
	json_object_object_add(sending, "under_way",
	    json_object_new_int64((int64_t)s->plan.claimed));
	if (sender_trouble(s, &trouble) != MT_OK)
		report_add_text(sending, "trouble", trouble.text);
	if (s->imap_pause.failures)
		report_add_text(
		    sending, "sent_trouble", s->imap_pause.error.text);
	json_object_object_add(status, "sending", sending);
}

/* ---- beginning and end ---- */

static void
set_up(struct sender *s, const struct sender_settings *settings)
{
	s->settings = *settings;
	if (s->settings.connections > SENDER_CONNECTIONS_MAX)
		s->settings.connections = SENDER_CONNECTIONS_MAX;
	s->lock = -1;
	sender_jobs_init(s, on_desk_done, on_work_done);
	pause_init(&s->smtp_pause, "SMTP send", s->settings.name,
	    s->settings.interval_ms);
	pause_init(&s->imap_pause, "Looking in Sent", s->settings.name,
	    s->settings.interval_ms);
	TAILQ_INIT(&s->watches);
}

enum mt_status
sender_new(struct sender **ret_sender, uv_loop_t *loop, struct pool *pool,
    const struct sender_settings *settings, struct mt_error *err)
{
	struct sender *s = calloc(1, sizeof(*s));

	if (!s)
		return mt_fail(err, MT_NO_MEMORY, "no memory for a sender");
	s->timer = malloc(sizeof(*s->timer));
	s->news = malloc(sizeof(*s->news));
	if (!s->timer || !s->news || uv_async_init(loop, s->news, on_news)) {
		free(s->timer);
		free(s->news);
		free(s);
		return mt_fail(err, MT_NO_MEMORY, "no memory for a sender");
	}
	uv_timer_init(loop, s->timer);
	s->timer->data = s->news->data = s;
	s->loop = loop;
	s->pool = pool;
	set_up(s, settings);
	sender_open_desk(s);
	*ret_sender = s;
	return MT_OK;
}

void
sender_stop(struct sender *s,
    void (*stopped)(void *context, struct sender *sender), void *context)
{
	atomic_store(&s->stop, true);
	s->stopping = true;
	s->stopped = stopped;
	s->context = context;
	uv_timer_stop(s->timer);
	if (TAILQ_EMPTY(&s->watches)) {
		s->told_all = true;
		end_if_over(s);
	} else {
		sender_open_desk(s);
	}
}

void
sender_free(struct sender **sender)
{
	struct sender *s = *sender;

	if (!s)
		return;
	uv_close((uv_handle_t *)s->timer, free_handle);
	uv_close((uv_handle_t *)s->news, free_handle);
	free(s->desk.looks);
	free(s);
	*sender = NULL;
}
