/* SPDX-License-Identifier: ISC */
/*
 * Computes what a message is known again by when its mailbox is numbered anew.
 */
#ifndef MT_INBOUND_IDENTITY_H
#define MT_INBOUND_IDENTITY_H

#include "base/status.h"
#include "state/match_state.h"

#include <gnutls/crypto.h>

/* The digest of a message as it streams in; zero: nothing begun. */
struct identity_digest {
	gnutls_hash_hd_t hash;
};

enum mt_status identity_digest_begin(
    struct identity_digest *digest, struct mt_error *err) MT_MUST_CHECK;
void identity_digest_add(
    struct identity_digest *digest, const void *bytes, size_t len);

/* Ends it; `identity` (NULL: it is not wanted any more) gets the digest. */
void identity_digest_end(
    struct identity_digest *digest, struct inbound_identity *identity);

/*
 * Takes the value of a Message-ID field, which may be "".  What counts is from
 * the first "<" to the ">" after it, so that it does not matter who has unfolded
 * or trimmed the field.
 */
void identity_set_message_id(
    struct inbound_identity *identity, const char *message_id);

#endif
