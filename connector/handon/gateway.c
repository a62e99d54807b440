/* SPDX-License-Identifier: ISC */
#include "handon/gateway_priv.h"

#include "handon/event_text.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define BATCH_MAX 100

/* ---- the gateway, as others see it ---- */

static enum mt_status
set_address(struct gateway *g, const char *url, struct mt_error *err)
{
	if (!gateway_url_parse(url, "ws", &g->address))
		return mt_fail(err, MT_BAD_CONFIG,
		    "TRI_ONYX_GATEWAY is '%s'; allowed is ws://HOST:PORT or "
		    "wss://HOST:PORT",
		    url);
	if (!*g->address.path || strcmp(g->address.path, "/") == 0)
		snprintf(
		    g->address.path, sizeof(g->address.path), "/connectors/ws");
	return MT_OK;
}

static enum mt_status
start(struct gateway *g, struct mt_error *err)
{
	sigset_t all, old;
	int error;

	/* signals are for the main thread */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	error = pthread_create(&g->thread, NULL, gateway_link_run, g);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (error)
		return mt_fail_errno(
		    err, MT_RETRY_LATER, error, "cannot start a thread");
	return MT_OK;
}

static void
release(struct gateway *g)
{
	if (g->wake_fd >= 0)
		close(g->wake_fd);
	pthread_mutex_destroy(&g->mutex);
	secret_done(&g->token);
	free(g->connector_id);
	free(g->url);
	free(g);
}

enum mt_status
gateway_new(struct gateway **ret_gateway, const struct gateway_settings *from,
    struct mt_error *err)
{
	struct gateway *g = calloc(1, sizeof(*g));
	enum mt_status status;

	if (!g)
		return mt_fail(err, MT_NO_MEMORY, "no memory for a gateway");
	pthread_mutex_init(&g->mutex, NULL);
	LIST_INIT(&g->sinks);
	g->trust = from->trust;
	g->agent_wait_ms = from->agent_wait_ms;
	g->wake = from->wake;
	g->context = from->context;
	secret_init(&g->token, from->token->arena);
	secret_copy(&g->token, from->token);
	g->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	g->url = strdup(from->url);
	if (g->wake_fd < 0 || !g->url || !secret_ok(&g->token) ||
	    asprintf(&g->connector_id, "email-%s", from->agent) < 0)
		status = mt_fail(err, MT_NO_MEMORY, "no memory for a gateway");
	else
		status = set_address(g, from->url, err);
	if (status == MT_OK)
		status = start(g, err);
	if (status == MT_OK)
		*ret_gateway = g;
	else
		release(g);
	return status;
}

bool
gateway_is_for(struct gateway *g, const char *url, const struct secret *token)
{
	bool ends;

	pthread_mutex_lock(&g->mutex);
	ends = g->stop;
	pthread_mutex_unlock(&g->mutex);
	return !ends && strcmp(g->url, url) == 0 &&
	       secret_equal(&g->token, token);
}

static void
wake_thread(const struct gateway *g)
{
	uint64_t one = 1;

	(void)!write(g->wake_fd, &one, sizeof(one));
}

void
gateway_stop(struct gateway *g)
{
	pthread_mutex_lock(&g->mutex);
	g->stop = true;
	pthread_mutex_unlock(&g->mutex);
	wake_thread(g);
}

bool
gateway_is_over(struct gateway *g)
{
	bool over;

	pthread_mutex_lock(&g->mutex);
	over = g->over;
	pthread_mutex_unlock(&g->mutex);
	return over;
}

bool
gateway_is_unused(struct gateway *g)
{
	bool unused;

	pthread_mutex_lock(&g->mutex);
	unused = LIST_EMPTY(&g->sinks);
	pthread_mutex_unlock(&g->mutex);
	return unused;
}

void
gateway_free(struct gateway **gateway)
{
	struct gateway *g = *gateway;

	*gateway = NULL;
	if (!g)
		return;
	gateway_stop(g);
	pthread_join(g->thread, NULL);
	release(g);
}

/* ---- its sinks ---- */

static struct gateway_sink *
of(const struct sink *sink)
{
	return (struct gateway_sink *)(uintptr_t)sink;
}

/* Two accounts may have the same agent, which gets one message at a time. */
static bool
sink_is_ready(const struct sink *sink)
{
	struct gateway_sink *own = of(sink), *s;
	struct gateway *g = own->gateway;
	bool ready;

	pthread_mutex_lock(&g->mutex);
	ready = g->registered && !g->stop;
	LIST_FOREACH(s, &g->sinks, link)
	if (s->state != JOB_NONE && strcmp(s->agent, own->agent) == 0)
		ready = false;
	pthread_mutex_unlock(&g->mutex);
	return ready;
}

static enum mt_status
sink_begin(
    struct sink *sink, const struct event_list *batch, struct mt_error *err)
{
	struct gateway_sink *s = of(sink);

	buf_reset(&s->content);
	event_text_prompt(&s->content, batch);
	if (!buf_ok(&s->content))
		return mt_fail(err, MT_NO_MEMORY, "no memory for a message");
	pthread_mutex_lock(&s->gateway->mutex);
	s->state = JOB_WAITING;
	*s->session = '\0';
	pthread_mutex_unlock(&s->gateway->mutex);
	wake_thread(s->gateway);
	return MT_OK;
}

static enum sink_progress
sink_look(struct sink *sink, int64_t *ret_wait_ms, struct mt_error *err)
{
	struct gateway_sink *s = of(sink);
	enum sink_progress progress = SINK_BUSY;

	(void)ret_wait_ms;
	pthread_mutex_lock(&s->gateway->mutex);
	if (s->state == JOB_ACCEPTED)
		progress = SINK_ACCEPTED;
	if (s->state == JOB_DONE)
		progress = SINK_DONE;
	if (s->state == JOB_FAILED) {
		progress = SINK_FAILED;
		*err = s->error;
	}
	if (progress == SINK_DONE || progress == SINK_FAILED)
		s->state = JOB_NONE;
	pthread_mutex_unlock(&s->gateway->mutex);
	return progress;
}

static void
sink_cancel(struct sink *sink)
{
	struct gateway_sink *s = of(sink);

	pthread_mutex_lock(&s->gateway->mutex);
	s->state = JOB_NONE;
	pthread_mutex_unlock(&s->gateway->mutex);
}

static void
sink_trouble(const struct sink *sink, char *ret_text, size_t size)
{
	struct gateway *g = of(sink)->gateway;

	pthread_mutex_lock(&g->mutex);
	snprintf(ret_text, size, "%s", g->registered ? "" : g->trouble);
	pthread_mutex_unlock(&g->mutex);
}

static void
sink_free(struct sink *sink)
{
	struct gateway_sink *s = of(sink);

	pthread_mutex_lock(&s->gateway->mutex);
	LIST_REMOVE(s, link);
	pthread_mutex_unlock(&s->gateway->mutex);
	buf_done(&s->content);
	free(s->agent);
	free(s);
}

static const struct sink_class gateway_sink_class = {
    .batch_max = BATCH_MAX,
    .is_ready = sink_is_ready,
    .begin = sink_begin,
    .look = sink_look,
    .cancel = sink_cancel,
    .trouble = sink_trouble,
    .free = sink_free,
};

struct sink *
gateway_sink_new(struct gateway *g, const char *agent)
{
	struct gateway_sink *s = calloc(1, sizeof(*s));

	if (!s || !(s->agent = strdup(agent))) {
		free(s);
		return NULL;
	}
	s->sink.class = &gateway_sink_class;
	s->gateway = g;
	s->content = (struct buf)BUF_INIT(GATEWAY_CONTENT_MAX);
	pthread_mutex_lock(&g->mutex);
	LIST_INSERT_HEAD(&g->sinks, s, link);
	pthread_mutex_unlock(&g->mutex);
	return &s->sink;
}
