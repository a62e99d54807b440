/* SPDX-License-Identifier: ISC */
#include "pool.h"

#include <errno.h>
#include <pthread.h>
#include <search.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define REST_S 10                 /* without work, then a thread ends */
#define STACK_BYTES (1024 * 1024) /* what TLS and the parsers need, and more */
#define TRUST 3 /* failures in a row, each of which may be an account's alone */

STAILQ_HEAD(jobs, pool_job);

/* Kept until the end: there are as many as accounts name. */
struct pool_server {
	const char *name; /* behind it */
	size_t running;   /* jobs with a place */
	unsigned trust;   /* failures in a row until there is none */
};

struct pool {
	struct pool_limits limits;
	uv_async_t *finished;
	size_t pending;

	pthread_mutex_t lock; /* for what follows */
	pthread_cond_t work;
	pthread_cond_t ended;
	struct jobs waiting; /* for a place */
	struct jobs ready;   /* they have one, and wait for their thread */
	size_t ready_count;
	struct jobs done;
	void *servers;             /* tsearch(3) by name */
	struct pool_server nobody; /* for all, without memory for one more */
	size_t certain;            /* jobs with a place */
	size_t doubtful;           /* likewise */
	size_t threads;
	size_t idle; /* of them, without a job */
	bool closing;
};

/* ---- servers ---- */

static int
compare_servers(const void *a, const void *b)
{
	const struct pool_server *one = a, *other = b;

	return strcmp(one->name, other->name);
}

static struct pool_server *
add_server(struct pool *p, const char *name)
{
	size_t size = strlen(name) + 1;
	struct pool_server *server = calloc(1, sizeof(*server) + size);

	if (!server)
		return &p->nobody;
	server->name = memcpy(server + 1, name, size);
	if (tsearch(server, &p->servers, compare_servers))
		return server;
	free(server);
	return &p->nobody;
}

static struct pool_server *
find_server(struct pool *p, const char *name)
{
	const struct pool_server key = {.name = name};
	void *node = tfind(&key, &p->servers, compare_servers);

	return node ? *(struct pool_server **)node : add_server(p, name);
}

/* What a job's outcome tells of its server, if anything. */
static void
judge_server(struct pool_server *server, enum mt_status status)
{
	if (status == MT_OK)
		server->trust = TRUST;
	else if (status == MT_RETRY_LATER && server->trust)
		server->trust--;
}

/* ---- which job may run ---- */

static bool
is_doubtful(const struct pool_job *job)
{
	return job->failures || (job->new && !job->at->trust);
}

static bool
may_run(const struct pool *p, const struct pool_job *job)
{
	if (job->at->running >= p->limits.per_server)
		return false;
	return is_doubtful(job) ? p->doubtful < p->limits.doubtful
				: p->certain < p->limits.certain;
}

/* The first of those that may and failed least often; NULL: none. */
static struct pool_job *
find_job(const struct pool *p)
{
	struct pool_job *job, *found = NULL;

	STAILQ_FOREACH(job, &p->waiting, link)
	if ((!found || job->failures < found->failures) && may_run(p, job)) {
		found = job;
		if (!found->failures)
			break;
	}
	return found;
}

static bool start_thread(struct pool *p);

/* Gives places to whoever may have one, and sees to it that there are threads
 * for them; without a new one, those that are there do it in turn. */
static void
give_places(struct pool *p)
{
	struct pool_job *job;

	while ((job = find_job(p))) {
		STAILQ_REMOVE(&p->waiting, job, pool_job, link);
		job->doubtful = is_doubtful(job);
		*(job->doubtful ? &p->doubtful : &p->certain) += 1;
		job->at->running++;
		STAILQ_INSERT_TAIL(&p->ready, job, link);
		p->ready_count++;
		if (p->ready_count > p->idle)
			start_thread(p);
		pthread_cond_signal(&p->work);
	}
}

/* ---- threads ---- */

static void
run(struct pool *p, struct pool_job *job)
{
	STAILQ_REMOVE_HEAD(&p->ready, link);
	p->ready_count--;
	p->idle--;
	pthread_mutex_unlock(&p->lock);
	job->run(job);
	pthread_mutex_lock(&p->lock);
	p->idle++;
	job->at->running--;
	*(job->doubtful ? &p->doubtful : &p->certain) -= 1;
	judge_server(job->at, job->status);
	STAILQ_INSERT_TAIL(&p->done, job, link);
	uv_async_send(p->finished);
	give_places(p);
}

/* False: it has waited long enough. */
static bool
rest(struct pool *p)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += REST_S;
	return pthread_cond_timedwait(&p->work, &p->lock, &until) != ETIMEDOUT;
}

static void *
work(void *argument)
{
	struct pool *p = argument;
	struct pool_job *job;
	bool goes_on = true;

	pthread_mutex_lock(&p->lock);
	while (goes_on && !p->closing) {
		job = STAILQ_FIRST(&p->ready);
		if (job)
			run(p, job);
		else
			goes_on = rest(p) || p->threads == 1 || p->ready_count;
	}
	p->threads--;
	p->idle--;
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
	p->idle += error == 0;
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
		p->finished = calloc(1, sizeof(*p->finished));
	}
	if (!p || !p->finished ||
	    uv_async_init(loop, p->finished, on_finished)) {
		if (p)
			free(p->finished);
		free(p);
		return mt_fail(err, MT_NO_MEMORY, "no memory for threads");
	}
	p->finished->data = p;
	STAILQ_INIT(&p->waiting);
	STAILQ_INIT(&p->ready);
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
	job->at = find_server(p, job->server);
	STAILQ_INSERT_TAIL(&p->waiting, job, link);
	give_places(p);
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
	tdestroy(p->servers, free);
	free(p);
	*pool = NULL;
}
