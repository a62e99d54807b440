/* SPDX-License-Identifier: ISC */
/*
 * Works the outbox: takes what is due, in order, hands it to the submission
 * server, and writes down what came of it.  One sender at a time works a
 * state, whichever process or thread it is in.
 */
#ifndef MT_OUTBOUND_SUBMIT_H
#define MT_OUTBOUND_SUBMIT_H

#include "base/buf.h"
#include "base/deadline.h"
#include "base/status.h"
#include "state/outbox.h"

#include <stdatomic.h>

struct smtp_conn;

/* All of it outlives the call. */
struct submit_settings {
	enum outbox_policy policy;
	/* No further entry is begun once it is true; NULL: never. */
	const atomic_bool *stop;

	void *context;
	/* Connects and logs in, until `deadline` at most. */
	enum mt_status (*open)(void *context, struct smtp_conn **ret_conn,
	    struct deadline deadline, struct mt_error *err);
	/* Called for each entry that has reached another state, or was
	 * attempted; it lives until the call returns.  May be NULL. */
	void (*result)(void *context, const struct outbox_entry *entry);
};

/*
 * Attempts every entry that is due.  MT_OK: each was attempted and its result
 * is written down, whatever it is.  Otherwise the rest is as due as before, and
 * the caller decides when to try again: MT_RETRY_LATER when the server cannot
 * be reached, another sender works, or the deadline passed, or it was to stop,
 * before all was attempted; else the failure of `open`.
 *
 * Blocks until the deadline, and beyond it only while a server that has a
 * whole message owes the answer, for ten minutes at most.
 */
enum mt_status submit_run(struct state *state,
    const struct submit_settings *settings, struct deadline deadline,
    struct mt_error *err) MT_MUST_CHECK;

/*
 * Appends the sentence that an operator reads about the entry, such as "Email
 * sent to <recipients> (message_id=<id>)".
 */
void submit_describe(struct buf *out, const struct outbox_entry *entry,
    enum outbox_policy policy, time_t now);

#endif
