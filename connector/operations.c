/* SPDX-License-Identifier: ISC */
#include "operations.h"

#include "base/log.h"
#include "check.h"
#include "child_program.h"
#include "delivery/publish.h"
#include "inbound/fetch.h"
#include "inbound/inbound.h"
#include "inbound/recover.h"
#include "mail/imap_conn.h"
#include "mail/smtp_conn.h"
#include "mime/mime_client.h"
#include "outbound/send.h"
#include "outbound/submit.h"
#include "progress.h"
#include "report.h"
#include "session.h"
#include "state/state.h"

#include <json-c/json.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define LOGIN_MS 60000
#define SEND_MS 60000 /* what the caller of `send` is ready to wait */
#define OUTBOX_MS 600000

/* How long mail that becomes visible late may wait. */
#define RECONCILE_MS 3600000

struct operations {
	const struct config *config;
	struct session session;
	struct state *state;
	struct mime_client *mime;
	char **folders;      /* "agents/<agent>/<folder>", of each mailbox */
	char *gateway_state; /* "agents/<agent>/state" */
	bool show_bar;
	struct deadline reconciled; /* until then there is no need to */
	atomic_bool stop;
};

static enum mt_status
name_folders(struct operations *o, struct mt_error *err)
{
	const struct mailboxes *m = &o->config->mailboxes;
	const char *agent = o->config->agent;
	bool ok;

	o->folders = calloc(m->count + 1, sizeof(*o->folders));
	ok = o->folders &&
	     asprintf(&o->gateway_state, "agents/%s/state", agent) >= 0;
	for (size_t i = 0; i < m->count && ok; i++)
		ok = asprintf(&o->folders[i], "agents/%s/%s", agent,
			 m->list[i].folder) >= 0;
	if (!ok)
		return mt_fail(err, MT_NO_MEMORY, "no memory for a path");
	return MT_OK;
}

static enum mt_status
open_mime(struct operations *o, struct mt_error *err)
{
	char *worker =
	    child_program_find("mailtoken-mime-worker", MT_LIBEXEC_DIR);

	if (worker)
		o->mime = mime_client_new(worker);
	free(worker);
	if (!o->mime)
		return mt_fail(err, MT_NO_MEMORY, "no memory");
	return MT_OK;
}

enum mt_status
operations_open(struct operations **ret_operations, const struct config *config,
    struct mt_error *err)
{
	struct operations *o = calloc(1, sizeof(*o));
	enum mt_status status;

	if (!o)
		return mt_fail(err, MT_NO_MEMORY, "no memory");
	o->config = config;
	if ((status = name_folders(o, err)) == MT_OK &&
	    (status = session_open(&o->session, config, err)) == MT_OK &&
	    (status = state_open(&o->state, config->state_dir, err)) == MT_OK)
		status = open_mime(o, err);
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
	mime_client_free(&o->mime);
	state_close(&o->state);
	session_close(&o->session);
	for (size_t i = 0; o->folders && i < o->config->mailboxes.count; i++)
		free(o->folders[i]);
	free(o->folders);
	free(o->gateway_state);
	free(o);
	*operations = NULL;
}

enum mt_status
operations_lock(struct operations *o, struct mt_error *err)
{
	return state_lock_deliverer(o->state, err);
}

struct token_helper *
operations_helper(const struct operations *o)
{
	return o->session.helper;
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
	struct json_object *handles;
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
	const char *agent = receipt->operations->config->agent;
	struct buf buf = BUF_INIT(256);
	const char *name;

	add_name(&buf, delivery, agent);
	name = buf_text(&buf);
	/* a line for each would scroll the bar away */
	if (!receipt->progress.visible)
		log_info("Email %s written to %.*s for agent %s",
		    delivery->handle, (int)strcspn(name, "/"), name, agent);
	if (strncmp(name, "inbox/", 6) == 0)
		name += 6;
	json_object_array_add(receipt->handles, json_object_new_string(name));
	buf_done(&buf);
}

static void
on_progress(void *context, size_t tried, size_t total)
{
	struct receipt *receipt = context;

	progress_show(&receipt->progress, tried, total);
}

static void
on_notice(void *context, const char *sentence)
{
	struct receipt *receipt = context;

	progress_hide(&receipt->progress);
	log_warning("%s", sentence);
}

/* The workspace is opened for each poll: somebody may have replaced it. */
static enum mt_status
open_workspace(struct operations *o, struct publisher **ret_publisher,
    struct mt_error *err)
{
	return publish_open(
	    ret_publisher, o->config->workspace, state_id(o->state), err);
}

/* One mailbox, on a connection that is logged in and is of no use after a
 * failure. */
static enum mt_status
poll_mailbox(struct operations *o, size_t index, struct inbound *inbound,
    struct imap_conn *conn, struct mt_error *err)
{
	const struct mailbox_setting *mailbox =
	    &o->config->mailboxes.list[index];
	struct receipt *receipt = inbound->context;
	enum mt_status status;

	inbound->mailbox = mailbox->name;
	inbound->folder = o->folders[index];
	/* the gateway's own poller knows no other */
	inbound->gateway_state =
	    strcmp(mailbox->name, "INBOX") == 0 ? o->gateway_state : NULL;
	progress_begin(&receipt->progress, mailbox->name, o->show_bar);
	status = fetch_poll(inbound, conn, err);
	progress_hide(&receipt->progress);
	return status;
}

/* All of them, even if one fails: *err is about the first that did. */
static enum mt_status
poll_mailboxes(
    struct operations *o, struct inbound *inbound, struct mt_error *err)
{
	struct imap_conn *conn = NULL;
	struct mt_error why;
	enum mt_status result = MT_OK, status = MT_OK;

	for (size_t i = 0; i < o->config->mailboxes.count; i++) {
		if (!conn)
			status = session_open_imap(
			    &o->session, &conn, deadline_in_ms(LOGIN_MS), &why);
		if (!conn) {
			if (result == MT_OK)
				result = mt_fail(err, status, "%s", why.text);
			break;
		}
		status = poll_mailbox(o, i, inbound, conn, &why);
		if (status == MT_OK)
			continue;
		if (result == MT_OK)
			result = mt_fail(err, status, "%s", why.text);
		else
			log_error("IMAP poll failed: %s", why.text);
		imap_conn_close(&conn);
		if (atomic_load(&o->stop))
			break;
	}
	imap_conn_close(&conn);
	return result;
}

static enum mt_status
receive(struct operations *o, struct receipt *receipt, struct mt_error *err)
{
	struct inbound inbound = {
	    .state = o->state,
	    .mime = o->mime,
	    .account = o->config->imap_username,
	    .max_message_bytes = INBOUND_MAX_MESSAGE_BYTES,
	    .keep_raw = o->config->keep_raw,
	    .only_newest = o->config->only_newest,
	    .newest = o->config->newest,
	    .reconcile = deadline_passed(o->reconciled),
	    .counts = &receipt->counts,
	    .stop = &o->stop,
	    .context = receipt,
	    .delivered = on_delivered,
	    .progress = on_progress,
	    .notice = on_notice,
	};
	enum mt_status status = open_workspace(o, &inbound.publisher, err);

	if (status != MT_OK)
		return status;
	/* what a crash has cut short needs no server */
	status = recover_all(&inbound, err);
	if (status == MT_OK)
		status = poll_mailboxes(o, &inbound, err);
	if (status == MT_OK && inbound.reconcile)
		o->reconciled = deadline_in_ms(RECONCILE_MS);
	publish_close(&inbound.publisher);
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

enum mt_status
operations_receive(
    struct operations *o, struct json_object **ret_report, struct mt_error *err)
{
	struct json_object *report = json_object_new_object();
	struct receipt receipt = {
	    .operations = o, .handles = json_object_new_array()};
	enum mt_status status = receive(o, &receipt, err);

	report_add_text(report, "type", "poll_response");
	report_add_outcome(report, status, err, "polled");
	json_object_object_add(report, "delivered", receipt.handles);
	add_counts(report, &receipt.counts);
	json_object_object_add(
	    report, "exit_code", json_object_new_int(mt_exit_code(status)));
	*ret_report = report;
	return status;
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

	return submit_run(o->state, &settings, deadline_in_ms(OUTBOX_MS), err);
}

enum mt_status
operations_send(struct operations *o, const char *path,
    struct json_object **ret_report, struct mt_error *err)
{
	const struct submit_settings submit = submission(o);
	const struct send_settings settings = {
	    .from = o->config->from,
	    .state = o->state,
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
