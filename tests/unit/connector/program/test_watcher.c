/* SPDX-License-Identifier: ISC */
#include "watcher.h"

#include "unit/cmocka_headers.h"

#include <json-c/json.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define HOUR_MS 3600000

/* Seconds for which the machine has slept, and the process was stopped. */
static atomic_long slept, stopped;

int
clock_gettime(clockid_t clock, struct timespec *ret_time)
{
	long result = syscall(SYS_clock_gettime, clock, ret_time);

	if (clock == CLOCK_BOOTTIME)
		ret_time->tv_sec += slept;
	if (clock == CLOCK_BOOTTIME || clock == CLOCK_MONOTONIC)
		ret_time->tv_sec += stopped;
	return (int)result;
}

struct world {
	uv_loop_t loop;
	enum mt_status outcome; /* of visits */
	sem_t goes_on;          /* those that fail, when told */
	struct pool *pool;
	struct watcher *watcher;
	int session[2];
};

static enum mt_status
enter(void *context, const struct watch_visit *kind,
    struct watch_result *ret_result, struct json_object **ret_report,
    struct mt_error *err)
{
	(void)context;
	(void)kind;
	(void)ret_result;
	(void)ret_report;
	(void)err;
	return MT_OK;
}

static enum mt_status
visit(void *context, const struct watch_visit *kind,
    struct watch_result *ret_result, struct json_object **ret_report,
    struct mt_error *err)
{
	struct world *w = context;

	(void)kind;
	(void)ret_report;
	if (w->outcome != MT_OK) {
		sem_wait(&w->goes_on);
		return mt_fail(err, w->outcome, "no token");
	}
	ret_result->entered = ret_result->listening = true;
	return MT_OK;
}

static int
descriptor(void *context)
{
	return ((struct world *)context)->session[0];
}

static enum mt_status
listen_to(void *context, bool *ret_news, struct mt_error *err)
{
	struct world *w = context;

	(void)err;
	*ret_news = false;
	uv_stop(&w->loop);
	return MT_OK;
}

static void
leave(void *context)
{
	(void)context;
}

static void
on_visited(void *context, struct watcher *watcher, uint64_t number,
    struct json_object *report)
{
	struct world *w = context;

	(void)watcher;
	(void)number;
	json_object_put(report);
	if (w->outcome != MT_OK)
		uv_stop(&w->loop);
}

static bool
has_token(void *context, const struct token_helper *helper, const char *name)
{
	(void)context;
	(void)helper;
	(void)name;
	return true;
}

static void
describe(void *context, struct json_object *status)
{
	(void)context;
	(void)status;
}

static void
on_stopped(void *context, struct watcher *watcher)
{
	struct world *w = context;

	assert_ptr_equal(watcher, w->watcher);
	watcher_free(&w->watcher);
}

/* When it returns, the session is listened to. */
static int
make_world(void **state)
{
	static struct world w;
	const struct pool_limits limits = {1, 1, 1};
	const struct watched_account account = {
	    .context = &w,
	    .name = "an account",
	    .server = "a server",
	    .settings = {HOUR_MS, HOUR_MS, HOUR_MS},
	    .enter = enter,
	    .visit = visit,
	    .descriptor = descriptor,
	    .listen = listen_to,
	    .leave = leave,
	    .has_token = has_token,
	    .describe = describe,
	};

	slept = stopped = 0;
	w = (struct world){.outcome = MT_OK};
	assert_int_equal(uv_loop_init(&w.loop), 0);
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, w.session), 0);
	assert_int_equal(pool_new(&w.pool, &w.loop, &limits, NULL), MT_OK);
	assert_int_equal(watcher_new(&w.watcher, &w.loop, w.pool, &account,
			     on_visited, &w, NULL),
	    MT_OK);
	uv_run(&w.loop, UV_RUN_DEFAULT);
	*state = &w;
	return 0;
}

static int
end_world(void **state)
{
	struct world *w = *state;

	watcher_stop(w->watcher, on_stopped);
	pool_free(&w->pool);
	uv_run(&w->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&w->loop), 0);
	close(w->session[0]);
	close(w->session[1]);
	return 0;
}

static void
silence_beyond_any_renewal_means_stuck(void **state)
{
	struct world *w = *state;

	assert_false(watcher_is_stuck(w->watcher));
	stopped = HOUR_MS / 1000;
	assert_false(watcher_is_stuck(w->watcher));
	stopped = 2L * HOUR_MS / 1000;
	assert_true(watcher_is_stuck(w->watcher));
}

static void
silence_while_the_machine_slept_is_no_reason_to_end(void **state)
{
	struct world *w = *state;

	slept = 8L * HOUR_MS / 1000;
	assert_false(watcher_is_stuck(w->watcher));
}

static void
begin_visit(struct world *w)
{
	watcher_ask(w->watcher);
	while (!pool_pending(w->pool))
		uv_run(&w->loop, UV_RUN_NOWAIT);
}

static void
end_visit(struct world *w)
{
	sem_post(&w->goes_on);
	uv_run(&w->loop, UV_RUN_DEFAULT);
}

static int64_t
next_visit_s(struct world *w)
{
	struct json_object *status = watcher_status(w->watcher), *next = NULL;
	int64_t seconds;

	assert_true(json_object_object_get_ex(status, "next_visit_s", &next));
	seconds = json_object_get_int64(next);
	json_object_put(status);
	return seconds;
}

static void
login_mended_during_a_visit_is_tried_once(void **state)
{
	struct world *w = *state;

	w->outcome = MT_NEEDS_LOGIN;
	sem_init(&w->goes_on, 0, 0);
	begin_visit(w);
	end_visit(w);
	assert_true(next_visit_s(w) > 0);

	begin_visit(w);
	assert_false(watcher_hear_token(w->watcher, NULL, "a", "ok"));
	end_visit(w);
	assert_int_equal(next_visit_s(w), 0);

	/* that one fails too, though there is a token again */
	begin_visit(w);
	assert_false(watcher_hear_token(w->watcher, NULL, "a", "ok"));
	end_visit(w);
	assert_true(next_visit_s(w) > 0);
	sem_destroy(&w->goes_on);
}

int
main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, make_world, end_world)
	const struct CMUnitTest tests[] = {
	    CASE(silence_beyond_any_renewal_means_stuck),
	    CASE(login_mended_during_a_visit_is_tried_once),
	    CASE(silence_while_the_machine_slept_is_no_reason_to_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
