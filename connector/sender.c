/* SPDX-License-Identifier: ISC */
#include "sender.h"

#include "base/log.h"
#include "outbound/filing.h"
#include "pause.h"
#include "report.h"

#include <json-c/json.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>

#define JOB_MS 600000
#define CONNECTIONS_MAX 16
#define LOCKED_MS 1000 /* between looks at a lock that others hold, ... */
#define WATCHED_MS 200 /* ... and at what they do, when somebody waits */
#define ROUND_MS 60000 /* other processes may have queued something */
#define BROKEN_STATE_MS 5000

/* What somebody waits for. */
enum until { UNTIL_DECIDED, UNTIL_FILED, UNTIL_IDLE };

struct watch {
	TAILQ_ENTRY(watch) link;
	int64_t entry;
	enum until until;
	uint64_t patience; /* the loop's time at which it ends */
	sender_told told;
	void *context;
};

/* A job that works at a server. */
struct work {
	struct pool_job job;
	struct sender *sender;
	bool running;
	struct mt_error error;
};

/*
 * The job at the desk: everything about the state that may wait for the disk.
 * Between its end and its next beginning it is the loop's.
 */
struct desk {
	struct pool_job job;
	bool running;
	bool again; /* it was asked for while it ran */

	/* in */
	bool only_looks;
	bool recover; /* nobody works with an entry */
	char why[MT_ERROR_TEXT_MAX];
	size_t count;
	struct desk_look {
		int64_t entry;
		enum mt_status status;
		struct send_report report;
	} * looks;

	/* out */
	bool held; /* the lock, by another process */
	enum mt_status status;
	struct mt_error error;
	struct outbox_plan plan;
};

struct sender {
	struct sender_settings settings;
	struct submit_settings submit; /* the same, with our ears */
	uv_loop_t *loop;
	struct pool *pool;
	uv_timer_t *timer;
	uv_async_t *news; /* a thread has ended something */
	int lock;         /* -1: not held */
	struct desk desk;
	struct work smtp[CONNECTIONS_MAX];
	struct work imap;
	struct pause smtp_pause;
	struct pause imap_pause;
	bool state_broken; /* and it was said */
	TAILQ_HEAD(, watch) watches;

	atomic_bool stop; /* for the threads */
	bool stopping;
	bool told_all; /* since then */
	void (*stopped)(void *context, struct sender *sender);
	void *context;
};

static void open_desk(struct sender *s);

static uint64_t
now(const struct sender *s)
{
	return uv_now(s->loop);
}

static void
free_handle(uv_handle_t *handle)
{
	free(handle);
}

/* ---- in the threads ---- */

static enum mt_status
open_smtp(void *context, struct smtp_conn **ret_conn, struct deadline deadline,
    struct mt_error *err)
{
	const struct submit_settings *theirs =
	    &((struct sender *)context)->settings.submit;

	return theirs->open_smtp(theirs->context, ret_conn, deadline, err);
}

static enum mt_status
open_imap(void *context, struct imap_conn **ret_conn, struct deadline deadline,
    struct mt_error *err)
{
	const struct submit_settings *theirs =
	    &((struct sender *)context)->settings.submit;

	return theirs->open_imap(theirs->context, ret_conn, deadline, err);
}

static void
on_result(void *context, const struct outbox_entry *entry)
{
	struct sender *s = context;

	if (s->settings.submit.result)
		s->settings.submit.result(s->settings.submit.context, entry);
	uv_async_send(s->news);
}

static void
on_copied(void *context, const struct outbox_entry *entry)
{
	struct sender *s = context;

	if (s->settings.submit.copied)
		s->settings.submit.copied(s->settings.submit.context, entry);
	uv_async_send(s->news);
}

static struct work *
work_of(struct pool_job *job)
{
	return (
	    struct work *)(void *)((char *)job - offsetof(struct work, job));
}

static void
run_smtp(struct pool_job *job)
{
	struct work *w = work_of(job);

	job->status = submit_work(w->sender->settings.state, &w->sender->submit,
	    deadline_in_ms(JOB_MS), &w->error);
}

static void
run_imap(struct pool_job *job)
{
	struct work *w = work_of(job);

	job->status = filing_work(w->sender->settings.state, &w->sender->submit,
	    deadline_in_ms(JOB_MS), &w->error);
}

static struct sender *
sender_of_desk(struct pool_job *job)
{
	return (struct sender *)(void *)((char *)job -
					 offsetof(struct sender, desk.job));
}

static enum mt_status
take_lock(struct sender *s)
{
	struct desk *d = &s->desk;
	enum mt_status status = MT_OK;

	d->held = false;
	if (s->lock >= 0)
		return MT_OK;
	status = outbox_lock(s->settings.state, s->submit.rules.account,
	    &s->lock, deadline_in_ms(0), &d->error);
	d->held = status == MT_RETRY_LATER;
	return status;
}

/* Everything that needs the lock. */
static enum mt_status
plan(struct sender *s)
{
	struct desk *d = &s->desk;
	struct state *state = s->settings.state;
	enum mt_status status = take_lock(s);

	if (status != MT_OK)
		return status;
	if (d->recover)
		status = submit_recover(state, &s->submit, &d->error);
	if (status == MT_OK)
		status = submit_tidy(state, &s->submit, &d->error);
	if (status == MT_OK)
		status = outbox_plan(
		    state, &s->submit.rules, time(NULL), &d->plan, &d->error);
	return status;
}

static void
run_desk(struct pool_job *job)
{
	struct sender *s = sender_of_desk(job);
	struct desk *d = &s->desk;
	const struct send_settings look = {
	    .state = s->settings.state,
	    .rules = &s->submit.rules,
	};

	d->status = d->only_looks ? MT_OK : plan(s);
	for (size_t i = 0; i < d->count; i++) {
		struct desk_look *l = &d->looks[i];
		struct mt_error why;

		l->report = (struct send_report)SEND_REPORT_INIT;
		l->status = MT_OK;
		if (!l->entry)
			continue;
		l->status =
		    send_look(&look, l->entry, d->why, &l->report, &why);
		if (l->status != MT_OK)
			send_unknown(&l->report, &why);
	}
	job->status = MT_OK; /* it says nothing about a server */
}

/* ---- telling ---- */

/* Nothing is sent before a person acts. */
static bool
is_blocked(const struct sender *s)
{
	return pause_is_a_persons(&s->smtp_pause) &&
	       !pause_is_over(&s->smtp_pause, now(s));
}

static bool
works(const struct sender *s)
{
	bool working = s->imap.running;

	for (unsigned i = 0; i < s->settings.connections; i++)
		working = working || s->smtp[i].running;
	return working;
}

/* Whether all that was due has had its turn. */
static bool
is_idle(const struct sender *s)
{
	const struct desk *d = &s->desk;

	if (d->status != MT_OK)
		return true;
	return !works(s) &&
	       (!d->plan.due || !pause_is_over(&s->smtp_pause, now(s))) &&
	       (d->plan.file_s != 0 || !pause_is_over(&s->imap_pause, now(s)));
}

static bool
is_told(
    const struct sender *s, const struct watch *w, const struct desk_look *look)
{
	const struct send_report *report = &look->report;

	if (s->stopping || now(s) >= w->patience)
		return true;
	if (w->until == UNTIL_IDLE)
		return is_idle(s);
	if (look->status != MT_OK)
		return look->status == MT_BUG; /* the entry is gone */
	if (report->state == SEND_QUEUED && is_blocked(s))
		return true;
	if (w->until == UNTIL_FILED && report->unfiled)
		return s->imap_pause.failures > 0;
	return report->decided;
}

static void
tell(struct sender *s, struct watch *w, const struct send_report *report)
{
	TAILQ_REMOVE(&s->watches, w, link);
	w->told(w->context, w->entry, report);
	free(w);
}

/* Each watch has a look, in their order, but those that came later. */
static void
tell_all(struct sender *s)
{
	struct desk *d = &s->desk;
	struct watch *w = TAILQ_FIRST(&s->watches), *next;

	for (size_t i = 0; i < d->count && w; i++, w = next) {
		next = TAILQ_NEXT(w, link);
		if (is_told(s, w, &d->looks[i]))
			tell(s, w, &d->looks[i].report);
	}
}

/* ---- what is next ---- */

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
	uint64_t wait = pause_left(pause, now(s));

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
	open_desk(timer->data);
}

static void
set_timer(struct sender *s)
{
	const struct desk *d = &s->desk;
	uint64_t delay = ROUND_MS;
	struct watch *w;

	if (d->held)
		delay = TAILQ_EMPTY(&s->watches) ? LOCKED_MS : WATCHED_MS;
	else if (d->status != MT_OK)
		delay = BROKEN_STATE_MS;
	else {
		sooner_at(s, &delay, d->plan.send_s, &s->smtp_pause);
		sooner_at(s, &delay, d->plan.file_s, &s->imap_pause);
	}
	TAILQ_FOREACH(w, &s->watches, link)
	sooner(&delay, w->patience > now(s) ? w->patience - now(s) : 1);
	uv_timer_start(s->timer, on_time, delay, 0);
}

static void
start(struct sender *s, struct work *w, const struct pause *pause)
{
	w->running = true;
	w->job.failed = pause->failures > 0;
	pool_submit(s->pool, &w->job);
}

/* As many connections as there are messages to send; those that are open and
 * have none just now take one. */
static void
start_smtp(struct sender *s)
{
	size_t due = s->desk.plan.due, free = 0;
	size_t claimed = s->desk.plan.claimed;

	if (!pause_is_over(&s->smtp_pause, now(s)))
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
	if (s->desk.plan.file_s == 0 && !s->imap.running &&
	    pause_is_over(&s->imap_pause, now(s)))
		start(s, &s->imap, &s->imap_pause);
}

/* ---- the end ---- */

static void
end_if_over(struct sender *s)
{
	if (s->desk.running || works(s))
		return;
	if (!s->told_all) {
		s->told_all = true;
		open_desk(s);
		return;
	}
	uv_timer_stop(s->timer);
	if (s->lock >= 0)
		outbox_unlock(s->lock);
	s->lock = -1;
	s->stopped(s->context, s);
}

/* ---- the desk ---- */

/* What the watches ask; without memory they are told later. */
static void
ask_of_watches(struct sender *s)
{
	struct desk *d = &s->desk;
	struct watch *w;
	size_t count = 0;

	free(d->looks);
	d->count = 0;
	TAILQ_FOREACH(w, &s->watches, link)
	count++;
	d->looks = calloc(count + 1, sizeof(*d->looks));
	if (!d->looks)
		return;
	TAILQ_FOREACH(w, &s->watches, link)
	d->looks[d->count++].entry = w->entry;
}

static void
open_desk(struct sender *s)
{
	struct desk *d = &s->desk;

	if (d->running) {
		d->again = true;
		return;
	}
	d->again = false;
	d->running = true;
	d->only_looks = s->stopping;
	d->recover = true;
	for (unsigned i = 0; i < s->settings.connections; i++)
		d->recover = d->recover && !s->smtp[i].running;
	snprintf(d->why, sizeof(d->why), "%s",
	    s->smtp_pause.failures ? s->smtp_pause.error.text : "");
	ask_of_watches(s);
	pool_submit(s->pool, &d->job);
}

static void
note_state(struct sender *s)
{
	const struct desk *d = &s->desk;
	bool broken = d->status != MT_OK && !d->held;

	if (broken && !s->state_broken)
		log_error("the outbox cannot be used: %s", d->error.text);
	s->state_broken = broken;
}

static void
on_desk_done(struct pool_job *job)
{
	struct sender *s = sender_of_desk(job);
	struct desk *d = &s->desk;

	d->running = false;
	note_state(s);
	start_works(s);
	tell_all(s);
	if (s->stopping)
		end_if_over(s);
	else if (d->again)
		open_desk(s);
	else
		set_timer(s);
}

static void
on_work_done(struct pool_job *job)
{
	struct work *w = work_of(job);
	struct sender *s = w->sender;
	bool smtp = w != &s->imap;

	w->running = false;
	if (!s->stopping)
		pause_note(smtp ? &s->smtp_pause : &s->imap_pause, now(s),
		    job->status, &w->error);
	if (s->stopping)
		end_if_over(s);
	else
		open_desk(s);
}

static void
on_news(uv_async_t *news)
{
	struct sender *s = news->data;

	if (!s->stopping)
		open_desk(s);
}

/* ---- from outside ---- */

void
sender_wake(struct sender *s)
{
	if (s->stopping)
		return;
	pause_shorten(&s->smtp_pause, now(s));
	open_desk(s);
}

void
sender_mended(struct sender *s)
{
	if (s->stopping)
		return;
	pause_end(&s->smtp_pause);
	pause_end(&s->imap_pause);
	open_desk(s);
}

static enum mt_status
watch(struct sender *s, int64_t entry, enum until until, int64_t patience_ms,
    sender_told told, void *context, struct mt_error *err)
{
	struct watch *w = calloc(1, sizeof(*w));

	if (!w)
		return mt_fail(err, MT_NO_MEMORY, "no memory to wait");
	*w = (struct watch){
	    .entry = entry,
	    .until = until,
	    .patience = now(s) + (uint64_t)patience_ms,
	    .told = told,
	    .context = context,
	};
	TAILQ_INSERT_TAIL(&s->watches, w, link);
	s->told_all = false;
	if (s->stopping)
		open_desk(s);
	else
		sender_wake(s);
	return MT_OK;
}

enum mt_status
sender_watch(struct sender *s, int64_t entry, int64_t patience_ms,
    sender_told told, void *context, struct mt_error *err)
{
	return watch(s, entry, UNTIL_DECIDED, patience_ms, told, context, err);
}

enum mt_status
sender_watch_filed(struct sender *s, int64_t entry, int64_t patience_ms,
    sender_told told, void *context, struct mt_error *err)
{
	return watch(s, entry, UNTIL_FILED, patience_ms, told, context, err);
}

enum mt_status
sender_watch_all(struct sender *s, int64_t patience_ms, sender_told told,
    void *context, struct mt_error *err)
{
	return watch(s, 0, UNTIL_IDLE, patience_ms, told, context, err);
}

enum mt_status
sender_trouble(const struct sender *s, struct mt_error *ret_trouble)
{
	if (s->desk.status != MT_OK)
		*ret_trouble = s->desk.error;
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
	    sending, "due", json_object_new_int64((int64_t)s->desk.plan.due));
	json_object_object_add(sending, "under_way",
	    json_object_new_int64((int64_t)s->desk.plan.claimed));
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
	if (s->settings.connections > CONNECTIONS_MAX)
		s->settings.connections = CONNECTIONS_MAX;
	s->submit = settings->submit;
	s->submit.context = s;
	s->submit.stop = &s->stop;
	s->submit.open_smtp = open_smtp;
	s->submit.open_imap = open_imap;
	s->submit.result = on_result;
	s->submit.copied = on_copied;
	s->lock = -1;
	s->desk.job = (struct pool_job){
	    .run = run_desk, .done = on_desk_done, .server = "the outbox"};
	for (unsigned i = 0; i < CONNECTIONS_MAX; i++)
		s->smtp[i] = (struct work){
		    .job = {run_smtp, on_work_done, settings->smtp_server},
		    .sender = s,
		};
	s->imap = (struct work){
	    .job = {run_imap, on_work_done, settings->imap_server},
	    .sender = s,
	};
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
	open_desk(s);
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
		open_desk(s);
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
