/* SPDX-License-Identifier: ISC */
#include "mime_pool.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A thread that waits for a client. */
struct waiter {
	struct waiter *next;
	pthread_cond_t given;
	struct mime_client *client; /* NULL until it is given one */
};

struct mime_pool {
	char *worker_path;
	pthread_mutex_t lock; /* for all below */
	size_t to_come;       /* clients that may still be made */
	size_t free_count;
	struct waiter *first, **end; /* in the order of asking */
	struct mime_client *free[];  /* the one used last is at the end */
};

struct mime_pool *
mime_pool_new(const char *worker_path, size_t workers)
{
	size_t count = workers ? workers : 1;
	struct mime_pool *pool =
	    calloc(1, sizeof(*pool) + count * sizeof(*pool->free));

	if (!pool)
		return NULL;
	pool->to_come = count;
	pool->end = &pool->first;
	pool->worker_path = strdup(worker_path);
	if (!pool->worker_path || pthread_mutex_init(&pool->lock, NULL)) {
		free(pool->worker_path);
		free(pool);
		return NULL;
	}
	return pool;
}

void
mime_pool_free(struct mime_pool **pool)
{
	struct mime_pool *p = *pool;

	if (!p)
		return;
	while (p->free_count)
		mime_client_free(&p->free[--p->free_count]);
	pthread_mutex_destroy(&p->lock);
	free(p->worker_path);
	free(p);
	*pool = NULL;
}

static void
enqueue(struct mime_pool *pool, struct waiter *waiter)
{
	*pool->end = waiter;
	pool->end = &waiter->next;
}

static void
dequeue(struct mime_pool *pool, struct waiter *waiter)
{
	struct waiter **p = &pool->first;

	while (*p != waiter)
		p = &(*p)->next;
	*p = waiter->next;
	if (!*p)
		pool->end = p;
}

/* Waits, with the lock, to be given a client; NULL: the deadline passed. */
static struct mime_client *
wait_for_one(struct mime_pool *pool, struct deadline deadline)
{
	struct timespec at = {.tv_sec = deadline.at_ms / 1000,
	    .tv_nsec = deadline.at_ms % 1000 * 1000000};
	struct waiter self = {.given = PTHREAD_COND_INITIALIZER};

	enqueue(pool, &self);
	while (!self.client && !deadline_passed(deadline))
		pthread_cond_clockwait(
		    &self.given, &pool->lock, CLOCK_MONOTONIC, &at);
	if (!self.client)
		dequeue(pool, &self);
	pthread_cond_destroy(&self.given);
	return self.client;
}

/* A client that nobody else has; NULL: there was none until the deadline. */
static struct mime_client *
take(struct mime_pool *pool, struct deadline deadline)
{
	struct mime_client *client = NULL;

	pthread_mutex_lock(&pool->lock);
	if (pool->free_count) {
		client = pool->free[--pool->free_count];
	} else if (pool->to_come) {
		/* without memory for one, as good as busy */
		client = mime_client_new(pool->worker_path);
		pool->to_come -= client != NULL;
	} else {
		client = wait_for_one(pool, deadline);
	}
	pthread_mutex_unlock(&pool->lock);
	return client;
}

/* Hands the client to whoever waits longest; otherwise it is free. */
static void
give(struct mime_pool *pool, struct mime_client *client)
{
	struct waiter *waiter;

	pthread_mutex_lock(&pool->lock);
	waiter = pool->first;
	if (waiter) {
		dequeue(pool, waiter);
		waiter->client = client;
		pthread_cond_signal(&waiter->given);
	} else {
		pool->free[pool->free_count++] = client;
	}
	pthread_mutex_unlock(&pool->lock);
}

enum mt_status
mime_pool_parse(struct mime_pool *pool, int raw_fd, int dir_fd,
    const struct mime_limits *limits, struct mime_message *ret_message,
    int64_t parse_ms, struct deadline deadline, struct mt_error *err)
{
	struct mime_client *client = take(pool, deadline);
	enum mt_status status;

	if (!client)
		return mt_fail(err, MT_RETRY_LATER,
		    "no MIME worker was free to take the message apart");
	status = mime_client_parse(client, raw_fd, dir_fd, limits, ret_message,
	    deadline_in_ms(parse_ms), err);
	give(pool, client);
	return status;
}
