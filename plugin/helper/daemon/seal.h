/* SPDX-License-Identifier: ISC */
/*
 * A record as it lies on disk: encrypted with the store key, by
 * XChaCha20-Poly1305, behind a header that anybody can read and nobody can
 * change.
 *
 *     8 bytes   "mtrecord"
 *     1         version of the format
 *     16        id of the store key
 *     8         serial of the record, most significant byte first
 *     1, n      length and name of the account
 *     1, n      length and fingerprint of the login (record.h)
 *     24        nonce, random
 *     n, 16     the record, and the tag over all of the file
 *
 * So a file opens only unchanged, with its key, and for the account whose name
 * it bears.
 */
#ifndef MT_DAEMON_SEAL_H
#define MT_DAEMON_SEAL_H

#include "crypto.h"

#include "base/secret.h"
#include "base/status.h"
#include "tokensock/account_name.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SEAL_KEY_BYTES 32
#define SEAL_ID_BYTES 16
#define SEAL_NONCE_BYTES 24
#define SEAL_TAG_BYTES 16

/* What a record grows by, at most. */
#define SEAL_OVERHEAD_MAX                                                      \
	(8 + 1 + SEAL_ID_BYTES + 8 + 1 + ACCOUNT_NAME_MAX + 1 +                \
	    CRYPTO_HEX_SIZE - 1 + SEAL_NONCE_BYTES + SEAL_TAG_BYTES)

/* The store key, at hand. */
struct seal_key {
	struct secret bytes; /* SEAL_KEY_BYTES; empty: the store is locked */
	unsigned char id[SEAL_ID_BYTES];
	/* Records from before there was a key are read, too. */
	bool takes_clear;
};

/* Sets `id` by the bytes. */
void seal_key_identify(struct seal_key *key);

struct seal_header {
	char account[ACCOUNT_NAME_MAX + 1];
	char fingerprint[CRYPTO_HEX_SIZE];
	int64_t serial;
};

/* Replaces `sealed` by `clear` behind `header`.  MT_RETRY_LATER if it does not
 * fit into SECRET_MAX bytes. */
enum mt_status seal_close(const struct seal_key *key,
    const struct seal_header *header, const struct secret *clear,
    struct secret *sealed, struct mt_error *err) MT_MUST_CHECK;

/* True if the bytes begin as a sealed record does. */
bool seal_is_sealed(const struct secret *bytes);

/*
 * Replaces `clear` by what `sealed` holds for `account`.  MT_BAD_CONFIG if it
 * does not open; the text goes on a sentence that begins with what was to be
 * opened ("FILE was sealed with another store key").
 */
enum mt_status seal_open(const struct seal_key *key, const char *account,
    const struct secret *sealed, struct seal_header *ret_header,
    struct secret *clear, struct mt_error *err) MT_MUST_CHECK;

/* Encrypts what `bytes` holds behind `offset` in place, with all before it as
 * associated data, and adds the tag.  What is before must end with the nonce.
 * False when it does not fit, or there is no memory. */
bool seal_encrypt(struct secret *bytes, size_t offset,
    const struct secret *key) MT_MUST_CHECK;

/* The other way round: replaces `clear` by what stands behind `offset`.  False
 * unless it is what seal_encrypt made of it. */
bool seal_decrypt(const struct secret *bytes, size_t offset,
    const struct secret *key, struct secret *clear) MT_MUST_CHECK;

/* Adds random bytes. */
void seal_add_random(struct secret *bytes, size_t len);

#endif
