/* SPDX-License-Identifier: ISC */
/* What is due when, and what is not needed any more. */
#include "outbox_impl.h"

#define MINUTE_S 60

void
outbox_bind_rules(
    struct state_statement *s, const struct outbox_rules *rules, time_t now)
{
	const int64_t numbers[] = {
	    now,
	    now + OUTBOX_BACKOFF_MAX_S,
	    rules->policy == OUTBOX_RETRY,
	    rules->filing == OUTBOX_FILED_BY_SERVER,
	    rules->filing == OUTBOX_FILED_BY_US,
	};
	int count = sqlite3_bind_parameter_count(s->stmt);

	state_db_bind_text(s, rules->account);
	for (int i = 0; i + 1 < count; i++)
		state_db_bind_number(s, numbers[i]);
}

enum mt_status
outbox_read_room(struct state *state, const struct outbox_rules *rules,
    time_t now, size_t *ret_room, time_t *ret_wait_s, struct mt_error *err)
{
	struct state_statement s;
	size_t begun = 0;
	time_t oldest = 0;
	bool row = true;
	enum mt_status status = MT_OK;

	*ret_room = SIZE_MAX;
	*ret_wait_s = 0;
	if (!rules->per_minute)
		return MT_OK;
	state_db_prepare(&s, state,
	    "SELECT attempted FROM outbox WHERE account = ? AND attempted > ?"
	    " AND attempted <= ? ORDER BY attempted DESC LIMIT ?");
	state_db_bind_text(&s, rules->account);
	state_db_bind_number(&s, now - MINUTE_S);
	state_db_bind_number(&s, now);
	state_db_bind_number(&s, rules->per_minute);
	while (status == MT_OK && row) {
		status = state_db_step(&s, &row, err);
		if (status != MT_OK || !row)
			continue;
		oldest = (time_t)state_db_number(&s, 0);
		begun++;
	}
	state_db_finish(&s);
	*ret_room = rules->per_minute - begun;
	if (!*ret_room)
		*ret_wait_s = oldest + MINUTE_S - now;
	return status;
}

/* ---- what is due ---- */

static enum mt_status
read_due(struct state *state, const struct outbox_rules *rules, time_t now,
    struct outbox_plan *plan, struct mt_error *err)
{
	struct state_statement s;
	bool row = false;
	enum mt_status status;

	state_db_prepare(&s, state,
	    "SELECT count(*), total(due <= ?2),"
	    " max(0, min(due) - ?2) FROM (SELECT " OUTBOX_DUE(
		"next_attempt") " AS due FROM outbox WHERE" OUTBOX_IS_OPEN ")");
	outbox_bind_rules(&s, rules, now);
	status = state_db_step(&s, &row, err);
	if (status == MT_OK && state_db_number(&s, 0)) {
		plan->due = (size_t)state_db_number(&s, 1);
		plan->send_s = (time_t)state_db_number(&s, 2);
	}
	state_db_finish(&s);
	return status;
}

static enum mt_status
read_claimed(struct state *state, const struct outbox_rules *rules,
    struct outbox_plan *plan, struct mt_error *err)
{
	struct state_statement s;
	bool row = false;
	enum mt_status status;

	state_db_prepare(&s, state,
	    "SELECT count(*) FROM outbox WHERE account = ? AND claimed");
	state_db_bind_text(&s, rules->account);
	status = state_db_step(&s, &row, err);
	if (status == MT_OK)
		plan->claimed = (size_t)state_db_number(&s, 0);
	state_db_finish(&s);
	return status;
}

static enum mt_status
read_filing(struct state *state, const struct outbox_rules *rules, time_t now,
    struct outbox_plan *plan, struct mt_error *err)
{
	struct state_statement s;
	bool row = false;
	enum mt_status status;

	state_db_prepare(&s, state,
	    "SELECT count(*), max(0, min(due) - ?2) FROM ("
	    "SELECT " OUTBOX_DUE(
		"next_look") " AS due FROM outbox WHERE" OUTBOX_HAS_LOOK
			     " UNION ALL"
			     " SELECT " OUTBOX_DUE(
				 "next_copy") " FROM outbox "
					      "WHERE" OUTBOX_HAS_COPY ")");
	outbox_bind_rules(&s, rules, now);
	status = state_db_step(&s, &row, err);
	if (status == MT_OK && state_db_number(&s, 0))
		plan->file_s = (time_t)state_db_number(&s, 1);
	state_db_finish(&s);
	return status;
}

enum mt_status
outbox_plan(struct state *state, const struct outbox_rules *rules, time_t now,
    struct outbox_plan *ret_plan, struct mt_error *err)
{
	struct outbox_plan plan = {.send_s = -1, .file_s = -1};
	size_t room;
	time_t wait_s;
	enum mt_status status = state_db_begin(state, err);

	if (status != MT_OK)
		return status;
	status = read_due(state, rules, now, &plan, err);
	if (status == MT_OK)
		status = read_claimed(state, rules, &plan, err);
	if (status == MT_OK)
		status = read_filing(state, rules, now, &plan, err);
	if (status == MT_OK)
		status =
		    outbox_read_room(state, rules, now, &room, &wait_s, err);
	status = state_db_end(state, status, err);
	if (status != MT_OK)
		return status;
	if (plan.due > room)
		plan.due = room;
	if (plan.send_s >= 0 && plan.send_s < wait_s)
		plan.send_s = wait_s;
	*ret_plan = plan;
	return MT_OK;
}

/* ---- tidying ---- */

/* The settings may have changed since. */
static enum mt_status
forget_copies(
    struct state *state, const struct outbox_rules *rules, struct mt_error *err)
{
	struct state_statement s;
	enum mt_status status;

	if (rules->filing == OUTBOX_FILED_BY_US)
		return MT_OK;
	state_db_prepare(&s, state,
	    "UPDATE outbox SET copy = 'none', next_copy = NULL"
	    " WHERE account = ? AND copy = 'pending'");
	state_db_bind_text(&s, rules->account);
	status = state_db_run(&s, err);
	state_db_finish(&s);
	return status;
}

static enum mt_status
remove_old(struct state *state, time_t now, struct mt_error *err)
{
	struct state_statement s;
	enum mt_status status;

	state_db_prepare(&s, state,
	    "DELETE FROM outbox WHERE state IN ('sent', 'failed')"
	    " AND copy <> 'pending' AND changed <= ?");
	state_db_bind_number(&s, now - OUTBOX_KEEP_S);
	status = state_db_run(&s, err);
	state_db_finish(&s);
	return status;
}

enum mt_status
outbox_tidy(struct state *state, const struct outbox_rules *rules, time_t now,
    struct mt_error *err)
{
	enum mt_status status = state_db_begin(state, err);

	if (status != MT_OK)
		return status;
	status = forget_copies(state, rules, err);
	if (status == MT_OK)
		status = remove_old(state, now, err);
	return state_db_end(state, status, err);
}
