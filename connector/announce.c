/* SPDX-License-Identifier: ISC */
#include "announce.h"

#include "base/deadline.h"
#include "base/log.h"
#include "delivery/manifest.h"
#include "delivery/publish.h"
#include "handon/handon.h"
#include "inbound/audit.h"

#include <json-c/json.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHORE_RETRY_MS 10000

struct announcer {
	const struct config *config;
	struct state *state;
	struct handon *handon;
	struct manifest_watch *watch;
	struct audit audit; /* of handing on's thread */
	atomic_bool unread; /* standard output */
};

/* ---- the thread's other work ---- */

static enum mt_status
look_after(struct announcer *a, struct publisher *publisher,
    int64_t *ret_next_ms, struct mt_error *err)
{
	int64_t watch_ms = INT64_MAX;
	enum mt_status status =
	    manifest_watch_look(a->watch, publisher, &watch_ms, err);

	if (status == MT_OK)
		status = audit_step(
		    &a->audit, a->state, publisher, ret_next_ms, err);
	if (watch_ms < *ret_next_ms)
		*ret_next_ms = watch_ms;
	return status;
}

/* Looks after the risk manifest.  Its publisher has a place of its own: in that
 * of a poll everything is swept away. */
static int64_t
look_after_manifest(void *context)
{
	struct announcer *a = context;
	struct publisher *publisher;
	struct mt_error err;
	int64_t next_ms = INT64_MAX;
	enum mt_status status =
	    publish_open(&publisher, a->config->workspace, "manifest", &err);

	if (status == MT_OK) {
		status = look_after(a, publisher, &next_ms, &err);
		publish_close(&publisher);
	}
	if (status == MT_OK)
		return next_ms;
	log_warning("the risk manifest is not looked after: %s", err.text);
	return CHORE_RETRY_MS;
}

/* Ends `run` as a signal from outside would. */
static void
on_broken(void *context, const char *why)
{
	struct announcer *a = context;

	log_error("nobody reads the events on standard output: %s", why);
	atomic_store(&a->unread, true);
	kill(getpid(), SIGTERM);
}

/* ---- beginning and end ---- */

enum mt_status
announcer_open(struct announcer **ret_announcer, const struct config *config,
    struct state *state, struct mt_error *err)
{
	struct announcer *a = calloc(1, sizeof(*a));
	const struct handon_settings settings = {
	    .state = state,
	    .chore = look_after_manifest,
	    .broken = on_broken,
	    .context = a,
	};
	enum mt_status status;

	if (!a || !(a->watch = manifest_watch_new())) {
		free(a);
		return mt_fail(err, MT_NO_MEMORY, "no memory to hand mail on");
	}
	a->config = config;
	a->state = state;
	status = handon_open(&a->handon, &settings, err);
	if (status == MT_OK)
		*ret_announcer = a;
	else
		announcer_close(&a, 0);
	return status;
}

bool
announcer_close(struct announcer **announcer, int64_t wait_ms)
{
	struct announcer *a = *announcer;

	*announcer = NULL;
	if (!a)
		return true;
	if (!handon_close(&a->handon, deadline_in_ms(wait_ms)))
		return false;
	manifest_watch_free(&a->watch);
	free(a);
	return true;
}

struct manifest_watch *
announcer_watch(struct announcer *a)
{
	return a->watch;
}

/* ---- accounts ---- */

enum mt_status
announcer_add(struct announcer *a, const struct config *c,
    const struct net_trust *trust, struct handon_account **ret_account,
    struct mt_error *err)
{
	const struct handon_account_settings settings = {
	    .account = c->name,
	    .agent = c->agent,
	    .gateway_url = c->gateway,
	    .gateway_token = &c->connector_token,
	    .trust = trust,
	    .agent_wait_ms = c->agent_wait_ms,
	    .hook_url = c->hook_url,
	    .hook_secret = &c->hook_secret,
	    .ca_file = c->ca_file,
	    .command = c->command,
	    .to_stdout = c->events_to_stdout,
	    .queue_max = c->queue_max,
	};

	return handon_add(a->handon, &settings, ret_account, err);
}

void
announcer_remove(struct announcer *a, struct handon_account **account)
{
	handon_remove(a->handon, account);
}

void
announcer_wake(struct announcer *a, struct handon_account *account)
{
	handon_wake(a->handon, account);
}

bool
announcer_is_full(struct announcer *a, const struct handon_account *account)
{
	struct mt_error err;
	bool full = false;

	/* after the state has failed nothing can be delivered anyway */
	return handon_is_full(a->handon, account, &full, &err) == MT_OK && full;
}

/* ---- what there is to say ---- */

static bool
is_of(struct json_object *queue, const char *account)
{
	struct json_object *name = NULL;

	return !account ||
	       (json_object_object_get_ex(queue, "account", &name) &&
		   strcmp(json_object_get_string(name), account) == 0);
}

void
announcer_describe(
    struct announcer *a, const char *account, struct json_object *status)
{
	struct json_object *all = handon_status(a->handon);
	struct json_object *queues = json_object_new_array();

	for (size_t i = 0; i < json_object_array_length(all); i++) {
		struct json_object *queue = json_object_array_get_idx(all, i);
		if (is_of(queue, account))
			json_object_array_add(queues, json_object_get(queue));
	}
	json_object_put(all);
	json_object_object_add(status, "queues", queues);
}

void
announcer_drain(
    struct announcer *a, int64_t wait_ms, struct json_object *report)
{
	uint64_t left = handon_drain(a->handon, deadline_in_ms(wait_ms));

	json_object_object_add(
	    report, "queued", json_object_new_int64((int64_t)left));
	announcer_describe(a, NULL, report);
}

enum mt_status
announcer_trouble(const struct announcer *a, struct mt_error *err)
{
	if (!a || !atomic_load(&a->unread))
		return MT_OK;
	return mt_fail(err, MT_RETRY_LATER,
	    "ended, because nobody reads the events on standard output");
}
