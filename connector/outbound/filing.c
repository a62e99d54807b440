/* SPDX-License-Identifier: ISC */
#include "filing.h"

#include "mail/imap_conn.h"
#include "sent.h"
#include "state/outbox_copy.h"

#define OPEN_MAX_MS 60000
#define ANSWER_MS 120000 /* for one message */

struct filing {
	struct state *state;
	const struct submit_settings *settings;
	struct deadline deadline;
	struct imap_conn *conn;     /* NULL: to be opened */
	struct mt_error unanswered; /* why the first look was; status MT_OK */
};

static enum mt_status
ensure_connected(struct filing *f, struct mt_error *err)
{
	struct deadline deadline =
	    deadline_min(f->deadline, deadline_in_ms(OPEN_MAX_MS));

	if (f->conn)
		return MT_OK;
	return f->settings->open_imap(
	    f->settings->context, &f->conn, deadline, err);
}

static struct sent_message
message_of(const struct outbox_entry *entry)
{
	return (struct sent_message){
	    .message_id = entry->message_id,
	    .server_id = entry->server_id,
	    .date = entry->date,
	    .bytes = entry->bytes,
	    .len = entry->len,
	};
}

static struct deadline
answer_deadline(const struct filing *f)
{
	return deadline_min(f->deadline, deadline_in_ms(ANSWER_MS));
}

static enum mt_status
look(struct filing *f, struct outbox_entry *entry, struct mt_error *err)
{
	const struct sent_message message = message_of(entry);
	struct mt_error why;
	bool found = false;
	enum mt_status status = sent_find(f->conn, f->settings->sent_mailbox,
	    &message, &found, answer_deadline(f), &why);

	if (status != MT_OK) {
		/* the next one has a connection of its own */
		imap_conn_close(&f->conn);
		if (f->unanswered.status == MT_OK)
			f->unanswered = why;
		return MT_OK;
	}
	status = outbox_record_look(f->state, entry, found, time(NULL), err);
	if (status == MT_OK && f->settings->result)
		f->settings->result(f->settings->context, entry);
	return status;
}

static enum mt_status
copy(struct filing *f, struct outbox_entry *entry, struct mt_error *err)
{
	const struct sent_message message = message_of(entry);
	struct mt_error why = {.text = ""};
	enum mt_status filed = sent_file(f->conn, f->settings->sent_mailbox,
	    &message, answer_deadline(f), &why);
	enum mt_status status = outbox_record_copy(
	    f->state, entry, filed == MT_OK, why.text, time(NULL), err);

	if (filed != MT_OK)
		imap_conn_close(&f->conn);
	if (status == MT_OK && f->settings->copied)
		f->settings->copied(f->settings->context, entry);
	return status;
}

/* One entry, if any is due. */
static enum mt_status
work_one(struct filing *f, bool *ret_worked, struct mt_error *err)
{
	const struct outbox_rules *rules = &f->settings->rules;
	struct outbox_entry entry = OUTBOX_ENTRY_INIT;
	struct outbox_plan plan;
	bool is_look = false, found = false;
	enum mt_status status =
	    outbox_plan(f->state, rules, time(NULL), &plan, err);

	*ret_worked = false;
	if (status != MT_OK || plan.file_s != 0 ||
	    deadline_passed(f->deadline) ||
	    (f->settings->stop && atomic_load(f->settings->stop)))
		return status;
	/* first, so that a server that is away costs no copy an attempt */
	status = ensure_connected(f, err);
	if (status == MT_OK)
		status = outbox_take_look(
		    f->state, rules, time(NULL), &entry, &is_look, err);
	if (status == MT_OK && is_look)
		status = look(f, &entry, err);
	else if (status == MT_OK)
		status = outbox_take_copy(
		    f->state, rules, time(NULL), &entry, &found, err);
	if (status == MT_OK && found)
		status = copy(f, &entry, err);
	*ret_worked = is_look || found;
	outbox_entry_done(&entry);
	return status;
}

enum mt_status
filing_work(struct state *state, const struct submit_settings *settings,
    struct deadline deadline, struct mt_error *err)
{
	struct filing f = {
	    .state = state, .settings = settings, .deadline = deadline};
	enum mt_status status = MT_OK;
	bool worked = true;

	while (status == MT_OK && worked)
		status = work_one(&f, &worked, err);
	imap_conn_close(&f.conn);
	if (status == MT_OK && f.unanswered.status != MT_OK)
		return mt_fail(
		    err, f.unanswered.status, "%s", f.unanswered.text);
	return status;
}
