/* SPDX-License-Identifier: ISC */
/* What the tests of the outbox share. */
#ifndef MT_TEST_OUTBOX_BENCH_H
#define MT_TEST_OUTBOX_BENCH_H

#include "state/outbox.h"
#include "state/outbox_copy.h"
#include "state/outbox_queue.h"
#include "state/state.h"

#include "unit/cmocka_headers.h"
#include "unit/connector/scratch.h"

#define NOW ((time_t)1800000000)
#define DAY 86400
#define ACCOUNT "alice"
#define BYTES "Subject: x\r\n\r\nbody\0with NUL\r\n"

extern const struct outbox_rules retry, hold, filed_by_server, filed_by_us;

struct state *open_state(const char *dir);

/* Queues a message of ACCOUNT at NOW. */
int64_t add(struct state *state, const char *message_id);

struct outbox_entry get(struct state *state, int64_t id);
void assert_entry(struct state *state, int64_t id, enum outbox_state expected,
    unsigned attempts, time_t next_attempt);

bool claim(struct state *state, const struct outbox_rules *rules, time_t now,
    struct outbox_entry *ret_entry);
void record(struct state *state, const struct outbox_rules *rules,
    struct outbox_entry *entry, enum outbox_verdict verdict, const char *reply,
    time_t now);

/* One whole attempt with the next entry, which must be `id`; attempt: by
 * `retry`. */
void attempt_by(struct state *state, const struct outbox_rules *rules,
    int64_t id, enum outbox_verdict verdict, time_t now);
void attempt(
    struct state *state, int64_t id, enum outbox_verdict verdict, time_t now);

struct outbox_plan plan(
    struct state *state, const struct outbox_rules *rules, time_t now);

#endif
