/* SPDX-License-Identifier: ISC */
#include "requests.h"

#include "control.h"
#include "polls.h"
#include "report.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

struct request_account {
	TAILQ_ENTRY(request_account) link;
	struct requests *requests;
	struct watcher *watcher;
	struct sender *sender;
	bool leaving;
};

struct requests {
	struct requests_settings settings;
	struct control *control;
	struct polls polls;
	TAILQ_HEAD(, request_account) accounts;
	size_t account_count;
	bool ending;
};

/* ---- what is asked ---- */

static void
answer_poll(struct requests *r, struct control_peer *peer)
{
	struct poll_request *poll =
	    polls_begin(&r->polls, peer, r->account_count);
	struct request_account *a;

	if (!poll) {
		control_refuse(peer, "too many requests");
		return;
	}
	TAILQ_FOREACH(a, &r->accounts, link)
	if (!a->leaving) {
		polls_want(poll, a->watcher);
		sender_wake(a->sender);
	}
	polls_go(&r->polls, poll);
}

static struct json_object *
status_of(const struct request_account *a)
{
	struct json_object *status = watcher_status(a->watcher);

	if (status)
		sender_describe(a->sender, status);
	return status;
}

static void
answer_status(struct requests *r, struct control_peer *peer)
{
	struct json_object *reply = json_object_new_object();
	struct json_object *accounts = json_object_new_array();
	struct request_account *a;

	TAILQ_FOREACH(a, &r->accounts, link)
	if (!a->leaving)
		json_object_array_add(accounts, status_of(a));
	report_add_text(reply, "type", "status_response");
	json_object_object_add(reply, "success", json_object_new_boolean(true));
	json_object_object_add(reply, "exit_code", json_object_new_int(0));
	json_object_object_add(reply, "accounts", accounts);
	control_reply(peer, reply);
}

/* Another process has queued something, and does not send it itself. */
static void
answer_outbox(struct requests *r, struct control_peer *peer)
{
	struct json_object *reply = json_object_new_object();
	struct request_account *a;

	TAILQ_FOREACH(a, &r->accounts, link)
	if (!a->leaving)
		sender_wake(a->sender);
	report_add_text(reply, "type", "outbox_response");
	json_object_object_add(reply, "success", json_object_new_boolean(true));
	control_reply(peer, reply);
}

static const struct request_kind {
	const char *type;
	void (*answer)(struct requests *requests, struct control_peer *peer);
} kinds[] = {
    {"outbox_request", answer_outbox},
    {"poll_request", answer_poll},
    {"status_request", answer_status},
};

#define KINDS (sizeof(kinds) / sizeof(*kinds))

static void
on_request(void *context, struct control_peer *peer, const char *type,
    struct json_object *request)
{
	struct requests *r = context;

	(void)request;
	if (r->ending) {
		control_refuse(peer, "the connector is ending");
		return;
	}
	for (size_t i = 0; i < KINDS; i++) {
		if (strcmp(type, kinds[i].type) == 0) {
			kinds[i].answer(r, peer);
			return;
		}
	}
	control_refuse(peer, "unknown request type");
}

/* ---- accounts ---- */

struct request_account *
requests_add(struct requests *r, struct watcher *watcher, struct sender *sender)
{
	struct request_account *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->requests = r;
	a->watcher = watcher;
	a->sender = sender;
	TAILQ_INSERT_TAIL(&r->accounts, a, link);
	r->account_count++;
	return a;
}

void
requests_leave(struct request_account *a)
{
	a->leaving = true;
}

void
requests_remove(struct request_account **account)
{
	struct request_account *a = *account;

	requests_note_visit(a, UINT64_MAX, NULL);
	TAILQ_REMOVE(&a->requests->accounts, a, link);
	a->requests->account_count--;
	free(a);
	*account = NULL;
}

void
requests_note_visit(
    struct request_account *a, uint64_t number, struct json_object *report)
{
	polls_note_visit(&a->requests->polls, a->watcher, number, report);
}

/* ---- beginning and end ---- */

enum mt_status
requests_open(struct requests **ret_requests, uv_loop_t *loop,
    const struct requests_settings *settings, struct mt_error *err)
{
	struct requests *r = calloc(1, sizeof(*r));
	enum mt_status status;

	if (!r)
		return mt_fail(err, MT_NO_MEMORY, "no memory for requests");
	r->settings = *settings;
	polls_init(&r->polls);
	TAILQ_INIT(&r->accounts);
	status = control_open(
	    &r->control, loop, r->settings.control_path, on_request, r, err);
	if (status == MT_OK)
		*ret_requests = r;
	else
		free(r);
	return status;
}

void
requests_end(struct requests *r)
{
	r->ending = true;
}

void
requests_close(struct requests **requests)
{
	struct requests *r = *requests;

	if (!r)
		return;
	control_close(&r->control);
	free(r);
	*requests = NULL;
}
