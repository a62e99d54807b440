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
#include "mail/mail_server.h"
#include "state/outbox.h"

struct net_trust;
struct smtp_conn;

/* All of it outlives the call.  The functions but `rejected` may be NULL. */
struct submit_settings {
	const struct mail_server *server;
	const struct net_trust *trust;
	enum outbox_policy policy;

	void *context;
	/* Called before each login; its failure is the login's. */
	enum mt_status (*prepare)(
	    void *context, struct deadline deadline, struct mt_error *err);
	/* Called when the server has refused the credentials, with the reason
	 * in `err`: MT_OK when it is worth one more try. */
	enum mt_status (*rejected)(
	    void *context, struct deadline deadline, struct mt_error *err);
	/* Called with each connection, and with NULL before it is closed: in
	 * between another thread may use smtp_conn_abort. */
	void (*connected)(void *context, struct smtp_conn *conn);
	/* Called for each entry that has reached another state, or was
	 * attempted; it lives until the call returns. */
	void (*result)(void *context, const struct outbox_entry *entry);
};

/*
 * Attempts every entry that is due.  MT_OK: each was attempted and its result
 * is written down, whatever it is.  Otherwise the rest is as due as before, and
 * the caller decides when to try again: MT_RETRY_LATER when the server cannot
 * be reached, another sender works, or the deadline passed before all was
 * attempted; MT_NEEDS_LOGIN, MT_BAD_CONFIG and others as smtp_conn_open.
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
