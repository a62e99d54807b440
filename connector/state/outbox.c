/* SPDX-License-Identifier: ISC */
#include "outbox.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/buf.h"
#include "state_db.h"

#define LOCK_POLL_MS 20
#define RECIPIENTS_MAX (1024 * 1024) /* bytes of a recipient list */

/*
 * rcpt_to holds one address a line.  next_attempt is NULL when there will be
 * none; changed is the time of the last step.
 */
const char outbox_schema_1[] =
    "CREATE TABLE outbox ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " message_id TEXT NOT NULL UNIQUE,"
    " date INTEGER NOT NULL,"
    " mail_from TEXT NOT NULL,"
    " rcpt_to TEXT NOT NULL,"
    " bytes BLOB NOT NULL,"
    " state TEXT NOT NULL,"
    " doubtful INTEGER NOT NULL DEFAULT 0,"
    " attempts INTEGER NOT NULL DEFAULT 0,"
    " created INTEGER NOT NULL,"
    " changed INTEGER NOT NULL,"
    " next_attempt INTEGER,"
    " reply TEXT NOT NULL DEFAULT '');"
    "CREATE INDEX outbox_open ON outbox (next_attempt)"
    " WHERE next_attempt IS NOT NULL;";

/* What read_entry expects, in its order. */
#define COLUMNS                                                                \
	"id, state, doubtful, attempts, created, next_attempt, message_id,"    \
	" mail_from, rcpt_to, reply"

static const char *const state_names[] = {
    [OUTBOX_QUEUED] = "queued",
    [OUTBOX_ATTEMPTING] = "attempting",
    [OUTBOX_SENT] = "sent",
    [OUTBOX_UNCERTAIN] = "uncertain",
    [OUTBOX_FAILED] = "failed",
};

const char *
outbox_state_name(enum outbox_state state)
{
	return state_names[state];
}

bool
outbox_is_open(const struct outbox_entry *entry, enum outbox_policy policy)
{
	return entry->next_attempt != 0 &&
	       (entry->state == OUTBOX_QUEUED ||
		   (entry->state == OUTBOX_UNCERTAIN &&
		       policy == OUTBOX_RETRY));
}

static bool
state_from_name(const char *name, enum outbox_state *ret_state)
{
	for (size_t i = 0; i < sizeof(state_names) / sizeof(*state_names); i++)
		if (!strcmp(name, state_names[i])) {
			*ret_state = (enum outbox_state)i;
			return true;
		}
	return false;
}

void
outbox_entry_done(struct outbox_entry *entry)
{
	for (char **r = entry->rcpt_to; r && *r; r++)
		free(*r);
	free(entry->rcpt_to);
	free(entry->message_id);
	free(entry->mail_from);
	free(entry->bytes);
	*entry = (struct outbox_entry)OUTBOX_ENTRY_INIT;
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

/* Copies the row that a statement with COLUMNS stands on. */
static enum mt_status
read_entry(struct state_statement *s, struct outbox_entry *ret_entry,
    struct mt_error *err)
{
	struct outbox_entry entry = {
	    .id = state_db_number(s, 0),
	    .doubtful = state_db_number(s, 2) != 0,
	    .attempts = (unsigned)state_db_number(s, 3),
	    .created = (time_t)state_db_number(s, 4),
	    .next_attempt = (time_t)state_db_number(s, 5),
	};

	if (!state_from_name(state_db_text(s, 1), &entry.state))
		return mt_fail(err, MT_BAD_CONFIG,
		    "outbox entry %lld is in no known state",
		    (long long)entry.id);
	entry.message_id = strdup(state_db_text(s, 6));
	entry.mail_from = strdup(state_db_text(s, 7));
	entry.rcpt_to = split_lines(state_db_text(s, 8));
	snprintf(entry.reply, sizeof(entry.reply), "%s", state_db_text(s, 9));
	if (!entry.message_id || !entry.mail_from || !entry.rcpt_to) {
		outbox_entry_done(&entry);
		return mt_fail(
		    err, MT_NO_MEMORY, "no memory for an outbox entry");
	}
	*ret_entry = entry;
	return MT_OK;
}

static enum mt_status
insert(struct state *state, const struct outbox_message *message,
    const char *recipients, time_t now, int64_t *ret_id, struct mt_error *err)
{
	struct state_statement s;
	enum mt_status status = state_db_begin(state, err);

	if (status != MT_OK)
		return status;
	state_db_prepare(&s, state,
	    "INSERT INTO outbox (message_id, date, mail_from, rcpt_to, bytes,"
	    " state, created, changed, next_attempt)"
	    " VALUES (?1, ?2, ?3, ?4, ?5, 'queued', ?6, ?6, ?6)");
	state_db_bind_text(&s, message->message_id);
	state_db_bind_number(&s, message->date);
	state_db_bind_text(&s, message->mail_from);
	state_db_bind_text(&s, recipients);
	state_db_bind_bytes(&s, message->bytes, message->len);
	state_db_bind_number(&s, now);
	status = state_db_run(&s, err);
	if (status == MT_OK)
		*ret_id = sqlite3_last_insert_rowid(state->db);
	state_db_finish(&s);
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
	status = insert(state, message, buf_text(&recipients), now, &id, err);
	buf_done(&recipients);
	if (status == MT_OK)
		*ret_id = id;
	return status;
}

/* Runs a prepared query for one entry. */
static enum mt_status
query_entry(struct state_statement *s, struct outbox_entry *ret_entry,
    bool *ret_found, struct mt_error *err)
{
	bool row = false;
	enum mt_status status = state_db_step(s, &row, err);

	if (status == MT_OK && row)
		status = read_entry(s, ret_entry, err);
	if (status == MT_OK)
		*ret_found = row;
	return status;
}

enum mt_status
outbox_find(struct state *state, int64_t id, struct outbox_entry *ret_entry,
    bool *ret_found, struct mt_error *err)
{
	struct state_statement s;
	enum mt_status status = state_db_begin(state, err);

	if (status != MT_OK)
		return status;
	state_db_prepare(
	    &s, state, "SELECT " COLUMNS " FROM outbox WHERE id = ?");
	state_db_bind_number(&s, id);
	status = query_entry(&s, ret_entry, ret_found, err);
	state_db_finish(&s);
	return state_db_end(state, status, err);
}

/*
 * Entries that are attempted when their time has come; ?1 is whether uncertain
 * ones are.  A time later than ?2, which is further away than any delay, is
 * from before the clock was set back, and means now.
 */
#define OPEN                                                                   \
	" next_attempt IS NOT NULL AND"                                        \
	" (state = 'queued' OR (state = 'uncertain' AND ?1))"
#define DUE_AT "iif(next_attempt > ?2, 0, next_attempt)"

enum mt_status
outbox_next_due(struct state *state, enum outbox_policy policy, time_t now,
    time_t *ret_delay_s, bool *ret_found, struct mt_error *err)
{
	struct state_statement s;
	enum mt_status status = state_db_begin(state, err);
	bool row = false;

	if (status != MT_OK)
		return status;
	state_db_prepare(&s, state,
	    "SELECT max(0, " DUE_AT " - ?3) FROM outbox WHERE" OPEN
	    " ORDER BY " DUE_AT " LIMIT 1");
	state_db_bind_number(&s, policy == OUTBOX_RETRY);
	state_db_bind_number(&s, now + OUTBOX_BACKOFF_MAX_S);
	state_db_bind_number(&s, now);
	status = state_db_step(&s, &row, err);
	if (status == MT_OK) {
		*ret_found = row;
		if (row)
			*ret_delay_s = (time_t)state_db_number(&s, 0);
	}
	state_db_finish(&s);
	return state_db_end(state, status, err);
}

enum mt_status
outbox_lock(struct state *state, int *ret_lock, struct deadline deadline,
    struct mt_error *err)
{
	char path[PATH_MAX + sizeof("/sender.lock")];
	int fd, error;

	snprintf(path, sizeof(path), "%s/sender.lock", state->dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return mt_fail_errno(
		    err, MT_RETRY_LATER, errno, "cannot open %s", path);
	/* flock(2) has no deadline of its own */
	while (flock(fd, LOCK_EX | LOCK_NB)) {
		error = errno;
		if (error != EWOULDBLOCK && error != EINTR) {
			close(fd);
			return mt_fail_errno(
			    err, MT_RETRY_LATER, error, "cannot lock %s", path);
		}
		if (deadline_passed(deadline)) {
			close(fd);
			return mt_fail(err, MT_RETRY_LATER,
			    "another process is sending from %s", state->dir);
		}
		poll(NULL, 0, LOCK_POLL_MS);
	}
	*ret_lock = fd;
	return MT_OK;
}

void
outbox_unlock(int lock)
{
	close(lock);
}

/* Writes down what a step has changed in `entry`, in the caller's transaction.
 */
static enum mt_status
write_entry(struct state *state, const struct outbox_entry *entry, time_t now,
    struct mt_error *err)
{
	struct state_statement s;
	enum mt_status status;

	state_db_prepare(&s, state,
	    "UPDATE outbox SET state = ?, doubtful = ?, attempts = ?,"
	    " next_attempt = nullif(?, 0), reply = ?, changed = ?"
	    " WHERE id = ?");
	state_db_bind_text(&s, state_names[entry->state]);
	state_db_bind_number(&s, entry->doubtful);
	state_db_bind_number(&s, entry->attempts);
	state_db_bind_number(&s, entry->next_attempt);
	state_db_bind_text(&s, entry->reply);
	state_db_bind_number(&s, now);
	state_db_bind_number(&s, entry->id);
	status = state_db_run(&s, err);
	state_db_finish(&s);
	return status;
}

/* The same as a transaction of its own. */
static enum mt_status
commit(struct state *state, const struct outbox_entry *entry, time_t now,
    struct mt_error *err)
{
	enum mt_status status = state_db_begin(state, err);

	if (status != MT_OK)
		return status;
	status = write_entry(state, entry, now, err);
	return state_db_end(state, status, err);
}

typedef void (*step_function)(struct outbox_entry *entry, time_t now);

/*
 * Takes the entry that `query` finds one step further.  Ends the query and the
 * transaction that the caller has begun.
 */
static enum mt_status
step_one(struct state_statement *query, step_function step, time_t now,
    struct outbox_entry *ret_entry, bool *ret_found, struct mt_error *err)
{
	struct outbox_entry entry = OUTBOX_ENTRY_INIT;
	struct state *state = query->state;
	bool found = false;
	enum mt_status status = query_entry(query, &entry, &found, err);

	state_db_finish(query);
	if (status == MT_OK && found) {
		step(&entry, now);
		status = write_entry(state, &entry, now, err);
	}
	status = state_db_end(state, status, err);
	if (status != MT_OK) {
		outbox_entry_done(&entry);
		return status;
	}
	if (found)
		*ret_entry = entry;
	*ret_found = found;
	return MT_OK;
}

static void
become_uncertain(struct outbox_entry *entry, time_t now)
{
	(void)now;
	entry->state = OUTBOX_UNCERTAIN;
	entry->doubtful = true;
	snprintf(entry->reply, sizeof(entry->reply),
	    "the sender ended before the server's answer was known");
}

enum mt_status
outbox_recover(struct state *state, time_t now, struct outbox_entry *ret_entry,
    bool *ret_found, struct mt_error *err)
{
	struct state_statement s;
	enum mt_status status = state_db_begin(state, err);

	if (status != MT_OK)
		return status;
	state_db_prepare(&s, state,
	    "SELECT " COLUMNS " FROM outbox WHERE state = 'attempting'"
	    " ORDER BY id LIMIT 1");
	return step_one(&s, become_uncertain, now, ret_entry, ret_found, err);
}

static void
count_attempt(struct outbox_entry *entry, time_t now)
{
	time_t delay = OUTBOX_BACKOFF_MIN_S;

	for (unsigned i = 0; i < entry->attempts; i++)
		if (delay < OUTBOX_BACKOFF_MAX_S)
			delay *= 2;
	if (delay > OUTBOX_BACKOFF_MAX_S)
		delay = OUTBOX_BACKOFF_MAX_S;
	entry->attempts++;
	entry->next_attempt = now + delay;
}

static enum mt_status
read_bytes(
    struct state *state, struct outbox_entry *entry, struct mt_error *err)
{
	struct state_statement s;
	const void *bytes = NULL;
	enum mt_status status = state_db_begin(state, err);
	bool row = false;

	if (status != MT_OK)
		return status;
	state_db_prepare(&s, state, "SELECT bytes FROM outbox WHERE id = ?");
	state_db_bind_number(&s, entry->id);
	status = state_db_step(&s, &row, err);
	if (status == MT_OK && row)
		bytes = state_db_bytes(&s, 0, &entry->len);
	if (bytes && (entry->bytes = malloc(entry->len)))
		memcpy(entry->bytes, bytes, entry->len);
	else if (status == MT_OK)
		status = mt_fail(err, MT_NO_MEMORY, "no memory for a message");
	state_db_finish(&s);
	return state_db_end(state, status, err);
}

enum mt_status
outbox_claim(struct state *state, enum outbox_policy policy, time_t now,
    struct outbox_entry *ret_entry, bool *ret_found, struct mt_error *err)
{
	struct outbox_entry entry = OUTBOX_ENTRY_INIT;
	struct state_statement s;
	enum mt_status status = state_db_begin(state, err);
	bool found;

	if (status != MT_OK)
		return status;
	state_db_prepare(&s, state,
	    "SELECT " COLUMNS " FROM outbox WHERE" OPEN " AND " DUE_AT " <= ?3"
	    " ORDER BY id LIMIT 1");
	state_db_bind_number(&s, policy == OUTBOX_RETRY);
	state_db_bind_number(&s, now + OUTBOX_BACKOFF_MAX_S);
	state_db_bind_number(&s, now);
	status = step_one(&s, count_attempt, now, &entry, &found, err);
	if (status == MT_OK && found)
		status = read_bytes(state, &entry, err);
	if (status != MT_OK) {
		outbox_entry_done(&entry);
		return status;
	}
	if (found)
		*ret_entry = entry;
	*ret_found = found;
	return MT_OK;
}

enum mt_status
outbox_attempting(struct state *state, struct outbox_entry *entry, time_t now,
    struct mt_error *err)
{
	enum outbox_state before = entry->state;
	enum mt_status status;

	entry->state = OUTBOX_ATTEMPTING;
	status = commit(state, entry, now, err);
	if (status != MT_OK)
		entry->state = before;
	return status;
}

static void
apply_verdict(struct outbox_entry *entry, enum outbox_verdict verdict)
{
	switch (verdict) {
	case OUTBOX_ACCEPTED:
		entry->state = OUTBOX_SENT;
		entry->next_attempt = 0;
		return;
	case OUTBOX_DEFERRED:
		entry->state =
		    entry->doubtful ? OUTBOX_UNCERTAIN : OUTBOX_QUEUED;
		return;
	case OUTBOX_LOST:
		entry->state = OUTBOX_UNCERTAIN;
		entry->doubtful = true;
		return;
	case OUTBOX_REFUSED:
		entry->state =
		    entry->doubtful ? OUTBOX_UNCERTAIN : OUTBOX_FAILED;
		entry->next_attempt = 0;
		return;
	}
}

enum mt_status
outbox_record(struct state *state, struct outbox_entry *entry,
    enum outbox_verdict verdict, const char *reply, time_t now,
    struct mt_error *err)
{
	struct outbox_entry after = *entry;
	enum mt_status status;

	apply_verdict(&after, verdict);
	snprintf(after.reply, sizeof(after.reply), "%s", reply);
	status = commit(state, &after, now, err);
	if (status == MT_OK)
		*entry = after;
	return status;
}

static void
give_up(struct outbox_entry *entry, time_t now)
{
	char last[OUTBOX_REPLY_MAX];

	(void)now;
	memcpy(last, entry->reply, sizeof(last));
	if (snprintf(entry->reply, sizeof(entry->reply),
		"given up after %d days: %s", OUTBOX_GIVE_UP_S / 86400,
		last) < 0)
		entry->reply[0] = '\0';
	entry->state = entry->doubtful ? OUTBOX_UNCERTAIN : OUTBOX_FAILED;
	entry->next_attempt = 0;
}

enum mt_status
outbox_give_up(struct state *state, time_t now, struct outbox_entry *ret_entry,
    bool *ret_found, struct mt_error *err)
{
	struct state_statement s;
	enum mt_status status = state_db_begin(state, err);

	if (status != MT_OK)
		return status;
	state_db_prepare(&s, state,
	    "SELECT " COLUMNS " FROM outbox WHERE next_attempt IS NOT NULL"
	    " AND state IN ('queued', 'uncertain') AND created <= ?"
	    " ORDER BY id LIMIT 1");
	state_db_bind_number(&s, now - OUTBOX_GIVE_UP_S);
	return step_one(&s, give_up, now, ret_entry, ret_found, err);
}

enum mt_status
outbox_tidy(struct state *state, time_t now, struct mt_error *err)
{
	struct state_statement s;
	enum mt_status status = state_db_begin(state, err);

	if (status != MT_OK)
		return status;
	state_db_prepare(&s, state,
	    "DELETE FROM outbox WHERE state IN ('sent', 'failed')"
	    " AND changed <= ?");
	state_db_bind_number(&s, now - OUTBOX_KEEP_S);
	status = state_db_run(&s, err);
	state_db_finish(&s);
	return state_db_end(state, status, err);
}
