/* SPDX-License-Identifier: ISC */
#include "send.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const state_words[] = {
    [SEND_SENT] = "sent",
    [SEND_QUEUED] = "queued",
    [SEND_UNCERTAIN] = "uncertain",
    [SEND_REFUSED] = "refused",
    [SEND_NOT_QUEUED] = "not_queued",
};

/* Fixes the message and queues it. */
static enum mt_status
queue_message(const struct send_settings *settings, const struct draft *draft,
    const struct address *author, const char *request_id,
    const unsigned char *digest, int64_t *ret_id, struct mt_error *err)
{
	char message_id[COMPOSE_MESSAGE_ID_MAX];
	struct buf bytes = BUF_INIT(COMPOSE_MESSAGE_MAX);
	const char **recipients = compose_recipients(draft);
	struct outbox_message message = {
	    .account = settings->rules->account,
	    .message_id = message_id,
	    .date = time(NULL),
	    .mail_from = author->mailbox,
	    .rcpt_to = recipients,
	    .subject = draft->subject,
	    .smtputf8 = compose_needs_smtputf8(draft, author),
	    .dsn = draft->dsn,
	    .request_id = request_id,
	    .digest = digest,
	};
	enum mt_status status = MT_OK;

	if (!recipients)
		status = mt_fail(err, MT_NO_MEMORY, "no memory for recipients");
	if (status == MT_OK)
		status = compose_message_id(message_id, author, err);
	if (status == MT_OK)
		status = compose_message(
		    &bytes, draft, author, message_id, message.date, err);
	if (status == MT_OK) {
		message.bytes = bytes.data;
		message.len = bytes.len;
		status = outbox_add(
		    settings->state, &message, message.date, ret_id, err);
	}
	free(recipients);
	buf_done(&bytes);
	return status;
}

/* Queues it unless the request was heard before.  outbox_add decides that; to
 * ask first saves composing the message. */
static enum mt_status
find_or_queue(const struct send_settings *settings, const struct draft *draft,
    const char *request_id, const unsigned char *digest, int64_t *ret_id,
    struct mt_error *err)
{
	struct address_list author = ADDRESS_LIST_INIT;
	bool found = false;
	enum mt_status status =
	    address_read_author(&author, settings->from, err);

	if (status == MT_OK && request_id)
		status = outbox_find_request(settings->state,
		    settings->rules->account, request_id, digest, ret_id,
		    &found, err);
	if (status == MT_OK && !found)
		status = queue_message(settings, draft, author.items,
		    request_id, digest, ret_id, err);
	address_list_done(&author);
	return status;
}

/* Whether a draft that cannot be read any more is that of a request which was
 * heard before: whoever asks again may have removed it meanwhile. */
static bool
is_heard(const struct send_settings *settings, const char *request_id,
    const struct draft_source *source, int64_t *ret_id)
{
	unsigned char digest[DRAFT_DIGEST_BYTES];
	bool found = false;

	return request_id && settings->state &&
	       draft_source_named_digest(source, digest) &&
	       outbox_find_request(settings->state, settings->rules->account,
		   request_id, digest, ret_id, &found, NULL) == MT_OK &&
	       found;
}

/* Everything up to the point where the message is durable. */
static enum mt_status
accept_request(const struct send_settings *settings,
    const struct send_request *request, int64_t *ret_id, struct mt_error *err)
{
	unsigned char digest[DRAFT_DIGEST_BYTES];
	const char *request_id = request->request_id;
	struct draft draft = {0};
	enum mt_status status;

	_Static_assert(DRAFT_DIGEST_BYTES == OUTBOX_DIGEST_BYTES, "one digest");
	if (request_id && !*request_id)
		request_id = NULL;
	if (request_id && strlen(request_id) > OUTBOX_REQUEST_ID_MAX)
		return mt_fail(err, MT_BAD_INPUT,
		    "request_id is longer than %d bytes",
		    OUTBOX_REQUEST_ID_MAX);
	status = draft_source_read(&draft, &request->draft, digest, err);
	if (status != MT_OK)
		return is_heard(settings, request_id, &request->draft, ret_id)
			   ? MT_OK
			   : status;
	if (!settings->state)
		status = mt_fail(err, MT_BAD_CONFIG,
		    "email not configured (TRI_ONYX_IMAP_HOST not set)");
	else
		status = find_or_queue(
		    settings, &draft, request_id, digest, ret_id, err);
	draft_done(&draft);
	return status;
}

/* ---- what is answered ---- */

static enum send_state
state_of(const struct outbox_entry *entry)
{
	switch (entry->state) {
	case OUTBOX_SENT:
		return SEND_SENT;
	case OUTBOX_FAILED:
		return SEND_REFUSED;
	case OUTBOX_UNCERTAIN:
		return SEND_UNCERTAIN;
	case OUTBOX_ATTEMPTING: /* its answer is not lost yet */
	case OUTBOX_QUEUED:
		break;
	}
	return entry->doubtful ? SEND_UNCERTAIN : SEND_QUEUED;
}

static void
say_why(struct send_report *report, const char *why)
{
	snprintf(report->reason, sizeof(report->reason), "%s", why);
}

static void
fill_report(struct send_report *report, const struct outbox_entry *entry,
    const struct outbox_rules *rules, const char *why)
{
	/* what keeps all messages back is news, the last reply is not */
	const char *waits_for = why && *why ? why : entry->reply;
	const char *before = "", *detail = "queued";

	report->state = state_of(entry);
	report->decided = !entry->claimed &&
			  entry->state != OUTBOX_ATTEMPTING &&
			  !outbox_is_open(entry, rules);
	report->unfiled =
	    entry->copy == OUTBOX_COPY_PENDING && !entry->copy_attempts;
	if (entry->state == OUTBOX_ATTEMPTING)
		waits_for = "the server has not answered yet";
	if (report->state == SEND_SENT) {
		detail = "sent";
	} else if (report->state == SEND_REFUSED) {
		before = "SMTP send failed: ";
		detail = entry->reply;
	} else if (report->state == SEND_UNCERTAIN) {
		detail = waits_for;
	} else {
		say_why(report, waits_for);
	}
	snprintf(report->message_id, sizeof(report->message_id), "%s",
	    entry->message_id);
	snprintf(
	    report->detail, sizeof(report->detail), "%s%s", before, detail);
}

enum mt_status
send_look(const struct send_settings *settings, int64_t id, const char *why,
    struct send_report *ret_report, struct mt_error *err)
{
	struct outbox_entry entry = OUTBOX_ENTRY_INIT;
	bool found = false;
	enum mt_status status = outbox_find(
	    settings->state, settings->rules->account, id, &entry, &found, err);

	if (status == MT_OK && !found)
		status =
		    mt_fail(err, MT_BUG, "the message has left the outbox");
	if (status != MT_OK)
		return status;
	*ret_report = (struct send_report)SEND_REPORT_INIT;
	fill_report(ret_report, &entry, settings->rules, why);
	outbox_entry_done(&entry);
	return MT_OK;
}

void
send_unknown(struct send_report *ret_report, const struct mt_error *why)
{
	*ret_report =
	    (struct send_report){.state = SEND_QUEUED, .detail = "queued"};
	say_why(ret_report, why->text);
}

enum mt_status
send_queue(const struct send_settings *settings,
    const struct send_request *request, int64_t *ret_entry,
    struct send_report *ret_report, struct mt_error *err)
{
	struct mt_error why;
	enum mt_status status =
	    accept_request(settings, request, ret_entry, err);

	*ret_report = (struct send_report)SEND_REPORT_INIT;
	if (status != MT_OK) {
		if (status == MT_BAD_INPUT || status == MT_REFUSED)
			ret_report->state = SEND_REFUSED;
		snprintf(ret_report->detail, sizeof(ret_report->detail), "%s",
		    err->text);
		return status;
	}
	/* from here on nothing may end as if it were not queued */
	if (send_look(settings, *ret_entry, NULL, ret_report, &why) != MT_OK)
		send_unknown(ret_report, &why);
	return MT_OK;
}

enum mt_status
send_outcome(const struct send_report *report, struct mt_error *err)
{
	if (report->state == SEND_REFUSED)
		return mt_fail(err, MT_REFUSED, "%s", report->detail);
	return MT_OK;
}

/* ---- as JSON ---- */

/* A server may say anything, and what is said may have been cut. */
static void
add_text(struct json_object *json, const char *name, const char *text)
{
	struct buf clean = BUF_INIT(sizeof(struct send_report));

	buf_add_printable(&clean, text, strlen(text), clean.max);
	json_object_object_add(
	    json, name, json_object_new_string(buf_text(&clean)));
	buf_done(&clean);
}

void
send_add_json(struct buf *out, const struct send_report *report)
{
	struct json_object *json = json_object_new_object();
	bool success = report->state == SEND_SENT ||
		       report->state == SEND_QUEUED ||
		       report->state == SEND_UNCERTAIN;

	add_text(json, "type", "send_email_response");
	json_object_object_add(
	    json, "success", json_object_new_boolean(success));
	add_text(json, "state", state_words[report->state]);
	if (*report->message_id)
		add_text(json, "message_id", report->message_id);
	add_text(json, "detail", report->detail);
	if (*report->reason)
		add_text(json, "reason", report->reason);
	buf_add_text(
	    out, json_object_to_json_string_ext(json,
		     JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(json);
}
