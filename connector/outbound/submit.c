/* SPDX-License-Identifier: ISC */
#include "submit.h"

#include "base/log.h"
#include "mail/smtp_conn.h"

#include <poll.h>
#include <string.h>

#define ANSWER_MS 600000  /* to the final dot, RFC 5321 4.5.3.2.6 */
#define OPEN_MAX_MS 60000 /* to connect and log in, of a longer deadline */
#define SERVER_ID_MAX 256
#define KEEP_MS 60000 /* to write down what came of an attempt */
#define KEEP_POLL_MS 500

struct work {
	struct state *state;
	const struct submit_settings *settings;
	struct deadline deadline;
	struct smtp_conn *conn;     /* NULL: to be opened */
	struct outbox_entry *entry; /* the one that is being attempted */
	bool used;                  /* the connection has had a message */
	bool stranded; /* what came of that one is not written down */
};

static void
report(const struct submit_settings *settings, const struct outbox_entry *entry)
{
	if (settings->result)
		settings->result(settings->context, entry);
}

/* Opens the connection if there is none. */
static enum mt_status
ensure_connected(struct work *w, struct mt_error *err)
{
	struct deadline deadline =
	    deadline_min(w->deadline, deadline_in_ms(OPEN_MAX_MS));

	if (w->conn)
		return MT_OK;
	w->used = false;
	return w->settings->open_smtp(
	    w->settings->context, &w->conn, deadline, err);
}

/* ---- one attempt ---- */

/* Right before the final dot. */
static enum mt_status
on_data(void *context, struct mt_error *err)
{
	struct work *w = context;

	return outbox_attempting(w->state, w->entry, time(NULL), err);
}

/* What a server says when the login is over, because its token is: nothing
 * about the message. */
static bool
is_login_lost(const struct smtp_outcome *outcome)
{
	return outcome->code == 530 || outcome->code == 535 ||
	       outcome->code == 454;
}

/* One try on the connection that is open; `why` on failure. */
static enum mt_status
try_once(struct work *w, struct smtp_outcome *outcome, struct mt_error *why)
{
	const struct outbox_entry *entry = w->entry;
	const struct smtp_envelope envelope = {
	    .mail_from = entry->mail_from,
	    .rcpt_to = (const char *const *)entry->rcpt_to,
	    .message = entry->bytes,
	    .message_len = entry->len,
	    .smtputf8 = entry->smtputf8,
	    .dsn = entry->dsn,
	    .envid = entry->message_id,
	    .answer_ms = ANSWER_MS,
	};
	enum mt_status status = smtp_conn_send(
	    w->conn, &envelope, on_data, w, outcome, w->deadline, why);

	w->used = true;
	/* without a reply, or with 421, the connection is of no more use */
	if ((outcome->code == 0 && outcome->result != SMTP_REFUSED) ||
	    outcome->code == 421 || is_login_lost(outcome))
		smtp_conn_close(&w->conn);
	return status;
}

/* Some servers end the connection after a message, or after a while: that says
 * as little about the next one as a login that is over. */
static enum mt_status
hand_over(struct work *w, struct smtp_outcome *outcome, struct mt_error *why)
{
	bool used = w->used;
	enum mt_status status = try_once(w, outcome, why);

	if (status == MT_OK || w->entry->state == OUTBOX_ATTEMPTING ||
	    w->conn || !(used || is_login_lost(outcome)) ||
	    ensure_connected(w, why) != MT_OK)
		return status;
	return try_once(w, outcome, why);
}

static enum outbox_verdict
verdict(const struct smtp_outcome *outcome)
{
	switch (outcome->result) {
	case SMTP_ACCEPTED:
		return OUTBOX_ACCEPTED;
	case SMTP_REFUSED:
		return is_login_lost(outcome) ? OUTBOX_DEFERRED
					      : OUTBOX_REFUSED;
	case SMTP_UNCERTAIN:
		return OUTBOX_LOST;
	case SMTP_DEFERRED:
		break;
	}
	return OUTBOX_DEFERRED;
}

/* The Message-ID that the reply names, as Exchange's do; "": none. */
static void
find_server_id(const char *reply, char ret_id[SERVER_ID_MAX])
{
	ret_id[0] = '\0';
	for (const char *from = strchr(reply, '<'); from;
	     from = strchr(from + 1, '<')) {
		size_t len = strcspn(from, "> \t");
		const char *at = memchr(from, '@', len);

		if (from[len] != '>' || !at || at == from + 1 ||
		    at + 1 == from + len || len + 2 > SERVER_ID_MAX)
			continue;
		memcpy(ret_id, from, len + 1);
		ret_id[len + 1] = '\0';
		return;
	}
}

/* To forget what the server has said would be to send it again: so this is not
 * given up because the state is locked, or its disk full, just now. */
static enum mt_status
keep(struct work *w, struct outbox_entry *entry,
    const struct outbox_result *result, struct mt_error *err)
{
	struct deadline deadline = deadline_in_ms(KEEP_MS);
	bool said = false;

	for (;;) {
		enum mt_status status = outbox_record(w->state,
		    &w->settings->rules, entry, result, time(NULL), err);

		if (status == MT_OK || deadline_passed(deadline))
			return status;
		if (!said)
			log_error("what became of %s is not written down yet: "
				  "%s",
			    entry->message_id, err->text);
		said = true;
		poll(NULL, 0, KEEP_POLL_MS);
	}
}

/* One attempt with one entry.  Fails only if its result cannot be kept. */
static enum mt_status
attempt(struct work *w, struct outbox_entry *entry, struct mt_error *err)
{
	char server_id[SERVER_ID_MAX] = "";
	struct smtp_outcome outcome;
	struct mt_error why = {.text = ""};
	struct outbox_result result;
	enum mt_status status;

	w->entry = entry;
	status = hand_over(w, &outcome, &why);
	if (status == MT_OK)
		find_server_id(outcome.reply, server_id);
	result = (struct outbox_result){
	    .verdict = verdict(&outcome),
	    .reply = status == MT_OK ? outcome.reply : why.text,
	    .server_id = server_id,
	};
	status = keep(w, entry, &result, err);
	w->stranded = status != MT_OK;
	if (status == MT_OK)
		report(w->settings, entry);
	return status;
}

/* ---- one after the other ---- */

static bool
is_to_stop(const struct work *w)
{
	return deadline_passed(w->deadline) ||
	       (w->settings->stop && atomic_load(w->settings->stop));
}

/* One attempt, if anything is due. */
static enum mt_status
work_one(struct work *w, bool *ret_worked, struct mt_error *err)
{
	const struct outbox_rules *rules = &w->settings->rules;
	struct outbox_entry entry = OUTBOX_ENTRY_INIT;
	struct outbox_plan plan;
	bool found = false;
	enum mt_status status =
	    outbox_plan(w->state, rules, time(NULL), &plan, err);

	*ret_worked = false;
	if (status != MT_OK || !plan.due || is_to_stop(w))
		return status;
	/* first, so that a server that is away costs no entry an attempt */
	status = ensure_connected(w, err);
	if (status == MT_OK)
		status = outbox_claim(
		    w->state, rules, time(NULL), &entry, &found, err);
	if (status == MT_OK && found)
		status = attempt(w, &entry, err);
	*ret_worked = found;
	outbox_entry_done(&entry);
	return status;
}

enum mt_status
submit_work(struct state *state, const struct submit_settings *settings,
    struct deadline deadline, bool *ret_stranded, struct mt_error *err)
{
	struct work w = {
	    .state = state, .settings = settings, .deadline = deadline};
	enum mt_status status = MT_OK;
	bool worked = true;

	while (status == MT_OK && worked)
		status = work_one(&w, &worked, err);
	smtp_conn_close(&w.conn);
	*ret_stranded = w.stranded;
	return status;
}

/* ---- before and after ---- */

typedef enum mt_status (*take_function)(struct state *state,
    const struct outbox_rules *rules, time_t now,
    struct outbox_entry *ret_entry, bool *ret_found, struct mt_error *err);

/* Takes entries until there are no more, and reports them. */
static enum mt_status
settle(struct state *state, const struct submit_settings *settings,
    take_function take, struct mt_error *err)
{
	bool found = true;

	while (found) {
		struct outbox_entry entry = OUTBOX_ENTRY_INIT;
		enum mt_status status = take(
		    state, &settings->rules, time(NULL), &entry, &found, err);

		if (status != MT_OK)
			return status;
		if (found)
			report(settings, &entry);
		outbox_entry_done(&entry);
	}
	return MT_OK;
}

enum mt_status
submit_recover(struct state *state, const struct submit_settings *settings,
    struct mt_error *err)
{
	return settle(state, settings, outbox_recover, err);
}

enum mt_status
submit_tidy(struct state *state, const struct submit_settings *settings,
    bool away, struct mt_error *err)
{
	enum mt_status status = settle(
	    state, settings, away ? outbox_give_up : outbox_give_up_tried, err);

	if (status == MT_OK)
		status = outbox_tidy(state, &settings->rules, time(NULL), err);
	return status;
}
