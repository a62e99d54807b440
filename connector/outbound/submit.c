/* SPDX-License-Identifier: ISC */
#include "submit.h"

#include "mail/smtp_conn.h"

#define ANSWER_MS 600000  /* to the final dot, RFC 5321 4.5.3.2.6 */
#define OPEN_MAX_MS 60000 /* to connect and log in, of a longer deadline */
#define SHOWN_MAX 300     /* bytes of the recipients in a log line */

struct sender {
	struct state *state;
	const struct submit_settings *settings;
	struct deadline deadline;
	struct smtp_conn *conn;     /* NULL: to be opened */
	struct outbox_entry *entry; /* the one that is being attempted */
};

static void
report(const struct sender *s, const struct outbox_entry *entry)
{
	if (s->settings->result)
		s->settings->result(s->settings->context, entry);
}

/* Opens the connection if there is none. */
static enum mt_status
ensure_connected(struct sender *s, struct mt_error *err)
{
	struct deadline deadline =
	    deadline_min(s->deadline, deadline_in_ms(OPEN_MAX_MS));

	if (s->conn)
		return MT_OK;
	return s->settings->open(s->settings->context, &s->conn, deadline, err);
}

/* Right before the final dot. */
static enum mt_status
on_data(void *context, struct mt_error *err)
{
	struct sender *s = context;

	return outbox_attempting(s->state, s->entry, time(NULL), err);
}

static enum outbox_verdict
verdict(enum smtp_result result)
{
	switch (result) {
	case SMTP_ACCEPTED:
		return OUTBOX_ACCEPTED;
	case SMTP_REFUSED:
		return OUTBOX_REFUSED;
	case SMTP_UNCERTAIN:
		return OUTBOX_LOST;
	case SMTP_DEFERRED:
		break;
	}
	return OUTBOX_DEFERRED;
}

/* One attempt with one entry.  Fails only if its result cannot be kept. */
static enum mt_status
attempt(struct sender *s, struct outbox_entry *entry, struct mt_error *err)
{
	const struct smtp_envelope envelope = {
	    .mail_from = entry->mail_from,
	    .rcpt_to = (const char *const *)entry->rcpt_to,
	    .message = entry->bytes,
	    .message_len = entry->len,
	    .answer_ms = ANSWER_MS,
	};
	struct smtp_outcome outcome;
	struct mt_error why = {.text = ""};
	enum mt_status status;

	s->entry = entry;
	status = smtp_conn_send(
	    s->conn, &envelope, on_data, s, &outcome, s->deadline, &why);
	/* without a reply, or with 421, the connection is of no more use */
	if (outcome.code == 0 || outcome.code == 421)
		smtp_conn_close(&s->conn);
	status = outbox_record(s->state, entry, verdict(outcome.result),
	    status == MT_OK ? outcome.reply : why.text, time(NULL), err);
	report(s, entry);
	return status;
}

typedef enum mt_status (*take_function)(struct state *state, time_t now,
    struct outbox_entry *ret_entry, bool *ret_found, struct mt_error *err);

/* Takes entries until there are no more, and reports them. */
static enum mt_status
settle(const struct sender *s, take_function take, struct mt_error *err)
{
	bool found = true;

	while (found) {
		struct outbox_entry entry = OUTBOX_ENTRY_INIT;
		enum mt_status status =
		    take(s->state, time(NULL), &entry, &found, err);

		if (status != MT_OK)
			return status;
		if (found)
			report(s, &entry);
		outbox_entry_done(&entry);
	}
	return MT_OK;
}

/* One attempt, if anything is due. */
static enum mt_status
work_one(struct sender *s, bool *ret_worked, struct mt_error *err)
{
	enum outbox_policy policy = s->settings->policy;
	struct outbox_entry entry = OUTBOX_ENTRY_INIT;
	enum mt_status status;
	time_t delay_s = 0;
	bool found;

	status = outbox_next_due(
	    s->state, policy, time(NULL), &delay_s, &found, err);
	*ret_worked = false;
	if (status != MT_OK || !found || delay_s > 0)
		return status;
	if (deadline_passed(s->deadline) ||
	    (s->settings->stop && atomic_load(s->settings->stop)))
		return mt_fail(err, MT_RETRY_LATER,
		    "there was no time left to send all messages");
	/* first, so that a server that is away costs no entry an attempt */
	status = ensure_connected(s, err);
	if (status == MT_OK)
		status = outbox_claim(
		    s->state, policy, time(NULL), &entry, &found, err);
	if (status == MT_OK && found)
		status = attempt(s, &entry, err);
	*ret_worked = found;
	outbox_entry_done(&entry);
	return status;
}

static enum mt_status
work_all(struct sender *s, struct mt_error *err)
{
	enum mt_status status = settle(s, outbox_recover, err);
	bool worked = true;

	while (status == MT_OK && worked)
		status = work_one(s, &worked, err);
	smtp_conn_close(&s->conn);
	return status;
}

enum mt_status
submit_run(struct state *state, const struct submit_settings *settings,
    struct deadline deadline, struct mt_error *err)
{
	struct sender s = {
	    .state = state, .settings = settings, .deadline = deadline};
	enum mt_status status, tidied;
	struct mt_error why;
	int lock;

	status = outbox_lock(state, &lock, deadline, err);
	if (status != MT_OK)
		return status;
	status = work_all(&s, err);
	/* only after everything that is due had its attempt */
	tidied = settle(&s, outbox_give_up, &why);
	if (tidied == MT_OK)
		tidied = outbox_tidy(state, time(NULL), &why);
	outbox_unlock(lock);
	if (status == MT_OK && tidied != MT_OK)
		return mt_fail(err, tidied, "%s", why.text);
	return status;
}

static void
add_recipients(struct buf *out, const struct outbox_entry *entry)
{
	size_t before = out->len;

	for (char **r = entry->rcpt_to; *r; r++) {
		if (out->len - before > SHOWN_MAX) {
			buf_add_text(out, ", ...");
			return;
		}
		buf_add_format(
		    out, "%s%s", r == entry->rcpt_to ? "" : ", ", *r);
	}
}

void
submit_describe(struct buf *out, const struct outbox_entry *entry,
    enum outbox_policy policy, time_t now)
{
	static const char *const words[] = {
	    [OUTBOX_QUEUED] = "not sent yet",
	    [OUTBOX_ATTEMPTING] = "being sent",
	    [OUTBOX_SENT] = "sent",
	    [OUTBOX_UNCERTAIN] = "perhaps sent",
	    [OUTBOX_FAILED] = "not sent",
	};

	if (entry->state == OUTBOX_SENT) {
		buf_add_text(out, "Email sent to ");
		add_recipients(out, entry);
		buf_add_format(out, " (message_id=%s)", entry->message_id);
		return;
	}
	buf_add_text(out, "Email to ");
	add_recipients(out, entry);
	buf_add_format(out, " %s (message_id=%s): %s", words[entry->state],
	    entry->message_id, entry->reply);
	if (outbox_is_open(entry, policy))
		buf_add_format(out, "; next attempt in %lld s",
		    (long long)(entry->next_attempt > now
				    ? entry->next_attempt - now
				    : 0));
	else if (entry->state == OUTBOX_UNCERTAIN)
		buf_add_text(out, "; kept, and not sent again");
}
