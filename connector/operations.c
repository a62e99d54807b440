/* SPDX-License-Identifier: ISC */
#include "operations.h"

#include "base/log.h"
#include "check.h"
#include "child_program.h"
#include "delivery/manifest.h"
#include "delivery/publish.h"
#include "handon/handon.h"
#include "inbound/audit.h"
#include "inbound/fetch.h"
#include "inbound/inbound.h"
#include "inbound/recover.h"
#include "mail/imap_conn.h"
#include "mail/smtp_conn.h"
#include "mime/mime_client.h"
#include "outbound/send.h"
#include "outbound/submit.h"
#include "report.h"
#include "session.h"
#include "state/state.h"

#include <json-c/json.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOGIN_MS 60000
#define SEND_MS 60000 /* what the caller of `send` is ready to wait */
#define OUTBOX_MS 600000

struct operations {
	const struct config *config;
	struct session session;
	struct state *state;
	struct mime_client *mime;
	char *folder;        /* "agents/<agent>/inbox" */
	char *gateway_state; /* "agents/<agent>/state" */
	atomic_bool stop;
	struct manifest_watch *watch;
	struct audit audit;    /* of handing on's thread */
	struct handon *handon; /* NULL until the lock is taken */
	struct handon_account *announced;
	atomic_bool unread; /* standard output */
};

static enum mt_status
name_folders(struct operations *o, struct mt_error *err)
{
	if (asprintf(&o->folder, "agents/%s/inbox", o->config->agent) < 0 ||
	    asprintf(&o->gateway_state, "agents/%s/state", o->config->agent) <
		0)
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
	if (status == MT_OK && !(o->watch = manifest_watch_new()))
		status = mt_fail(err, MT_NO_MEMORY, "no memory");
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
	manifest_watch_free(&o->watch);
	mime_client_free(&o->mime);
	state_close(&o->state);
	session_close(&o->session);
	free(o->folder);
	free(o->gateway_state);
	free(o);
	*operations = NULL;
}

/* ---- handing on ---- */

#define CHORE_RETRY_MS 10000
#define GIVE_UP_MS 20000

static enum mt_status
look_after(struct operations *o, struct publisher *publisher,
    int64_t *ret_next_ms, struct mt_error *err)
{
	int64_t watch_ms = INT64_MAX;
	enum mt_status status =
	    manifest_watch_look(o->watch, publisher, &watch_ms, err);

	if (status == MT_OK)
		status = audit_step(
		    &o->audit, o->state, publisher, ret_next_ms, err);
	if (watch_ms < *ret_next_ms)
		*ret_next_ms = watch_ms;
	return status;
}

/* Looks after the risk manifest.  Its publisher has a place of its own: in that
 * of a poll everything is swept away. */
static int64_t
look_after_manifest(void *context)
{
	struct operations *o = context;
	struct publisher *publisher;
	struct mt_error err;
	int64_t next_ms = INT64_MAX;
	enum mt_status status =
	    publish_open(&publisher, o->config->workspace, "manifest", &err);

	if (status == MT_OK) {
		status = look_after(o, publisher, &next_ms, &err);
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
	struct operations *o = context;

	log_error("nobody reads the events on standard output: %s", why);
	atomic_store(&o->unread, true);
	kill(getpid(), SIGTERM);
}

static enum mt_status
begin_handing_on(struct operations *o, struct mt_error *err)
{
	const struct config *c = o->config;
	const struct handon_settings settings = {
	    .state = o->state,
	    .trust = o->session.trust,
	    .chore = look_after_manifest,
	    .broken = on_broken,
	    .context = o,
	};
	const struct handon_account_settings account = {
	    .account = c->imap_username,
	    .agent = c->agent,
	    .gateway_url = c->gateway,
	    .gateway_token = &c->connector_token,
	    .agent_wait_ms = c->agent_wait_ms,
	    .hook_url = c->hook_url,
	    .hook_secret = &c->hook_secret,
	    .ca_file = c->ca_file,
	    .command = c->command,
	    .to_stdout = c->events_to_stdout,
	    .queue_max = c->queue_max,
	};
	enum mt_status status = handon_open(&o->handon, &settings, err);

	if (status != MT_OK)
		return status;
	status = handon_add(o->handon, &account, &o->announced, err);
	if (status != MT_OK) /* nothing has begun that could take long */
		handon_close(&o->handon, deadline_in_ms(GIVE_UP_MS));
	return status;
}

enum mt_status
operations_lock(struct operations *o, struct mt_error *err)
{
	enum mt_status status = state_lock_deliverer(o->state, err);

	if (status == MT_OK && !o->handon)
		status = begin_handing_on(o, err);
	return status;
}

void
operations_hand_on(
    struct operations *o, int64_t wait_ms, struct json_object *report)
{
	uint64_t left = handon_drain(o->handon, deadline_in_ms(wait_ms));

	json_object_object_add(
	    report, "queued", json_object_new_int64((int64_t)left));
	json_object_object_add(report, "queues", handon_status(o->handon));
}

bool
operations_end_handing_on(struct operations *o, int64_t wait_ms)
{
	return handon_close(&o->handon, deadline_in_ms(wait_ms));
}

enum mt_status
operations_trouble(struct operations *o, struct mt_error *err)
{
	if (!atomic_load(&o->unread))
		return MT_OK;
	return mt_fail(err, MT_RETRY_LATER,
	    "ended, because nobody reads the events on standard output");
}

struct token_helper *
operations_helper(const struct operations *o)
{
	return o->session.helper;
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
};

static void
on_delivered(void *context, const struct inbound_delivery *delivery)
{
	const struct receipt *receipt = context;

	handon_wake(
	    receipt->operations->handon, receipt->operations->announced);
	log_info("Email %s written to inbox for agent %s", delivery->handle,
	    receipt->operations->config->agent);
	json_object_array_add(
	    receipt->handles, json_object_new_string(delivery->handle));
}

static bool
is_full(void *context)
{
	const struct receipt *receipt = context;
	const struct operations *o = receipt->operations;
	struct mt_error err;
	bool full = false;

	/* after the state has failed nothing can be delivered anyway */
	return handon_is_full(o->handon, o->announced, &full, &err) == MT_OK &&
	       full;
}

static void
on_notice(void *context, const char *sentence)
{
	(void)context;
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

static enum mt_status
fetch_inbox(
    struct operations *o, const struct inbound *inbound, struct mt_error *err)
{
	struct imap_conn *conn;
	enum mt_status status = session_open_imap(
	    &o->session, &conn, deadline_in_ms(LOGIN_MS), err);

	if (status != MT_OK)
		return status;
	status = fetch_poll(inbound, conn, err);
	imap_conn_close(&conn);
	return status;
}

static enum mt_status
receive(struct operations *o, struct json_object *handles, struct mt_error *err)
{
	struct receipt receipt = {o, handles};
	struct inbound inbound = {
	    .state = o->state,
	    .mime = o->mime,
	    .account = o->config->imap_username,
	    .mailbox = "INBOX",
	    .folder = o->folder,
	    .gateway_state = o->gateway_state,
	    .max_message_bytes = INBOUND_MAX_MESSAGE_BYTES,
	    .keep_raw = o->config->keep_raw,
	    .watch = o->watch,
	    .is_full = is_full,
	    .stop = &o->stop,
	    .context = &receipt,
	    .delivered = on_delivered,
	    .notice = on_notice,
	};
	enum mt_status status = open_workspace(o, &inbound.publisher, err);

	if (status != MT_OK)
		return status;
	/* what a crash has cut short needs no server */
	status = recover_all(&inbound, err);
	if (status == MT_OK)
		status = fetch_inbox(o, &inbound, err);
	publish_close(&inbound.publisher);
	handon_wake(o->handon, o->announced);
	return status;
}

enum mt_status
operations_receive(
    struct operations *o, struct json_object **ret_report, struct mt_error *err)
{
	struct json_object *report = json_object_new_object();
	struct json_object *handles = json_object_new_array();
	enum mt_status status = receive(o, handles, err);

	report_add_text(report, "type", "poll_response");
	report_add_outcome(report, status, err, "polled");
	json_object_object_add(report, "delivered", handles);
	operations_hand_on(o, 0, report);
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
