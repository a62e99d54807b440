/* SPDX-License-Identifier: ISC */
#include "match_state.h"

#include "done_state.h"
#include "state_db.h"

#include <string.h>

/*
 * message.earlier: it belongs to an earlier epoch.  The indexes hold these
 * only, so they cost nothing while a mailbox keeps its numbers.
 */
const char match_state_schema_1[] =
    "ALTER TABLE message ADD COLUMN internal_date INTEGER;"
    "ALTER TABLE message ADD COLUMN size INTEGER;"
    "ALTER TABLE message ADD COLUMN message_id BLOB;"
    "ALTER TABLE message ADD COLUMN digest BLOB;"
    "ALTER TABLE message ADD COLUMN earlier INTEGER NOT NULL DEFAULT 0;"
    "CREATE INDEX message_earlier_digest ON message (digest)"
    " WHERE earlier = 1 AND digest IS NOT NULL;"
    "CREATE INDEX message_earlier_size ON message (size, internal_date)"
    " WHERE earlier = 1;"
    /* only the latest epoch of a mailbox goes on */
    "UPDATE message SET earlier = 1 WHERE mailbox NOT IN"
    " (SELECT max(id) FROM mailbox GROUP BY account, name);";

void
match_state_bind_identity(
    struct state_statement *s, const struct inbound_identity *identity)
{
	if (identity->internal_date)
		state_db_bind_number(s, identity->internal_date);
	else
		state_db_bind_text(s, NULL);
	state_db_bind_number(s, (int64_t)identity->size);
	if (identity->has_message_id)
		state_db_bind_bytes(
		    s, identity->message_id, sizeof(identity->message_id));
	else
		state_db_bind_text(s, NULL);
	if (identity->has_digest)
		state_db_bind_bytes(
		    s, identity->digest, sizeof(identity->digest));
	else
		state_db_bind_text(s, NULL);
}

static bool
read_bytes(
    struct state_statement *s, int column, uint8_t *ret_bytes, size_t size)
{
	size_t len = 0;
	const void *bytes = state_db_bytes(s, column, &len);

	if (!bytes || len != size)
		return false;
	memcpy(ret_bytes, bytes, size);
	return true;
}

void
match_state_read_identity(
    struct state_statement *s, int column, struct inbound_identity *ret)
{
	*ret = (struct inbound_identity){
	    .internal_date = state_db_number(s, column),
	    .size = (uint64_t)state_db_number(s, column + 1),
	};
	ret->has_message_id =
	    read_bytes(s, column + 2, ret->message_id, sizeof(ret->message_id));
	ret->has_digest =
	    read_bytes(s, column + 3, ret->digest, sizeof(ret->digest));
}

/* The earlier messages of the same mailbox. */
#define CANDIDATES                                                             \
	" FROM message JOIN mailbox AS theirs ON theirs.id = message.mailbox"  \
	" JOIN mailbox AS ours ON ours.id = ?1"                                \
	" WHERE earlier = 1 AND staged IS NULL"                                \
	" AND theirs.account = ours.account AND theirs.name = ours.name"

struct epoch {
	int64_t id;
	bool renumbered;
	int64_t passed_until; /* Unix time; 0: nothing is too old */
	int64_t passed_below; /* a UID; 0: any */
};

struct candidate {
	int64_t mailbox_id;
	uint32_t uid;
	size_t count; /* of those that fit, up to 2 */
};

/* Finishes a statement that lists candidates. */
static enum mt_status
read_candidate(struct state_statement *s, struct candidate *ret_candidate,
    struct mt_error *err)
{
	struct candidate c = {0};
	bool row = false;
	enum mt_status status = state_db_step(s, &row, err);

	while (status == MT_OK && row) {
		if (c.count++ == 0) {
			c.mailbox_id = state_db_number(s, 0);
			c.uid = (uint32_t)state_db_number(s, 1);
		}
		status = state_db_step(s, &row, err);
	}
	state_db_finish(s);
	*ret_candidate = c;
	return status;
}

static enum mt_status
find_bytes(struct state *state, int64_t mailbox_id,
    const struct inbound_identity *identity, struct candidate *ret_candidate,
    struct mt_error *err)
{
	struct state_statement s;

	/* of several copies that of the same date first: any will do */
	state_db_prepare(&s, state,
	    "SELECT message.mailbox, uid" CANDIDATES " AND digest = ?2"
	    " ORDER BY internal_date IS ?3 DESC, message.mailbox DESC, uid"
	    " LIMIT 1");
	state_db_bind_number(&s, mailbox_id);
	state_db_bind_bytes(&s, identity->digest, sizeof(identity->digest));
	state_db_bind_number(&s, identity->internal_date);
	return read_candidate(&s, ret_candidate, err);
}

static enum mt_status
find_header(struct state *state, int64_t mailbox_id,
    const struct inbound_identity *identity, struct candidate *ret_candidate,
    struct mt_error *err)
{
	struct state_statement s;

	state_db_prepare(&s, state,
	    "SELECT message.mailbox, uid" CANDIDATES
	    " AND size = ?2 AND internal_date = ?3 AND message_id = ?4"
	    " LIMIT 2");
	state_db_bind_number(&s, mailbox_id);
	state_db_bind_number(&s, (int64_t)identity->size);
	state_db_bind_number(&s, identity->internal_date);
	state_db_bind_bytes(
	    &s, identity->message_id, sizeof(identity->message_id));
	return read_candidate(&s, ret_candidate, err);
}

/* Something that might be it, for which there must be a look at the bytes. */
static enum mt_status
find_similar(struct state *state, int64_t mailbox_id,
    const struct inbound_identity *identity, struct candidate *ret_candidate,
    struct mt_error *err)
{
	struct state_statement s;

	state_db_prepare(&s, state,
	    "SELECT message.mailbox, uid" CANDIDATES
	    " AND size = ?2 AND internal_date = ?3 LIMIT 1");
	state_db_bind_number(&s, mailbox_id);
	state_db_bind_number(&s, (int64_t)identity->size);
	state_db_bind_number(&s, identity->internal_date);
	return read_candidate(&s, ret_candidate, err);
}

/* Of what was never fetched there is the size alone. */
static enum mt_status
find_unfetched(struct state *state, int64_t mailbox_id,
    const struct inbound_identity *identity, struct candidate *ret_candidate,
    struct mt_error *err)
{
	struct state_statement s;

	state_db_prepare(&s, state,
	    "SELECT message.mailbox, uid" CANDIDATES
	    " AND size = ?2 AND internal_date IS NULL AND digest IS NULL"
	    " LIMIT 1");
	state_db_bind_number(&s, mailbox_id);
	state_db_bind_number(&s, (int64_t)identity->size);
	return read_candidate(&s, ret_candidate, err);
}

#define MARKED_AT_ONCE 5000

/* To mark a large mailbox takes long, and others wait for each transaction. */
static enum mt_status
mark_some(struct state *state, int64_t mailbox_id, bool *ret_more,
    struct mt_error *err)
{
	struct state_statement s;
	enum mt_status status = state_db_begin(state, err);

	if (status != MT_OK)
		return status;
	state_db_prepare(&s, state,
	    "UPDATE message SET earlier = 1 WHERE (mailbox, uid) IN"
	    " (SELECT message.mailbox, uid FROM mailbox AS ours"
	    "  JOIN mailbox AS theirs ON theirs.account = ours.account"
	    "  AND theirs.name = ours.name AND theirs.id < ours.id"
	    "  JOIN message ON message.mailbox = theirs.id"
	    "  WHERE ours.id = ? AND earlier = 0 LIMIT ?)");
	state_db_bind_number(&s, mailbox_id);
	state_db_bind_number(&s, MARKED_AT_ONCE);
	status = state_db_run(&s, err);
	*ret_more = sqlite3_changes(state->db) == MARKED_AT_ONCE;
	state_db_finish(&s);
	return state_db_end(state, status, err);
}

enum mt_status
match_state_prepare(
    struct state *state, int64_t mailbox_id, struct mt_error *err)
{
	bool more = true;
	enum mt_status status = MT_OK;

	while (status == MT_OK && more)
		status = mark_some(state, mailbox_id, &more, err);
	return status;
}

/* Runs a statement whose parameters are an epoch and, if it has a second one,
 * a UID. */
static enum mt_status
run(struct state *state, const char *sql, int64_t mailbox_id, int64_t uid,
    struct mt_error *err)
{
	struct state_statement s;
	enum mt_status status;

	state_db_prepare(&s, state, sql);
	state_db_bind_number(&s, mailbox_id);
	if (uid)
		state_db_bind_number(&s, uid);
	status = state_db_run(&s, err);
	state_db_finish(&s);
	return status;
}

/* Nothing is to be done about this message; `count` is what counts it. */
static enum mt_status
settle(struct state *state, int64_t mailbox_id, uint32_t uid, const char *count,
    struct mt_error *err)
{
	enum mt_status status =
	    done_state_add(state, mailbox_id, uid, uid, err);

	if (status == MT_OK)
		status = run(state,
		    "DELETE FROM suspect WHERE mailbox = ? AND uid = ?",
		    mailbox_id, uid, err);
	if (status == MT_OK)
		status = run(state, count, mailbox_id, 0, err);
	return status;
}

/* The old message goes on as this one. */
static enum mt_status
change_over(struct state *state, int64_t mailbox_id, uint32_t uid,
    const struct candidate *candidate, struct mt_error *err)
{
	struct state_statement s;
	enum mt_status status;

	state_db_prepare(&s, state,
	    "UPDATE message SET mailbox = ?1, uid = ?2, earlier = 0"
	    " WHERE mailbox = ?3 AND uid = ?4");
	state_db_bind_number(&s, mailbox_id);
	state_db_bind_number(&s, uid);
	state_db_bind_number(&s, candidate->mailbox_id);
	state_db_bind_number(&s, candidate->uid);
	status = state_db_run(&s, err);
	state_db_finish(&s);
	if (status != MT_OK)
		return status;
	return settle(state, mailbox_id, uid,
	    "UPDATE mailbox SET matched = matched + 1 WHERE id = ?", err);
}

/* Whether there may be mail of ours whose UID is not known, as the mailbox has
 * been numbered anew or a move was not told (arrival_state.c), and what is too
 * old to be wanted: only what was there when it was numbered. */
static enum mt_status
read_epoch(struct state *state, int64_t mailbox_id, struct epoch *epoch,
    struct mt_error *err)
{
	struct state_statement s;
	enum mt_status status;
	bool row = false;

	state_db_prepare(&s, state,
	    "SELECT ours.passed_until * ours.renumbered, ours.passed_below,"
	    " EXISTS (SELECT 1 FROM mailbox AS theirs"
	    " WHERE theirs.account = ours.account AND theirs.name = ours.name"
	    " AND (theirs.id < ours.id OR theirs.uidvalidity = 0))"
	    " FROM mailbox AS ours WHERE ours.id = ?");
	state_db_bind_number(&s, mailbox_id);
	status = state_db_step(&s, &row, err);
	if (status == MT_OK && row) {
		*epoch = (struct epoch){
		    .id = mailbox_id,
		    .passed_until = state_db_number(&s, 0),
		    .passed_below = state_db_number(&s, 1),
		    .renumbered = state_db_number(&s, 2),
		};
	}
	state_db_finish(&s);
	return status;
}

static enum mt_status
pass_old(struct state *state, const struct epoch *epoch, uint32_t uid,
    const struct inbound_identity *identity, bool *ret_done,
    struct mt_error *err)
{
	*ret_done = identity->internal_date &&
		    identity->internal_date <= epoch->passed_until &&
		    (!epoch->passed_below || uid < epoch->passed_below);
	if (!*ret_done)
		return MT_OK;
	return settle(state, epoch->id, uid,
	    "UPDATE mailbox SET passed = passed + 1 WHERE id = ?", err);
}

static enum mt_status
match_header(struct state *state, const struct epoch *epoch,
    const struct inbound_described *m, bool *ret_done, struct mt_error *err)
{
	struct candidate c = {0};
	enum mt_status status = MT_OK;

	if (m->identity.has_message_id)
		status = find_header(state, epoch->id, &m->identity, &c, err);
	*ret_done = c.count == 1;
	if (status == MT_OK && *ret_done)
		return change_over(state, epoch->id, m->uid, &c, err);
	/* what might still be known by its bytes is not passed */
	if (status == MT_OK)
		status = find_similar(state, epoch->id, &m->identity, &c, err);
	if (status != MT_OK || c.count)
		return status;
	return pass_old(state, epoch, m->uid, &m->identity, ret_done, err);
}

enum mt_status
match_state_described(struct state *state, int64_t mailbox_id,
    const struct inbound_described *messages, size_t count, bool *ret_done,
    struct mt_error *err)
{
	struct epoch epoch = {0};
	enum mt_status status = state_db_begin(state, err);

	if (status != MT_OK)
		return status;
	status = read_epoch(state, mailbox_id, &epoch, err);
	for (size_t i = 0; i < count && status == MT_OK; i++) {
		ret_done[i] = false;
		if (epoch.renumbered)
			status = match_header(
			    state, &epoch, &messages[i], &ret_done[i], err);
	}
	return state_db_end(state, status, err);
}

static enum mt_status
find_fetched(struct state *state, int64_t mailbox_id,
    const struct inbound_identity *identity, struct candidate *ret_candidate,
    struct mt_error *err)
{
	enum mt_status status;

	if (!identity->has_digest)
		return find_unfetched(
		    state, mailbox_id, identity, ret_candidate, err);
	status = find_bytes(state, mailbox_id, identity, ret_candidate, err);
	if (status != MT_OK || ret_candidate->count ||
	    !identity->has_message_id)
		return status;
	/* a server may have changed the bytes */
	status = find_header(state, mailbox_id, identity, ret_candidate, err);
	if (ret_candidate->count != 1)
		ret_candidate->count = 0;
	return status;
}

enum mt_status
match_state_fetched(struct state *state, int64_t mailbox_id, uint32_t uid,
    const struct inbound_identity *identity, bool *ret_done,
    struct mt_error *err)
{
	struct epoch epoch = {0};
	struct candidate c = {0};
	enum mt_status status = read_epoch(state, mailbox_id, &epoch, err);

	*ret_done = false;
	if (status != MT_OK || !epoch.renumbered)
		return status;
	status = find_fetched(state, mailbox_id, identity, &c, err);
	if (status != MT_OK)
		return status;
	*ret_done = c.count > 0;
	if (c.count)
		return change_over(state, mailbox_id, uid, &c, err);
	return pass_old(state, &epoch, uid, identity, ret_done, err);
}
