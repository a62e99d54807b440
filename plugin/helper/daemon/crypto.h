/* SPDX-License-Identifier: ISC */
/*
 * Random text, SHA-256 and base64url, from GnuTLS.  Every function fails only
 * when GnuTLS does (no entropy, no memory): false.
 */
#ifndef MT_DAEMON_CRYPTO_H
#define MT_DAEMON_CRYPTO_H

#include "base/secret.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CRYPTO_HEX_SIZE 65 /* SHA-256 in hexadecimal, NUL counted */

/* Replaces `text` by `bytes` (at most 64) random bytes in base64url. */
bool crypto_random_text(struct secret *text, size_t bytes) MT_MUST_CHECK;

/* A random number in [0, limit); 0 when there is no entropy. */
uint32_t crypto_random_below(uint32_t limit);

bool crypto_sha256_hex(
    const void *data, size_t len, char ret_hex[CRYPTO_HEX_SIZE]) MT_MUST_CHECK;

/* base64url(sha256(text)) without padding: code_challenge, RFC 7636 s4.2. */
bool crypto_sha256_base64url(
    const struct secret *text, struct secret *ret_hash) MT_MUST_CHECK;

#endif
