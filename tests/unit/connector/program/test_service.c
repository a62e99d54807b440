/* SPDX-License-Identifier: ISC */
#include "service.h"

#include "base/buf.h"
#include "control.h"

#include "unit/cmocka_headers.h"

#include <json-c/json.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define HOUR_MS 3600000
#define WAIT_MS 10000

static const char poll_request[] = "{\"type\":\"poll_request\"}";

/* A job that does nothing but count, and that can be held up. */
struct job {
	bool held;
	int begun;
	int ended;
};

/* A service on its own thread, and what its jobs do. */
struct world {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct job receive, send;
	enum mt_status outcome; /* of receive */
	bool stopped;

	struct service_settings settings;
	pthread_t thread;
	enum mt_status status;
	bool left;
	char dir[32];
	char path[48];
};

static void
do_job(struct world *w, struct job *job)
{
	pthread_mutex_lock(&w->lock);
	job->begun++;
	pthread_cond_broadcast(&w->changed);
	while (job->held)
		pthread_cond_wait(&w->changed, &w->lock);
	job->ended++;
	pthread_cond_broadcast(&w->changed);
	pthread_mutex_unlock(&w->lock);
}

static enum mt_status
receive(void *context, struct json_object **ret_report, struct mt_error *err)
{
	struct world *w = context;
	struct json_object *report = json_object_new_object();
	enum mt_status outcome;

	do_job(w, &w->receive);
	pthread_mutex_lock(&w->lock);
	json_object_object_add(
	    report, "poll", json_object_new_int(w->receive.ended));
	outcome = w->outcome;
	pthread_mutex_unlock(&w->lock);
	*ret_report = report;
	return outcome == MT_OK ? MT_OK : mt_fail(err, outcome, "on purpose");
}

static enum mt_status
send_due(void *context, struct json_object **ret_report, struct mt_error *err)
{
	struct world *w = context;

	(void)ret_report;
	(void)err;
	do_job(w, &w->send);
	return MT_OK;
}

static void
note_stop(void *context)
{
	struct world *w = context;

	pthread_mutex_lock(&w->lock);
	w->stopped = true;
	pthread_cond_broadcast(&w->changed);
	pthread_mutex_unlock(&w->lock);
}

/* Waits until *count is `value`. */
static void
wait_for(struct world *w, const int *count, int value)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += WAIT_MS / 1000;
	pthread_mutex_lock(&w->lock);
	while (*count < value)
		if (pthread_cond_timedwait(&w->changed, &w->lock, &until))
			fail_msg("%d instead of %d", *count, value);
	pthread_mutex_unlock(&w->lock);
}

static void
hold(struct world *w, struct job *job, bool held)
{
	pthread_mutex_lock(&w->lock);
	job->held = held;
	pthread_cond_broadcast(&w->changed);
	pthread_mutex_unlock(&w->lock);
}

static int
make_world(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	service_hold_signals(true);
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->changed, NULL);
	snprintf(w->dir, sizeof(w->dir), "/tmp/test_service.XXXXXX");
	if (!mkdtemp(w->dir))
		return -1;
	snprintf(w->path, sizeof(w->path), "%s/control", w->dir);
	w->settings = (struct service_settings){
	    .control_path = w->path,
	    .context = w,
	    .receive = {"receive", HOUR_MS, receive},
	    .send = {"send", HOUR_MS, send_due},
	    .stop = note_stop,
	    .grace_ms = WAIT_MS,
	};
	*state = w;
	return 0;
}

static int
end_world(void **state)
{
	struct world *w = *state;

	pthread_cond_destroy(&w->changed);
	pthread_mutex_destroy(&w->lock);
	unlink(w->path);
	rmdir(w->dir);
	free(w);
	return 0;
}

static void *
serve(void *context)
{
	struct world *w = context;

	w->status = service_run(&w->settings, &w->left, NULL);
	return NULL;
}

static enum mt_status
ask(struct world *w, const char *request, struct buf *reply)
{
	return control_ask(
	    w->path, request, reply, deadline_in_ms(WAIT_MS), NULL);
}

/* When it returns, both jobs have begun, and the loop answers. */
static void
start(struct world *w)
{
	struct buf reply = BUF_INIT(1000);

	assert_int_equal(pthread_create(&w->thread, NULL, serve, w), 0);
	wait_for(w, &w->receive.begun, 1);
	wait_for(w, &w->send.begun, 1);
	assert_int_equal(ask(w, "{\"type\":\"x\"}", &reply), MT_OK);
	assert_non_null(strstr(buf_text(&reply), "unknown request"));
	buf_done(&reply);
}

static void
end(struct world *w)
{
	kill(getpid(), SIGTERM);
	pthread_join(w->thread, NULL);
	assert_int_equal(w->status, MT_OK);
	assert_true(w->stopped);
}

/* One who asks, on a thread of its own. */
struct asker {
	struct world *world;
	pthread_t thread;
	struct buf reply;
};

static void *
ask_and_keep(void *context)
{
	struct asker *a = context;

	assert_int_equal(ask(a->world, poll_request, &a->reply), MT_OK);
	return NULL;
}

static void
request_is_answered_by_a_poll_that_began_after_it(void **state)
{
	struct world *w = *state;
	struct asker asker = {w, 0, BUF_INIT(1000)};
	struct buf other = BUF_INIT(1000);

	w->receive.held = true;
	start(w);
	pthread_create(&asker.thread, NULL, ask_and_keep, &asker);
	/* both jobs are asked for at once: the second run of one shows that
	 * the request has come while the other still is in its first */
	wait_for(w, &w->send.ended, 2);
	hold(w, &w->receive, false);
	pthread_join(asker.thread, NULL);
	assert_string_equal(buf_text(&asker.reply), "{\"poll\":2}");
	assert_int_equal(ask(w, poll_request, &other), MT_OK);
	assert_string_equal(buf_text(&other), "{\"poll\":3}");
	buf_done(&asker.reply);
	buf_done(&other);
	end(w);
	assert_false(w->left);
}

static void
job_that_hangs_does_not_delay_the_other(void **state)
{
	struct world *w = *state;
	struct buf reply = BUF_INIT(1000);

	w->send.held = true;
	start(w);
	for (int i = 0; i < 3; i++)
		assert_int_equal(ask(w, poll_request, &reply), MT_OK);
	assert_int_equal(w->send.ended, 0);
	hold(w, &w->send, false);
	/* and it was asked for in the meantime */
	wait_for(w, &w->send.ended, 2);
	buf_done(&reply);
	end(w);
}

static void
failure_is_tried_again(void **state)
{
	struct world *w = *state;

	w->outcome = MT_RETRY_LATER;
	w->settings.receive.interval_ms = 1;
	start(w);
	wait_for(w, &w->receive.ended, 5);
	end(w);
}

/* The signal does not end the process. */
static void
expect_held_back(int number)
{
	sigset_t set;
	int found = 0;

	kill(getpid(), number);
	sigemptyset(&set);
	sigaddset(&set, number);
	assert_int_equal(sigwait(&set, &found), 0);
	assert_int_equal(found, number);
}

static void
end_waits_for_what_is_under_way(void **state)
{
	struct world *w = *state;

	w->send.held = true;
	start(w);
	kill(getpid(), SIGTERM);
	/* another one changes nothing */
	kill(getpid(), SIGINT);
	pthread_mutex_lock(&w->lock);
	while (!w->stopped)
		pthread_cond_wait(&w->changed, &w->lock);
	pthread_mutex_unlock(&w->lock);
	hold(w, &w->send, false);
	pthread_join(w->thread, NULL);
	assert_false(w->left);
	assert_int_equal(w->send.ended, 1);
	expect_held_back(SIGTERM);
}

/* Ends as the connector then does. */
static int
be_left(void)
{
	struct world *w = NULL;

	if (make_world((void **)&w))
		return 1;
	w->receive.held = w->send.held = true;
	w->settings.grace_ms = 1;
	start(w);
	end(w);
	unlink(w->path);
	rmdir(w->dir);
	_exit(w->left ? 0 : 1);
}

static void
end_does_not_wait_for_ever(void **state)
{
	/* a process of its own, because it leaves threads behind */
	char *argv[] = {(char[]){"test_service"}, (char[]){"left"}, NULL};
	int status = -1;
	pid_t pid;

	(void)state;
	assert_int_equal(
	    posix_spawn(&pid, "/proc/self/exe", NULL, NULL, argv, environ), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int
main(int argc, char **argv)
{
	(void)argv;
	if (argc > 1)
		return be_left();
#define IN_WORLD(test)                                                         \
	cmocka_unit_test_setup_teardown(test, make_world, end_world)
	const struct CMUnitTest tests[] = {
	    IN_WORLD(request_is_answered_by_a_poll_that_began_after_it),
	    IN_WORLD(job_that_hangs_does_not_delay_the_other),
	    IN_WORLD(failure_is_tried_again),
	    IN_WORLD(end_waits_for_what_is_under_way),
	    cmocka_unit_test(end_does_not_wait_for_ever),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
