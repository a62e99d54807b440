/* SPDX-License-Identifier: ISC */
#include "schedule.h"

#include "clock.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

struct schedule {
	struct schedule_item *first; /* root of a pairing heap */
	int64_t armed_ms;            /* what the timer is set to */
	int timer;
	uv_poll_t *poll;
};

/* ---- the heap ---- */

static struct schedule_item *
meld(struct schedule_item *a, struct schedule_item *b)
{
	struct schedule_item *later;

	if (!a || !b)
		return a ? a : b;
	if (b->due_ms < a->due_ms) {
		later = a;
		a = b;
	} else {
		later = b;
	}
	later->before = a;
	later->next = a->child;
	if (a->child)
		a->child->before = later;
	a->child = later;
	a->next = a->before = NULL;
	return a;
}

/* Siblings become one heap: in pairs from the left, then all from the right. */
static struct schedule_item *
meld_all(struct schedule_item *siblings)
{
	struct schedule_item *pairs = NULL, *whole = NULL;

	while (siblings) {
		struct schedule_item *a = siblings, *b = a->next;

		siblings = b ? b->next : NULL;
		a->next = a->before = NULL;
		if (b)
			b->next = b->before = NULL;
		a = meld(a, b);
		a->next = pairs;
		pairs = a;
	}
	while (pairs) {
		struct schedule_item *next = pairs->next;

		pairs->next = NULL;
		whole = meld(whole, pairs);
		pairs = next;
	}
	return whole;
}

static void
take_out(struct schedule *schedule, struct schedule_item *item)
{
	struct schedule_item *below = meld_all(item->child);

	if (item == schedule->first) {
		schedule->first = below;
	} else {
		if (item->before->child == item)
			item->before->child = item->next;
		else
			item->before->next = item->next;
		if (item->next)
			item->next->before = item->before;
		schedule->first = meld(schedule->first, below);
	}
	item->child = item->next = item->before = NULL;
	item->planned = false;
}

/* ---- the timer ---- */

static void
arm(struct schedule *schedule)
{
	int64_t due =
	    schedule->first ? schedule->first->due_ms : SCHEDULE_NEVER;
	struct itimerspec when = {0};

	if (due == schedule->armed_ms)
		return;
	schedule->armed_ms = due;
	if (due != SCHEDULE_NEVER) {
		if (due < 1)
			due = 1; /* 0 would switch it off */
		when.it_value.tv_sec = due / 1000;
		when.it_value.tv_nsec = due % 1000 * 1000000;
	}
	timerfd_settime(schedule->timer, TFD_TIMER_ABSTIME, &when, NULL);
}

static void
on_timer(uv_poll_t *poll, int status, int events)
{
	struct schedule *schedule = poll->data;
	int64_t now = clock_boot_ms();
	struct schedule_item *item;
	uint64_t ignored;

	(void)status;
	(void)events;
	if (read(schedule->timer, &ignored, sizeof(ignored)) < 0 &&
	    errno != EAGAIN)
		return;
	schedule->armed_ms = SCHEDULE_NEVER;
	while ((item = schedule->first) && item->due_ms <= now) {
		take_out(schedule, item);
		item->run(item->context);
	}
	arm(schedule);
}

enum mt_status
schedule_new(
    uv_loop_t *loop, struct schedule **ret_schedule, struct mt_error *err)
{
	struct schedule *schedule = calloc(1, sizeof(*schedule));

	if (schedule)
		schedule->poll = calloc(1, sizeof(*schedule->poll));
	if (!schedule || !schedule->poll) {
		free(schedule);
		return mt_fail(err, MT_NO_MEMORY, "no memory");
	}
	schedule->armed_ms = SCHEDULE_NEVER;
	schedule->timer =
	    timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	if (schedule->timer < 0 ||
	    uv_poll_init(loop, schedule->poll, schedule->timer)) {
		if (schedule->timer >= 0)
			close(schedule->timer);
		free(schedule->poll);
		free(schedule);
		return mt_fail(err, MT_NO_MEMORY, "cannot make a timer");
	}
	schedule->poll->data = schedule;
	uv_poll_start(schedule->poll, UV_READABLE, on_timer);
	*ret_schedule = schedule;
	return MT_OK;
}

static void
free_poll(uv_handle_t *poll)
{
	free(poll);
}

void
schedule_free(struct schedule **schedule)
{
	struct schedule *s = *schedule;

	if (!s)
		return;
	uv_poll_stop(s->poll);
	uv_close((uv_handle_t *)s->poll, free_poll);
	close(s->timer);
	free(s);
	*schedule = NULL;
}

void
schedule_set(
    struct schedule *schedule, struct schedule_item *item, int64_t due_ms)
{
	if (item->planned && item->due_ms == due_ms)
		return;
	if (item->planned)
		take_out(schedule, item);
	if (due_ms != SCHEDULE_NEVER) {
		item->due_ms = due_ms;
		item->planned = true;
		schedule->first = meld(schedule->first, item);
	}
	arm(schedule);
}
