/* SPDX-License-Identifier: ISC */
/*
 * Hands received mail on: for each account, to the agent by the gateway's
 * WebSocket (or, without a connector token, its signed webhook), to a program,
 * and on standard output, as configured.  Each of these has a durable queue of
 * its own in the state, and nothing leaves it before the receiver has taken it.
 *
 * All work is done in threads of this unit: one for everything, and one more
 * for each gateway.  No call blocks unless it says so; all may be made from any
 * thread, handon_close when nobody uses it any more.
 */
#ifndef MT_HANDON_HANDON_H
#define MT_HANDON_HANDON_H

#include "base/deadline.h"
#include "base/secret.h"
#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

struct handon;
struct handon_account;
struct json_object;
struct net_trust;
struct state;

/* All members are the caller's, and outlive it. */
struct handon_settings {
	struct state *state; /* with the deliverer's lock */

	/*
	 * Called from the thread: something else that is to be done beside,
	 * and may block for a little.  Returns after how long it wants to be
	 * called again (INT64_MAX: not before handon_wake).  May be NULL.
	 */
	int64_t (*chore)(void *context);
	/* Called from the thread, once: standard output cannot be written any
	 * more, and who reads it is gone.  May be NULL. */
	void (*broken)(void *context, const char *why);
	void *context;
};

/* What is NULL, false or an empty secret is not configured. */
struct handon_account_settings {
	const char *account; /* as inbound_state knows it */
	const char *agent;
	const char *gateway_url;
	const struct secret *gateway_token;
	const struct net_trust *trust; /* must outlive everything */
	int64_t agent_wait_ms;         /* before the agent is disturbed again */
	const char *hook_url;
	const struct secret *hook_secret;
	const char *ca_file;
	const char *command;
	bool to_stdout;
	uint64_t queue_max; /* events in a queue, see handon_is_full */
};

enum mt_status handon_open(struct handon **ret_handon,
    const struct handon_settings *settings, struct mt_error *err) MT_MUST_CHECK;

/*
 * Hands on the mail of an account from now on; what its queues hold from before
 * too.  To be called before the account is polled.  What is in the settings is
 * copied, secrets into the arena that they are in.  Blocks for as long as the
 * disk does.
 */
enum mt_status handon_add(struct handon *handon,
    const struct handon_account_settings *settings,
    struct handon_account **ret_account, struct mt_error *err) MT_MUST_CHECK;

/* Stops handing on mail of the account, whose queues stay. */
void handon_remove(struct handon *handon, struct handon_account **account);

/* Tells that there is something new in the queues of the account. */
void handon_wake(struct handon *handon, struct handon_account *account);

/*
 * Whether a queue of the account holds so much that no further mail should be
 * fetched; *ret_full.  Blocks for as long as the disk does.
 */
enum mt_status handon_is_full(struct handon *handon,
    const struct handon_account *account, bool *ret_full,
    struct mt_error *err) MT_MUST_CHECK;

/* An array with an object for each queue: "account", "sink", "queued" (a
 * number), "detail" (what hinders it, empty if nothing does).  The caller's. */
struct json_object *handon_status(struct handon *handon);

/*
 * Waits until all that is queued is handed on, or has failed and is to be tried
 * later, or the deadline has passed.  Returns how many events are left.
 */
uint64_t handon_drain(struct handon *handon, struct deadline deadline);

/*
 * Begins nothing further, gives what is under way until the deadline, and
 * releases all.  False: a thread has not ended; nothing is released then, and
 * the process must end without releasing the state and the trust.
 */
bool handon_close(struct handon **handon, struct deadline deadline);

#endif
