/* SPDX-License-Identifier: ISC */
#include "request_jobs.h"

#include "base/buf.h"

#include "unit/cmocka_headers.h"

#include <json-c/json.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define PEERS 6

/* Jobs on a loop, asked over a control socket by peers of the same thread: the
 * loop runs until an answer is there. */
struct world {
	uv_loop_t loop;
	struct pool *pool;
	struct control *control;
	struct request_jobs *jobs;
	bool stopped;
	int peers[PEERS];
	char dir[32];
	char path[48];

	pthread_mutex_t lock; /* for what follows */
	pthread_cond_t changed;
	bool held;
	int running; /* in threads */
	int most;
	int performed;
};

/* "hold" as a folder's name waits. */
static void
perform(void *context, const struct request *request,
    struct request_outcome *ret_outcome)
{
	struct world *w = context;

	pthread_mutex_lock(&w->lock);
	w->performed++;
	w->running++;
	if (w->most < w->running)
		w->most = w->running;
	pthread_cond_broadcast(&w->changed);
	while (w->held && request->folder_name &&
	       strcmp(request->folder_name, "hold") == 0)
		pthread_cond_wait(&w->changed, &w->lock);
	w->running--;
	pthread_mutex_unlock(&w->lock);
	*ret_outcome = (struct request_outcome){
	    .report = request_answer(request->name, MT_OK, "done"),
	};
}

static void
on_request(void *context, struct control_peer *peer, const char *type,
    struct json_object *frame)
{
	struct world *w = context;
	struct request request;
	enum request_name name;

	assert_true(request_find(type, &name));
	assert_int_equal(request_read(&request, name, frame, NULL), MT_OK);
	request_jobs_take(w->jobs, peer, &request);
}

static void
note_stopped(void *context)
{
	struct world *w = context;

	assert_false(w->stopped);
	w->stopped = true;
}

static void
make_world(struct world *w, int64_t patience_ms)
{
	const struct pool_limits limits = {16, 16, 16};
	const struct request_jobs_settings settings = {
	    .context = w,
	    .server = "a server",
	    .patience_ms = patience_ms,
	    .perform = perform,
	};
	struct control_settings control = {
	    .handler = on_request,
	    .context = w,
	};

	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->changed, NULL);
	snprintf(w->dir, sizeof(w->dir), "/tmp/test_jobs.XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	snprintf(w->path, sizeof(w->path), "%s/s", w->dir);
	control.place = (struct control_place){w->path, "X", false};
	uv_loop_init(&w->loop);
	assert_int_equal(pool_new(&w->pool, &w->loop, &limits, NULL), MT_OK);
	assert_int_equal(
	    request_jobs_new(&w->jobs, &w->loop, w->pool, &settings, NULL),
	    MT_OK);
	assert_int_equal(
	    control_open(&w->control, &w->loop, &control, NULL), MT_OK);
	for (size_t i = 0; i < PEERS; i++) {
		struct sockaddr_un address = {.sun_family = AF_UNIX};
		w->peers[i] = socket(AF_UNIX, SOCK_STREAM, 0);
		memcpy(address.sun_path, w->path, strlen(w->path) + 1);
		assert_int_equal(
		    connect(w->peers[i], (struct sockaddr *)&address,
			sizeof(address)),
		    0);
	}
}

static int
start(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	make_world(w, 3600000);
	*state = w;
	return 0;
}

static int
start_impatient(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	make_world(w, 1);
	*state = w;
	return 0;
}

static void
release(struct world *w)
{
	pthread_mutex_lock(&w->lock);
	w->held = false;
	pthread_cond_broadcast(&w->changed);
	pthread_mutex_unlock(&w->lock);
}

static int
stop(void **state)
{
	struct world *w = *state;

	release(w);
	if (!w->stopped)
		request_jobs_stop(w->jobs, note_stopped, w);
	while (!w->stopped)
		uv_run(&w->loop, UV_RUN_ONCE);
	request_jobs_free(&w->jobs);
	control_close(&w->control);
	pool_free(&w->pool);
	uv_run(&w->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&w->loop), 0);
	for (size_t i = 0; i < PEERS; i++)
		close(w->peers[i]);
	rmdir(w->dir);
	pthread_cond_destroy(&w->changed);
	pthread_mutex_destroy(&w->lock);
	free(w);
	return 0;
}

static void
ask(struct world *w, int peer, const char *folder, const char *id)
{
	char line[200];

	snprintf(line, sizeof(line),
	    "{\"type\":\"create_folder_request\",\"folder_name\":\"%s\"%s%s%s}"
	    "\n",
	    folder, *id ? ",\"request_id\":\"" : "", id, *id ? "\"" : "");
	assert_int_equal(
	    write(w->peers[peer], line, strlen(line)), strlen(line));
}

/* Runs the loop until this many have begun. */
static void
wait_performed(struct world *w, int count)
{
	bool enough = false;

	while (!enough) {
		uv_run(&w->loop, UV_RUN_NOWAIT);
		pthread_mutex_lock(&w->lock);
		enough = w->performed >= count;
		pthread_mutex_unlock(&w->lock);
	}
}

/* The next line that this peer gets has this in it. */
static void
expect(struct world *w, int peer, const char *part)
{
	char line[1000];
	size_t len = 0;

	while (!len || line[len - 1] != '\n') {
		ssize_t n = recv(w->peers[peer], line + len, 1, MSG_DONTWAIT);
		if (n == 1)
			assert_true(++len < sizeof(line));
		else
			uv_run(&w->loop, UV_RUN_NOWAIT);
	}
	line[len] = '\0';
	if (!strstr(line, part))
		fail_msg("no '%s' in %s", part, line);
}

static void
request_is_answered_when_it_is_done(void **state)
{
	ask(*state, 0, "x", "r1");
	expect(*state, 0,
	    "{\"type\":\"create_folder_response\",\"success\":true,"
	    "\"detail\":\"done\",\"request_id\":\"r1\"}");
}

static void
same_request_at_the_same_time_is_done_once(void **state)
{
	struct world *w = *state;

	w->held = true;
	ask(w, 0, "hold", "r");
	wait_performed(w, 1);
	ask(w, 1, "hold", "r"); /* the same */
	ask(w, 2, "hold", "s");
	ask(w, 3, "hold", ""); /* nobody can tell */
	wait_performed(w, 3);
	ask(w, 4, "x", "r"); /* another one with the same name */
	expect(w, 4, "\"request_id\":\"r\"");
	release(w);
	for (int i = 0; i < 4; i++)
		expect(w, i, "\"success\":true");
	assert_int_equal(w->performed, 4);
}

static void
few_are_done_at_once_and_the_queue_keeps_nobody_back(void **state)
{
	struct world *w = *state;

	w->held = true;
	for (int i = 0; i < 10; i++)
		ask(w, i % 2, "hold", "");
	wait_performed(w, REQUEST_JOBS_AT_ONCE);
	assert_int_equal(
	    write(w->peers[2], "{\"type\":\"queue_request\"}\n", 25), 25);
	expect(w, 2, "\"queue_response\"");
	assert_int_equal(w->performed, REQUEST_JOBS_AT_ONCE + 1);
	release(w);
	for (int i = 0; i < 10; i++)
		expect(w, i % 2, "\"success\":true");
	assert_true(w->most <= REQUEST_JOBS_AT_ONCE + 1);
	assert_int_equal(w->performed, 11);
}

static void
too_many_are_refused(void **state)
{
	struct world *w = *state;
	int asked = 0;

	w->held = true;
	for (int peer = 0; peer < PEERS - 1; peer++)
		for (int i = 0; i < CONTROL_PENDING_MAX; i++, asked++)
			ask(w, peer, "hold", "");
	assert_true(asked > REQUEST_JOBS_MAX);
	expect(w, PEERS - 2, "\"detail\":\"too many requests\"");
	release(w);
	expect(w, 0, "\"success\":true");
}

static void
who_is_not_answered_in_time_may_ask_again(void **state)
{
	struct world *w = *state;

	w->held = true;
	ask(w, 0, "hold", "r");
	wait_performed(w, 1);
	expect(w, 0, "\"success\":false,\"detail\":\"not done yet");
	ask(w, 0, "hold", "r");
	expect(w, 0, "not done yet");
	assert_int_equal(w->performed, 1);
	release(w);
}

static void
end_refuses_what_waits_and_answers_what_is_under_way(void **state)
{
	struct world *w = *state;

	w->held = true;
	for (int i = 0; i <= REQUEST_JOBS_AT_ONCE; i++)
		ask(w, i, "hold", "");
	wait_performed(w, REQUEST_JOBS_AT_ONCE);
	while (request_jobs_count(w->jobs) <= REQUEST_JOBS_AT_ONCE)
		uv_run(&w->loop, UV_RUN_NOWAIT);
	request_jobs_stop(w->jobs, note_stopped, w);
	assert_false(w->stopped);
	expect(w, REQUEST_JOBS_AT_ONCE, "the connector is ending");
	ask(w, 5, "x", "");
	expect(w, 5, "the connector is ending");
	release(w);
	for (int i = 0; i < REQUEST_JOBS_AT_ONCE; i++)
		expect(w, i, "\"success\":true");
	assert_true(w->stopped);
}

int
main(void)
{
#define WITH(setup, test) cmocka_unit_test_setup_teardown(test, setup, stop)
	const struct CMUnitTest tests[] = {
	    WITH(start, request_is_answered_when_it_is_done),
	    WITH(start, same_request_at_the_same_time_is_done_once),
	    WITH(start, few_are_done_at_once_and_the_queue_keeps_nobody_back),
	    WITH(start, too_many_are_refused),
	    WITH(start_impatient, who_is_not_answered_in_time_may_ask_again),
	    WITH(start, end_refuses_what_waits_and_answers_what_is_under_way),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
