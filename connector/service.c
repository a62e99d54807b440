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

/* An account that is followed. */
struct followed {
	TAILQ_ENTRY(followed) link;
	struct service *service;
	struct watcher *watcher; /* NULL: it has ended */
	struct sender *sender;   /* likewise */
	struct request_account *requests;
	void *account;
	bool removed;
};

static const int signals[] = {SIGTERM, SIGINT, SIGHUP};
#define SIGNALS (sizeof(signals) / sizeof(*signals))

struct service {
	struct service_settings settings;
	uv_loop_t loop;
	uv_signal_t signals[SIGNALS];
	struct pool *pool;
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

static void end(struct service *s);

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

/* Everything of the account that has ended is released. */
static void
release(struct followed *f)
{
	struct service *s = f->service;

	if (f->watcher || f->sender)
		return;
	if (f->requests)
		requests_remove(&f->requests);
	TAILQ_REMOVE(&s->accounts, f, link);
	if (!s->ending && f->account)
		s->settings.removed(s->settings.context, f->account);
	free(f);
	if (s->ending)
		end(s);
}

static void
on_watcher_stopped(void *context, struct watcher *watcher)
{
	struct followed *f = context;

	(void)watcher;
	/* who still waits for a poll of it waits no more */
	if (f->requests)
		requests_note_visit(f->requests, UINT64_MAX, NULL);
	watcher_free(&f->watcher);
	release(f);
}

static void
on_sender_stopped(void *context, struct sender *sender)
{
	struct followed *f = context;

	(void)sender;
	sender_free(&f->sender);
	release(f);
}

static void
remove_account(struct followed *f)
{
	struct sender *sender = f->sender;

	if (f->removed)
		return;
	f->removed = true;
	if (f->requests)
		requests_leave(f->requests);
	/* the account itself is there until both have ended */
	if (f->watcher)
		watcher_stop(f->watcher, on_watcher_stopped);
	if (sender)
		sender_stop(sender, on_sender_stopped, f);
}

static enum mt_status
begin_account(struct followed *f, const struct watched_account *account,
    const struct sender_settings *sending, struct mt_error *err)
{
	struct service *s = f->service;
	enum mt_status status =
	    sender_new(&f->sender, &s->loop, s->pool, sending, err);

	if (status == MT_OK)
		status = watcher_new(
		    &f->watcher, &s->loop, s->pool, account, on_visit, f, err);
	if (status != MT_OK)
		return status;
	f->requests = requests_add(s->requests, f->watcher, f->sender);
	if (!f->requests)
		return mt_fail(err, MT_NO_MEMORY, "no memory for an account");
	f->account = account->context;
	return MT_OK;
}

enum mt_status
service_add(struct service *s, const struct watched_account *account,
    const struct sender_settings *sending, struct mt_error *err)
{
	struct followed *f = calloc(1, sizeof(*f));
	enum mt_status status;

	if (!f)
		return mt_fail(err, MT_NO_MEMORY, "no memory for an account");
	f->service = s;
	TAILQ_INSERT_TAIL(&s->accounts, f, link);
	status = begin_account(f, account, sending, err);
	if (status != MT_OK) {
		if (f->watcher || f->sender)
			remove_account(f);
		else
			release(f);
	}
	return status;
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
		sender_mended(f->sender);
}

static void
on_helper(void *context)
{
	struct service *s = context;
	struct followed *f;

	TAILQ_FOREACH(f, &s->accounts, link)
	if (!f->removed) {
		watcher_hear_helper(f->watcher);
		sender_mended(f->sender);
	}
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
	if (f->watcher && watcher_is_stuck(f->watcher)) {
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
	if (!TAILQ_EMPTY(&s->accounts) ||
	    uv_is_closing((uv_handle_t *)&s->grace))
		return; /* release comes back here */
	requests_close(&s->requests);
	for (size_t i = 0; i < SERVICE_HELPERS_MAX; i++)
		follower_free(&s->followers[i]);
	pool_free(&s->pool);
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
	uv_timer_init(&s->loop, &s->alive);
	uv_timer_init(&s->loop, &s->grace);
	s->alive.data = s->grace.data = s;
	for (size_t i = 0; i < SIGNALS; i++) {
		uv_signal_init(&s->loop, &s->signals[i]);
		s->signals[i].data = s;
		uv_signal_start(&s->signals[i], on_signal, signals[i]);
	}
	service_hold_signals(false);
	TAILQ_INIT(&s->accounts);
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

static enum mt_status
open_all(struct service *s, struct mt_error *err)
{
	const struct requests_settings requests = {
	    .control_path = s->settings.control_path,
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
