/* SPDX-License-Identifier: ISC */
#include "outbox_bench.h"

#include <string.h>

const struct outbox_rules retry = {
    ACCOUNT, OUTBOX_RETRY, OUTBOX_FILED_BY_NOBODY, 0};
const struct outbox_rules hold = {
    ACCOUNT, OUTBOX_HOLD, OUTBOX_FILED_BY_NOBODY, 0};
const struct outbox_rules filed_by_server = {
    ACCOUNT, OUTBOX_RETRY, OUTBOX_FILED_BY_SERVER, 0};
const struct outbox_rules filed_by_us = {
    ACCOUNT, OUTBOX_RETRY, OUTBOX_FILED_BY_US, 0};

struct state *
open_state(const char *dir)
{
	struct state *state = NULL;

	OK(state_open(&state, dir, &err));
	return state;
}

int64_t
add(struct state *state, const char *message_id)
{
	static const char *const rcpt_to[] = {
	    "b@example.org", "c@example.org", NULL};
	const struct outbox_message message = {
	    .account = ACCOUNT,
	    .message_id = message_id,
	    .date = NOW,
	    .mail_from = "a@example.org",
	    .rcpt_to = rcpt_to,
	    .bytes = BYTES,
	    .len = sizeof(BYTES) - 1,
	};
	int64_t id = 0;

	OK(outbox_add(state, &message, NOW, &id, &err));
	return id;
}

struct outbox_entry
get(struct state *state, int64_t id)
{
	struct outbox_entry entry = OUTBOX_ENTRY_INIT;
	bool found = false;

	OK(outbox_find(state, ACCOUNT, id, &entry, &found, &err));
	assert_true(found);
	return entry;
}

void
assert_entry(struct state *state, int64_t id, enum outbox_state expected,
    unsigned attempts, time_t next_attempt)
{
	struct outbox_entry entry = get(state, id);

	assert_string_equal(
	    outbox_state_name(entry.state), outbox_state_name(expected));
	assert_int_equal(entry.attempts, attempts);
	assert_int_equal(entry.next_attempt, next_attempt);
	outbox_entry_done(&entry);
}

bool
claim(struct state *state, const struct outbox_rules *rules, time_t now,
    struct outbox_entry *ret_entry)
{
	bool found = false;

	OK(outbox_claim(state, rules, now, ret_entry, &found, &err));
	return found;
}

void
record(struct state *state, const struct outbox_rules *rules,
    struct outbox_entry *entry, enum outbox_verdict verdict, const char *reply,
    time_t now)
{
	const struct outbox_result result = {verdict, reply, NULL};

	OK(outbox_record(state, rules, entry, &result, now, &err));
}

void
attempt_by(struct state *state, const struct outbox_rules *rules, int64_t id,
    enum outbox_verdict verdict, time_t now)
{
	struct outbox_entry entry = OUTBOX_ENTRY_INIT;

	assert_true(claim(state, rules, now, &entry));
	assert_int_equal(entry.id, id);
	OK(outbox_attempting(state, &entry, now, &err));
	record(state, rules, &entry, verdict, "reply", now);
	outbox_entry_done(&entry);
}

void
attempt(
    struct state *state, int64_t id, enum outbox_verdict verdict, time_t now)
{
	attempt_by(state, &retry, id, verdict, now);
}

struct outbox_plan
plan(struct state *state, const struct outbox_rules *rules, time_t now)
{
	struct outbox_plan p;

	OK(outbox_plan(state, rules, now, &p, &err));
	return p;
}
