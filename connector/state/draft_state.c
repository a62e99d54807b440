/* SPDX-License-Identifier: ISC */
#include "draft_state.h"

#include "state_claim.h"
#include "state_db.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char draft_state_schema_1[] = "CREATE TABLE draft ("
				    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
				    " account TEXT NOT NULL,"
				    " request_id TEXT NOT NULL,"
				    " digest BLOB NOT NULL,"
				    " message_id TEXT NOT NULL,"
				    " date INTEGER NOT NULL,"
				    " mailbox TEXT,"
				    " UNIQUE (account, request_id));";

#define LOCK_FILE "drafts.lock"

void
draft_record_done(struct draft_record *record)
{
	if (record->claim >= 0)
		close(record->claim);
	free(record->message_id);
	free(record->mailbox);
	*record = (struct draft_record)DRAFT_RECORD_INIT;
}

static enum mt_status
forget_old(struct state *state, time_t now, struct mt_error *err)
{
	struct state_statement s;
	enum mt_status status;

	state_db_prepare(&s, state, "DELETE FROM draft WHERE date < ?");
	state_db_bind_number(&s, now - DRAFT_STATE_KEEP_S);
	status = state_db_run(&s, err);
	state_db_finish(&s);
	return status;
}

static enum mt_status
insert(struct state *state, const struct draft_request *request,
    bool *ret_fresh, struct mt_error *err)
{
	struct state_statement s;
	enum mt_status status;

	state_db_prepare(&s, state,
	    "INSERT INTO draft (account, request_id, digest, message_id, date)"
	    " VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING id");
	state_db_bind_text(&s, request->account);
	state_db_bind_text(&s, request->request_id);
	state_db_bind_bytes(&s, request->digest, DRAFT_STATE_DIGEST_BYTES);
	state_db_bind_text(&s, request->message_id);
	state_db_bind_number(&s, request->now);
	status = state_db_step(&s, ret_fresh, err);
	state_db_finish(&s);
	return status;
}

static bool
same_digest(struct state_statement *s, int column, const unsigned char *digest)
{
	size_t len = 0;
	const void *bytes = state_db_bytes(s, column, &len);

	return len == DRAFT_STATE_DIGEST_BYTES && !memcmp(bytes, digest, len);
}

static enum mt_status
read_record(
    struct state_statement *s, struct draft_record *ret, struct mt_error *err)
{
	const char *mailbox = state_db_text(s, 4);

	ret->id = state_db_number(s, 0);
	ret->message_id = strdup(state_db_text(s, 2));
	ret->date = state_db_number(s, 3);
	if (*mailbox)
		ret->mailbox = strdup(mailbox);
	if (ret->message_id && (!*mailbox || ret->mailbox))
		return MT_OK;
	return mt_fail(err, MT_NO_MEMORY, "no memory for a draft");
}

static enum mt_status
find(struct state *state, const struct draft_request *request,
    struct draft_record *ret, struct mt_error *err)
{
	struct state_statement s;
	enum mt_status status;
	bool row = false;

	state_db_prepare(&s, state,
	    "SELECT id, digest, message_id, date, mailbox FROM draft"
	    " WHERE account = ? AND request_id = ?");
	state_db_bind_text(&s, request->account);
	state_db_bind_text(&s, request->request_id);
	status = state_db_step(&s, &row, err);
	if (status == MT_OK && !row)
		status = mt_fail(err, MT_BUG, "the draft is in no record");
	else if (status == MT_OK && !same_digest(&s, 1, request->digest))
		status = mt_fail(
		    err, MT_REFUSED, "request_id was used for another message");
	else if (status == MT_OK)
		status = read_record(&s, ret, err);
	state_db_finish(&s);
	return status;
}

static enum mt_status
claim(struct state *state, struct draft_record *record, struct mt_error *err)
{
	bool claimed = false;

	if (record->mailbox)
		return MT_OK;
	return state_claim(
	    state, LOCK_FILE, record->id, &claimed, &record->claim, err);
}

enum mt_status
draft_state_begin(struct state *state, const struct draft_request *request,
    struct draft_record *ret_record, struct mt_error *err)
{
	struct draft_record record = DRAFT_RECORD_INIT;
	enum mt_status status = state_db_begin(state, err);

	if (status != MT_OK)
		return status;
	status = forget_old(state, request->now, err);
	if (status == MT_OK)
		status = insert(state, request, &record.fresh, err);
	if (status == MT_OK)
		status = find(state, request, &record, err);
	if (status == MT_OK)
		status = claim(state, &record, err);
	status = state_db_end(state, status, err);
	if (status == MT_OK)
		*ret_record = record;
	else
		draft_record_done(&record);
	return status;
}

enum mt_status
draft_state_saved(
    struct state *state, int64_t id, const char *mailbox, struct mt_error *err)
{
	struct state_statement s;
	enum mt_status status = state_db_begin(state, err);

	if (status != MT_OK)
		return status;
	state_db_prepare(
	    &s, state, "UPDATE draft SET mailbox = ? WHERE id = ?");
	state_db_bind_text(&s, mailbox);
	state_db_bind_number(&s, id);
	status = state_db_run(&s, err);
	state_db_finish(&s);
	return state_db_end(state, status, err);
}
