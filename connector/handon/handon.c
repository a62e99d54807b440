/* SPDX-License-Identifier: ISC */
#include "handon/handon.h"

#include "base/log.h"
#include "handon/command_hook.h"
#include "handon/gateway.h"
#include "handon/http_post.h"
#include "handon/lane.h"
#include "handon/line_sink.h"
#include "handon/webhook.h"
#include "state/event_queue.h"

#include <json-c/json.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>
#include <unistd.h>

#define LANES_MAX 3
#define FDS_MAX (COMMAND_HOOKS_MAX + 1)
#define CHORE_SOON_MS 1000 /* after a wake */

struct handon_account {
	LIST_ENTRY(handon_account) link;
	char *name;
	uint64_t queue_max;
	struct lane *lanes[LANES_MAX];
	size_t lane_count;
	atomic_bool removed;
};

struct used_gateway {
	LIST_ENTRY(used_gateway) link;
	struct gateway *gateway;
};

struct handon {
	struct handon_settings settings;
	struct http_poster *poster;
	struct line_writer writer;
	unsigned commands; /* that run */
	pthread_t thread;
	atomic_bool chore_wanted;

	/*
	 * Under the mutex, which nobody holds for long: the lists, and what is
	 * in `accounts` as far as others than the thread look at it.  Only the
	 * thread changes `accounts`, so it may read that list without.
	 */
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	LIST_HEAD(, handon_account) accounts;
	LIST_HEAD(, handon_account) incoming;
	LIST_HEAD(, used_gateway) gateways;
	struct json_object *status; /* as of the last pass */
	uint64_t left;
	bool settled;
	unsigned asked;
	unsigned seen; /* `asked` of the last pass */
	bool stop;
	struct deadline stop_by;
	bool over;
};

/* ---- the thread ---- */

static void
account_free(struct handon_account *a)
{
	for (size_t i = 0; i < a->lane_count; i++)
		lane_free(&a->lanes[i]);
	free(a->name);
	free(a);
}

static void
take_incoming(struct handon *h)
{
	struct handon_account *a;

	pthread_mutex_lock(&h->mutex);
	while ((a = LIST_FIRST(&h->incoming))) {
		LIST_REMOVE(a, link);
		LIST_INSERT_HEAD(&h->accounts, a, link);
	}
	pthread_mutex_unlock(&h->mutex);
}

static void
drop_removed(struct handon *h)
{
	struct handon_account *a = LIST_FIRST(&h->accounts), *next;

	for (; a; a = next) {
		next = LIST_NEXT(a, link);
		if (!atomic_load(&a->removed))
			continue;
		pthread_mutex_lock(&h->mutex);
		LIST_REMOVE(a, link);
		pthread_mutex_unlock(&h->mutex);
		account_free(a);
	}
}

/* One that is not needed any more ends; it is freed once that takes no time. */
static void
drop_gateways(struct handon *h)
{
	struct used_gateway *u, *next;

	pthread_mutex_lock(&h->mutex);
	for (u = LIST_FIRST(&h->gateways); u; u = next) {
		next = LIST_NEXT(u, link);
		if (!gateway_is_unused(u->gateway))
			continue;
		gateway_stop(u->gateway);
		if (gateway_is_over(u->gateway)) {
			LIST_REMOVE(u, link);
			gateway_free(&u->gateway);
			free(u);
		}
	}
	pthread_mutex_unlock(&h->mutex);
}

static void
add_status(struct json_object *status, const struct lane *l)
{
	struct json_object *o = json_object_new_object();
	char trouble[MT_ERROR_TEXT_MAX];

	lane_trouble(l, trouble, sizeof(trouble));
	json_object_object_add(
	    o, "account", json_object_new_string(l->account));
	json_object_object_add(o, "sink", json_object_new_string(l->name));
	json_object_object_add(
	    o, "queued", json_object_new_int64((int64_t)l->length));
	json_object_object_add(o, "detail", json_object_new_string(trouble));
	json_object_array_add(status, o);
}

/* Makes known what a pass has found. */
static void
publish(struct handon *h, unsigned asked)
{
	struct json_object *status = json_object_new_array(), *old;
	struct handon_account *a;
	uint64_t left = 0;
	bool settled = true;

	LIST_FOREACH(a, &h->accounts, link)
	{
		for (size_t i = 0; i < a->lane_count; i++) {
			const struct lane *l = a->lanes[i];
			add_status(status, l);
			settled = settled && lane_is_settled(l);
			left += l->accepted ? l->length - l->batch.count
					    : l->length;
		}
	}
	pthread_mutex_lock(&h->mutex);
	old = h->status;
	h->status = status;
	h->left = left;
	h->settled = settled;
	h->seen = asked;
	pthread_cond_broadcast(&h->changed);
	pthread_mutex_unlock(&h->mutex);
	json_object_put(old);
}

/* Works on all lanes; true if something changed. */
static bool
work(struct handon *h, bool begin)
{
	struct handon_account *a;
	bool changed = false;

	LIST_FOREACH(a, &h->accounts, link)
	for (size_t i = 0; i < a->lane_count; i++)
		changed |= lane_work(a->lanes[i], begin);
	return changed;
}

static bool
is_busy(const struct handon *h)
{
	const struct handon_account *a;

	LIST_FOREACH(a, &h->accounts, link)
	for (size_t i = 0; i < a->lane_count; i++)
		if (a->lanes[i]->busy && !a->lanes[i]->accepted)
			return true;
	return false;
}

/* What all lanes wait for. */
static size_t
waits(const struct handon *h, struct pollfd fds[FDS_MAX], int64_t *ret_ms)
{
	const struct handon_account *a;
	size_t count = 0;

	LIST_FOREACH(a, &h->accounts, link)
	{
		for (size_t i = 0; i < a->lane_count; i++) {
			struct pollfd fd;
			int64_t ms;
			lane_wait(a->lanes[i], &fd, &ms);
			if (fd.fd >= 0 && count < FDS_MAX)
				fds[count++] = fd;
			if (ms < *ret_ms)
				*ret_ms = ms;
		}
	}
	return count;
}

static int64_t
do_chore(struct handon *h, struct deadline *due)
{
	int64_t ms;

	if (!h->settings.chore)
		return INT64_MAX;
	if (atomic_exchange(&h->chore_wanted, false))
		*due = deadline_min(*due, deadline_in_ms(CHORE_SOON_MS));
	if (deadline_passed(*due)) {
		ms = h->settings.chore(h->settings.context);
		*due = deadline_in_ms(ms > INT32_MAX ? INT32_MAX : ms);
	}
	return deadline_left_ms(*due);
}

static void
say_broken(struct handon *h)
{
	char reason[128];

	if (h->writer.broken <= 0)
		return;
	if (h->settings.broken)
		h->settings.broken(h->settings.context,
		    strerror_r(h->writer.broken, reason, sizeof(reason)));
	h->writer.broken = -1; /* said */
}

/* Whether to begin anything, and how long to go on. */
static bool
see_orders(
    struct handon *h, unsigned *ret_asked, bool *ret_stop, int64_t *ret_ms)
{
	bool go_on = true;

	pthread_mutex_lock(&h->mutex);
	*ret_asked = h->asked;
	*ret_stop = h->stop;
	*ret_ms = INT64_MAX;
	if (h->stop) {
		*ret_ms = deadline_left_ms(h->stop_by);
		go_on = *ret_ms > 0 && is_busy(h);
	}
	pthread_mutex_unlock(&h->mutex);
	return go_on;
}

static void *
run(void *context)
{
	struct handon *h = context;
	struct deadline chore = deadline_in_ms(0);
	struct handon_account *a;
	struct pollfd fds[FDS_MAX];
	unsigned asked;
	int64_t ms, chore_ms;
	bool stop;

	while (see_orders(h, &asked, &stop, &ms)) {
		take_incoming(h);
		drop_removed(h);
		drop_gateways(h);
		if (work(h, !stop))
			ms = 0; /* that may have made more possible */
		publish(h, asked);
		say_broken(h);
		chore_ms = do_chore(h, &chore);
		if (chore_ms < ms)
			ms = chore_ms;
		http_poster_wait(h->poster, fds, waits(h, fds, &ms), ms);
	}
	take_incoming(h);
	while ((a = LIST_FIRST(&h->accounts))) {
		LIST_REMOVE(a, link);
		account_free(a);
	}
	pthread_mutex_lock(&h->mutex);
	h->over = true;
	pthread_cond_broadcast(&h->changed);
	pthread_mutex_unlock(&h->mutex);
	return NULL;
}

/* ---- opening and closing ---- */

static void
wake_thread(void *context)
{
	struct handon *h = context;

	http_poster_wake(h->poster);
}

static void
init_locks(struct handon *h)
{
	pthread_condattr_t attributes;

	pthread_mutex_init(&h->mutex, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&h->changed, &attributes);
	pthread_condattr_destroy(&attributes);
}

static void
release(struct handon *h)
{
	json_object_put(h->status);
	http_poster_free(&h->poster);
	pthread_cond_destroy(&h->changed);
	pthread_mutex_destroy(&h->mutex);
	free(h);
}

enum mt_status
handon_open(struct handon **ret_handon, const struct handon_settings *settings,
    struct mt_error *err)
{
	struct handon *h = calloc(1, sizeof(*h));
	enum mt_status status;
	sigset_t all, old;
	int error;

	if (!h)
		return mt_fail(err, MT_NO_MEMORY, "no memory to hand mail on");
	init_locks(h);
	h->settings = *settings;
	h->writer.fd = STDOUT_FILENO;
	h->settled = true;
	status = http_poster_new(&h->poster, err);
	if (status == MT_OK) {
		sigfillset(&all);
		pthread_sigmask(SIG_SETMASK, &all, &old);
		error = pthread_create(&h->thread, NULL, run, h);
		pthread_sigmask(SIG_SETMASK, &old, NULL);
		if (error)
			status = mt_fail_errno(err, MT_RETRY_LATER, error,
			    "cannot start a thread");
	}
	if (status == MT_OK)
		*ret_handon = h;
	else
		release(h);
	return status;
}

/* Waits for a change; false: the deadline has passed. */
static bool
wait_change(struct handon *h, struct deadline deadline)
{
	struct timespec at;
	int64_t ms = deadline_left_ms(deadline);

	if (!ms)
		return false;
	clock_gettime(CLOCK_MONOTONIC, &at);
	at.tv_sec += ms / 1000;
	at.tv_nsec += ms % 1000 * 1000000;
	if (at.tv_nsec >= 1000000000) {
		at.tv_sec++;
		at.tv_nsec -= 1000000000;
	}
	pthread_cond_timedwait(&h->changed, &h->mutex, &at);
	return true;
}

/* Under the mutex. */
static bool
gateways_are_over(struct handon *h)
{
	struct used_gateway *u;

	LIST_FOREACH(u, &h->gateways, link)
	if (!gateway_is_over(u->gateway))
		return false;
	return true;
}

#define LOOK_MS 20

bool
handon_close(struct handon **handon, struct deadline deadline)
{
	struct handon *h = *handon;
	struct used_gateway *u;
	bool over;

	*handon = NULL;
	if (!h)
		return true;
	pthread_mutex_lock(&h->mutex);
	h->stop = true;
	h->stop_by =
	    deadline_in_ms(deadline_left_ms(deadline) * (int64_t)2 / 3);
	http_poster_wake(h->poster);
	while (!h->over && wait_change(h, deadline))
		;
	LIST_FOREACH(u, &h->gateways, link)
	gateway_stop(u->gateway);
	while (h->over && !gateways_are_over(h) &&
	       wait_change(h, deadline_min(deadline, deadline_in_ms(LOOK_MS))))
		if (deadline_passed(deadline))
			break;
	over = h->over && gateways_are_over(h);
	pthread_mutex_unlock(&h->mutex);
	if (!over)
		return false;
	pthread_join(h->thread, NULL);
	while ((u = LIST_FIRST(&h->gateways))) {
		LIST_REMOVE(u, link);
		gateway_free(&u->gateway);
		free(u);
	}
	release(h);
	return true;
}

/* ---- accounts ---- */

static enum mt_status
find_gateway(struct handon *h, const struct handon_account_settings *settings,
    struct gateway **ret_gateway, struct mt_error *err)
{
	const struct gateway_settings new = {
	    .url = settings->gateway_url,
	    .agent = settings->agent,
	    .token = settings->gateway_token,
	    .trust = h->settings.trust,
	    .agent_wait_ms = settings->agent_wait_ms,
	    .wake = wake_thread,
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
} makers[LANES_MAX] = {
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
	for (size_t i = 0; i < LANES_MAX && status == MT_OK; i++)
		status = add_lane(h, a, i, settings, err);
	if (status != MT_OK) {
		account_free(a);
		return status;
	}
	pthread_mutex_lock(&h->mutex);
	LIST_INSERT_HEAD(&h->incoming, a, link);
	pthread_mutex_unlock(&h->mutex);
	wake_thread(h);
	*ret_account = a;
	return MT_OK;
}

void
handon_remove(struct handon *h, struct handon_account **account)
{
	if (*account)
		atomic_store(&(*account)->removed, true);
	*account = NULL;
	wake_thread(h);
}

void
handon_wake(struct handon *h, struct handon_account *account)
{
	for (size_t i = 0; i < account->lane_count; i++)
		lane_wake(account->lanes[i]);
	atomic_store(&h->chore_wanted, true);
	wake_thread(h);
}

enum mt_status
handon_is_full(struct handon *h, const struct handon_account *account,
    bool *ret_full, struct mt_error *err)
{
	return event_queue_is_full(h->settings.state, account->name,
	    account->queue_max, ret_full, err);
}

struct json_object *
handon_status(struct handon *h)
{
	struct json_object *copy = NULL;

	pthread_mutex_lock(&h->mutex);
	if (h->status)
		json_object_deep_copy(h->status, &copy, NULL);
	pthread_mutex_unlock(&h->mutex);
	return copy ? copy : json_object_new_array();
}

uint64_t
handon_drain(struct handon *h, struct deadline deadline)
{
	unsigned asked;
	uint64_t left;

	pthread_mutex_lock(&h->mutex);
	asked = ++h->asked;
	http_poster_wake(h->poster);
	while (!(h->settled && (int)(h->seen - asked) >= 0) &&
	       wait_change(h, deadline))
		;
	left = h->left;
	pthread_mutex_unlock(&h->mutex);
	return left;
}
