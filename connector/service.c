/* SPDX-License-Identifier: ISC */
#include "service.h"

#include "base/log.h"
#include "control.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#define RETRY_FIRST_MS 5000
#define RETRY_MAX_MS 3600000
#define EVENTS_RETRY_MS 5000
#define EVENTS_DEADLINE_MS 1000

#define WAITING_MAX 64 /* who asked for the poll that runs */

struct service {
	const struct service_settings *settings;
	const struct service_work *work;
	uv_loop_t loop;
	uv_signal_t signals[2];
	uv_timer_t next_poll;
	uv_timer_t events_retry;
	uv_async_t done;
	uv_poll_t events; /* active while `follower` is connected */
	struct token_client follower;
	struct control *control;
	uv_thread_t thread;
	bool polling;
	bool again; /* somebody asked while a poll was under way */
	bool ending;
	unsigned failures;    /* polls in a row */
	bool account_blocked; /* the helper said that a person must act */
	struct control_peer *waiting[WAITING_MAX];
	size_t waiting_count;
	/* written by the thread, read after `done` */
	enum mt_status status;
	struct mt_error error;
	struct json_object *report;
};

static void
run_poll(void *argument)
{
	struct service *s = argument;

	s->status = s->work->poll(s->work->context, &s->report, &s->error);
	uv_async_send(&s->done);
}

static void
start_poll(struct service *s)
{
	if (s->polling || s->ending) {
		s->again = true;
		return;
	}
	s->again = false;
	uv_timer_stop(&s->next_poll);
	s->polling = uv_thread_create(&s->thread, run_poll, s) == 0;
	if (!s->polling)
		log_error("cannot start a thread");
}

static void
on_time(uv_timer_t *timer)
{
	start_poll(timer->data);
}

/*
 * Temporary trouble is tried again soon and then ever later; what a person
 * must mend is not hurried: the interval doubles up to an hour.
 */
static uint64_t
next_delay_ms(const struct service *s)
{
	uint64_t interval = (uint64_t)s->settings->poll_interval_ms;
	bool temporary =
	    s->status == MT_RETRY_LATER || s->status == MT_UNREACHABLE;
	uint64_t delay =
	    temporary && interval > RETRY_FIRST_MS ? RETRY_FIRST_MS : interval;
	uint64_t most = interval > RETRY_MAX_MS ? interval : RETRY_MAX_MS;

	if (s->failures == 0)
		return interval;
	if (temporary)
		most = interval;
	for (unsigned i = 1; i < s->failures && delay < most; i++)
		delay *= 2;
	if (delay > most)
		delay = most;
	return delay - (uint64_t)rand() % (delay / 8 + 1);
}

static void
log_result(struct service *s, uint64_t delay)
{
	if (s->status == MT_OK) {
		if (s->failures)
			log_info("IMAP poll works again");
		s->failures = 0;
		return;
	}
	log_error("IMAP poll failed: %s (next try in %llu s)", s->error.text,
	    (unsigned long long)(delay + 999) / 1000);
}

static void
answer_all(struct service *s)
{
	for (size_t i = 0; i < s->waiting_count; i++)
		control_reply(s->waiting[i], json_object_get(s->report));
	s->waiting_count = 0;
	json_object_put(s->report);
	s->report = NULL;
}

static void end(struct service *s);

static void
on_done(uv_async_t *async)
{
	struct service *s = async->data;
	uint64_t delay;

	if (!s->polling)
		return;
	uv_thread_join(&s->thread);
	s->polling = false;
	if (s->status != MT_OK)
		s->failures++;
	delay = s->status == MT_OK ? (uint64_t)s->settings->poll_interval_ms
				   : next_delay_ms(s);
	if (!s->ending)
		log_result(s, delay);
	answer_all(s);
	if (s->ending)
		end(s);
	else if (s->again)
		start_poll(s);
	else
		uv_timer_start(&s->next_poll, on_time, delay, 0);
}

static void
on_request(void *context, struct control_peer *peer, const char *type,
    struct json_object *request)
{
	struct service *s = context;

	(void)request;
	if (strcmp(type, "poll_request") != 0 ||
	    s->waiting_count == WAITING_MAX) {
		struct json_object *reply = json_object_new_object();
		json_object_object_add(
		    reply, "type", json_object_new_string("error"));
		json_object_object_add(reply, "detail",
		    json_object_new_string(s->waiting_count == WAITING_MAX
					       ? "too many requests"
					       : "unknown request type"));
		control_reply(peer, reply);
		return;
	}
	s->waiting[s->waiting_count++] = peer;
	if (!s->polling)
		start_poll(s);
}

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
		start_poll(s);
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

	if (s->ending || uv_is_active((uv_handle_t *)&s->events))
		return;
	if (token_helper_subscribe(s->settings->helper, &s->follower,
		deadline_in_ms(EVENTS_DEADLINE_MS), NULL) == MT_OK &&
	    uv_poll_init(&s->loop, &s->events, s->follower.fd) == 0) {
		s->events.data = s;
		uv_poll_start(&s->events, UV_READABLE, on_event);
		return;
	}
	token_client_done(&s->follower);
	uv_timer_start(timer, on_events_retry, EVENTS_RETRY_MS, 0);
}

static void
end(struct service *s)
{
	s->ending = true;
	if (s->polling) {
		s->work->abort(s->work->context);
		return; /* on_done comes back here */
	}
	control_close(&s->control);
	if (uv_is_active((uv_handle_t *)&s->events))
		stop_following(s);
	uv_close((uv_handle_t *)&s->next_poll, NULL);
	uv_close((uv_handle_t *)&s->events_retry, NULL);
	uv_close((uv_handle_t *)&s->done, NULL);
	for (int i = 0; i < 2; i++)
		uv_close((uv_handle_t *)&s->signals[i], NULL);
}

static void
on_signal(uv_signal_t *handle, int number)
{
	struct service *s = handle->data;

	if (s->ending)
		return;
	log_info("ending on signal %d", number);
	end(s);
}

static void
open_handles(struct service *s)
{
	static const int numbers[2] = {SIGTERM, SIGINT};

	uv_timer_init(&s->loop, &s->next_poll);
	uv_timer_init(&s->loop, &s->events_retry);
	uv_async_init(&s->loop, &s->done, on_done);
	s->next_poll.data = s->events_retry.data = s->done.data = s;
	for (int i = 0; i < 2; i++) {
		uv_signal_init(&s->loop, &s->signals[i]);
		s->signals[i].data = s;
		uv_signal_start(&s->signals[i], on_signal, numbers[i]);
	}
	/* not a handle yet: see uv_is_active in end() */
	memset(&s->events, 0, sizeof(s->events));
}

enum mt_status
service_run(const struct service_settings *settings,
    const struct service_work *work, struct mt_error *err)
{
	struct service s = {.settings = settings, .work = work};
	enum mt_status status;

	if (uv_loop_init(&s.loop))
		return mt_fail(err, MT_NO_MEMORY, "no memory for the loop");
	token_client_init(&s.follower, (uid_t)-1);
	open_handles(&s);
	status = control_open(
	    &s.control, &s.loop, settings->control_path, on_request, &s, err);
	if (status == MT_OK) {
		start_poll(&s);
		if (settings->helper)
			on_events_retry(&s.events_retry);
	} else {
		end(&s);
	}
	uv_run(&s.loop, UV_RUN_DEFAULT);
	uv_loop_close(&s.loop);
	return status;
}
