/* SPDX-License-Identifier: ISC */
#include "service.h"

#include "base/log.h"
#include "base/notify.h"
#include "follower.h"
#include "requests.h"

#include <json-c/json.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <uv.h>

#define RETRY_FIRST_MS 5000
#define RETRY_MAX_MS 3600000

/* An account that is followed. */
struct followed {
	TAILQ_ENTRY(followed) link;
	struct service *service;
	struct watcher *watcher;
	struct request_account *requests;
	void *account;
	bool removed;
};

/* Sending: a pool's job that comes again. */
struct sender {
	struct pool_job job;
	uv_timer_t next;
	bool running;
	bool again;        /* it was asked for while it ran */
	unsigned failures; /* in a row */
	/* written by the thread, read when it is done */
	enum mt_status status;
	struct mt_error error;
};

static const int signals[] = {SIGTERM, SIGINT, SIGHUP};
#define SIGNALS (sizeof(signals) / sizeof(*signals))

struct service {
	struct service_settings settings;
	uv_loop_t loop;
	uv_signal_t signals[SIGNALS];
	struct pool *pool;
	struct sender send;
	struct requests *requests;
	struct follower *followers[SERVICE_HELPERS_MAX];
	TAILQ_HEAD(, followed) accounts;
	uv_timer_t alive; /* for the service manager's watchdog */
	uv_timer_t grace;
	bool ending;
	bool left;  /* something did not end in time */
	bool stuck; /* and it was said */
};

/* ---- signals ---- */

void
service_hold_signals(bool hold)
{
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < SIGNALS; i++)
		sigaddset(&set, signals[i]);
	pthread_sigmask(hold ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL);
}

/* ---- sending ---- */

static void
run_send(struct pool_job *job)
{
	struct sender *send =
	    (struct sender *)(void *)((char *)job -
				      offsetof(struct sender, job));
	struct service *s =
	    (struct service *)(void *)((char *)send -
				       offsetof(struct service, send));

	send->status = s->settings.send.run(s->settings.context, &send->error);
	job->status = send->status;
}

static void
start_send(struct service *s)
{
	if (!s->settings.send.run || s->ending)
		return;
	if (s->send.running) {
		s->send.again = true;
		return;
	}
	s->send.again = false;
	s->send.running = true;
	s->send.job.failures = s->send.failures;
	uv_timer_stop(&s->send.next);
	pool_submit(s->pool, &s->send.job);
}

static void
on_send_time(uv_timer_t *timer)
{
	start_send(timer->data);
}

/*
 * Temporary trouble is tried again soon and then ever later; what a person
 * must mend is not hurried: the interval doubles up to an hour.
 */
static uint64_t
send_delay_ms(const struct service *s)
{
	const struct sender *send = &s->send;
	uint64_t interval = (uint64_t)s->settings.send.interval_ms;
	bool temporary =
	    send->status == MT_RETRY_LATER || send->status == MT_UNREACHABLE;
	uint64_t delay =
	    temporary && interval > RETRY_FIRST_MS ? RETRY_FIRST_MS : interval;
	uint64_t most = interval > RETRY_MAX_MS ? interval : RETRY_MAX_MS;

	if (send->failures == 0)
		return interval;
	if (temporary)
		most = interval;
	for (unsigned i = 1; i < send->failures && delay < most; i++)
		delay *= 2;
	if (delay > most)
		delay = most;
	return delay - arc4random_uniform((uint32_t)(delay / 8 + 1));
}

/* Counts and logs what came of it, and says when to do it again. */
static uint64_t
take_send_result(struct service *s)
{
	struct sender *send = &s->send;
	uint64_t delay;

	if (send->status == MT_OK) {
		if (send->failures)
			log_info("%s works again", s->settings.send.name);
		send->failures = 0;
		return send_delay_ms(s);
	}
	send->failures++;
	delay = send_delay_ms(s);
	log_error("%s failed: %s (next try in %llu s)", s->settings.send.name,
	    send->error.text, (unsigned long long)(delay + 999) / 1000);
	return delay;
}

static void end(struct service *s);

static void
on_sent(struct pool_job *job)
{
	struct sender *send =
	    (struct sender *)(void *)((char *)job -
				      offsetof(struct sender, job));
	struct service *s =
	    (struct service *)(void *)((char *)send -
				       offsetof(struct service, send));
	uint64_t delay;

	send->running = false;
	if (s->ending) {
		end(s);
		return;
	}
	delay = take_send_result(s);
	if (send->again)
		start_send(s);
	else
		uv_timer_start(&send->next, on_send_time, delay, 0);
}

/* ---- accounts ---- */

static void
on_visit(void *context, struct watcher *watcher, uint64_t number,
    struct json_object *report)
{
	struct followed *f = context;

	(void)watcher;
	requests_note_visit(f->requests, number, report);
	json_object_put(report);
}

enum mt_status
service_add(struct service *s, const struct watched_account *account,
    struct mt_error *err)
{
	struct followed *f = calloc(1, sizeof(*f));
	enum mt_status status;

	if (!f)
		return mt_fail(err, MT_NO_MEMORY, "no memory for an account");
	f->service = s;
	f->account = account->context;
	status = watcher_new(
	    &f->watcher, &s->loop, s->pool, account, on_visit, f, err);
	if (status == MT_OK &&
	    !(f->requests = requests_add(s->requests, f->watcher))) {
		watcher_free(&f->watcher);
		status = mt_fail(err, MT_NO_MEMORY, "no memory for an account");
	}
	if (status == MT_OK)
		TAILQ_INSERT_TAIL(&s->accounts, f, link);
	else
		free(f);
	return status;
}

static void
on_stopped(void *context, struct watcher *watcher)
{
	struct followed *f = context;
	struct service *s = f->service;

	(void)watcher;
	requests_remove(&f->requests);
	watcher_free(&f->watcher);
	TAILQ_REMOVE(&s->accounts, f, link);
	if (!s->ending)
		s->settings.removed(s->settings.context, f->account);
	free(f);
	if (s->ending)
		end(s);
}

static void
remove_account(struct followed *f)
{
	if (f->removed)
		return;
	f->removed = true;
	requests_leave(f->requests);
	watcher_stop(f->watcher, on_stopped);
}

void
service_remove(struct service *s, void *account)
{
	struct followed *f, *next;

	for (f = TAILQ_FIRST(&s->accounts); f; f = next) {
		next = TAILQ_NEXT(f, link);
		if (f->account == account)
			remove_account(f);
	}
}

/* ---- token helpers ---- */

static void
on_token(void *context, const struct token_helper *helper, const char *name,
    const char *state)
{
	struct service *s = context;
	struct followed *f;

	TAILQ_FOREACH(f, &s->accounts, link)
	if (!f->removed && watcher_hear_token(f->watcher, helper, name, state))
		start_send(s);
}

static void
on_helper(void *context)
{
	struct service *s = context;
	struct followed *f;

	TAILQ_FOREACH(f, &s->accounts, link)
	if (!f->removed)
		watcher_hear_helper(f->watcher);
	start_send(s);
}

/* ---- the watchdog ---- */

/* An account that is stuck, which cannot be, is a reason to be started again:
 * then the service manager hears nothing more. */
static void
on_alive(uv_timer_t *timer)
{
	struct service *s = timer->data;
	struct followed *f;

	TAILQ_FOREACH(f, &s->accounts, link)
	if (watcher_is_stuck(f->watcher)) {
		if (!s->stuck)
			log_error("an account is stuck: see 'status'");
		s->stuck = true;
		return;
	}
	s->stuck = false;
	notify_alive();
}

static void
watch_alive(struct service *s)
{
	uint64_t period = (uint64_t)notify_watchdog_ms();

	if (period)
		uv_timer_start(&s->alive, on_alive, period, period);
}

/* ---- ending ---- */

static void
on_grace(uv_timer_t *timer)
{
	struct service *s = timer->data;

	s->left = true;
	uv_stop(&s->loop);
}

static void
begin_end(struct service *s)
{
	struct followed *f, *next;

	if (s->ending)
		return;
	s->ending = true;
	if (s->requests)
		requests_end(s->requests);
	notify_stopping();
	s->settings.stop(s->settings.context);
	uv_timer_start(&s->grace, on_grace, (uint64_t)s->settings.grace_ms, 0);
	for (f = TAILQ_FIRST(&s->accounts); f; f = next) {
		next = TAILQ_NEXT(f, link);
		remove_account(f);
	}
	end(s);
}

/* Once nothing is under way any more. */
static void
end(struct service *s)
{
	if (!TAILQ_EMPTY(&s->accounts) || s->send.running ||
	    uv_is_closing((uv_handle_t *)&s->grace))
		return; /* on_stopped and on_sent come back here */
	requests_close(&s->requests);
	for (size_t i = 0; i < SERVICE_HELPERS_MAX; i++)
		follower_free(&s->followers[i]);
	pool_free(&s->pool);
	uv_close((uv_handle_t *)&s->send.next, NULL);
	uv_close((uv_handle_t *)&s->alive, NULL);
	uv_close((uv_handle_t *)&s->grace, NULL);
	/* another one changes nothing, also when nobody looks any more */
	service_hold_signals(true);
	for (size_t i = 0; i < SIGNALS; i++)
		uv_close((uv_handle_t *)&s->signals[i], NULL);
}

static void
on_signal(uv_signal_t *handle, int number)
{
	struct service *s = handle->data;

	if (s->ending)
		return;
	if (number == SIGHUP) {
		log_info("reading the accounts again");
		notify_reloading();
		s->settings.load(s->settings.context, s);
		notify_ready();
		return;
	}
	log_info("ending on signal %d", number);
	begin_end(s);
}

/* ---- beginning ---- */

static void
open_handles(struct service *s)
{
	uv_timer_init(&s->loop, &s->send.next);
	uv_timer_init(&s->loop, &s->alive);
	uv_timer_init(&s->loop, &s->grace);
	s->send.next.data = s->alive.data = s->grace.data = s;
	for (size_t i = 0; i < SIGNALS; i++) {
		uv_signal_init(&s->loop, &s->signals[i]);
		s->signals[i].data = s;
		uv_signal_start(&s->signals[i], on_signal, signals[i]);
	}
	service_hold_signals(false);
	TAILQ_INIT(&s->accounts);
	s->send.job = (struct pool_job){
	    .run = run_send,
	    .done = on_sent,
	    .server = s->settings.send.server,
	};
}

static enum mt_status
follow_helpers(struct service *s, struct mt_error *err)
{
	const struct follower_events events = {s, on_token, on_helper};
	enum mt_status status = MT_OK;

	for (size_t i = 0; i < SERVICE_HELPERS_MAX && status == MT_OK; i++)
		if (s->settings.helpers[i])
			status = follower_new(&s->followers[i], &s->loop,
			    s->settings.helpers[i], &events, err);
	return status;
}

static void
on_wake(void *context)
{
	start_send(context);
}

static enum mt_status
open_all(struct service *s, struct mt_error *err)
{
	const struct requests_settings requests = {
	    .control_path = s->settings.control_path,
	    .context = s,
	    .wake = on_wake,
	};
	enum mt_status status =
	    pool_new(&s->pool, &s->loop, &s->settings.limits, err);

	if (status == MT_OK)
		status = requests_open(&s->requests, &s->loop, &requests, err);
	if (status == MT_OK)
		status = follow_helpers(s, err);
	return status;
}

enum mt_status
service_run(const struct service_settings *settings, bool *ret_left,
    struct mt_error *err)
{
	/* not on the stack: what is left goes on using it */
	struct service *s = calloc(1, sizeof(*s));
	enum mt_status status;

	if (!s || uv_loop_init(&s->loop)) {
		free(s);
		return mt_fail(err, MT_NO_MEMORY, "no memory for the loop");
	}
	s->settings = *settings;
	open_handles(s);
	status = open_all(s, err);
	if (status == MT_OK) {
		s->settings.load(s->settings.context, s);
		start_send(s);
		watch_alive(s);
		notify_ready();
	} else {
		begin_end(s);
	}
	uv_run(&s->loop, UV_RUN_DEFAULT);
	*ret_left = s->left;
	if (!s->left) {
		uv_loop_close(&s->loop);
		free(s);
	}
	return status;
}
