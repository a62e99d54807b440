/* SPDX-License-Identifier: ISC */
#include "handon/gateway_priv.h"

#include "base/log.h"
#include "handon/backoff.h"
#include "handon/ws.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CONNECT_MS 10000
#define REGISTER_MS 10000
#define SEND_MS 20000
#define ACCEPT_MS 60000 /* for agent_typing */
#define HEALTH_MS 30000 /* the gateway takes 60 s of silence for the end */
#define RECONNECT_FIRST_MS 1000
#define RECONNECT_MAX_MS 60000
#define STEADY_MS 60000 /* a connection that lasted so long was a good one */

/* ---- frames ---- */

static bool
lock_and_see_stop(struct gateway *g)
{
	pthread_mutex_lock(&g->mutex);
	return g->stop;
}

static bool
must_stop(struct gateway *g)
{
	bool stop = lock_and_see_stop(g);

	pthread_mutex_unlock(&g->mutex);
	return stop;
}

/* Under the mutex. */
static void
set_state(struct gateway_sink *s, enum job_state state)
{
	s->state = state;
	s->gateway->wake(s->gateway->context);
}

static void
fail_job(struct gateway_sink *s, const char *why)
{
	mt_fail(&s->error, MT_RETRY_LATER, "%s", why);
	set_state(s, JOB_FAILED);
}

static struct gateway_sink *
find_job(struct gateway *g, enum job_state state, const char *agent)
{
	struct gateway_sink *s;

	LIST_FOREACH(s, &g->sinks, link)
	if (s->state == state && (!agent || !strcmp(s->agent, agent)))
		return s;
	return NULL;
}

static void
on_typing(struct gateway *g, const struct gateway_frame *frame)
{
	struct gateway_sink *s = find_job(g, JOB_SENT, frame->agent);

	if (!s)
		return;
	snprintf(s->session, sizeof(s->session), "%s", frame->session);
	s->deadline = deadline_in_ms(g->agent_wait_ms);
	g->proven = true;
	set_state(s, JOB_ACCEPTED);
}

static void
on_end(struct gateway *g, const struct gateway_frame *frame)
{
	struct gateway_sink *s = find_job(g, JOB_ACCEPTED, frame->agent);

	if (!s || (*s->session && *frame->session &&
		      strcmp(s->session, frame->session) != 0))
		return;
	if (frame->type == GATEWAY_AGENT_ERROR)
		log_warning(
		    "agent %s failed at new mail: %s", s->agent, frame->text);
	set_state(s, JOB_DONE);
}

static void
on_error(struct gateway *g, const struct gateway_frame *frame)
{
	struct gateway_sink *s = find_job(g, JOB_SENT, NULL);
	char why[MT_ERROR_TEXT_MAX];

	if (!g->registered) {
		snprintf(g->trouble, sizeof(g->trouble),
		    "the gateway refuses this connector: %s; "
		    "TRI_ONYX_CONNECTOR_TOKEN must be the same there",
		    frame->text);
		g->refused = true;
	} else if (s) {
		snprintf(why, sizeof(why), "the gateway refused it: %s",
		    frame->text);
		fail_job(s, why);
	}
}

static void
on_text(void *context, const char *text, size_t len)
{
	struct gateway *g = context;
	struct gateway_frame frame;

	gateway_frame_read(&frame, text, len);
	pthread_mutex_lock(&g->mutex);
	switch (frame.type) {
	case GATEWAY_REGISTERED:
		g->registered = true;
		break;
	case GATEWAY_TYPING:
		on_typing(g, &frame);
		break;
	case GATEWAY_RESULT:
	case GATEWAY_AGENT_ERROR:
		on_end(g, &frame);
		break;
	case GATEWAY_ERROR:
		on_error(g, &frame);
		break;
	case GATEWAY_IGNORED:
		break;
	}
	pthread_mutex_unlock(&g->mutex);
}

/* ---- a connection ---- */

static enum mt_status
enter(struct gateway *g, struct mt_error *err)
{
	struct deadline deadline = deadline_in_ms(REGISTER_MS);
	struct secret frame;
	enum mt_status status;

	secret_init(&frame, g->token.arena);
	gateway_frame_register(&frame, g->connector_id, &g->token);
	status = ws_send_secret(g->ws, &frame, deadline, err);
	secret_done(&frame);
	while (status == MT_OK && !g->registered && !g->refused) {
		if (deadline_passed(deadline) || must_stop(g))
			return mt_fail(err, MT_RETRY_LATER,
			    "the gateway does not answer the registration");
		status = ws_receive(g->ws, g->wake_fd, deadline, err);
	}
	if (g->refused)
		return mt_fail(err, MT_RETRY_LATER, "%s", g->trouble);
	return status;
}

/* The next message to send, as a frame; false: there is none, or the one before
 * it is not accepted yet: an error would not say which it is about. */
static bool
take_message(struct gateway *g, struct buf *frame)
{
	struct gateway_sink *s = NULL;

	pthread_mutex_lock(&g->mutex);
	if (!find_job(g, JOB_SENT, NULL))
		s = find_job(g, JOB_WAITING, NULL);
	if (s) {
		gateway_frame_message(frame, s->agent, buf_text(&s->content));
		s->deadline = deadline_in_ms(ACCEPT_MS);
		s->state = JOB_SENT;
	}
	pthread_mutex_unlock(&g->mutex);
	return s != NULL;
}

static enum mt_status
send_next(struct gateway *g, struct mt_error *err)
{
	struct buf frame = BUF_INIT(2 * GATEWAY_CONTENT_MAX);
	enum mt_status status = MT_OK;

	if (take_message(g, &frame))
		status = ws_send(g->ws, buf_text(&frame), frame.len,
		    deadline_in_ms(SEND_MS), err);
	buf_done(&frame);
	return status;
}

static enum mt_status
send_health(struct gateway *g, struct mt_error *err)
{
	struct buf frame = BUF_INIT(1024);
	enum mt_status status = MT_OK;

	if (deadline_passed(g->health)) {
		gateway_frame_health(&frame, g->connector_id);
		status = ws_send(g->ws, buf_text(&frame), frame.len,
		    deadline_in_ms(SEND_MS), err);
		g->health = deadline_in_ms(HEALTH_MS);
	}
	buf_done(&frame);
	return status;
}

/* Ends what waits for too long.  *ret_next: when to look again. */
static enum mt_status
check_waits(struct gateway *g, struct deadline *ret_next, struct mt_error *err)
{
	enum mt_status status = MT_OK;
	struct gateway_sink *s;

	pthread_mutex_lock(&g->mutex);
	*ret_next = g->health;
	LIST_FOREACH(s, &g->sinks, link)
	{
		if (s->state != JOB_SENT && s->state != JOB_ACCEPTED)
			continue;
		if (!deadline_passed(s->deadline)) {
			*ret_next = deadline_min(*ret_next, s->deadline);
		} else if (s->state == JOB_ACCEPTED) {
			log_warning("agent %s does not answer; what came since "
				    "is sent to it now",
			    s->agent);
			set_state(s, JOB_DONE);
		} else {
			status = mt_fail(err, MT_RETRY_LATER,
			    "the gateway does not accept mail for agent %s",
			    s->agent);
		}
	}
	pthread_mutex_unlock(&g->mutex);
	return status;
}

static void
drain(int fd)
{
	uint64_t count;

	(void)!read(fd, &count, sizeof(count));
}

static enum mt_status
serve(struct gateway *g, struct mt_error *err)
{
	struct deadline next;
	enum mt_status status = MT_OK;

	g->health = deadline_in_ms(0);
	while (status == MT_OK && !must_stop(g)) {
		status = send_health(g, err);
		if (status == MT_OK)
			status = send_next(g, err);
		if (status == MT_OK)
			status = check_waits(g, &next, err);
		if (status == MT_OK)
			status = ws_receive(g->ws, g->wake_fd, next, err);
		drain(g->wake_fd);
	}
	return status;
}

static void
set_registered(struct gateway *g, bool registered, const char *trouble)
{
	pthread_mutex_lock(&g->mutex);
	g->registered = registered;
	snprintf(g->trouble, sizeof(g->trouble), "%s", trouble);
	pthread_mutex_unlock(&g->mutex);
	g->wake(g->context);
}

/* What was on its way when the connection ended is to be sent again: nobody
 * knows whether the agent gets to it. */
static void
fail_jobs(struct gateway *g, const char *why)
{
	struct gateway_sink *s;

	pthread_mutex_lock(&g->mutex);
	LIST_FOREACH(s, &g->sinks, link)
	if (s->state == JOB_WAITING || s->state == JOB_SENT ||
	    s->state == JOB_ACCEPTED)
		fail_job(s, why);
	pthread_mutex_unlock(&g->mutex);
}

static enum mt_status
connect_once(struct gateway *g, struct mt_error *err)
{
	enum mt_status status = ws_open(&g->ws, &g->address, g->trust, on_text,
	    g, deadline_in_ms(CONNECT_MS), err);

	if (status != MT_OK)
		return status;
	status = enter(g, err);
	if (status == MT_OK) {
		log_info("connected to the gateway at %s", g->url);
		set_registered(g, true, "");
		status = serve(g, err);
	}
	ws_close(&g->ws);
	return status;
}

static void
pause_for(struct gateway *g, int64_t ms)
{
	struct deadline deadline = deadline_in_ms(ms);
	struct pollfd p = {.fd = g->wake_fd, .events = POLLIN};

	while (!must_stop(g) && !deadline_passed(deadline)) {
		poll(&p, 1, deadline_left_ms(deadline));
		drain(g->wake_fd);
	}
}

void *
gateway_link_run(void *context)
{
	struct gateway *g = context;
	char said[MT_ERROR_TEXT_MAX] = "";
	unsigned failures = 0;

	while (!must_stop(g)) {
		struct deadline steady = deadline_in_ms(STEADY_MS);
		struct mt_error err = {0};

		g->proven = g->refused = false;
		if (connect_once(g, &err) == MT_OK)
			break;
		set_registered(g, false, err.text);
		fail_jobs(g, err.text);
		failures =
		    g->proven || deadline_passed(steady) ? 1 : failures + 1;
		if (strcmp(said, err.text) != 0)
			log_warning("gateway %s: %s", g->url, err.text);
		snprintf(said, sizeof(said), "%s", err.text);
		pause_for(g,
		    backoff_ms(failures, RECONNECT_FIRST_MS, RECONNECT_MAX_MS));
	}
	pthread_mutex_lock(&g->mutex);
	g->over = true;
	pthread_mutex_unlock(&g->mutex);
	g->wake(g->context);
	return NULL;
}
