/* SPDX-License-Identifier: ISC */
/*
 * What is kept of one account beyond the life of the process, and how it is
 * put into bytes (JSON).  Where the bytes are kept is the store's matter.
 *
 * A record holds refresh tokens, so it is in memory only while a refresh or
 * another change needs it.
 */
#ifndef MT_DAEMON_RECORD_H
#define MT_DAEMON_RECORD_H

#include "crypto.h"

#include "base/secret.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RECORD_SEEDS_MAX 256
#define RECORD_IDENTITY_MAX 1024

/* Why a refresh token is not tried any more.  It is kept all the same: a
 * diagnosis may be wrong, and only a new login replaces a token. */
struct record_mark {
	int64_t since_s; /* wall clock; 0: the token is alive */
	char reason[MT_ERROR_TEXT_MAX];
};

struct record {
	int64_t serial;       /* of the last access token; never repeats */
	int64_t refreshed_at; /* wall clock, of the last access token */
	int64_t login_at; /* wall clock, of the login or the seed's first use */

	struct secret refresh_token; /* the login; empty: none yet */
	/* which endpoint, client, user and owner the token belongs to */
	char fingerprint[CRYPTO_HEX_SIZE];
	/* SHA-256 of the endpoint, if that is not a matter of the settings */
	char token_endpoint[CRYPTO_HEX_SIZE];
	/* whom the server called the person who logged in; "": nobody */
	char identity[RECORD_IDENTITY_MAX + 1];
	struct record_mark dead;

	struct secret candidate; /* a seed that has not proven itself yet */
	char candidate_fingerprint[CRYPTO_HEX_SIZE];
	struct record_mark refused; /* the candidate was, when and why */

	/* SHA-256 of each seed that was taken; the oldest give way */
	char seeds[RECORD_SEEDS_MAX][CRYPTO_HEX_SIZE];
	size_t seed_count;
};

/* A record without tokens; `arena` is for those to come.  NULL: no memory. */
struct record *record_new(struct secret_arena *arena);

/* Wipes and releases. */
void record_free(struct record **record);

bool record_has_seed(
    const struct record *record, const char hash[CRYPTO_HEX_SIZE]);
void record_add_seed(struct record *record, const char hash[CRYPTO_HEX_SIZE]);

/* Forgets the candidate and what became of it. */
void record_clear_candidate(struct record *record);

/* Somebody logged in, whom the server called so. */
void record_take_person(
    struct record *record, const char *identity, int64_t login_at);

/* Replaces `bytes` by the record of `account`. */
enum mt_status record_encode(const struct record *record, const char *account,
    struct secret *bytes, struct mt_error *err) MT_MUST_CHECK;

/* Reads into a new record; fails with MT_BAD_CONFIG if the bytes are not a
 * whole record of `account`. */
enum mt_status record_decode(const struct secret *bytes, const char *account,
    struct record *record, struct mt_error *err) MT_MUST_CHECK;

#endif
