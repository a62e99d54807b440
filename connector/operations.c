/* SPDX-License-Identifier: ISC */
#include "operations.h"

#include "announce.h"
#include "base/log.h"
#include "check.h"
#include "delivery/publish.h"
#include "inbound/fetch.h"
#include "inbound/inbound.h"
#include "inbound/recover.h"
#include "inbound/watch.h"
#include "mail/imap_conn.h"
#include "mail/imap_watch.h"
#include "mail/smtp_conn.h"
#include "outbound/send.h"
#include "outbound/submit.h"
#include "progress.h"
#include "report.h"
#include "resources.h"
#include "session.h"
#include "state/state.h"

#include <json-c/json.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define LOGIN_MS 60000
#define HELPER_MS 5000
#define DONE_MS 30000 /* for the answer to the end of idleness */
#define IDLE_MS 30000 /* to begin it */
#define SEND_MS 60000 /* what the caller of `send` is ready to wait */
#define OUTBOX_MS 600000

struct operations {
	const struct config *config;
	struct resources *resources;
	struct session session;
	char **folders;      /* "agents/<agent>/<folder>", of each mailbox */
	char *gateway_state; /* "agents/<agent>/state" */
	char *server;
	bool show_bar;
	char token_account[TOKEN_ACCOUNT_MAX];
	struct imap_conn *conn; /* kept between visits; NULL: none */
	enum imap_push push;    /* how it tells of news, while it is idle */
	atomic_bool stop;
	struct handon_account *announced; /* NULL: not yet */
};

static enum mt_status
set_names(struct operations *o, struct mt_error *err)
{
	const struct mailboxes *m = &o->config->mailboxes;
	const char *agent = o->config->agent;
	bool ok;

	o->folders = calloc(m->count + 1, sizeof(*o->folders));
	ok = o->folders &&
	     asprintf(&o->server, "%s:%u", o->config->imap.host,
		 o->config->imap.port) >= 0 &&
	     asprintf(&o->gateway_state, "agents/%s/state", agent) >= 0;
	for (size_t i = 0; i < m->count && ok; i++)
		ok = asprintf(&o->folders[i], "agents/%s/%s", agent,
			 m->list[i].folder) >= 0;
	if (!ok)
		return mt_fail(err, MT_NO_MEMORY, "no memory for a name");
	return MT_OK;
}

enum mt_status
operations_open(struct operations **ret_operations, struct config *config,
    struct resources *resources, struct mt_error *err)
{
	struct operations *o = calloc(1, sizeof(*o));
	enum mt_status status;

	if (!o)
		return mt_fail(err, MT_NO_MEMORY, "no memory");
	o->config = config;
	o->resources = resources;
	status = set_names(o, err);
	if (status == MT_OK)
		status = session_open(&o->session, config, resources, err);
	if (status != MT_OK)
		operations_close(&o);
	else
		*ret_operations = o;
	return status;
}

void
operations_close(struct operations **operations)
{
	struct operations *o = *operations;

	if (!o)
		return;
	operations_leave(o);
	if (o->announced && o->resources->announcer)
		announcer_remove(o->resources->announcer, &o->announced);
	for (size_t i = 0; o->folders && i < o->config->mailboxes.count; i++)
		free(o->folders[i]);
	free(o->folders);
	free(o->gateway_state);
	free(o->server);
	free(o);
	*operations = NULL;
}

const struct config *
operations_config(const struct operations *o)
{
	return o->config;
}

const char *
operations_server(const struct operations *o)
{
	return o->server;
}

struct token_helper *
operations_helper(const struct operations *o)
{
	return o->session.helper;
}

const char *
operations_token_account(const struct operations *o)
{
	return o->token_account;
}

void
operations_show_bar(struct operations *o)
{
	o->show_bar = true;
}

void
operations_stop(struct operations *o)
{
	atomic_store(&o->stop, true);
}

/* ---- receive ------------------------------------------------------------------ */

struct receipt {
	const struct operations *operations;
	struct json_object *handles; /* NULL: nobody asks */
	struct inbound_counts counts;
	struct progress progress;
};

/* "<folder>/<handle>" out of "agents/<agent>/<folder>/<handle>/message.json". */
static void
add_name(struct buf *name, const struct inbound_delivery *delivery,
    const char *agent)
{
	const char *begin = delivery->path + strlen("agents//") + strlen(agent);
	const char *end = strrchr(begin, '/');

	buf_add(name, begin, (size_t)(end - begin));
}

/* Its handle in the inbox, its name elsewhere. */
static void
on_delivered(void *context, const struct inbound_delivery *delivery)
{
	struct receipt *receipt = context;
	const struct operations *o = receipt->operations;
	const char *agent = o->config->agent;
	struct buf buf = BUF_INIT(256);
	const char *name;

	if (o->announced)
		announcer_wake(o->resources->announcer, o->announced);
	add_name(&buf, delivery, agent);
	name = buf_text(&buf);
	/* a line for each would scroll the bar away */
	if (!receipt->progress.visible)
		log_info("Email %s written to %.*s for agent %s",
		    delivery->handle, (int)strcspn(name, "/"), name, agent);
	if (strncmp(name, "inbox/", 6) == 0)
		name += 6;
	if (receipt->handles)
		json_object_array_add(
		    receipt->handles, json_object_new_string(name));
	buf_done(&buf);
}

static void
on_progress(void *context, size_t tried, size_t total)
{
	struct receipt *receipt = context;

	progress_show(&receipt->progress, tried, total);
}

static bool
is_full(void *context)
{
	const struct receipt *receipt = context;
	const struct operations *o = receipt->operations;

	return o->announced &&
	       announcer_is_full(o->resources->announcer, o->announced);
}

static void
on_notice(void *context, const char *sentence)
{
	struct receipt *receipt = context;

	progress_hide(&receipt->progress);
	log_warning("%s", sentence);
}

/* What receiving works with, but for the workspace: it is opened for each
 * visit, as somebody may have replaced it. */
static struct inbound
inbound_of(struct operations *o, struct receipt *receipt)
{
	return (struct inbound){
	    .state = o->resources->state,
	    .mime = o->resources->mime,
	    .account = o->config->name,
	    .max_message_bytes = INBOUND_MAX_MESSAGE_BYTES,
	    .keep_raw = o->config->keep_raw,
	    .only_newest = o->config->only_newest,
	    .newest = o->config->newest,
	    .counts = &receipt->counts,
	    .watch = o->resources->announcer
			 ? announcer_watch(o->resources->announcer)
			 : NULL,
	    .is_full = is_full,
	    .stop = &o->stop,
	    .context = receipt,
	    .delivered = on_delivered,
	    .progress = on_progress,
	    .notice = on_notice,
	};
}

static enum mt_status
open_workspace(struct operations *o, struct publisher **ret_publisher,
    struct mt_error *err)
{
	return publish_open(ret_publisher, o->config->workspace,
	    state_id(o->resources->state), err);
}

enum mt_status
operations_recover(struct operations *o, struct mt_error *err)
{
	struct receipt receipt = {.operations = o};
	struct inbound inbound = inbound_of(o, &receipt);
	enum mt_status status = open_workspace(o, &inbound.publisher, err);

	if (status == MT_OK)
		status = recover_all(&inbound, err);
	publish_close(&inbound.publisher);
	return status;
}

/* Whose token it is that the session is entered with: for those who hear that
 * there is a new one.  That it is not known does no harm. */
static void
learn_token_account(struct operations *o)
{
	if (o->session.helper && !*o->token_account)
		(void)!token_helper_account(o->session.helper, "imap",
		    &o->config->imap, o->token_account,
		    deadline_in_ms(HELPER_MS), NULL);
}

static enum mt_status
enter(struct operations *o, struct mt_error *err)
{
	enum mt_status status = session_open_imap(
	    &o->session, &o->conn, deadline_in_ms(LOGIN_MS), err);

	if (status == MT_OK)
		learn_token_account(o);
	return status;
}

/* Goes on with the idle session, or enters a new one. */
static enum mt_status
begin_session(struct operations *o, const struct watch_visit *visit,
    struct watch_result *result, struct mt_error *err)
{
	struct imap_news news;

	if (o->conn && (visit->log_in_again || imap_watch_end(o->conn, &news,
						   deadline_in_ms(DONE_MS),
						   &result->lost) != MT_OK))
		operations_leave(o);
	if (o->conn)
		return MT_OK;
	result->entered = true;
	return enter(o, err);
}

#define WATCHED_MAX 64 /* mailboxes beside the one that is open */

/* The mailboxes beside the first, which is open. */
static size_t
list_others(const struct operations *o, const char *names[WATCHED_MAX])
{
	const struct mailboxes *m = &o->config->mailboxes;
	size_t count = 0;

	for (size_t i = 1; i < m->count && count < WATCHED_MAX; i++)
		names[count++] = m->list[i].name;
	return count;
}

/* Leaves the session idle.  That it cannot be is no failure of the visit. */
static void
end_session(struct operations *o, struct watch_result *result)
{
	enum imap_push push = imap_watch_offered(o->conn);
	const char *others[WATCHED_MAX];
	size_t count = list_others(o, others);
	struct mt_error why;

	if (push == IMAP_PUSH_NONE ||
	    imap_watch_begin(o->conn, push, others, count,
		deadline_in_ms(IDLE_MS), &why) != MT_OK) {
		imap_conn_close(&o->conn);
		return;
	}
	o->push = imap_watch_push(o->conn);
	result->listening = true;
}

/* Before anything is fetched: mail enters only the queues that there are. */
static enum mt_status
announce(struct operations *o, struct mt_error *err)
{
	if (o->announced || !o->resources->announcer)
		return MT_OK;
	return announcer_add(o->resources->announcer, o->config,
	    o->session.trust, &o->announced, err);
}

/* One mailbox, in a session that is of no use after a failure. */
static enum mt_status
look_into(struct operations *o, size_t index, struct inbound *inbound,
    struct mt_error *err)
{
	const struct mailbox_setting *mailbox =
	    &o->config->mailboxes.list[index];
	struct receipt *receipt = inbound->context;
	enum mt_status status;

	inbound->mailbox = mailbox->name;
	inbound->folder = o->folders[index];
	/* the gateway has followed one only */
	inbound->gateway_state =
	    o->config->further || strcmp(mailbox->name, "INBOX") != 0
		? NULL
		: o->gateway_state;
	progress_begin(&receipt->progress, mailbox->name, o->show_bar);
	status = fetch_poll(inbound, o->conn, err);
	progress_hide(&receipt->progress);
	return status;
}

/*
 * All mailboxes, even if one fails: *err is about the first that did.  The
 * first in the settings comes last: the server is asked to watch what is
 * opened then.
 */
static enum mt_status
look_into_all(
    struct operations *o, struct inbound *inbound, struct mt_error *err)
{
	enum mt_status result = MT_OK, status;
	struct mt_error why;

	for (size_t i = o->config->mailboxes.count; i-- > 0;) {
		status = o->conn ? MT_OK : enter(o, &why);
		if (status == MT_OK)
			status = look_into(o, i, inbound, &why);
		if (status == MT_OK)
			continue;
		if (result == MT_OK)
			result = mt_fail(err, status, "%s", why.text);
		else
			log_error("IMAP poll failed: %s", why.text);
		if (!o->conn || atomic_load(&o->stop))
			break;
		operations_leave(o);
	}
	return result;
}

static enum mt_status
look(struct operations *o, bool reconcile, struct receipt *receipt,
    struct mt_error *err)
{
	struct inbound inbound = inbound_of(o, receipt);
	enum mt_status status = open_workspace(o, &inbound.publisher, err);

	inbound.reconcile = reconcile;
	if (status == MT_OK)
		status = look_into_all(o, &inbound, err);
	publish_close(&inbound.publisher);
	return status;
}

static enum mt_status
visit(struct operations *o, const struct watch_visit *visit,
    struct watch_result *result, struct receipt *receipt, struct mt_error *err)
{
	enum mt_status status = announce(o, err);

	if (status == MT_OK)
		status = begin_session(o, visit, result, err);
	if (status == MT_OK)
		status =
		    look(o, visit->reconcile || result->entered, receipt, err);
	if (status == MT_OK)
		end_session(o, result);
	else
		operations_leave(o);
	return status;
}

static void
add_counts(struct json_object *report, const struct inbound_counts *counts)
{
	const struct {
		const char *name;
		uint64_t count;
	} members[] = {
	    {"reconcile_found", counts->found},
	    {"matched", counts->matched},
	    {"gone", counts->gone},
	};

	for (size_t i = 0; i < sizeof(members) / sizeof(*members); i++)
		json_object_object_add(report, members[i].name,
		    json_object_new_int64((int64_t)members[i].count));
}

static struct json_object *
poll_report(enum mt_status status, const struct mt_error *err,
    const struct receipt *receipt)
{
	struct json_object *report = json_object_new_object();

	report_add_text(report, "type", "poll_response");
	report_add_outcome(report, status, err, "polled");
	json_object_object_add(report, "delivered", receipt->handles);
	add_counts(report, &receipt->counts);
	json_object_object_add(
	    report, "exit_code", json_object_new_int(mt_exit_code(status)));
	return report;
}

enum mt_status
operations_visit(struct operations *o, const struct watch_visit *v,
    struct watch_result *ret_result, struct json_object **ret_report,
    struct mt_error *err)
{
	struct receipt receipt = {
	    .operations = o, .handles = json_object_new_array()};
	enum mt_status status = visit(o, v, ret_result, &receipt, err);

	*ret_report = poll_report(status, err, &receipt);
	return status;
}

enum mt_status
operations_receive(
    struct operations *o, struct json_object **ret_report, struct mt_error *err)
{
	struct receipt receipt = {
	    .operations = o, .handles = json_object_new_array()};
	enum mt_status status = announce(o, err);

	if (status == MT_OK)
		status = look(o, true, &receipt, err);

	imap_conn_close(&o->conn);
	*ret_report = poll_report(status, err, &receipt);
	return status;
}

int
operations_descriptor(const struct operations *o)
{
	return imap_watch_fd(o->conn);
}

enum mt_status
operations_listen(struct operations *o, bool *ret_news, struct mt_error *err)
{
	struct imap_news news;
	enum mt_status status = imap_watch_read(o->conn, &news, err);

	if (status == MT_OK && news.bye)
		return mt_fail(
		    err, MT_RETRY_LATER, "the server says: %s", news.bye_text);
	*ret_news =
	    status == MT_OK && (news.selected_changed || news.others_changed);
	return status;
}

void
operations_leave(struct operations *o)
{
	imap_conn_drop(&o->conn);
}

void
operations_describe(const struct operations *o, struct json_object *status)
{
	static const char *const words[] = {
	    [IMAP_PUSH_NONE] = "none",
	    [IMAP_PUSH_IDLE] = "IDLE",
	    [IMAP_PUSH_NOTIFY] = "NOTIFY",
	};

	report_add_text(status, "host", o->config->imap.host);
	report_add_text(status, "agent", o->config->agent);
	report_add_text(
	    status, "push", words[o->conn ? o->push : IMAP_PUSH_NONE]);
	if (o->resources->announcer)
		announcer_describe(
		    o->resources->announcer, o->config->name, status);
}

/* ---- send --------------------------------------------------------------------- */

static enum mt_status
open_smtp(void *context, struct smtp_conn **ret_conn, struct deadline deadline,
    struct mt_error *err)
{
	struct operations *o = context;

	return session_open_smtp(&o->session, ret_conn, deadline, err);
}

static enum outbox_policy
policy(const struct operations *o)
{
	return o->config->uncertain == CONFIG_UNCERTAIN_HOLD ? OUTBOX_HOLD
							     : OUTBOX_RETRY;
}

static void
log_outbox_result(void *context, const struct outbox_entry *entry)
{
	const struct operations *o = context;
	struct buf line = BUF_INIT(2048);

	submit_describe(&line, entry, policy(o), time(NULL));
	log_info("%s", buf_text(&line));
	buf_done(&line);
}

static struct submit_settings
submission(struct operations *o)
{
	return (struct submit_settings){
	    .policy = policy(o),
	    .stop = &o->stop,
	    .context = o,
	    .open = open_smtp,
	    .result = log_outbox_result,
	};
}

enum mt_status
operations_work_outbox(struct operations *o, struct mt_error *err)
{
	const struct submit_settings settings = submission(o);

	return submit_run(
	    o->resources->state, &settings, deadline_in_ms(OUTBOX_MS), err);
}

enum mt_status
operations_send(struct operations *o, const char *path,
    struct json_object **ret_report, struct mt_error *err)
{
	const struct submit_settings submit = submission(o);
	const struct send_settings settings = {
	    .from = o->config->from,
	    .state = o->resources->state,
	    .submit = &submit,
	    .deadline = deadline_in_ms(SEND_MS),
	};
	struct send_report sent = SEND_REPORT_INIT;
	struct buf json = BUF_INIT(8192);
	enum mt_status status = send_draft(&settings, path, &sent, err);

	if (sent.state == SEND_QUEUED)
		log_warning("Email %s stays queued for `run` or the next "
			    "`send`: %s",
		    sent.message_id, sent.detail);
	send_add_json(&json, &sent);
	*ret_report = json_tokener_parse(buf_text(&json));
	buf_done(&json);
	return status;
}

/* ---- check ---- */

enum mt_status
operations_check(
    struct operations *o, struct json_object **ret_report, struct mt_error *err)
{
	struct publisher *publisher = NULL;
	enum mt_status status = open_workspace(o, &publisher, err);

	publish_close(&publisher);
	*ret_report = json_object_new_object();
	report_add_text(*ret_report, "type", "check_response");
	report_add_text(*ret_report, "workspace", o->config->workspace);
	report_add_text(*ret_report, "state_dir", o->config->state_dir);
	if (status == MT_OK)
		status = check_logins(&o->session, *ret_report, err);
	else
		log_error("%s", err->text);
	report_add_outcome(*ret_report, status, err, "both servers let us in");
	return status;
}
