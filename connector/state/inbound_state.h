/* SPDX-License-Identifier: ISC */
/*
 * What has become of each message of each mailbox that is followed.
 *
 * A message is (account, mailbox, UIDVALIDITY, UID).  First it is staged:
 * complete on disk under the recorded name, with the handle fixed, but perhaps
 * not yet published; from then on its UID counts as done (done_state.h).
 * Whether we have a message is decided here alone, never by looking for its
 * directory.
 *
 * A row stays when its message is long gone: its handle must not be given to
 * another, and it may come back under another number.  It has about 200 bytes.
 *
 * Each call is one transaction, durable when it returns.
 */
#ifndef MT_STATE_INBOUND_STATE_H
#define MT_STATE_INBOUND_STATE_H

#include "base/status.h"
#include "match_state.h"
#include "uid_set.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct state;

#define INBOUND_HANDLE_MAX 40 /* "<uidvalidity>-<uid>-<n>" and its NUL */

/* The `attempt`-th name to try for a message's directory: the UID, then
 * "<uidvalidity>-<uid>", then that with "-2", "-3" and so on. */
void inbound_handle(char ret_handle[INBOUND_HANDLE_MAX], uint32_t uidvalidity,
    uint32_t uid, unsigned attempt);

/* Whether a message has had this directory, be it still there or not. */
enum mt_status inbound_state_handle_used(struct state *state,
    const char *folder, const char *handle, bool *ret_used,
    struct mt_error *err) MT_MUST_CHECK;

/* The same for many handles that are plain UIDs, in one transaction. */
enum mt_status inbound_state_uids_used(struct state *state, const char *folder,
    const uint32_t *uids, size_t count, bool *ret_used,
    struct mt_error *err) MT_MUST_CHECK;

struct inbound_message {
	uint32_t uid;
	const char *folder; /* relative to the workspace */
	const char *handle; /* name of its directory in `folder` */
	const char *staged; /* name of its directory before that */
	const char *sender;
	const char *subject;
	struct inbound_identity identity;
};

/*
 * Records that these messages, ascending by UID, are complete under their
 * staged names and will be published under their handles.  Not so where
 * ret_known[i] becomes true, and what is staged of that one is in no record: it
 * was delivered before the mailbox was numbered anew, or is older than what one
 * wanted, or was moved here meanwhile, and is done; or it may be what is about
 * to be moved here (move_state.h) and is looked at again later.  MT_RETRY_LATER if a handle was taken in the
 * meantime; nothing is recorded then.
 */
enum mt_status inbound_state_stage(struct state *state, int64_t mailbox_id,
    const struct inbound_message *messages, size_t count, bool *ret_known,
    struct mt_error *err) MT_MUST_CHECK;

/* Records that these messages are published, and moves the cursor.  Those that
 * were not yet enter the queues of the account (event_queue.h). */
enum mt_status inbound_state_finish(struct state *state, int64_t mailbox_id,
    const uint32_t *uids, size_t count, uint32_t cursor,
    struct mt_error *err) MT_MUST_CHECK;

/* Messages that are staged and not known to be published. */
struct inbound_staged {
	struct inbound_staged_message {
		int64_t mailbox_id;
		uint32_t uidvalidity;
		struct inbound_message message;
	} * messages;
	size_t count;
};

void inbound_staged_done(struct inbound_staged *staged);

/* Those of one account's mailbox (under any UIDVALIDITY), or all when
 * `account` is NULL. */
enum mt_status inbound_state_staged(struct state *state, const char *account,
    const char *mailbox, struct inbound_staged *ret_staged,
    struct mt_error *err) MT_MUST_CHECK;

/* Messages that have been published, in the order of (mailbox, UID), `max` at
 * most behind the given one (0, 0: from the first); only their folder, handle
 * and UID are told.  inbound_staged_done releases them. */
enum mt_status inbound_state_visible(struct state *state, int64_t mailbox_id,
    uint32_t uid, size_t max, struct inbound_staged *ret_messages,
    struct mt_error *err) MT_MUST_CHECK;

/* Gives a staged message another handle. */
enum mt_status inbound_state_rename(struct state *state, int64_t mailbox_id,
    uint32_t uid, const char *handle, struct mt_error *err) MT_MUST_CHECK;

/* Records one staged message as published, as inbound_state_finish does; the
 * cursor stays. */
enum mt_status inbound_state_published(struct state *state, int64_t mailbox_id,
    uint32_t uid, struct mt_error *err) MT_MUST_CHECK;

#endif
