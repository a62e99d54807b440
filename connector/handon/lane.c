/* SPDX-License-Identifier: ISC */
#include "handon/lane.h"

#include "base/log.h"
#include "handon/backoff.h"
#include "state/event_queue.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct lane *
lane_new(struct state *state, const char *account, const char *name,
    int64_t queue, struct sink *sink)
{
	struct lane *l = sink ? calloc(1, sizeof(*l)) : NULL;

	if (l)
		l->account = strdup(account);
	if (!l || !l->account) {
		free(l);
		if (sink)
			sink->class->free(sink);
		return NULL;
	}
	l->state = state;
	l->name = name;
	l->queue = queue;
	l->sink = sink;
	l->again = deadline_in_ms(0);
	atomic_init(&l->woken, true);
	atomic_init(&l->uncounted, true);
	return l;
}

void
lane_wake(struct lane *lane)
{
	atomic_store(&lane->uncounted, true);
	atomic_store(&lane->woken, true);
}

static void
forget_batch(struct lane *l)
{
	event_list_done(&l->batch);
}

/* ---- failures ---- */

static void
fail(struct lane *l, int64_t wait_ms, const struct mt_error *err)
{
	int64_t delay_ms;

	l->failures++;
	delay_ms =
	    backoff_ms(l->failures, LANE_RETRY_FIRST_MS, LANE_RETRY_MAX_MS);
	if (wait_ms > delay_ms)
		delay_ms = wait_ms;
	l->again = deadline_in_ms(delay_ms);
	atomic_store(&l->woken, true);
	snprintf(l->trouble, sizeof(l->trouble), "%s", err->text);
	log_warning("mail of %s is not handed on (%s): %s (next try in %lld s)",
	    l->account, l->name, err->text, (long long)(delay_ms + 999) / 1000);
	if (!l->sink->class->keeps_batch)
		forget_batch(l);
}

static void
succeed(struct lane *l)
{
	if (l->failures)
		log_info(
		    "mail of %s is handed on again (%s)", l->account, l->name);
	l->failures = 0;
	l->trouble[0] = '\0';
}

/* ---- steps ---- */

/* Removes what was delivered; it must not be announced a second time because
 * the disk is full. */
static enum mt_status
remove_delivered(struct lane *l, struct mt_error *err)
{
	enum mt_status status = MT_OK;

	if (l->delivered)
		status =
		    event_queue_remove(l->state, l->queue, l->delivered, err);
	if (status == MT_OK)
		l->delivered = 0;
	return status;
}

static enum mt_status
take_batch(struct lane *l, struct mt_error *err)
{
	enum mt_status status = remove_delivered(l, err);

	if (status == MT_OK && !l->batch.count)
		status = event_queue_first(l->state, l->queue,
		    l->sink->class->batch_max, &l->batch, err);
	if (status == MT_OK)
		status =
		    event_queue_length(l->state, l->queue, &l->length, err);
	return status;
}

static bool
is_ready(const struct lane *l)
{
	return !l->sink->class->is_ready || l->sink->class->is_ready(l->sink);
}

/*
 * Reads the queue, so that its length is known, though the sink is not ready.
 * Once for each event: a thousand accounts may wait for one gateway.
 */
static bool
count(struct lane *l)
{
	struct mt_error err;
	uint64_t before = l->length;

	if (!atomic_exchange(&l->uncounted, false))
		return false;
	if (event_queue_length(l->state, l->queue, &l->length, &err) != MT_OK) {
		atomic_store(&l->uncounted, true);
		return false;
	}
	return l->length != before;
}

static bool
start(struct lane *l)
{
	struct mt_error err = {0};
	enum mt_status status;

	if (!atomic_load(&l->woken) || !deadline_passed(l->again))
		return false;
	if (!is_ready(l))
		return count(l);
	/* before the queue is read: what comes later is seen later */
	atomic_store(&l->woken, false);
	status = take_batch(l, &err);
	if (status == MT_OK && !l->batch.count) {
		event_list_done(&l->batch);
		return true;
	}
	if (status == MT_OK)
		status = l->sink->class->begin(l->sink, &l->batch, &err);
	l->busy = status == MT_OK;
	if (status != MT_OK)
		fail(l, 0, &err);
	return true;
}

static void
deliver(struct lane *l)
{
	struct mt_error err = {0};

	l->delivered = l->batch.events[l->batch.count - 1].id;
	forget_batch(l);
	lane_wake(l);
	if (remove_delivered(l, &err) == MT_OK)
		succeed(l);
	else
		fail(l, 0, &err);
}

static bool
look(struct lane *l)
{
	struct mt_error err = {0};
	int64_t wait_ms = 0;
	bool was_accepted = l->accepted;

	switch (l->sink->class->look(l->sink, &wait_ms, &err)) {
	case SINK_BUSY:
		return false;
	case SINK_ACCEPTED:
		l->accepted = true;
		return !was_accepted;
	case SINK_DONE:
		l->busy = l->accepted = false;
		deliver(l);
		break;
	case SINK_FAILED:
		l->busy = l->accepted = false;
		fail(l, wait_ms, &err);
		break;
	}
	return true;
}

bool
lane_work(struct lane *l, bool begin)
{
	if (l->busy)
		return look(l);
	return begin && start(l);
}

void
lane_free(struct lane **lane)
{
	struct lane *l = *lane;

	*lane = NULL;
	if (!l)
		return;
	if (l->busy) {
		look(l);
		if (l->accepted)
			deliver(l);
	}
	if (l->busy)
		l->sink->class->cancel(l->sink);
	l->sink->class->free(l->sink);
	forget_batch(l);
	free(l->account);
	free(l);
}

/* ---- for who works on it ---- */

void
lane_wait(const struct lane *l, struct pollfd *ret_fd, int64_t *ret_ms)
{
	*ret_fd = (struct pollfd){.fd = -1};
	*ret_ms = INT64_MAX;
	if (l->busy && l->sink->class->wait)
		l->sink->class->wait(l->sink, ret_fd, ret_ms);
	else if (!l->busy && atomic_load(&l->woken) &&
		 !deadline_passed(l->again))
		*ret_ms = deadline_left_ms(l->again);
}

void
lane_trouble(const struct lane *l, char *ret_text, size_t size)
{
	*ret_text = '\0';
	if (l->sink->class->trouble)
		l->sink->class->trouble(l->sink, ret_text, size);
	if (!*ret_text)
		snprintf(ret_text, size, "%s", l->trouble);
}

bool
lane_is_settled(const struct lane *l)
{
	char trouble[MT_ERROR_TEXT_MAX];

	if (l->accepted)
		return true;
	if (l->busy)
		return false;
	lane_trouble(l, trouble, sizeof(trouble));
	return l->length == 0 || l->failures || *trouble;
}
