/* SPDX-License-Identifier: ISC */
#include "send.h"

#include <json-c/json.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "draft_source.h"

#define RETRY_S 5 /* between attempts to reach a server */

static const char *const state_words[] = {
    [SEND_SENT] = "sent",
    [SEND_QUEUED] = "queued",
    [SEND_UNCERTAIN] = "uncertain",
    [SEND_REFUSED] = "refused",
    [SEND_NOT_QUEUED] = "not_queued",
};

static enum mt_status
read_author(struct address_list *author, const char *from, struct mt_error *err)
{
	struct mt_error why;

	if (address_list_add(author, from, &why) != MT_OK)
		return mt_fail(err, MT_BAD_CONFIG,
		    "cannot send from TRI_ONYX_EMAIL_FROM, or else the SMTP "
		    "login name: %s",
		    why.text);
	if (author->count != 1)
		return mt_fail(err, MT_BAD_CONFIG,
		    "TRI_ONYX_EMAIL_FROM must be one address");
	return MT_OK;
}

/* Fixes the message and queues it. */
static enum mt_status
queue_message(struct state *state, const struct draft *draft,
    const struct address *author, char ret_message_id[COMPOSE_MESSAGE_ID_MAX],
    int64_t *ret_id, struct mt_error *err)
{
	struct buf bytes = BUF_INIT(COMPOSE_MESSAGE_MAX);
	const char **recipients = compose_recipients(draft);
	struct outbox_message message = {
	    .message_id = ret_message_id,
	    .date = time(NULL),
	    .mail_from = author->mailbox,
	    .rcpt_to = recipients,
	};
	enum mt_status status = MT_OK;

	if (!recipients)
		status = mt_fail(err, MT_NO_MEMORY, "no memory for recipients");
	if (status == MT_OK)
		status = compose_message_id(ret_message_id, author, err);
	if (status == MT_OK)
		status = compose_message(
		    &bytes, draft, author, ret_message_id, message.date, err);
	if (status == MT_OK) {
		message.bytes = bytes.data;
		message.len = bytes.len;
		status = outbox_add(state, &message, message.date, ret_id, err);
	}
	free(recipients);
	buf_done(&bytes);
	return status;
}

/* Everything up to the point where the message is durable. */
static enum mt_status
accept_draft(const struct send_settings *settings, const char *path,
    struct send_report *report, int64_t *ret_id, struct mt_error *err)
{
	struct address_list author = ADDRESS_LIST_INIT;
	struct draft_source source = {.path = path, .agent_dir = -1};
	unsigned char digest[DRAFT_DIGEST_BYTES];
	struct draft draft = {0};
	enum mt_status status = draft_source_read(&draft, &source, digest, err);

	if (status != MT_OK)
		return status;
	if (!settings->state)
		status = mt_fail(err, MT_BAD_CONFIG,
		    "email not configured (TRI_ONYX_IMAP_HOST not set)");
	if (status == MT_OK)
		status = read_author(&author, settings->from, err);
	if (status == MT_OK)
		status = queue_message(settings->state, &draft, author.items,
		    report->message_id, ret_id, err);
	if (status != MT_OK)
		report->message_id[0] = '\0';
	address_list_done(&author);
	draft_done(&draft);
	return status;
}

/* Sleeps; false if the deadline comes first. */
static bool
pause_for(time_t seconds, struct deadline deadline)
{
	int64_t left_ms = deadline_left_ms(deadline);

	if (seconds * 1000 >= left_ms)
		return false;
	poll(NULL, 0, (int)(seconds * 1000));
	return true;
}

/*
 * Works the outbox until the entry `id` is decided, a person must act, or the
 * time is over.  *ret_entry is how far it came; `why` is what keeps all
 * messages from being sent, "" if nothing does.
 */
static enum mt_status
work(const struct send_settings *settings, int64_t id,
    struct outbox_entry *ret_entry, struct mt_error *why)
{
	const struct submit_settings *submit = settings->submit;

	for (;;) {
		enum mt_status worked, status;
		time_t wait_s = RETRY_S, now;
		bool found;

		why->text[0] = '\0';
		worked = submit_run(
		    settings->state, submit, settings->deadline, why);
		status =
		    outbox_find(settings->state, id, ret_entry, &found, why);
		if (status != MT_OK)
			return status;
		if (!found)
			return mt_fail(
			    why, MT_BUG, "the message has left the outbox");
		now = time(NULL);
		if (worked == MT_OK && ret_entry->next_attempt > now)
			wait_s = ret_entry->next_attempt - now;
		if (!outbox_is_open(ret_entry, submit->policy) ||
		    (worked != MT_OK && worked != MT_RETRY_LATER) ||
		    !pause_for(wait_s, settings->deadline))
			return MT_OK;
		outbox_entry_done(ret_entry);
	}
}

static enum send_state
state_of(const struct outbox_entry *entry)
{
	switch (entry->state) {
	case OUTBOX_SENT:
		return SEND_SENT;
	case OUTBOX_FAILED:
		return SEND_REFUSED;
	case OUTBOX_ATTEMPTING: /* by somebody else, or the disk is full */
	case OUTBOX_UNCERTAIN:
		return SEND_UNCERTAIN;
	case OUTBOX_QUEUED:
		break;
	}
	return SEND_QUEUED;
}

static void
fill_report(struct send_report *report, const struct outbox_entry *entry,
    const struct mt_error *why)
{
	/* what keeps all messages back is news, the last reply is not */
	const char *reason = *why->text ? why->text : entry->reply;

	report->state = state_of(entry);
	if (report->state == SEND_SENT)
		reason = "sent";
	else if (report->state == SEND_REFUSED)
		reason = entry->reply;
	else if (!*reason)
		reason = "not attempted yet";
	snprintf(report->detail, sizeof(report->detail), "%s%s",
	    report->state == SEND_REFUSED ? "SMTP send failed: " : "", reason);
}

enum mt_status
send_draft(const struct send_settings *settings, const char *path,
    struct send_report *ret_report, struct mt_error *err)
{
	struct outbox_entry entry = OUTBOX_ENTRY_INIT;
	struct mt_error why;
	enum mt_status status;
	int64_t id;

	*ret_report = (struct send_report)SEND_REPORT_INIT;
	status = accept_draft(settings, path, ret_report, &id, err);
	if (status != MT_OK) {
		if (status == MT_BAD_INPUT)
			ret_report->state = SEND_REFUSED;
		snprintf(ret_report->detail, sizeof(ret_report->detail), "%s",
		    err->text);
		return status;
	}
	/* it is queued, so from here on nothing may end as if it were not */
	if (work(settings, id, &entry, &why) != MT_OK) {
		ret_report->state = SEND_QUEUED;
		snprintf(ret_report->detail, sizeof(ret_report->detail), "%s",
		    why.text);
		return MT_OK;
	}
	fill_report(ret_report, &entry, &why);
	outbox_entry_done(&entry);
	if (ret_report->state == SEND_REFUSED)
		return mt_fail(err, MT_REFUSED, "%s", ret_report->detail);
	return MT_OK;
}

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
	buf_add_text(
	    out, json_object_to_json_string_ext(json,
		     JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(json);
}
