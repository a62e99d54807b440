/* SPDX-License-Identifier: ISC */
#include "move_guard.h"

#include "state_db.h"

#include <stdlib.h>
#include <string.h>

static enum mt_status
add(struct move_guard *guard, struct state_statement *s, struct mt_error *err)
{
	struct move_guarded *moves =
	    reallocarray(guard->moves, guard->count + 1, sizeof(*moves));

	if (!moves)
		return mt_fail(err, MT_NO_MEMORY, "no memory for moves");
	guard->moves = moves;
	moves += guard->count++;
	moves->uidnext = (uint32_t)state_db_number(s, 0);
	match_state_read_identity(s, 1, &moves->identity);
	return MT_OK;
}

static enum mt_status
add_all(
    struct move_guard *guard, struct state_statement *s, struct mt_error *err)
{
	bool row = false;
	enum mt_status status = state_db_step(s, &row, err);

	while (status == MT_OK && row) {
		status = add(guard, s, err);
		if (status == MT_OK)
			status = state_db_step(s, &row, err);
	}
	return status;
}

enum mt_status
move_guard_read(struct state *state, int64_t mailbox_id,
    struct move_guard *ret_guard, struct mt_error *err)
{
	struct move_guard guard = {0};
	struct state_statement s;
	enum mt_status status;

	/* of a mailbox that was numbered anew, any UID may be it */
	state_db_prepare(&s, state,
	    "SELECT iif(to_uidvalidity = uidvalidity, to_uidnext, 0),"
	    " internal_date, size, message_id, digest"
	    " FROM mailbox JOIN move ON move.account = mailbox.account"
	    " AND to_mailbox = mailbox.name AND NOT placed"
	    " WHERE mailbox.id = ?");
	state_db_bind_number(&s, mailbox_id);
	status = add_all(&guard, &s, err);
	state_db_finish(&s);
	if (status == MT_OK)
		*ret_guard = guard;
	else
		move_guard_done(&guard);
	return status;
}

void
move_guard_done(struct move_guard *guard)
{
	free(guard->moves);
	*guard = (struct move_guard){0};
}

/* A server may give the copy another date, and be wrong about sizes; what it
 * never changes is the Message-ID.  In doubt it may be the same. */
static bool
may_be_same(const struct inbound_identity *a, const struct inbound_identity *b)
{
	if (a->has_message_id && b->has_message_id)
		return !memcmp(
		    a->message_id, b->message_id, sizeof(a->message_id));
	if (a->has_digest && b->has_digest)
		return !memcmp(a->digest, b->digest, sizeof(a->digest));
	return a->size == b->size || !a->size || !b->size;
}

bool
move_guard_fits(const struct move_guard *guard, uint32_t uid,
    const struct inbound_identity *identity)
{
	for (size_t i = 0; i < guard->count; i++)
		if (uid >= guard->moves[i].uidnext &&
		    may_be_same(&guard->moves[i].identity, identity))
			return true;
	return false;
}

enum mt_status
move_guard_put_off(
    struct state *state, int64_t mailbox_id, uint32_t uid, struct mt_error *err)
{
	struct state_statement s;
	enum mt_status status;

	/* without a failure of its own: that is how it is found again */
	state_db_prepare(&s, state,
	    "INSERT INTO suspect (mailbox, uid, failures, retry_at)"
	    " VALUES (?, ?, 0, CAST(strftime('%s', 'now') AS INTEGER) + 30)"
	    " ON CONFLICT DO UPDATE SET failures = 0,"
	    " retry_at = excluded.retry_at");
	state_db_bind_number(&s, mailbox_id);
	state_db_bind_number(&s, uid);
	status = state_db_run(&s, err);
	state_db_finish(&s);
	return status;
}

enum mt_status
move_guard_release(struct state *state, const char *account,
    const char *mailbox, struct mt_error *err)
{
	struct state_statement s;
	enum mt_status status;

	/* not 0: then the cursor would take them along */
	state_db_prepare(&s, state,
	    "UPDATE suspect SET retry_at = 1 WHERE failures = 0"
	    " AND mailbox IN"
	    " (SELECT id FROM mailbox WHERE account = ? AND name = ?)");
	state_db_bind_text(&s, account);
	state_db_bind_text(&s, mailbox);
	status = state_db_run(&s, err);
	state_db_finish(&s);
	return status;
}
