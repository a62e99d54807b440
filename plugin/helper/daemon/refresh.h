/* SPDX-License-Identifier: ISC */
/*
 * The rules of refreshing: when it is due, what is sent, how long to pause
 * after a failure.  Pure, but for chance.
 */
#ifndef MT_DAEMON_REFRESH_H
#define MT_DAEMON_REFRESH_H

#include "config.h"
#include "crypto.h"

#include "base/secret.h"

#include <stdbool.h>
#include <stdint.h>

#define REFRESH_MIN_TTL_S 60
#define REFRESH_KEEP_ALIVE_S (7L * 86400)
#define REFRESH_PAUSE_MIN_S 5
#define REFRESH_PAUSE_MAX_S 900
#define REFRESH_ADMIN_PAUSE_S 3600
#define REFRESH_RETRY_AFTER_MAX_S 86400 /* no server can silence us longer */

/*
 * True if a token with `left_s` of its `lifetime_s` to live is not good enough
 * for a caller who wants `min_ttl_s`.  A token in the first fifth of its life is
 * always good enough, so that no wish makes every request a refresh.
 */
bool refresh_is_due(long lifetime_s, long left_s, long min_ttl_s);

/*
 * How old a token of this lifetime gets before it is replaced for those who use
 * it: about four fifths of its life, by chance a little less, and early enough
 * that what is left meets the wish of `min_ttl_s` until then; but never in the
 * first fifth.
 */
int64_t refresh_ahead_ms(long lifetime_s, long min_ttl_s);

/* How long a login may stay unused; 0: for ever. */
long refresh_keep_alive_s(const struct account_settings *settings);

/* How long to wait with the use of a login that was used `age_s` ago, in ms; by
 * chance earlier than `keep_alive_s` by up to a quarter, so that logins of one
 * day are not used in one minute.  `age_s` below 0: nobody
 * knows, or the clock was wrong, then or now. */
int64_t refresh_keep_alive_in_ms(long keep_alive_s, int64_t age_s);

/* Seconds to pause after the n-th failure in a row (n from 1): doubling from
 * 5 s to 15 min, each time half of it by chance. */
long refresh_pause_s(unsigned int failures);

/* The body of a refresh request, RFC 6749 s6. */
void refresh_form(struct secret *form, const struct account_settings *settings,
    const struct secret *refresh_token);

/* The body of the request of an application that logs in itself, RFC 6749 s4.4. */
void refresh_form_app_only(
    struct secret *form, const struct account_settings *settings);

/* The body of a revocation request, RFC 7009 s2.1. */
void refresh_form_revocation(struct secret *form,
    const struct account_settings *settings,
    const struct secret *refresh_token);

/* Adds who asks: client_id, and client_secret unless the client is public. */
void refresh_add_client(
    struct secret *form, const struct account_settings *settings);

/* What a refresh token is bound to: it goes to no other endpoint, for no other
 * client and user, and serves nobody who has come to own an account of the same
 * name.  Root and the helper's user are as one. */
bool refresh_fingerprint(const struct account_settings *settings,
    char ret_hex[CRYPTO_HEX_SIZE]) MT_MUST_CHECK;

#endif
