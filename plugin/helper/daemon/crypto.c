/* SPDX-License-Identifier: ISC */
#include "crypto.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <string.h>

#define SHA256_BYTES 32
#define RANDOM_BYTES_MAX 64

/* Replaces `text` by `data` in base64url without padding, RFC 4648 s5. */
static bool
base64url(struct secret *text, const uint8_t *data, size_t len)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				       "abcdefghijklmnopqrstuvwxyz"
				       "0123456789-_";
	uint32_t bits = 0;
	unsigned int held = 0;

	secret_reset(text);
	for (size_t i = 0; i < len; i++) {
		bits = bits << 8 | data[i];
		for (held += 8; held >= 6; held -= 6)
			secret_add(
			    text, &alphabet[bits >> (held - 6) & 0x3f], 1);
	}
	if (held)
		secret_add(text, &alphabet[bits << (6 - held) & 0x3f], 1);
	return secret_ok(text);
}

bool
crypto_random_text(struct secret *text, size_t bytes)
{
	uint8_t data[RANDOM_BYTES_MAX];
	bool ok;

	if (bytes > sizeof(data) || gnutls_rnd(GNUTLS_RND_KEY, data, bytes) < 0)
		return false;
	ok = base64url(text, data, bytes);
	explicit_bzero(data, sizeof(data));
	return ok;
}

uint32_t
crypto_random_below(uint32_t limit)
{
	uint32_t number;

	if (!limit || gnutls_rnd(GNUTLS_RND_NONCE, &number, sizeof(number)) < 0)
		return 0;
	return number % limit;
}

bool
crypto_sha256_hex(const void *data, size_t len, char ret_hex[CRYPTO_HEX_SIZE])
{
	uint8_t hash[SHA256_BYTES];

	if (gnutls_hash_fast(GNUTLS_DIG_SHA256, data, len, hash) < 0)
		return false;
	for (size_t i = 0; i < sizeof(hash); i++)
		snprintf(ret_hex + 2 * i, 3, "%02x", hash[i]);
	return true;
}

bool
crypto_sha256_base64url(const struct secret *text, struct secret *ret_hash)
{
	uint8_t hash[SHA256_BYTES];

	return gnutls_hash_fast(GNUTLS_DIG_SHA256, secret_expose(text),
		   text->len, hash) == 0 &&
	       base64url(ret_hash, hash, sizeof(hash));
}
