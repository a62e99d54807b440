/* SPDX-License-Identifier: ISC */
#include "handon/handon_priv.h"

#include "handon/command_hook.h"
#include "handon/gateway.h"

#include <json-c/json.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define FDS_MAX (COMMAND_HOOKS_MAX + 1)
#define CHORE_SOON_MS 1000 /* after a wake */

/* ---- the thread ---- */

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
		handon_account_free(a);
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
		/* in this order: one may replace the other */
		drop_removed(h);
		take_incoming(h);
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
		handon_account_free(a);
	}
	pthread_mutex_lock(&h->mutex);
	h->over = true;
	pthread_cond_broadcast(&h->changed);
	pthread_mutex_unlock(&h->mutex);
	return NULL;
}

/* ---- opening and closing ---- */

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

/* ---- for others ---- */

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
