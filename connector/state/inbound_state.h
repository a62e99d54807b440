/* SPDX-License-Identifier: ISC */
/*
 * What has become of each message of each mailbox that is followed.
 *
 * A message is (account, mailbox, UIDVALIDITY, UID); one UIDVALIDITY of a
 * mailbox (RFC 3501 2.3.1.1) is one row here.  It has a cursor: everything up
 * to that UID is done or gone.  Above it stand the messages that are done out
 * of order, and those that are staged: complete on disk under the recorded
 * name, with the handle fixed, but perhaps not yet published.  Whether we have
 * a message is decided here alone, never by looking for its directory.
 *
 * Each call is one transaction, durable when it returns.
 */
#ifndef MT_STATE_INBOUND_STATE_H
#define MT_STATE_INBOUND_STATE_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct state;

#define INBOUND_HANDLE_MAX 40 /* "<uidvalidity>-<uid>-<n>" and its NUL */

/* UIDs, ascending if nothing else is said; uid_list_done releases them. */
struct uid_list {
	uint32_t *uids;
	size_t count;
};

void uid_list_done(struct uid_list *list);
enum mt_status uid_list_add(
    struct uid_list *list, uint32_t uid, struct mt_error *err) MT_MUST_CHECK;

struct inbound_mailbox {
	int64_t id;
	uint32_t uidvalidity;
	uint32_t cursor;
};

/* What the state knows about a mailbox of which the server named the
 * UIDVALIDITY. */
enum inbound_seen {
	INBOUND_NEVER_SEEN,
	INBOUND_OTHER_EPOCH, /* only under another UIDVALIDITY */
	INBOUND_SEEN,
};

/* Looks a mailbox up; *ret_mailbox is filled for INBOUND_SEEN only. */
enum mt_status inbound_state_find(struct state *state, const char *account,
    const char *mailbox, uint32_t uidvalidity, enum inbound_seen *ret_seen,
    struct inbound_mailbox *ret_mailbox, struct mt_error *err) MT_MUST_CHECK;

/*
 * Begins to follow a mailbox under this UIDVALIDITY, from `cursor` on.  The
 * UIDs in `delivered` (may be NULL) are done, as directories of that name in
 * `folder`: what somebody else delivered before us.
 */
enum mt_status inbound_state_add(struct state *state, const char *account,
    const char *mailbox, uint32_t uidvalidity, uint32_t cursor,
    const char *folder, const struct uid_list *delivered,
    struct inbound_mailbox *ret_mailbox, struct mt_error *err) MT_MUST_CHECK;

/* The UIDs above `cursor` that are staged or done. */
enum mt_status inbound_state_known(struct state *state, int64_t mailbox_id,
    uint32_t cursor, struct uid_list *ret_known,
    struct mt_error *err) MT_MUST_CHECK;

/* The `attempt`-th name to try for a message's directory: the UID, then
 * "<uidvalidity>-<uid>", then that with "-2", "-3" and so on. */
void inbound_handle(char ret_handle[INBOUND_HANDLE_MAX], uint32_t uidvalidity,
    uint32_t uid, unsigned attempt);

/* Whether a message of `folder` has had this handle, be it still there or not. */
enum mt_status inbound_state_handle_used(struct state *state,
    const char *folder, const char *handle, bool *ret_used,
    struct mt_error *err) MT_MUST_CHECK;

struct inbound_message {
	uint32_t uid;
	const char *folder; /* relative to the workspace */
	const char *handle; /* name of its directory in `folder` */
	const char *staged; /* name of its directory before that */
	const char *sender;
	const char *subject;
};

/*
 * Records that these messages are complete under their staged names and will
 * be published under their handles.  MT_RETRY_LATER if a handle was taken in
 * the meantime; nothing is recorded then.
 */
enum mt_status inbound_state_stage(struct state *state, int64_t mailbox_id,
    const struct inbound_message *messages, size_t count,
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

/*
 * Suspects are messages that a failed fetch was about.  They are to be fetched
 * last and one by one, in the order of *ret_suspects: the fewest failures first,
 * then the highest UID, because servers send the lowest first and the one that
 * broke a fetch is likely the first that is missing.  So one that always fails
 * keeps back no other.  A message that is done is no suspect any more.
 */
enum mt_status inbound_state_suspect(struct state *state, int64_t mailbox_id,
    const uint32_t *uids, size_t count, struct mt_error *err) MT_MUST_CHECK;
enum mt_status inbound_state_suspects(struct state *state, int64_t mailbox_id,
    struct uid_list *ret_suspects, struct mt_error *err) MT_MUST_CHECK;

#endif
