/* SPDX-License-Identifier: ISC */
/*
 * Knows old mail again when a mailbox has been numbered anew, so that it is
 * not delivered a second time.
 *
 * A message is known again by its bytes (SHA-256), else by its Message-ID,
 * INTERNALDATE and size together, if just one message that is left has these.
 * Each delivered message answers for one: it changes over to the new epoch,
 * with its directory's name, and is no longer searched for.
 */
#ifndef MT_STATE_MATCH_STATE_H
#define MT_STATE_MATCH_STATE_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct state;
struct state_statement;

#define INBOUND_DIGEST_BYTES 32
#define INBOUND_MESSAGE_ID_BYTES 16

/* By what a message can be known again; all of it survives renumbering. */
struct inbound_identity {
	int64_t internal_date; /* Unix time; 0: not known */
	uint64_t size;
	bool has_digest; /* else it was too large to be fetched */
	uint8_t digest[INBOUND_DIGEST_BYTES];
	bool has_message_id;
	uint8_t message_id[INBOUND_MESSAGE_ID_BYTES]; /* a hash of it */
};

/* For this folder only: the columns internal_date, size, message_id and digest,
 * as parameters and, from `column` on, as results. */
void match_state_bind_identity(
    struct state_statement *s, const struct inbound_identity *identity);
void match_state_read_identity(struct state_statement *s, int column,
    struct inbound_identity *ret_identity);

/* Makes the messages of earlier epochs ready to be searched for; to be done
 * before anything of a new epoch is.  Goes on where it was cut short. */
enum mt_status match_state_prepare(struct state *state, int64_t mailbox_id,
    struct mt_error *err) MT_MUST_CHECK;

struct inbound_described {
	uint32_t uid;
	struct inbound_identity identity; /* without a digest */
};

/*
 * Looks for messages by their headers, before they are fetched.  Those that
 * are known again, and those that are older than what one wanted, are done;
 * ret_done[i] says so.  The others are to be fetched and will be compared by
 * their bytes.  One transaction.
 */
enum mt_status match_state_described(struct state *state, int64_t mailbox_id,
    const struct inbound_described *messages, size_t count, bool *ret_done,
    struct mt_error *err) MT_MUST_CHECK;

/* For this folder only, inside of a transaction: the same for one message that
 * was fetched.  All that can be compared was. */
enum mt_status match_state_fetched(struct state *state, int64_t mailbox_id,
    uint32_t uid, const struct inbound_identity *identity, bool *ret_done,
    struct mt_error *err) MT_MUST_CHECK;

#endif
