/* SPDX-License-Identifier: ISC */
#include "handon/handon_priv.h"

#include "base/log.h"
#include "handon/command_hook.h"
#include "handon/gateway.h"
#include "handon/webhook.h"
#include "state/event_queue.h"

#include <stdlib.h>
#include <string.h>

void
handon_account_free(struct handon_account *a)
{
	for (size_t i = 0; i < a->lane_count; i++)
		lane_free(&a->lanes[i]);
	free(a->name);
	free(a);
}

void
handon_wake_thread(void *context)
{
	struct handon *h = context;

	http_poster_wake(h->poster);
}

static enum mt_status
find_gateway(struct handon *h, const struct handon_account_settings *settings,
    struct gateway **ret_gateway, struct mt_error *err)
{
	const struct gateway_settings new = {
	    .url = settings->gateway_url,
	    .agent = settings->agent,
	    .token = settings->gateway_token,
	    .trust = settings->trust,
	    .agent_wait_ms = settings->agent_wait_ms,
	    .wake = handon_wake_thread,
	    .context = h,
	};
	struct used_gateway *u;
	enum mt_status status;

	LIST_FOREACH(u, &h->gateways, link)
	if (gateway_is_for(u->gateway, new.url, new.token)) {
		*ret_gateway = u->gateway;
		return MT_OK;
	}
	u = calloc(1, sizeof(*u));
	if (!u)
		return mt_fail(err, MT_NO_MEMORY, "no memory for a gateway");
	status = gateway_new(&u->gateway, &new, err);
	if (status != MT_OK) {
		free(u);
		return status;
	}
	LIST_INSERT_HEAD(&h->gateways, u, link);
	*ret_gateway = u->gateway;
	return MT_OK;
}

/* The sink of one kind; NULL without a failure: it is not configured. */
typedef enum mt_status (*sink_maker)(struct handon *h,
    const struct handon_account_settings *settings, struct sink **ret_sink,
    struct mt_error *err);

/*
 * Both ways to wake an agent share a queue, so that a change from one to the
 * other loses nothing.  Never both at once: they end at the same gateway.
 */
static enum mt_status
make_agent(struct handon *h, const struct handon_account_settings *settings,
    struct sink **ret_sink, struct mt_error *err)
{
	const struct webhook_settings hook = {
	    .url = settings->hook_url,
	    .agent = settings->agent,
	    .ca_file = settings->ca_file,
	    .secret = settings->hook_secret,
	};
	struct gateway *gateway = NULL;
	enum mt_status status = MT_OK;

	if (settings->gateway_url && settings->gateway_token &&
	    settings->gateway_token->len) {
		/* it must not be dropped before it has its sink */
		pthread_mutex_lock(&h->mutex);
		status = find_gateway(h, settings, &gateway, err);
		if (status == MT_OK)
			*ret_sink = gateway_sink_new(gateway, settings->agent);
		pthread_mutex_unlock(&h->mutex);
	} else if (settings->hook_url) {
		*ret_sink = webhook_new(h->poster, &hook);
	} else {
		return MT_OK;
	}
	if (status == MT_OK && !*ret_sink)
		status = mt_fail(err, MT_NO_MEMORY, "no memory for a sink");
	return status;
}

static enum mt_status
make_command(struct handon *h, const struct handon_account_settings *settings,
    struct sink **ret_sink, struct mt_error *err)
{
	if (!settings->command)
		return MT_OK;
	*ret_sink =
	    command_hook_new(settings->command, settings->agent, &h->commands);
	if (!*ret_sink)
		return mt_fail(err, MT_NO_MEMORY, "no memory for a sink");
	return MT_OK;
}

static enum mt_status
make_stdout(struct handon *h, const struct handon_account_settings *settings,
    struct sink **ret_sink, struct mt_error *err)
{
	if (!settings->to_stdout)
		return MT_OK;
	*ret_sink = line_sink_new(&h->writer, settings->agent);
	if (!*ret_sink)
		return mt_fail(err, MT_NO_MEMORY, "no memory for a sink");
	return MT_OK;
}

static const struct {
	const char *name; /* as the state knows the queue */
	sink_maker make;
} makers[HANDON_LANES_MAX] = {
    {"agent", make_agent},
    {"command", make_command},
    {"stdout", make_stdout},
};

static enum mt_status
end_queue(struct handon *h, const char *account, const char *name,
    struct mt_error *err)
{
	uint64_t lost = 0;
	enum mt_status status =
	    event_queue_close(h->settings.state, account, name, &lost, err);

	if (lost)
		log_warning("%llu messages of %s are not announced (%s): that "
			    "is no longer configured",
		    (unsigned long long)lost, account, name);
	return status;
}

static enum mt_status
add_lane(struct handon *h, struct handon_account *a, size_t kind,
    const struct handon_account_settings *settings, struct mt_error *err)
{
	const char *name = makers[kind].name;
	struct sink *sink = NULL;
	enum mt_status status = makers[kind].make(h, settings, &sink, err);
	int64_t queue = 0;

	if (status == MT_OK && !sink)
		return end_queue(h, a->name, name, err);
	if (status == MT_OK)
		status = event_queue_open(
		    h->settings.state, a->name, name, &queue, err);
	if (status != MT_OK) {
		if (sink)
			sink->class->free(sink);
		return status;
	}
	a->lanes[a->lane_count] =
	    lane_new(h->settings.state, a->name, name, queue, sink);
	if (!a->lanes[a->lane_count])
		return mt_fail(err, MT_NO_MEMORY, "no memory for a queue");
	a->lane_count++;
	return MT_OK;
}

enum mt_status
handon_add(struct handon *h, const struct handon_account_settings *settings,
    struct handon_account **ret_account, struct mt_error *err)
{
	struct handon_account *a = calloc(1, sizeof(*a));
	enum mt_status status = MT_OK;

	if (!a || !(a->name = strdup(settings->account))) {
		free(a);
		return mt_fail(err, MT_NO_MEMORY, "no memory for an account");
	}
	a->queue_max = settings->queue_max;
	for (size_t i = 0; i < HANDON_LANES_MAX && status == MT_OK; i++)
		status = add_lane(h, a, i, settings, err);
	if (status != MT_OK) {
		handon_account_free(a);
		return status;
	}
	pthread_mutex_lock(&h->mutex);
	LIST_INSERT_HEAD(&h->incoming, a, link);
	pthread_mutex_unlock(&h->mutex);
	handon_wake_thread(h);
	*ret_account = a;
	return MT_OK;
}

void
handon_remove(struct handon *h, struct handon_account **account)
{
	if (*account)
		atomic_store(&(*account)->removed, true);
	*account = NULL;
	handon_wake_thread(h);
}

void
handon_wake(struct handon *h, struct handon_account *account)
{
	for (size_t i = 0; i < account->lane_count; i++)
		lane_wake(account->lanes[i]);
	atomic_store(&h->chore_wanted, true);
	handon_wake_thread(h);
}

enum mt_status
handon_is_full(struct handon *h, const struct handon_account *account,
    bool *ret_full, struct mt_error *err)
{
	return event_queue_is_full(h->settings.state, account->name,
	    account->queue_max, ret_full, err);
}
