/* SPDX-License-Identifier: ISC */
#include "outbox_queue.h"

#include "outbox_impl.h"

enum mt_status
outbox_list(struct state *state, const char *account,
    void (*each)(void *context, const struct outbox_entry *entry),
    void *context, struct mt_error *err)
{
	struct state_statement s;
	bool row = true;
	enum mt_status status = state_db_begin(state, err);

	if (status != MT_OK)
		return status;
	state_db_prepare(&s, state,
	    "SELECT " OUTBOX_COLUMNS " FROM outbox WHERE account = ?"
	    " ORDER BY id");
	state_db_bind_text(&s, account);
	while (status == MT_OK && row) {
		struct outbox_entry entry = OUTBOX_ENTRY_INIT;

		status = state_db_step(&s, &row, err);
		if (status == MT_OK && row)
			status = outbox_read_row(&s, &entry, err);
		if (status == MT_OK && row)
			each(context, &entry);
		outbox_entry_done(&entry);
	}
	state_db_finish(&s);
	return state_db_end(state, status, err);
}

enum mt_status
outbox_count_waiting(struct state *state,
    void (*each)(void *context, const char *account, size_t count),
    void *context, struct mt_error *err)
{
	struct state_statement s;
	bool row = true;
	enum mt_status status = state_db_begin(state, err);

	if (status != MT_OK)
		return status;
	state_db_prepare(&s, state,
	    "SELECT account, count(*) FROM outbox"
	    " WHERE state IN ('queued', 'attempting', 'uncertain')"
	    " GROUP BY account ORDER BY account");
	while (status == MT_OK && row) {
		status = state_db_step(&s, &row, err);
		if (status == MT_OK && row)
			each(context, state_db_text(&s, 0),
			    (size_t)state_db_number(&s, 1));
	}
	state_db_finish(&s);
	return state_db_end(state, status, err);
}

static enum mt_status
check_free(const struct outbox_entry *entry, struct mt_error *err)
{
	if (!entry->claimed && entry->state != OUTBOX_ATTEMPTING)
		return MT_OK;
	return mt_fail(err, MT_RETRY_LATER, "entry %lld is being sent",
	    (long long)entry->id);
}

static enum mt_status
retry(struct outbox_entry *entry, const void *context, time_t now,
    struct mt_error *err)
{
	enum mt_status status = check_free(entry, err);

	(void)context;
	if (status != MT_OK)
		return status;
	if (entry->copy == OUTBOX_COPY_GIVEN_UP) {
		entry->copy = OUTBOX_COPY_PENDING;
		entry->copy_since = entry->next_copy = now;
		entry->copy_attempts = 0;
		return MT_OK;
	}
	if (entry->state == OUTBOX_SENT)
		return mt_fail(err, MT_REFUSED, "entry %lld was sent",
		    (long long)entry->id);
	entry->state = entry->doubtful ? OUTBOX_UNCERTAIN : OUTBOX_QUEUED;
	entry->ordered = true;
	entry->attempts = 0;
	entry->tried_since = entry->next_attempt = now;
	entry->next_look = 0;
	return MT_OK;
}

static enum mt_status
drop(struct outbox_entry *entry, const void *context, time_t now,
    struct mt_error *err)
{
	enum mt_status status = check_free(entry, err);

	(void)context;
	(void)now;
	if (status != MT_OK)
		return status;
	if (entry->copy == OUTBOX_COPY_PENDING) {
		entry->copy = OUTBOX_COPY_GIVEN_UP;
		entry->next_copy = 0;
		outbox_say(entry->copy_reply, "dropped from the queue");
		return MT_OK;
	}
	if (entry->state != OUTBOX_QUEUED && entry->state != OUTBOX_UNCERTAIN)
		return mt_fail(err, MT_REFUSED, "entry %lld %s",
		    (long long)entry->id,
		    entry->state == OUTBOX_SENT ? "was sent" : "has failed");
	entry->state = OUTBOX_FAILED;
	entry->next_attempt = entry->next_look = 0;
	outbox_say(entry->reply,
	    entry->doubtful
		? "dropped from the queue; it was perhaps sent before"
		: "dropped from the queue");
	return MT_OK;
}

static enum mt_status
change(struct state *state, const char *account, int64_t id, outbox_step step,
    time_t now, struct outbox_entry *ret_entry, struct mt_error *err)
{
	struct state_statement s;
	bool found = false;
	enum mt_status status = state_db_begin(state, err);

	if (status != MT_OK)
		return status;
	state_db_prepare(&s, state,
	    "SELECT " OUTBOX_COLUMNS " FROM outbox"
	    " WHERE id = ? AND account = ?");
	state_db_bind_number(&s, id);
	state_db_bind_text(&s, account);
	status =
	    outbox_step_one(&s, step, NULL, now, false, ret_entry, &found, err);
	if (status == MT_OK && !found)
		return mt_fail(err, MT_REFUSED,
		    "there is no entry %lld in the queue", (long long)id);
	return status;
}

enum mt_status
outbox_retry(struct state *state, const char *account, int64_t id, time_t now,
    struct outbox_entry *ret_entry, struct mt_error *err)
{
	return change(state, account, id, retry, now, ret_entry, err);
}

enum mt_status
outbox_drop(struct state *state, const char *account, int64_t id, time_t now,
    struct outbox_entry *ret_entry, struct mt_error *err)
{
	return change(state, account, id, drop, now, ret_entry, err);
}
