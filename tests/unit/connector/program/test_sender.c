/* SPDX-License-Identifier: ISC */
/* The sender with a state that is real and servers that are not. */
#include "sender.h"

#include "unit/cmocka_headers.h"
#include "unit/connector/scratch.h"

#include "state/state.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#define MINUTE 60000
#define SENDERS_MAX 2

struct world {
	uv_loop_t loop;
	struct pool *pool;
	struct state *state;
	struct sender *senders[SENDERS_MAX];
	int stopped;
	int told;
	struct send_report report; /* the last */
	enum mt_status outcome;    /* of connecting */
	atomic_int connected;
	pthread_mutex_t held; /* no connection comes off as long as it is */
};

static enum mt_status
open_smtp(void *context, struct smtp_conn **ret_conn, struct deadline deadline,
    struct mt_error *err)
{
	struct world *w = context;

	(void)ret_conn;
	(void)deadline;
	atomic_fetch_add(&w->connected, 1);
	pthread_mutex_lock(&w->held);
	pthread_mutex_unlock(&w->held);
	return mt_fail(err, w->outcome, "on purpose");
}

static int64_t
queue_at(struct world *w, const char *message_id, time_t when)
{
	static const char *const rcpt_to[] = {"b@example.org", NULL};
	const struct outbox_message message = {
	    .account = "alice",
	    .message_id = message_id,
	    .mail_from = "a@example.org",
	    .rcpt_to = rcpt_to,
	    .bytes = "x",
	    .len = 1,
	};
	int64_t id = 0;

	OK(outbox_add(w->state, &message, when, &id, &err));
	return id;
}

static int64_t
queue(struct world *w, const char *message_id)
{
	return queue_at(w, message_id, time(NULL));
}

static struct sender *
begin(struct world *w, int which)
{
	const struct sender_settings settings = {
	    .name = "alice",
	    .smtp_server = "smtp",
	    .imap_server = "imap",
	    .connections = 2,
	    .interval_ms = MINUTE,
	    .state = w->state,
	    .submit =
		{
		    .rules = {.account = "alice"},
		    .context = w,
		    .open_smtp = open_smtp,
		},
	};

	OK(sender_new(&w->senders[which], &w->loop, w->pool, &settings, &err));
	return w->senders[which];
}

static void
on_stopped(void *context, struct sender *sender)
{
	struct world *w = context;

	for (int i = 0; i < SENDERS_MAX; i++)
		if (w->senders[i] == sender)
			sender_free(&w->senders[i]);
	w->stopped++;
}

static void
on_told(void *context, int64_t entry, const struct send_report *report)
{
	struct world *w = context;

	(void)entry;
	w->report = *report;
	w->told++;
	uv_stop(&w->loop);
}

/* Waits until somebody is told. */
static void
run_until_told(struct world *w)
{
	int before = w->told;

	while (w->told == before)
		uv_run(&w->loop, UV_RUN_DEFAULT);
}

static int
make_world(void **state)
{
	static struct world w;
	const struct pool_limits limits = {8, 8, 8};

	w = (struct world){.outcome = MT_RETRY_LATER};
	if (scratch_setup(state) || uv_loop_init(&w.loop))
		return -1;
	pthread_mutex_init(&w.held, NULL);
	OK(pool_new(&w.pool, &w.loop, &limits, &err));
	OK(state_open(&w.state, *state, &err));
	w.loop.data = *state;
	*state = &w;
	return 0;
}

/* Whatever still runs ends. */
static int
end_world(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < SENDERS_MAX; i++)
		if (w->senders[i])
			sender_stop(w->senders[i], on_stopped, w);
	while (w->senders[0] || w->senders[1])
		uv_run(&w->loop, UV_RUN_ONCE);
	pool_free(&w->pool);
	uv_run(&w->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&w->loop), 0);
	state_close(&w->state);
	*state = w->loop.data;
	return scratch_teardown(state);
}

static void
what_a_person_must_mend_is_told_at_once(void **state)
{
	struct world *w = *state;
	struct mt_error trouble = {0};
	int64_t id = queue(w, "<1@x>");

	w->outcome = MT_NEEDS_LOGIN;
	begin(w, 0);
	OK(sender_watch(w->senders[0], id, 10 * MINUTE, on_told, w, &err));
	run_until_told(w);
	assert_int_equal(w->report.state, SEND_QUEUED);
	assert_string_equal(w->report.detail, "queued");
	assert_string_equal(w->report.reason, "on purpose");
	assert_int_equal(
	    sender_trouble(w->senders[0], &trouble), MT_NEEDS_LOGIN);
	/* the next one is told the same, and costs no login */
	OK(sender_watch(
	    w->senders[0], queue(w, "<2@x>"), 10 * MINUTE, on_told, w, &err));
	run_until_told(w);
	assert_string_equal(w->report.reason, "on purpose");
	assert_int_equal(w->connected, 1);
	/* until it is mended */
	w->outcome = MT_NEEDS_ADMIN;
	sender_mended(w->senders[0]);
	OK(sender_watch(w->senders[0], id, 10 * MINUTE, on_told, w, &err));
	run_until_told(w);
	assert_in_range(w->connected, 2, 3);
}

/* As when the machine was off meanwhile. */
static void
what_waited_for_days_is_attempted_before_it_is_given_up(void **state)
{
	struct world *w = *state;
	int64_t id = queue_at(w, "<1@x>", time(NULL) - OUTBOX_GIVE_UP_S);

	w->outcome = MT_NEEDS_LOGIN;
	begin(w, 0);
	OK(sender_watch(w->senders[0], id, 10 * MINUTE, on_told, w, &err));
	run_until_told(w);
	assert_int_equal(w->report.state, SEND_QUEUED);
	assert_int_equal(w->connected, 1);
}

static void
what_is_temporary_is_told_when_patience_is_over(void **state)
{
	struct world *w = *state;
	int64_t id = queue(w, "<1@x>");

	begin(w, 0);
	OK(sender_watch(w->senders[0], id, 300, on_told, w, &err));
	run_until_told(w);
	assert_int_equal(w->report.state, SEND_QUEUED);
	assert_false(w->report.decided);
	assert_string_equal(w->report.message_id, "<1@x>");
}

static void
connection_that_hangs_delays_no_answer(void **state)
{
	struct world *w = *state;
	int64_t id = queue(w, "<1@x>");

	pthread_mutex_lock(&w->held);
	begin(w, 0);
	OK(sender_watch(w->senders[0], id, 300, on_told, w, &err));
	run_until_told(w);
	assert_string_equal(w->report.detail, "queued");
	/* whoever waits is told at the beginning of the end */
	OK(sender_watch(w->senders[0], id, 10 * MINUTE, on_told, w, &err));
	sender_stop(w->senders[0], on_stopped, w);
	run_until_told(w);
	assert_int_equal(w->stopped, 0);
	pthread_mutex_unlock(&w->held);
	while (!w->stopped)
		uv_run(&w->loop, UV_RUN_ONCE);
	assert_null(w->senders[0]);
}

static void
one_message_takes_one_connection(void **state)
{
	struct world *w = *state;
	int64_t id = queue(w, "<1@x>");

	pthread_mutex_lock(&w->held);
	begin(w, 0);
	for (int i = 0; i < 3; i++) {
		OK(sender_watch(w->senders[0], id, 50, on_told, w, &err));
		run_until_told(w);
	}
	assert_int_equal(w->connected, 1);
	queue(w, "<2@x>");
	queue(w, "<3@x>");
	for (int i = 0; i < 3; i++) {
		OK(sender_watch(w->senders[0], id, 50, on_told, w, &err));
		run_until_told(w);
	}
	assert_int_equal(w->connected, 2);
	pthread_mutex_unlock(&w->held);
}

static void
second_sender_takes_over_when_the_first_ends(void **state)
{
	struct world *w = *state;
	struct mt_error trouble = {0};
	int64_t id = queue(w, "<1@x>");

	w->outcome = MT_NEEDS_LOGIN;
	begin(w, 0);
	OK(sender_watch(w->senders[0], id, 10 * MINUTE, on_told, w, &err));
	run_until_told(w);
	begin(w, 1);
	OK(sender_watch_all(w->senders[1], 10 * MINUTE, on_told, w, &err));
	run_until_told(w);
	assert_int_equal(
	    sender_trouble(w->senders[1], &trouble), MT_RETRY_LATER);
	assert_non_null(strstr(trouble.text, "another process"));
	assert_int_equal(w->connected, 1);
	OK(sender_watch(w->senders[1], id, 10 * MINUTE, on_told, w, &err));
	sender_stop(w->senders[0], on_stopped, w);
	run_until_told(w);
	assert_int_equal(w->connected, 2);
	assert_int_equal(
	    sender_trouble(w->senders[1], &trouble), MT_NEEDS_LOGIN);
}

static void
stop_when_told(void *context, int64_t entry, const struct send_report *report)
{
	struct world *w = context;

	(void)entry;
	(void)report;
	w->told++;
	if (w->told == 1)
		sender_stop(w->senders[0], on_stopped, w);
}

static void
stop_from_within_what_is_told_is_fine(void **state)
{
	struct world *w = *state;

	begin(w, 0);
	for (int i = 0; i < 3; i++)
		OK(sender_watch_all(
		    w->senders[0], 10 * MINUTE, stop_when_told, w, &err));
	while (!w->stopped)
		uv_run(&w->loop, UV_RUN_ONCE);
	assert_int_equal(w->told, 3);
}

int
main(void)
{
#define IN_WORLD(test)                                                         \
	cmocka_unit_test_setup_teardown(test, make_world, end_world)
	const struct CMUnitTest tests[] = {
	    IN_WORLD(what_a_person_must_mend_is_told_at_once),
	    IN_WORLD(what_waited_for_days_is_attempted_before_it_is_given_up),
	    IN_WORLD(what_is_temporary_is_told_when_patience_is_over),
	    IN_WORLD(connection_that_hangs_delays_no_answer),
	    IN_WORLD(one_message_takes_one_connection),
	    IN_WORLD(second_sender_takes_over_when_the_first_ends),
	    IN_WORLD(stop_from_within_what_is_told_is_fine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
