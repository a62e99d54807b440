/* SPDX-License-Identifier: ISC */
#include "net/resolve.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Shared by the asking and the looking-up thread; freed by the later one. */
struct lookup {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool done;
	bool abandoned;
	int result; /* of getaddrinfo */
	int error;  /* errno, for EAI_SYSTEM */
	struct addrinfo *addresses;
	char service[8];
	char host[];
};

static const struct addrinfo tcp = {
    .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};

static struct lookup *
lookup_new(const char *host, const char *service)
{
	size_t len = strlen(host);
	struct lookup *l = calloc(1, sizeof(*l) + len + 1);
	pthread_condattr_t monotonic;

	if (!l)
		return NULL;
	memcpy(l->host, host, len + 1);
	snprintf(l->service, sizeof(l->service), "%s", service);
	pthread_mutex_init(&l->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&l->changed, &monotonic);
	pthread_condattr_destroy(&monotonic);
	return l;
}

static void
lookup_free(struct lookup *l)
{
	if (l->addresses)
		freeaddrinfo(l->addresses);
	pthread_cond_destroy(&l->changed);
	pthread_mutex_destroy(&l->lock);
	free(l);
}

static void *
lookup_run(void *context)
{
	struct lookup *l = context;
	bool abandoned;

	l->result = getaddrinfo(l->host, l->service, &tcp, &l->addresses);
	l->error = errno;
	pthread_mutex_lock(&l->lock);
	l->done = true;
	abandoned = l->abandoned;
	pthread_cond_signal(&l->changed);
	pthread_mutex_unlock(&l->lock);
	if (abandoned)
		lookup_free(l);
	return NULL;
}

/* Starts lookup_run in a detached thread that takes no signals. */
static bool
lookup_start(struct lookup *l)
{
	pthread_attr_t detached;
	pthread_t thread;
	sigset_t all, old;
	bool ok;

	sigfillset(&all);
	pthread_attr_init(&detached);
	pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	ok = pthread_create(&thread, &detached, lookup_run, l) == 0;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&detached);
	return ok;
}

/* Waits until it is done; false when the deadline came first, and then the
 * lookup belongs to its thread. */
static bool
lookup_wait(struct lookup *l, struct deadline deadline)
{
	struct timespec until = {.tv_sec = deadline.at_ms / 1000,
	    .tv_nsec = deadline.at_ms % 1000 * 1000000};
	bool done;

	pthread_mutex_lock(&l->lock);
	while (!l->done && pthread_cond_timedwait(
			       &l->changed, &l->lock, &until) != ETIMEDOUT)
		continue;
	done = l->done;
	l->abandoned = !done;
	pthread_mutex_unlock(&l->lock);
	return done;
}

static enum mt_status
lookup_result(struct lookup *l, struct addrinfo **ret_addresses,
    const char *host, struct mt_error *err)
{
	if (l->result == EAI_SYSTEM)
		return mt_fail_errno(err, MT_RETRY_LATER, l->error,
		    "cannot look up the address of %s", host);
	if (l->result != 0)
		return mt_fail(err, MT_RETRY_LATER,
		    "cannot look up the address of %s: %s", host,
		    gai_strerror(l->result));
	*ret_addresses = l->addresses;
	l->addresses = NULL;
	return MT_OK;
}

enum mt_status
resolve_host(struct addrinfo **ret_addresses, const char *host, uint16_t port,
    struct deadline deadline, struct mt_error *err)
{
	struct addrinfo literal = tcp;
	struct lookup *l;
	enum mt_status status;
	char service[8];

	snprintf(service, sizeof(service), "%u", (unsigned)port);
	literal.ai_flags |= AI_NUMERICHOST;
	if (getaddrinfo(host, service, &literal, ret_addresses) == 0)
		return MT_OK;
	l = lookup_new(host, service);
	if (!l)
		return mt_fail(err, MT_NO_MEMORY, "out of memory");
	if (!lookup_start(l)) {
		lookup_free(l);
		return mt_fail(err, MT_NO_MEMORY,
		    "cannot start a thread to look up %s", host);
	}
	if (!lookup_wait(l, deadline))
		return mt_fail(err, MT_RETRY_LATER,
		    "the name service did not answer in time for %s", host);
	status = lookup_result(l, ret_addresses, host, err);
	lookup_free(l);
	return status;
}
