/* SPDX-License-Identifier: ISC */
#include "inbound/relay.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>

struct relay {
	pthread_mutex_t lock; /* of all that follows */
	pthread_cond_t changed;
	relay_work work; /* under way; NULL: none */
	void *context;
	bool ending;
	struct mt_error failure; /* the first; status MT_OK: none */

	bool started; /* the caller's alone, as is the thread */
	pthread_t thread;
};

struct relay *
relay_new(void)
{
	struct relay *relay = calloc(1, sizeof(*relay));

	if (!relay)
		return NULL;
	pthread_mutex_init(&relay->lock, NULL);
	pthread_cond_init(&relay->changed, NULL);
	return relay;
}

static void *
run(void *context)
{
	struct relay *r = context;
	struct mt_error err;
	enum mt_status status;

	pthread_mutex_lock(&r->lock);
	for (;;) {
		while (!r->work && !r->ending)
			pthread_cond_wait(&r->changed, &r->lock);
		if (!r->work)
			break;
		pthread_mutex_unlock(&r->lock);
		err = (struct mt_error){0};
		status = r->work(r->context, &err);
		pthread_mutex_lock(&r->lock);
		if (status != MT_OK)
			mt_fail(&r->failure, status, "%s", err.text);
		r->work = NULL;
		pthread_cond_signal(&r->changed);
	}
	pthread_mutex_unlock(&r->lock);
	return NULL;
}

/* Signals are for the program's own threads. */
static int
start(struct relay *r)
{
	sigset_t all, before;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&r->thread, NULL, run, r);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	r->started = !error;
	return error;
}

static void
wait_locked(struct relay *r)
{
	while (r->work)
		pthread_cond_wait(&r->changed, &r->lock);
}

void
relay_free(struct relay **relay)
{
	struct relay *r = *relay;

	*relay = NULL;
	if (!r)
		return;
	if (r->started) {
		pthread_mutex_lock(&r->lock);
		wait_locked(r);
		r->ending = true;
		pthread_cond_signal(&r->changed);
		pthread_mutex_unlock(&r->lock);
		pthread_join(r->thread, NULL);
	}
	pthread_cond_destroy(&r->changed);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

static enum mt_status
first_failure(const struct mt_error *failure, struct mt_error *err)
{
	if (failure->status == MT_OK)
		return MT_OK;
	return mt_fail(err, failure->status, "%s", failure->text);
}

enum mt_status
relay_give(
    struct relay *r, relay_work work, void *context, struct mt_error *err)
{
	enum mt_status status;
	int error = r->started ? 0 : start(r);

	if (error)
		return mt_fail_errno(
		    err, MT_RETRY_LATER, error, "cannot start a thread");
	pthread_mutex_lock(&r->lock);
	wait_locked(r);
	status = first_failure(&r->failure, err);
	if (status == MT_OK) {
		r->work = work;
		r->context = context;
		pthread_cond_signal(&r->changed);
	}
	pthread_mutex_unlock(&r->lock);
	return status;
}

enum mt_status
relay_wait(struct relay *r, struct mt_error *err)
{
	enum mt_status status;

	pthread_mutex_lock(&r->lock);
	wait_locked(r);
	status = first_failure(&r->failure, err);
	pthread_mutex_unlock(&r->lock);
	return status;
}
