/* SPDX-License-Identifier: ISC */
#include "pool.h"

#include "unit/cmocka_headers.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define JOBS 200

struct world {
	uv_loop_t loop;
	struct pool *pool;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool open;            /* jobs that wait may end */
	size_t running[JOBS]; /* by server */
	size_t most[JOBS];
	size_t begun;
	size_t done;
};

struct job {
	struct pool_job job; /* first */
	struct world *world;
	size_t server;
	char name[16];
	bool waits;
};

static void
run(struct pool_job *pool_job)
{
	struct job *job = (struct job *)pool_job;
	struct world *w = job->world;

	pthread_mutex_lock(&w->lock);
	w->begun++;
	w->running[job->server]++;
	if (w->most[job->server] < w->running[job->server])
		w->most[job->server] = w->running[job->server];
	pthread_cond_broadcast(&w->changed);
	while (job->waits && !w->open)
		pthread_cond_wait(&w->changed, &w->lock);
	w->running[job->server]--;
	pthread_mutex_unlock(&w->lock);
}

static void
done(struct pool_job *pool_job)
{
	((struct job *)pool_job)->world->done++;
}

static struct job
make_job(struct world *w, size_t server, bool waits)
{
	struct job job = {
	    .job = {.run = run, .done = done},
	    .world = w,
	    .server = server,
	    .waits = waits,
	};

	snprintf(job.name, sizeof(job.name), "%zu", server);
	return job;
}

static void
submit(struct world *w, struct job *job)
{
	job->job.server = job->name;
	pool_submit(w->pool, &job->job);
}

static struct world *
make_world(size_t certain, size_t doubtful, size_t per_server)
{
	struct world *w = calloc(1, sizeof(*w));
	const struct pool_limits limits = {certain, doubtful, per_server};

	assert_non_null(w);
	uv_loop_init(&w->loop);
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->changed, NULL);
	assert_int_equal(pool_new(&w->pool, &w->loop, &limits, NULL), MT_OK);
	return w;
}

static void
run_until_done(struct world *w, size_t count)
{
	while (w->done < count)
		uv_run(&w->loop, UV_RUN_ONCE);
}

static void
let_end(struct world *w)
{
	pthread_mutex_lock(&w->lock);
	w->open = true;
	pthread_cond_broadcast(&w->changed);
	pthread_mutex_unlock(&w->lock);
}

static void
end_world(struct world *w, size_t count)
{
	let_end(w);
	run_until_done(w, count);
	assert_int_equal(pool_pending(w->pool), 0);
	pool_free(&w->pool);
	uv_run(&w->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&w->loop), 0);
	pthread_cond_destroy(&w->changed);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

static void
wait_begun(struct world *w, size_t count)
{
	pthread_mutex_lock(&w->lock);
	while (w->begun < count)
		pthread_cond_wait(&w->changed, &w->lock);
	assert_int_equal(w->begun, count);
	pthread_mutex_unlock(&w->lock);
}

static void
every_job_runs_once(void **state)
{
	struct world *w = make_world(8, 4, 8);
	struct job jobs[JOBS];

	(void)state;
	for (size_t i = 0; i < JOBS; i++) {
		jobs[i] = make_job(w, i % 5, false);
		submit(w, &jobs[i]);
	}
	run_until_done(w, JOBS);
	assert_int_equal(w->begun, JOBS);
	end_world(w, JOBS);
}

static void
one_server_has_its_share_of_threads_only(void **state)
{
	struct world *w = make_world(8, 4, 3);
	struct job dead[20], other;

	(void)state;
	for (size_t i = 0; i < 20; i++) {
		dead[i] = make_job(w, 0, true);
		submit(w, &dead[i]);
	}
	other = make_job(w, 1, false);
	submit(w, &other);
	run_until_done(w, 1);
	assert_int_equal(w->most[1], 1);
	let_end(w);
	run_until_done(w, 21);
	assert_int_equal(w->most[0], 3);
	end_world(w, 21);
}

static void
dead_servers_take_no_places_of_others(void **state)
{
	struct world *w = make_world(8, 4, 8);
	struct job dead[20], good[8];

	(void)state;
	for (size_t i = 0; i < 20; i++) {
		dead[i] = make_job(w, i, true);
		dead[i].job.failures = 1;
		submit(w, &dead[i]);
	}
	/* each holds its place until all of them have one */
	for (size_t i = 0; i < 8; i++) {
		good[i] = make_job(w, 30 + i, true);
		submit(w, &good[i]);
	}
	wait_begun(w, 12);
	end_world(w, 28);
}

/* Many accounts begin at the same moment: those of dead servers must not take
 * all the places that there are for new ones. */
static void
new_jobs_are_trusted_where_others_went_well(void **state)
{
	struct world *w = make_world(8, 4, 8);
	struct job dead[20], good[4], late, other;

	(void)state;
	good[0] = make_job(w, 30, false);
	submit(w, &good[0]);
	run_until_done(w, 1);
	for (size_t i = 0; i < 20; i++) {
		dead[i] = make_job(w, i, true);
		dead[i].job.new = true;
		submit(w, &dead[i]);
	}
	for (size_t i = 1; i < 4; i++) {
		good[i] = make_job(w, 30, false);
		good[i].job.new = true;
		submit(w, &good[i]);
	}
	run_until_done(w, 4);
	assert_in_range(w->begun, 4, 8);
	/* until some go wrong there in a row */
	for (size_t i = 1; i < 4; i++) {
		good[i].job.status = MT_RETRY_LATER;
		submit(w, &good[i]);
		run_until_done(w, 4 + i);
	}
	late = make_job(w, 30, false);
	late.job.new = true;
	submit(w, &late);
	other = make_job(w, 31, false);
	submit(w, &other);
	run_until_done(w, 8);
	assert_in_range(w->begun, 8, 12);
	assert_int_equal(w->done, 8);
	end_world(w, 29);
}

/* A job of which the turn is kept in which it began: 1, 2, ... */
struct turn {
	struct pool_job job;
	struct world *world;
	size_t began;
};

static void
take_turn(struct pool_job *job)
{
	struct turn *turn = (struct turn *)job;
	struct world *w = turn->world;

	pthread_mutex_lock(&w->lock);
	turn->began = ++w->begun;
	job->status = MT_RETRY_LATER;
	pthread_mutex_unlock(&w->lock);
}

static void
end_turn(struct pool_job *job)
{
	((struct turn *)job)->world->done++;
}

/* A thousand servers are dead, and the one that is good comes last by name. */
static void
who_failed_least_often_comes_first(void **state)
{
	struct world *w = make_world(1, 1, 1);
	static const unsigned failures[] = {3, 1, 0, 2, 1, 0};
	static const size_t expected[] = {6, 3, 1, 5, 4, 2};
	const size_t count = sizeof(failures) / sizeof(*failures);
	struct job first = make_job(w, 99, true);
	struct turn turns[6];
	char names[6][8];

	(void)state;
	first.job.failures = 1;
	submit(w, &first);
	wait_begun(w, 1);
	w->begun = 0;
	for (size_t i = 0; i < count; i++) {
		snprintf(names[i], sizeof(names[i]), "%zu", i);
		turns[i] = (struct turn){
		    .job = {.run = take_turn,
			.done = end_turn,
			.server = names[i],
			.failures = failures[i],
			.new = failures[i] == 0},
		    .world = w,
		};
		pool_submit(w->pool, &turns[i].job);
	}
	let_end(w);
	run_until_done(w, count + 1);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(turns[i].began, expected[i]);
	end_world(w, count + 1);
}

static void
job_knows_whether_it_is_in_doubt(void **state)
{
	struct world *w = make_world(4, 4, 4);
	struct job good = make_job(w, 0, false), next = make_job(w, 0, false);

	(void)state;
	good.job.new = true;
	submit(w, &good);
	run_until_done(w, 1);
	assert_true(good.job.doubtful);
	next.job.new = true;
	submit(w, &next);
	run_until_done(w, 2);
	assert_false(next.job.doubtful);
	next.job.failures = 1;
	submit(w, &next);
	run_until_done(w, 3);
	assert_true(next.job.doubtful);
	end_world(w, 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_job_runs_once),
	    cmocka_unit_test(one_server_has_its_share_of_threads_only),
	    cmocka_unit_test(dead_servers_take_no_places_of_others),
	    cmocka_unit_test(who_failed_least_often_comes_first),
	    cmocka_unit_test(job_knows_whether_it_is_in_doubt),
	    cmocka_unit_test(new_jobs_are_trusted_where_others_went_well),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
