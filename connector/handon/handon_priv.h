/* SPDX-License-Identifier: ISC */
/*
 * What the two halves share: handon.c, the thread that does the work, and
 * handon_accounts.c, what it works on.
 */
#ifndef MT_HANDON_HANDON_PRIV_H
#define MT_HANDON_HANDON_PRIV_H

#include "handon/handon.h"
#include "handon/http_post.h"
#include "handon/lane.h"
#include "handon/line_sink.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/queue.h>

struct gateway;

#define HANDON_LANES_MAX 3

struct handon_account {
	LIST_ENTRY(handon_account) link;
	char *name;
	uint64_t queue_max;
	struct lane *lanes[HANDON_LANES_MAX];
	size_t lane_count;
	atomic_bool removed;
};

struct used_gateway {
	LIST_ENTRY(used_gateway) link;
	struct gateway *gateway;
};

struct handon {
	struct handon_settings settings;
	struct http_poster *poster;
	struct line_writer writer;
	unsigned commands; /* that run */
	pthread_t thread;
	atomic_bool chore_wanted;

	/*
	 * Under the mutex, which nobody holds for long: the lists, and what is
	 * in `accounts` as far as others than the thread look at it.  Only the
	 * thread changes `accounts`, so it may read that list without.
	 */
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	LIST_HEAD(, handon_account) accounts;
	LIST_HEAD(, handon_account) incoming;
	LIST_HEAD(, used_gateway) gateways;
	struct json_object *status; /* as of the last pass */
	uint64_t left;
	bool settled;
	unsigned asked;
	unsigned seen; /* `asked` of the last pass */
	bool stop;
	struct deadline stop_by;
	bool over;
};

/* Also for one that is half made. */
void handon_account_free(struct handon_account *account);

/* `handon` is a struct handon; from any thread. */
void handon_wake_thread(void *handon);

#endif
