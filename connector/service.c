/* SPDX-License-Identifier: ISC */
#include "service.h"

#include "base/log.h"
#include "control.h"

#include <json-c/json.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#define RETRY_FIRST_MS 5000
#define RETRY_MAX_MS 3600000
#define EVENTS_RETRY_MS 5000
#define EVENTS_DEADLINE_MS 1000

#define WAITING_MAX 64 /* who asked for a poll */
#define END_SIGNALS 2

struct service;

struct job {
	struct service *service;
	const struct service_job *settings;
	uv_timer_t next;
	uv_async_t done;
	uv_thread_t thread;
	bool running;
	bool again;        /* it was asked for while it ran */
	unsigned failures; /* in a row */
	/* written by the thread, read after `done` */
	enum mt_status status;
	struct mt_error error;
	struct json_object *report;
};

struct service {
	struct service_settings settings;
	uv_loop_t loop;
	uv_signal_t signals[END_SIGNALS];
	struct job receive;
	struct job send;
	struct control *control;
	struct control_peer *waiting[WAITING_MAX];
	size_t waiting_count;
	size_t joined; /* of them: asked before the present poll began */

	uv_timer_t events_retry;
	uv_poll_t events; /* active while `follower` is connected */
	struct token_client follower;
	bool account_blocked; /* there was no token, and somebody must act */

	uv_timer_t grace;
	bool ending;
	bool left; /* a job did not end in time */
};

/* ---- signals ---- */

static const int end_signals[END_SIGNALS] = {SIGTERM, SIGINT};

void
service_hold_signals(bool hold)
{
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < END_SIGNALS; i++)
		sigaddset(&set, end_signals[i]);
	pthread_sigmask(hold ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL);
}

/* ---- jobs ---- */

static void
run_job(void *argument)
{
	struct job *j = argument;

	j->status = j->settings->run(
	    j->service->settings.context, &j->report, &j->error);
	uv_async_send(&j->done);
}

static void on_time(uv_timer_t *timer);

static void
start_job(struct job *j)
{
	struct service *s = j->service;

	if (j->running || s->ending) {
		j->again = true;
		return;
	}
	j->again = false;
	if (j == &s->receive)
		s->joined = s->waiting_count;
	uv_timer_stop(&j->next);
	/* signals are for the loop's thread */
	service_hold_signals(true);
	j->running = uv_thread_create(&j->thread, run_job, j) == 0;
	service_hold_signals(false);
	if (!j->running) {
		log_error("cannot start a thread");
		uv_timer_start(&j->next, on_time, RETRY_FIRST_MS, 0);
	}
}

static void
on_time(uv_timer_t *timer)
{
	start_job(timer->data);
}

static void
start_both(struct service *s)
{
	start_job(&s->receive);
	start_job(&s->send);
}

/*
 * Temporary trouble is tried again soon and then ever later; what a person
 * must mend is not hurried: the interval doubles up to an hour.
 */
static uint64_t
next_delay_ms(const struct job *j)
{
	uint64_t interval = (uint64_t)j->settings->interval_ms;
	bool temporary =
	    j->status == MT_RETRY_LATER || j->status == MT_UNREACHABLE;
	uint64_t delay =
	    temporary && interval > RETRY_FIRST_MS ? RETRY_FIRST_MS : interval;
	uint64_t most = interval > RETRY_MAX_MS ? interval : RETRY_MAX_MS;

	if (j->failures == 0)
		return interval;
	if (temporary)
		most = interval;
	for (unsigned i = 1; i < j->failures && delay < most; i++)
		delay *= 2;
	if (delay > most)
		delay = most;
	return delay - arc4random_uniform((uint32_t)(delay / 8 + 1));
}

/* Counts and logs what came of it, and says when to do it again. */
static uint64_t
take_result(struct job *j)
{
	uint64_t delay;

	if (j->status == MT_OK) {
		if (j->failures)
			log_info("%s works again", j->settings->name);
		j->failures = 0;
		return next_delay_ms(j);
	}
	j->failures++;
	delay = next_delay_ms(j);
	log_error("%s failed: %s (next try in %llu s)", j->settings->name,
	    j->error.text, (unsigned long long)(delay + 999) / 1000);
	if (j->status == MT_UNREACHABLE)
		j->service->account_blocked = true;
	return delay;
}

/* Who asked while the poll ran may have asked for what it did not see. */
static void
answer_joined(struct service *s)
{
	for (size_t i = 0; i < s->joined; i++)
		control_reply(
		    s->waiting[i], json_object_get(s->receive.report));
	s->waiting_count -= s->joined;
	memmove(s->waiting, s->waiting + s->joined,
	    s->waiting_count * sizeof(*s->waiting));
	s->joined = 0;
}

static void end(struct service *s);

static void
on_done(uv_async_t *async)
{
	struct job *j = async->data;
	struct service *s = j->service;
	uint64_t delay;

	if (!j->running)
		return;
	uv_thread_join(&j->thread);
	j->running = false;
	if (j == &s->receive)
		answer_joined(s);
	json_object_put(j->report);
	j->report = NULL;
	if (s->ending) {
		end(s);
		return;
	}
	delay = take_result(j);
	if (j->again)
		start_job(j);
	else
		uv_timer_start(&j->next, on_time, delay, 0);
}

/* ---- requests ---- */

static void
refuse(struct control_peer *peer, const char *detail)
{
	struct json_object *reply = json_object_new_object();

	json_object_object_add(reply, "type", json_object_new_string("error"));
	json_object_object_add(reply, "detail", json_object_new_string(detail));
	control_reply(peer, reply);
}

static void
on_request(void *context, struct control_peer *peer, const char *type,
    struct json_object *request)
{
	struct service *s = context;

	(void)request;
	if (strcmp(type, "poll_request") != 0) {
		refuse(peer, "unknown request type");
	} else if (s->ending) {
		refuse(peer, "the connector is ending");
	} else if (s->waiting_count == WAITING_MAX) {
		refuse(peer, "too many requests");
	} else {
		s->waiting[s->waiting_count++] = peer;
		start_both(s);
	}
}

/* ---- events of the token helper ---- */

static void on_events_retry(uv_timer_t *timer);

static void
stop_following(struct service *s)
{
	uv_poll_stop(&s->events);
	uv_close((uv_handle_t *)&s->events, NULL);
	token_client_done(&s->follower);
}

/*
 * An account that somebody had to mend works again: that ends the backoff.  A
 * refresh alone does not, or a server that rejects every token would be asked
 * without pause.
 */
static void
follow_state(struct service *s, const char *state)
{
	if (strcmp(state, "needs-login") == 0 ||
	    strcmp(state, "needs-admin") == 0 ||
	    strcmp(state, "broken-config") == 0) {
		s->account_blocked = true;
	} else if (strcmp(state, "ok") == 0 && s->account_blocked) {
		s->account_blocked = false;
		start_both(s);
	}
}

static void
on_event(uv_poll_t *handle, int status, int events)
{
	struct service *s = handle->data;
	struct token_wire_message message;
	const char *state;

	(void)events;
	if (status < 0 ||
	    token_client_read(&s->follower, &message,
		deadline_in_ms(EVENTS_DEADLINE_MS), NULL) != MT_OK) {
		stop_following(s);
		uv_timer_start(
		    &s->events_retry, on_events_retry, EVENTS_RETRY_MS, 0);
		return;
	}
	state = token_wire_get(&message, "state");
	if (state)
		follow_state(s, state);
}

static void
on_events_retry(uv_timer_t *timer)
{
	struct service *s = timer->data;

	if (token_helper_subscribe(s->settings.helper, &s->follower,
		deadline_in_ms(EVENTS_DEADLINE_MS), NULL) == MT_OK &&
	    uv_poll_init(&s->loop, &s->events, s->follower.fd) == 0) {
		s->events.data = s;
		uv_poll_start(&s->events, UV_READABLE, on_event);
		return;
	}
	token_client_done(&s->follower);
	uv_timer_start(timer, on_events_retry, EVENTS_RETRY_MS, 0);
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
	if (s->ending)
		return;
	s->ending = true;
	s->settings.stop(s->settings.context);
	uv_timer_start(&s->grace, on_grace, (uint64_t)s->settings.grace_ms, 0);
	end(s);
}

static void
close_job(struct job *j)
{
	uv_close((uv_handle_t *)&j->next, NULL);
	uv_close((uv_handle_t *)&j->done, NULL);
}

static void
end(struct service *s)
{
	if (s->receive.running || s->send.running)
		return; /* on_done comes back here */
	control_close(&s->control);
	if (uv_is_active((uv_handle_t *)&s->events))
		stop_following(s);
	close_job(&s->receive);
	close_job(&s->send);
	uv_close((uv_handle_t *)&s->events_retry, NULL);
	uv_close((uv_handle_t *)&s->grace, NULL);
	/* another one changes nothing, also when nobody looks any more */
	service_hold_signals(true);
	for (size_t i = 0; i < END_SIGNALS; i++)
		uv_close((uv_handle_t *)&s->signals[i], NULL);
}

static void
on_signal(uv_signal_t *handle, int number)
{
	struct service *s = handle->data;

	if (!s->ending)
		log_info("ending on signal %d", number);
	begin_end(s);
}

/* ---- beginning ---- */

static void
open_job(struct service *s, struct job *j, const struct service_job *settings)
{
	j->service = s;
	j->settings = settings;
	uv_timer_init(&s->loop, &j->next);
	uv_async_init(&s->loop, &j->done, on_done);
	j->next.data = j->done.data = j;
}

static void
open_handles(struct service *s)
{
	open_job(s, &s->receive, &s->settings.receive);
	open_job(s, &s->send, &s->settings.send);
	uv_timer_init(&s->loop, &s->events_retry);
	uv_timer_init(&s->loop, &s->grace);
	s->events_retry.data = s->grace.data = s;
	for (size_t i = 0; i < END_SIGNALS; i++) {
		uv_signal_init(&s->loop, &s->signals[i]);
		s->signals[i].data = s;
		uv_signal_start(&s->signals[i], on_signal, end_signals[i]);
	}
	service_hold_signals(false);
	/* `events` is no handle yet, but zero and so not active: see end() */
}

enum mt_status
service_run(const struct service_settings *settings, bool *ret_left,
    struct mt_error *err)
{
	/* not on the stack: a job that is left goes on using it */
	struct service *s = calloc(1, sizeof(*s));
	enum mt_status status;

	if (!s || uv_loop_init(&s->loop)) {
		free(s);
		return mt_fail(err, MT_NO_MEMORY, "no memory for the loop");
	}
	s->settings = *settings;
	token_client_init(&s->follower, (uid_t)-1);
	open_handles(s);
	status = control_open(
	    &s->control, &s->loop, settings->control_path, on_request, s, err);
	if (status == MT_OK) {
		start_both(s);
		if (settings->helper)
			on_events_retry(&s->events_retry);
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
