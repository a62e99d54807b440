/* SPDX-License-Identifier: ISC */
/*
 * Works the outbox of an account at its submission server: takes what is due,
 * in order, hands it over, and writes down what came of it.  What is asked of
 * the IMAP server about it is filing.h's; who calls all this, and when, is
 * sender.h's.
 *
 * The calls are for who holds the account's sender lock (state/outbox.h).  All
 * but submit_work are for one thread at a time.
 */
#ifndef MT_OUTBOUND_SUBMIT_H
#define MT_OUTBOUND_SUBMIT_H

#include "base/buf.h"
#include "base/deadline.h"
#include "base/status.h"
#include "state/outbox.h"

#include <stdatomic.h>

struct imap_conn;
struct smtp_conn;

/* All that it points to outlives the calls. */
struct submit_settings {
	struct outbox_rules rules;
	const char *sent_mailbox; /* UTF-8; NULL: the server's */
	/* No further entry is begun once it is true; NULL: never. */
	const atomic_bool *stop;

	void *context;
	/* Connect and log in, until `deadline` at most; in several threads. */
	enum mt_status (*open_smtp)(void *context, struct smtp_conn **ret_conn,
	    struct deadline deadline, struct mt_error *err);
	enum mt_status (*open_imap)(void *context, struct imap_conn **ret_conn,
	    struct deadline deadline, struct mt_error *err);
	/* Called for each entry that has reached another state, or was
	 * attempted or looked for, and for each whose copy was; it lives until
	 * the call returns.  In several threads. */
	void (*result)(void *context, const struct outbox_entry *entry);
	void (*copied)(void *context, const struct outbox_entry *entry);
};

/* Before the first of several submit_work: decides what a sender has left that
 * died.  Nobody may work. */
enum mt_status submit_recover(struct state *state,
    const struct submit_settings *settings, struct mt_error *err) MT_MUST_CHECK;

/*
 * Attempts one entry after the other, on one connection, as long as any is due;
 * several threads may, and share them.  MT_OK: each was attempted and its result
 * is written down, whatever it is; or the deadline has passed, or it was to
 * stop.  Otherwise the rest is as due as before, and the caller decides when to
 * try again: the failure of `open_smtp`, or of the state.  *ret_stranded: what
 * became of an entry could not be written down, for a minute; it waits for
 * submit_recover.
 *
 * Blocks until the deadline, and beyond it only while a server that has a
 * whole message owes the answer, for ten minutes at most.
 */
enum mt_status submit_work(struct state *state,
    const struct submit_settings *settings, struct deadline deadline,
    bool *ret_stranded, struct mt_error *err) MT_MUST_CHECK;

/* Gives up what was not accepted for days, and removes what is long over.  What
 * is due is attempted first, unless the server is away. */
enum mt_status submit_tidy(struct state *state,
    const struct submit_settings *settings, bool away,
    struct mt_error *err) MT_MUST_CHECK;

/*
 * Appends the sentence that an operator reads about the entry, such as "Email
 * sent to <recipients> (message_id=<id>)"; or about its copy in Sent.
 */
void submit_describe(struct buf *out, const struct outbox_entry *entry,
    const struct outbox_rules *rules, time_t now);
void submit_describe_copy(
    struct buf *out, const struct outbox_entry *entry, time_t now);

#endif
