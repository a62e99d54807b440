/* SPDX-License-Identifier: ISC */
#include "requests.h"

#include "control.h"
#include "polls.h"
#include "report.h"
#include "request.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

/* A gateway is one user with a connection for each request: those that wait for
 * one account's server leave it some for the others. */
_Static_assert(CONTROL_CONNECTIONS_OF_ONE >= 4 * REQUEST_JOBS_MAX,
    "one account takes all connections");

struct request_account {
	TAILQ_ENTRY(request_account) link;
	struct requests *requests;
	struct requested_account account;
	struct watcher *watcher;
	struct sender *sender;
	struct request_jobs *jobs;
	bool leaving;
};

struct requests {
	struct requests_settings settings;
	uv_loop_t *loop;
	struct pool *pool;
	struct control *control;
	struct control *shared; /* NULL: there is none */
	struct polls polls;
	TAILQ_HEAD(, request_account) accounts;
	size_t account_count;
	bool ending;
};

/* ---- about all accounts ---- */

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
success(const char *type)
{
	struct json_object *reply = json_object_new_object();

	report_add_text(reply, "type", type);
	json_object_object_add(reply, "success", json_object_new_boolean(true));
	return reply;
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
	struct json_object *reply = success("status_response");
	struct json_object *accounts = json_object_new_array();
	struct request_account *a;

	TAILQ_FOREACH(a, &r->accounts, link)
	if (!a->leaving)
		json_object_array_add(accounts, status_of(a));
	json_object_object_add(reply, "exit_code", json_object_new_int(0));
	json_object_object_add(reply, "accounts", accounts);
	control_reply(peer, reply);
}

/* Another process has queued something, and does not send it itself. */
static void
answer_outbox(struct requests *r, struct control_peer *peer)
{
	struct json_object *reply = success("outbox_response");
	struct request_account *a;

	TAILQ_FOREACH(a, &r->accounts, link)
	if (!a->leaving)
		sender_wake(a->sender);
	report_add_text(reply, "detail", "woken");
	control_reply(peer, reply);
}

static const struct {
	const char *type;
	void (*answer)(struct requests *requests, struct control_peer *peer);
} kinds[] = {
    {"poll_request", answer_poll},
    {"status_request", answer_status},
    {"outbox_request", answer_outbox},
};

#define KINDS (sizeof(kinds) / sizeof(*kinds))

/* ---- about one account ---- */

static struct request_account *
find_account(const struct requests *r, const char *agent)
{
	struct request_account *a;

	TAILQ_FOREACH(a, &r->accounts, link)
	if (!a->leaving && (agent ? strcmp(a->account.agent, agent) == 0
				  : a->account.is_default))
		return a;
	return NULL;
}

static struct request_account *
choose_account(const struct requests *r, const struct request *request,
    struct mt_error *err)
{
	struct request_account *account = find_account(r, request->agent_name);

	if (account)
		return account;
	/* as the gateway words it, which knows one account only */
	if (!request->agent_name)
		(void)!mt_fail(err, MT_NO_ACCOUNT,
		    "email not configured (TRI_ONYX_IMAP_HOST not set); name "
		    "the agent whose account is meant");
	else
		(void)!mt_fail(err, MT_NO_ACCOUNT,
		    "no account is that of the agent %.64s",
		    request->agent_name);
	return NULL;
}

static void
answer_about_account(struct requests *r, struct control_peer *peer,
    enum request_name name, struct json_object *frame)
{
	struct request_account *account = NULL;
	struct request request;
	struct mt_error err;

	if (request_read(&request, name, frame, &err) == MT_OK)
		account = choose_account(r, &request, &err);
	if (account) {
		request_jobs_take(account->jobs, peer, &request);
		return;
	}
	request_done(&request);
	control_reply(peer, request_answer(name, err.status, err.text));
}

static void
on_request(void *context, struct control_peer *peer, const char *type,
    struct json_object *frame)
{
	struct requests *r = context;
	enum request_name name;

	if (r->ending) {
		control_refuse(peer, "the connector is ending");
		return;
	}
	if (request_find(type, &name)) {
		answer_about_account(r, peer, name, frame);
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

enum mt_status
requests_add(struct request_account **ret_account, struct requests *r,
    const struct requested_account *account, struct watcher *watcher,
    struct sender *sender, struct mt_error *err)
{
	struct request_account *a = calloc(1, sizeof(*a));
	const struct request_jobs_settings jobs = {
	    .context = account->context,
	    .server = account->server,
	    .patience_ms = r->settings.patience_ms,
	    .sender = sender,
	    .perform = account->perform,
	};
	enum mt_status status;

	if (!a)
		return mt_fail(err, MT_NO_MEMORY, "no memory for an account");
	status = request_jobs_new(&a->jobs, r->loop, r->pool, &jobs, err);
	if (status != MT_OK) {
		free(a);
		return status;
	}
	a->requests = r;
	a->account = *account;
	a->watcher = watcher;
	a->sender = sender;
	TAILQ_INSERT_TAIL(&r->accounts, a, link);
	r->account_count++;
	*ret_account = a;
	return MT_OK;
}

void
requests_leave(
    struct request_account *a, void (*stopped)(void *context), void *context)
{
	a->leaving = true;
	request_jobs_stop(a->jobs, stopped, context);
}

void
requests_remove(struct request_account **account)
{
	struct request_account *a = *account;

	requests_note_visit(a, UINT64_MAX, NULL);
	request_jobs_free(&a->jobs);
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

static enum mt_status
open_sockets(struct requests *r, struct mt_error *err)
{
	const struct requests_settings *s = &r->settings;
	const struct control_settings own = {
	    .place = {s->control_path, "TRI_ONYX_EMAIL_STATE_DIR", false},
	    .handler = on_request,
	    .context = r,
	};
	const struct control_settings shared = {
	    .place = {s->shared_path, "TRI_ONYX_EMAIL_SOCKET", true},
	    .allowed = s->allowed,
	    .allowed_count = s->allowed_count,
	    .handler = on_request,
	    .context = r,
	};
	enum mt_status status = control_open(&r->control, r->loop, &own, err);

	if (status == MT_OK && s->shared_path)
		status = control_open(&r->shared, r->loop, &shared, err);
	return status;
}

enum mt_status
requests_open(struct requests **ret_requests, uv_loop_t *loop,
    struct pool *pool, const struct requests_settings *settings,
    struct mt_error *err)
{
	struct requests *r = calloc(1, sizeof(*r));
	enum mt_status status;

	if (!r)
		return mt_fail(err, MT_NO_MEMORY, "no memory for requests");
	r->settings = *settings;
	r->loop = loop;
	r->pool = pool;
	polls_init(&r->polls);
	TAILQ_INIT(&r->accounts);
	status = open_sockets(r, err);
	if (status == MT_OK)
		*ret_requests = r;
	else
		requests_close(&r);
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
	control_close(&r->shared);
	control_close(&r->control);
	free(r);
	*requests = NULL;
}
