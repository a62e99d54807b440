/* SPDX-License-Identifier: ISC */
#include "inbound/identity.h"

#include <string.h>

enum mt_status
identity_digest_begin(struct identity_digest *digest, struct mt_error *err)
{
	if (gnutls_hash_init(&digest->hash, GNUTLS_DIG_SHA256) < 0) {
		digest->hash = NULL;
		return mt_fail(err, MT_NO_MEMORY, "no memory for a digest");
	}
	return MT_OK;
}

void
identity_digest_add(
    struct identity_digest *digest, const void *bytes, size_t len)
{
	/* hashing memory cannot fail */
	(void)gnutls_hash(digest->hash, bytes, len);
}

void
identity_digest_end(
    struct identity_digest *digest, struct inbound_identity *identity)
{
	if (digest->hash)
		gnutls_hash_deinit(
		    digest->hash, identity ? identity->digest : NULL);
	if (identity)
		identity->has_digest = digest->hash != NULL;
	digest->hash = NULL;
}

void
identity_set_message_id(
    struct inbound_identity *identity, const char *message_id)
{
	const char *begin = strchr(message_id, '<');
	const char *end = begin ? strchr(begin, '>') : NULL;
	uint8_t hash[32];

	identity->has_message_id =
	    end && gnutls_hash_fast(GNUTLS_DIG_SHA256, begin,
		       (size_t)(end - begin) + 1, hash) >= 0;
	if (identity->has_message_id)
		memcpy(
		    identity->message_id, hash, sizeof(identity->message_id));
}
