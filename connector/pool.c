/* SPDX-License-Identifier: ISC */
#include "pool.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define REST_S 10                 /* without work, then a thread ends */
#define STACK_BYTES (1024 * 1024) /* what TLS and the parsers need, and more */

STAILQ_HEAD(jobs, pool_job);

struct pool {
	struct pool_limits limits;
	uv_async_t *finished;
	size_t pending;

	pthread_mutex_t lock; /* for what follows */
	pthread_cond_t work;
	pthread_cond_t ended;
	struct jobs waiting;
	size_t waiting_count;
	struct jobs done;
	struct pool_job **running; /* limits.threads places */
	size_t threads;
	size_t resting;
	bool closing;
};

/* ---- which job may run ---- */

static bool
may_run(const struct pool *p, const struct pool_job *job)
{
	size_t same = 0, doubtful = 0;

	for (size_t i = 0; i < p->limits.threads; i++) {
		const struct pool_job *other = p->running[i];

		if (!other)
			continue;
		same += strcmp(other->server, job->server) == 0;
		doubtful += other->doubtful;
	}
	if (same >= p->limits.per_server)
		return false;
	return !job->doubtful || doubtful < (p->limits.threads + 1) / 2;
}

static struct pool_job *
take(struct pool *p)
{
	struct pool_job *job;

	STAILQ_FOREACH(job, &p->waiting, link)
	if (may_run(p, job)) {
		STAILQ_REMOVE(&p->waiting, job, pool_job, link);
		p->waiting_count--;
		return job;
	}
	return NULL;
}

/* ---- threads ---- */

static size_t
free_place(const struct pool *p)
{
	size_t place = 0;

	while (p->running[place])
		place++;
	return place;
}

static void
run(struct pool *p, struct pool_job *job)
{
	size_t place = free_place(p);

	p->running[place] = job;
	pthread_mutex_unlock(&p->lock);
	job->run(job);
	pthread_mutex_lock(&p->lock);
	p->running[place] = NULL;
	STAILQ_INSERT_TAIL(&p->done, job, link);
	uv_async_send(p->finished);
	/* another may have waited for a place at its server */
	pthread_cond_signal(&p->work);
}

/* False: it has waited long enough. */
static bool
rest(struct pool *p)
{
	struct timespec until;
	int error;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += REST_S;
	p->resting++;
	error = pthread_cond_timedwait(&p->work, &p->lock, &until);
	p->resting--;
	return error != ETIMEDOUT;
}

static void *
work(void *argument)
{
	struct pool *p = argument;
	struct pool_job *job;
	bool goes_on = true;

	pthread_mutex_lock(&p->lock);
	while (goes_on && !p->closing) {
		job = take(p);
		if (job)
			run(p, job);
		else
			goes_on = rest(p) || p->threads == 1;
	}
	p->threads--;
	pthread_cond_signal(&p->ended);
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

static bool
start_thread(struct pool *p)
{
	pthread_attr_t attributes;
	pthread_t thread;
	sigset_t all, before;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	error = pthread_create(&thread, &attributes, work, p);
	pthread_attr_destroy(&attributes);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	p->threads += error == 0;
	return error == 0;
}

/* ---- the loop's side ---- */

static void
on_finished(uv_async_t *async)
{
	struct pool *p = async->data;
	struct jobs done = STAILQ_HEAD_INITIALIZER(done);
	struct pool_job *job;

	pthread_mutex_lock(&p->lock);
	STAILQ_CONCAT(&done, &p->done);
	pthread_mutex_unlock(&p->lock);
	while ((job = STAILQ_FIRST(&done))) {
		STAILQ_REMOVE_HEAD(&done, link);
		p->pending--;
		job->done(job); /* may submit it again, or free the pool */
	}
}

static void
free_handle(uv_handle_t *handle)
{
	free(handle);
}

static void
init_locks(struct pool *p)
{
	pthread_condattr_t attributes;

	pthread_mutex_init(&p->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&p->work, &attributes);
	pthread_cond_init(&p->ended, NULL);
	pthread_condattr_destroy(&attributes);
}

enum mt_status
pool_new(struct pool **ret_pool, uv_loop_t *loop,
    const struct pool_limits *limits, struct mt_error *err)
{
	struct pool *p = calloc(1, sizeof(*p));

	if (p) {
		p->limits = *limits;
		p->running = calloc(limits->threads, sizeof(*p->running));
		p->finished = calloc(1, sizeof(*p->finished));
	}
	if (!p || !p->running || !p->finished ||
	    uv_async_init(loop, p->finished, on_finished)) {
		if (p) {
			free(p->running);
			free(p->finished);
		}
		free(p);
		return mt_fail(err, MT_NO_MEMORY, "no memory for threads");
	}
	p->finished->data = p;
	STAILQ_INIT(&p->waiting);
	STAILQ_INIT(&p->done);
	init_locks(p);
	/* one is there always: what is submitted runs, however short of threads
	 * the machine may be later */
	if (!start_thread(p)) {
		pool_free(&p);
		return mt_fail(err, MT_RETRY_LATER, "cannot start a thread");
	}
	*ret_pool = p;
	return MT_OK;
}

void
pool_submit(struct pool *p, struct pool_job *job)
{
	pthread_mutex_lock(&p->lock);
	p->pending++;
	p->waiting_count++;
	STAILQ_INSERT_TAIL(&p->waiting, job, link);
	/* those that rest may be on their way to jobs submitted just before */
	if (p->waiting_count > p->resting && p->threads < p->limits.threads)
		start_thread(p);
	pthread_cond_signal(&p->work);
	pthread_mutex_unlock(&p->lock);
}

size_t
pool_pending(const struct pool *p)
{
	return p->pending;
}

void
pool_free(struct pool **pool)
{
	struct pool *p = *pool;

	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->closing = true;
	pthread_cond_broadcast(&p->work);
	while (p->threads)
		pthread_cond_wait(&p->ended, &p->lock);
	pthread_mutex_unlock(&p->lock);
	uv_close((uv_handle_t *)p->finished, free_handle);
	pthread_cond_destroy(&p->ended);
	pthread_cond_destroy(&p->work);
	pthread_mutex_destroy(&p->lock);
	free(p->running);
	free(p);
	*pool = NULL;
}
