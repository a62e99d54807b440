/* SPDX-License-Identifier: ISC */
/* Entries: as rows, into the outbox, found again. */
#include "outbox_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

#define RECIPIENTS_MAX (1024 * 1024) /* bytes of a recipient list */
#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static const char *const state_names[] = {
    [OUTBOX_QUEUED] = "queued",
    [OUTBOX_ATTEMPTING] = "attempting",
    [OUTBOX_SENT] = "sent",
    [OUTBOX_UNCERTAIN] = "uncertain",
    [OUTBOX_FAILED] = "failed",
};

static const char *const copy_names[] = {
    [OUTBOX_COPY_NONE] = "none",
    [OUTBOX_COPY_PENDING] = "pending",
    [OUTBOX_COPY_DONE] = "done",
    [OUTBOX_COPY_GIVEN_UP] = "given_up",
};

const char *
outbox_state_name(enum outbox_state state)
{
	return state_names[state];
}

const char *
outbox_copy_name(enum outbox_copy copy)
{
	return copy_names[copy];
}

bool
outbox_is_open(
    const struct outbox_entry *entry, const struct outbox_rules *rules)
{
	if (entry->state == OUTBOX_QUEUED)
		return entry->next_attempt != 0;
	if (entry->state != OUTBOX_UNCERTAIN)
		return false;
	if (entry->next_look && rules->filing == OUTBOX_FILED_BY_SERVER)
		return true;
	return entry->next_attempt &&
	       (rules->policy == OUTBOX_RETRY || entry->ordered);
}

void
outbox_entry_done(struct outbox_entry *entry)
{
	for (char **r = entry->rcpt_to; r && *r; r++)
		free(*r);
	free(entry->rcpt_to);
	free(entry->message_id);
	free(entry->mail_from);
	free(entry->subject);
	free(entry->dsn);
	free(entry->request_id);
	free(entry->server_id);
	free(entry->bytes);
	*entry = (struct outbox_entry)OUTBOX_ENTRY_INIT;
}

void
outbox_say(char text[OUTBOX_REPLY_MAX], const char *reply)
{
	if (snprintf(text, OUTBOX_REPLY_MAX, "%s", reply) < 0)
		text[0] = '\0';
}

/* ---- rows ---- */

/* The index of a stored word; the count of words: it is none of them. */
static size_t
find_name(const char *name, const char *const names[], size_t count)
{
	size_t i = 0;

	while (i < count && strcmp(name, names[i]) != 0)
		i++;
	return i;
}

/* The lines of `text` as an array ended by NULL; NULL: no memory. */
static char **
split_lines(const char *text)
{
	size_t count = 0;
	char **lines;

	for (const char *p = text; *p; p++)
		count += *p == '\n';
	lines = calloc(count + 1, sizeof(*lines));
	for (size_t i = 0; lines && i < count; i++) {
		size_t len = strcspn(text, "\n");

		lines[i] = strndup(text, len);
		if (!lines[i]) {
			while (i)
				free(lines[--i]);
			free(lines);
			return NULL;
		}
		text += len + 1;
	}
	return lines;
}

static void
read_numbers(struct state_statement *s, struct outbox_entry *entry)
{
	int column = 3;

	entry->doubtful = state_db_number(s, column++) != 0;
	entry->claimed = state_db_number(s, column++) != 0;
	entry->ordered = state_db_number(s, column++) != 0;
	entry->attempts = (unsigned)state_db_number(s, column++);
	entry->created = (time_t)state_db_number(s, column++);
	entry->changed = (time_t)state_db_number(s, column++);
	entry->attempted = (time_t)state_db_number(s, column++);
	entry->tried_since = (time_t)state_db_number(s, column++);
	entry->next_attempt = (time_t)state_db_number(s, column++);
	entry->next_look = (time_t)state_db_number(s, column++);
	entry->looks = (unsigned)state_db_number(s, column++);
	entry->copy_attempts = (unsigned)state_db_number(s, column++);
	entry->copy_since = (time_t)state_db_number(s, column++);
	entry->next_copy = (time_t)state_db_number(s, column++);
	entry->date = (time_t)state_db_number(s, column++);
	entry->smtputf8 = state_db_number(s, column++) != 0;
	entry->len = (size_t)state_db_number(s, column++);
}

/* False: no memory. */
static bool
read_texts(struct state_statement *s, struct outbox_entry *entry)
{
	int column = 20;

	entry->message_id = strdup(state_db_text(s, column++));
	entry->mail_from = strdup(state_db_text(s, column++));
	entry->rcpt_to = split_lines(state_db_text(s, column++));
	entry->subject = strdup(state_db_text(s, column++));
	entry->dsn = strdup(state_db_text(s, column++));
	entry->request_id = strdup(state_db_text(s, column++));
	entry->server_id = strdup(state_db_text(s, column++));
	outbox_say(entry->reply, state_db_text(s, column++));
	outbox_say(entry->copy_reply, state_db_text(s, column++));
	return entry->message_id && entry->mail_from && entry->rcpt_to &&
	       entry->subject && entry->dsn && entry->request_id &&
	       entry->server_id;
}

enum mt_status
outbox_read_row(struct state_statement *s, struct outbox_entry *ret_entry,
    struct mt_error *err)
{
	struct outbox_entry entry = {.id = state_db_number(s, 0)};
	size_t state =
	    find_name(state_db_text(s, 1), state_names, COUNT(state_names));
	size_t copy =
	    find_name(state_db_text(s, 2), copy_names, COUNT(copy_names));

	if (state == COUNT(state_names) || copy == COUNT(copy_names))
		return mt_fail(err, MT_BAD_CONFIG,
		    "outbox entry %lld is in no known state",
		    (long long)entry.id);
	entry.state = (enum outbox_state)state;
	entry.copy = (enum outbox_copy)copy;
	read_numbers(s, &entry);
	if (!read_texts(s, &entry)) {
		outbox_entry_done(&entry);
		return mt_fail(
		    err, MT_NO_MEMORY, "no memory for an outbox entry");
	}
	*ret_entry = entry;
	return MT_OK;
}

enum mt_status
outbox_read_bytes(
    struct state *state, struct outbox_entry *entry, struct mt_error *err)
{
	struct state_statement s;
	const void *bytes = NULL;
	bool row = false;
	enum mt_status status;

	state_db_prepare(
	    &s, state, "SELECT bytes FROM outbox_bytes WHERE id = ?");
	state_db_bind_number(&s, entry->id);
	status = state_db_step(&s, &row, err);
	if (status == MT_OK && row)
		bytes = state_db_bytes(&s, 0, &entry->len);
	if (bytes && (entry->bytes = malloc(entry->len)))
		memcpy(entry->bytes, bytes, entry->len);
	else if (status == MT_OK)
		status = mt_fail(err, MT_NO_MEMORY, "no memory for a message");
	state_db_finish(&s);
	return status;
}

/* ---- adding ---- */

static enum mt_status
find_request(struct state *state, const char *account, const char *request_id,
    const unsigned char *digest, int64_t *ret_id, bool *ret_found,
    struct mt_error *err)
{
	struct state_statement s;
	size_t len = 0;
	bool row = false;
	enum mt_status status;

	state_db_prepare(&s, state,
	    "SELECT id, digest FROM outbox"
	    " WHERE account = ? AND request_id = ?");
	state_db_bind_text(&s, account);
	state_db_bind_text(&s, request_id);
	status = state_db_step(&s, &row, err);
	if (status == MT_OK && row) {
		const void *known = state_db_bytes(&s, 1, &len);
		if (len != OUTBOX_DIGEST_BYTES || memcmp(known, digest, len))
			status = mt_fail(err, MT_REFUSED,
			    "request_id was used for another message");
		else
			*ret_id = state_db_number(&s, 0);
	}
	if (status == MT_OK)
		*ret_found = row;
	state_db_finish(&s);
	return status;
}

enum mt_status
outbox_find_request(struct state *state, const char *account,
    const char *request_id, const unsigned char *digest, int64_t *ret_id,
    bool *ret_found, struct mt_error *err)
{
	enum mt_status status = state_db_begin(state, err);

	if (status != MT_OK)
		return status;
	status = find_request(
	    state, account, request_id, digest, ret_id, ret_found, err);
	return state_db_end(state, status, err);
}

static enum mt_status
insert_bytes(struct state *state, const struct outbox_message *message,
    int64_t id, struct mt_error *err)
{
	struct state_statement s;
	enum mt_status status;

	state_db_prepare(
	    &s, state, "INSERT INTO outbox_bytes (id, bytes) VALUES (?, ?)");
	state_db_bind_number(&s, id);
	state_db_bind_bytes(&s, message->bytes, message->len);
	status = state_db_run(&s, err);
	state_db_finish(&s);
	return status;
}

static enum mt_status
insert(struct state *state, const struct outbox_message *message,
    const char *recipients, time_t now, int64_t *ret_id, struct mt_error *err)
{
	struct state_statement s;
	int64_t id = 0;
	enum mt_status status;

	state_db_prepare(&s, state,
	    "INSERT INTO outbox (account, request_id, digest, message_id, date,"
	    " mail_from, rcpt_to, subject, smtputf8, dsn, size, state, created,"
	    " changed, tried_since, next_attempt)"
	    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, 'queued',"
	    " ?12, ?12, ?12, ?12)");
	state_db_bind_text(&s, message->account);
	state_db_bind_text(&s, message->request_id);
	state_db_bind_bytes(&s, message->request_id ? message->digest : NULL,
	    OUTBOX_DIGEST_BYTES);
	state_db_bind_text(&s, message->message_id);
	state_db_bind_number(&s, message->date);
	state_db_bind_text(&s, message->mail_from);
	state_db_bind_text(&s, recipients);
	state_db_bind_text(&s, message->subject ? message->subject : "");
	state_db_bind_number(&s, message->smtputf8);
	state_db_bind_text(&s, message->dsn ? message->dsn : "");
	state_db_bind_number(&s, (int64_t)message->len);
	state_db_bind_number(&s, now);
	status = state_db_run(&s, err);
	if (status == MT_OK)
		id = sqlite3_last_insert_rowid(state->db);
	state_db_finish(&s);
	if (status == MT_OK)
		status = insert_bytes(state, message, id, err);
	if (status == MT_OK)
		*ret_id = id;
	return status;
}

static enum mt_status
find_or_insert(struct state *state, const struct outbox_message *message,
    const char *recipients, time_t now, int64_t *ret_id, struct mt_error *err)
{
	bool found = false;
	enum mt_status status = state_db_begin(state, err);

	if (status != MT_OK)
		return status;
	if (message->request_id)
		status = find_request(state, message->account,
		    message->request_id, message->digest, ret_id, &found, err);
	if (status == MT_OK && !found)
		status = insert(state, message, recipients, now, ret_id, err);
	return state_db_end(state, status, err);
}

enum mt_status
outbox_add(struct state *state, const struct outbox_message *message,
    time_t now, int64_t *ret_id, struct mt_error *err)
{
	struct buf recipients = BUF_INIT(RECIPIENTS_MAX);
	enum mt_status status;
	int64_t id = 0;

	for (const char *const *r = message->rcpt_to; *r; r++)
		buf_add_format(&recipients, "%s\n", *r);
	if (!buf_ok(&recipients))
		return mt_fail(
		    err, MT_NO_MEMORY, "no memory for the recipients");
	status = find_or_insert(
	    state, message, buf_text(&recipients), now, &id, err);
	buf_done(&recipients);
	if (status == MT_OK)
		*ret_id = id;
	return status;
}

enum mt_status
outbox_adopt(struct state *state, const char *account, struct mt_error *err)
{
	struct state_statement s;
	enum mt_status status = state_db_begin(state, err);

	if (status != MT_OK)
		return status;
	state_db_prepare(
	    &s, state, "UPDATE outbox SET account = ? WHERE account = ''");
	state_db_bind_text(&s, account);
	status = state_db_run(&s, err);
	state_db_finish(&s);
	return state_db_end(state, status, err);
}

/* ---- finding ---- */

enum mt_status
outbox_find(struct state *state, const char *account, int64_t id,
    struct outbox_entry *ret_entry, bool *ret_found, struct mt_error *err)
{
	struct state_statement s;
	bool row = false;
	enum mt_status status = state_db_begin(state, err);

	if (status != MT_OK)
		return status;
	state_db_prepare(&s, state,
	    "SELECT " OUTBOX_COLUMNS
	    " FROM outbox WHERE id = ? AND account = ?");
	state_db_bind_number(&s, id);
	state_db_bind_text(&s, account);
	status = state_db_step(&s, &row, err);
	if (status == MT_OK && row)
		status = outbox_read_row(&s, ret_entry, err);
	if (status == MT_OK)
		*ret_found = row;
	state_db_finish(&s);
	return state_db_end(state, status, err);
}
