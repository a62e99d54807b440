/* SPDX-License-Identifier: ISC */
/*
 * Sending: what an account's sender works with, `send`, and what operators do
 * to the queue.
 */
#include "operations_impl.h"

#include "base/log.h"
#include "control.h"
#include "control_client.h"
#include "mail/imap_conn.h"
#include "mail/smtp_conn.h"
#include "outbound/send.h"
#include "provider_quirks.h"
#include "report.h"
#include "sender_once.h"
#include "state/outbox_queue.h"

#include <json-c/json.h>

#define SEND_MS 60000  /* what the caller of `send` is ready to wait */
#define WAKE_MS 5000   /* for the process that sends to hear of it */
#define ROUND_MS 60000 /* or that of the polls, if it is shorter */

/* ---- what the sender works with ---- */

static enum mt_status
open_smtp(void *context, struct smtp_conn **ret_conn, struct deadline deadline,
    struct mt_error *err)
{
	struct operations *o = context;

	return session_open_smtp(&o->session, ret_conn, deadline, err);
}

static enum mt_status
open_imap(void *context, struct imap_conn **ret_conn, struct deadline deadline,
    struct mt_error *err)
{
	struct operations *o = context;

	return session_open_imap(&o->session, ret_conn, 0, deadline, err);
}

static void
log_result(void *context, const struct outbox_entry *entry)
{
	const struct operations *o = context;
	struct buf line = BUF_INIT(4096);

	submit_describe(&line, entry, &o->sending.submit.rules, time(NULL));
	log_info("%s", buf_text(&line));
	buf_done(&line);
}

static void
log_copy(void *context, const struct outbox_entry *entry)
{
	struct buf line = BUF_INIT(4096);

	(void)context;
	submit_describe_copy(&line, entry, time(NULL));
	if (entry->copy == OUTBOX_COPY_DONE)
		log_debug("%s", buf_text(&line));
	else
		log_warning("%s", buf_text(&line));
	buf_done(&line);
}

static enum outbox_filing
filing(const struct config *config, const struct provider_sending *provider)
{
	switch (config->sent_copy) {
	case CONFIG_SENT_COPY_SERVER:
		return OUTBOX_FILED_BY_SERVER;
	case CONFIG_SENT_COPY_APPEND:
		return OUTBOX_FILED_BY_US;
	case CONFIG_SENT_COPY_NONE:
		return OUTBOX_FILED_BY_NOBODY;
	case CONFIG_SENT_COPY_AUTO:
		break;
	}
	return provider->files_sent ? OUTBOX_FILED_BY_SERVER
				    : OUTBOX_FILED_BY_US;
}

static struct outbox_rules
rules(const struct config *config, const struct provider_sending *provider)
{
	return (struct outbox_rules){
	    .account = config->name,
	    .policy = config->uncertain == CONFIG_UNCERTAIN_HOLD ? OUTBOX_HOLD
								 : OUTBOX_RETRY,
	    .filing = filing(config, provider),
	    .per_minute = provider->per_minute,
	};
}

enum mt_status
operations_prepare_sending(struct operations *o, struct mt_error *err)
{
	const struct config *config = o->config;
	struct provider_sending provider = provider_sending(config->smtp_host);
	int64_t interval_ms = config->poll_interval_ms;

	o->sending = (struct sender_settings){
	    .name = config->name,
	    .smtp_server = config->smtp_host,
	    .imap_server = o->server,
	    .connections = provider.connections,
	    .interval_ms = interval_ms < ROUND_MS ? interval_ms : ROUND_MS,
	    .state = o->resources->state,
	    .submit =
		{
		    .rules = rules(config, &provider),
		    .sent_mailbox = config->sent_mailbox,
		    .context = o,
		    .open_smtp = open_smtp,
		    .open_imap = open_imap,
		    .result = log_result,
		    .copied = log_copy,
		},
	};
	if (config->further)
		return MT_OK;
	return outbox_adopt(o->resources->state, config->name, err);
}

const struct sender_settings *
operations_sending(const struct operations *o)
{
	return &o->sending;
}

enum mt_status
operations_work_outbox(struct operations *o, struct mt_error *err)
{
	return sender_once_all(&o->sending, SEND_MS, err);
}

/* ---- send ---- */

enum mt_status
operations_queue(struct operations *o, const struct send_request *request,
    int64_t *ret_entry, struct send_report *ret_report, struct mt_error *err)
{
	const struct send_settings settings = {
	    .from = o->config->from,
	    .state = o->resources->state,
	    .rules = &o->sending.submit.rules,
	};

	return send_queue(&settings, request, ret_entry, ret_report, err);
}

/* The process that sends hears of the entry at once, and not in a minute.  None
 * may be there, and whoever has the lock then looks soon, too. */
static void
wake_other(const struct operations *o, const char *control_path)
{
	struct buf reply = BUF_INIT(CONTROL_REPLY_MAX);
	struct json_object *request;
	struct mt_error err;
	int lock;

	if (outbox_lock(o->resources->state, o->config->name, &lock,
		deadline_in_ms(0), &err) == MT_OK) {
		outbox_unlock(lock);
		return;
	}
	request = json_object_new_object();
	report_add_text(request, "type", "outbox_request");
	report_add_text(request, "account", o->config->name);
	if (control_ask(control_path,
		json_object_to_json_string_ext(request, JSON_C_TO_STRING_PLAIN),
		&reply, deadline_in_ms(WAKE_MS), &err) != MT_OK)
		log_debug(
		    "nobody hears that there is mail to send: %s", err.text);
	json_object_put(request);
	buf_done(&reply);
}

static struct json_object *
to_json(const struct send_report *report)
{
	struct buf json = BUF_INIT(16384);
	struct json_object *object;

	send_add_json(&json, report);
	object = json_tokener_parse(buf_text(&json));
	buf_done(&json);
	return object;
}

enum mt_status
operations_send(struct operations *o, const struct send_request *request,
    const char *control_path, struct json_object **ret_report,
    struct mt_error *err)
{
	struct send_report report;
	struct mt_error why;
	int64_t entry;
	enum mt_status status =
	    operations_queue(o, request, &entry, &report, err);

	if (status == MT_OK && !report.decided) {
		wake_other(o, control_path);
		if (sender_once(&o->sending, entry, SEND_MS, &report, &why) !=
		    MT_OK)
			send_unknown(&report, &why);
		if (report.state == SEND_QUEUED)
			log_warning("Email %s stays queued for `run` or the "
				    "next `send`: %s",
			    report.message_id, report.reason);
	}
	*ret_report = to_json(&report);
	return status == MT_OK ? send_outcome(&report, err) : status;
}

/* ---- the queue ---- */

static void
add_time(struct json_object *json, const char *name, time_t when)
{
	struct tm tm;
	char text[32];

	if (when && gmtime_r(&when, &tm) &&
	    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm))
		report_add_text(json, name, text);
}

/* What a server or a draft has said may be any bytes. */
static void
add_clean(struct json_object *json, const char *name, const char *text)
{
	struct buf clean = BUF_INIT(8192);

	if (!*text)
		return;
	buf_add_printable(&clean, text, strlen(text), clean.max - 1);
	report_add_text(json, name, buf_text(&clean));
	buf_done(&clean);
}

static void
add_number(struct json_object *json, const char *name, int64_t number)
{
	json_object_object_add(json, name, json_object_new_int64(number));
}

static struct json_object *
entry_to_json(const struct operations *o, const struct outbox_entry *entry)
{
	struct json_object *json = json_object_new_object();
	struct json_object *to = json_object_new_array();

	add_number(json, "id", entry->id);
	report_add_text(json, "state", outbox_state_name(entry->state));
	report_add_text(json, "message_id", entry->message_id);
	add_clean(json, "request_id", entry->request_id);
	add_clean(json, "subject", entry->subject);
	for (char **r = entry->rcpt_to; *r; r++)
		json_object_array_add(to, json_object_new_string(*r));
	json_object_object_add(json, "to", to);
	add_number(json, "size", (int64_t)entry->len);
	add_number(json, "attempts", entry->attempts);
	add_time(json, "queued", entry->created);
	add_time(json, "changed", entry->changed);
	if (outbox_is_open(entry, &o->sending.submit.rules))
		add_time(json, "next_attempt",
		    entry->state == OUTBOX_UNCERTAIN && entry->next_look
			? entry->next_look
			: entry->next_attempt);
	add_clean(json, "detail", entry->reply);
	if (entry->copy != OUTBOX_COPY_NONE)
		report_add_text(
		    json, "sent_copy", outbox_copy_name(entry->copy));
	add_clean(json, "sent_copy_detail", entry->copy_reply);
	add_clean(json, "server_id", entry->server_id);
	return json;
}

static struct json_object *
queue_response(const struct operations *o)
{
	struct json_object *json = json_object_new_object();

	report_add_text(json, "type", "queue_response");
	report_add_text(json, "account", o->config->name);
	return json;
}

struct listing {
	const struct operations *operations;
	struct json_object *entries;
};

static void
list_entry(void *context, const struct outbox_entry *entry)
{
	struct listing *listing = context;

	json_object_array_add(
	    listing->entries, entry_to_json(listing->operations, entry));
}

enum mt_status
operations_queue_list(
    struct operations *o, struct json_object **ret_report, struct mt_error *err)
{
	struct listing listing = {o, json_object_new_array()};
	enum mt_status status = outbox_list(
	    o->resources->state, o->config->name, list_entry, &listing, err);

	*ret_report = queue_response(o);
	json_object_object_add(*ret_report, "entries", listing.entries);
	report_add_outcome(*ret_report, status, err, "listed");
	return status;
}

/* The answer about one entry, which is released. */
static enum mt_status
answer_entry(struct operations *o, struct outbox_entry *entry,
    enum mt_status status, const char *success, struct json_object **ret_report,
    struct mt_error *err)
{
	*ret_report = queue_response(o);
	if (status == MT_OK)
		json_object_object_add(
		    *ret_report, "entry", entry_to_json(o, entry));
	report_add_outcome(*ret_report, status, err, success);
	outbox_entry_done(entry);
	return status;
}

enum mt_status
operations_queue_show(struct operations *o, int64_t id,
    struct json_object **ret_report, struct mt_error *err)
{
	struct outbox_entry entry = OUTBOX_ENTRY_INIT;
	bool found = false;
	enum mt_status status = outbox_find(
	    o->resources->state, o->config->name, id, &entry, &found, err);

	if (status == MT_OK && !found)
		status = mt_fail(err, MT_REFUSED,
		    "there is no entry %lld in the queue", (long long)id);
	return answer_entry(o, &entry, status, "found", ret_report, err);
}

/* What a process has left that died while it sent is not being sent. */
static void
recover(struct operations *o)
{
	struct mt_error err;
	int lock;

	if (outbox_lock(o->resources->state, o->config->name, &lock,
		deadline_in_ms(0), &err) != MT_OK)
		return;
	if (submit_recover(o->resources->state, &o->sending.submit, &err) !=
	    MT_OK)
		log_error("%s", err.text);
	outbox_unlock(lock);
}

enum mt_status
operations_queue_retry(struct operations *o, int64_t id,
    struct json_object **ret_report, struct mt_error *err)
{
	struct outbox_entry entry = OUTBOX_ENTRY_INIT;
	enum mt_status status;

	recover(o);
	status = outbox_retry(
	    o->resources->state, o->config->name, id, time(NULL), &entry, err);
	return answer_entry(o, &entry, status, "due", ret_report, err);
}

enum mt_status
operations_queue_drop(struct operations *o, int64_t id,
    struct json_object **ret_report, struct mt_error *err)
{
	struct outbox_entry entry = OUTBOX_ENTRY_INIT;
	enum mt_status status;

	recover(o);
	status = outbox_drop(
	    o->resources->state, o->config->name, id, time(NULL), &entry, err);
	return answer_entry(o, &entry, status, "dropped", ret_report, err);
}
