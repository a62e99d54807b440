/* SPDX-License-Identifier: ISC */
#include "seal.h"

#include <sodium.h>
#include <string.h>

#define VERSION 1
#define MAGIC_BYTES 8
#define RANDOM_MAX 32

static const char magic[MAGIC_BYTES + 1] = "mtrecord";

_Static_assert(
    SEAL_KEY_BYTES == crypto_aead_xchacha20poly1305_ietf_KEYBYTES, "the key");
_Static_assert(
    SEAL_NONCE_BYTES == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, "nonce");
_Static_assert(
    SEAL_TAG_BYTES == crypto_aead_xchacha20poly1305_ietf_ABYTES, "the tag");

static const unsigned char *
bytes_of(const struct secret *s)
{
	return (const unsigned char *)secret_expose(s);
}

/* ---- encryption ---- */

void
seal_add_random(struct secret *bytes, size_t len)
{
	unsigned char random[RANDOM_MAX];

	while (len) {
		size_t n = len < sizeof(random) ? len : sizeof(random);
		randombytes_buf(random, n);
		secret_add(bytes, random, n);
		len -= n;
	}
	explicit_bzero(random, sizeof(random));
}

bool
seal_encrypt(struct secret *bytes, size_t offset, const struct secret *key)
{
	unsigned char tag[SEAL_TAG_BYTES];
	unsigned char *text;

	if (!secret_ok(bytes) || key->len != SEAL_KEY_BYTES ||
	    offset < SEAL_NONCE_BYTES || bytes->len < offset)
		return false;
	text = (unsigned char *)bytes->data + offset;
	crypto_aead_xchacha20poly1305_ietf_encrypt_detached(text, tag, NULL,
	    text, bytes->len - offset, bytes_of(bytes), offset, NULL,
	    bytes_of(bytes) + offset - SEAL_NONCE_BYTES, bytes_of(key));
	secret_add(bytes, tag, sizeof(tag));
	return secret_ok(bytes);
}

bool
seal_decrypt(const struct secret *bytes, size_t offset,
    const struct secret *key, struct secret *clear)
{
	size_t len;
	unsigned char *text;

	secret_reset(clear);
	if (key->len != SEAL_KEY_BYTES || offset < SEAL_NONCE_BYTES ||
	    bytes->len < offset + SEAL_TAG_BYTES)
		return false;
	len = bytes->len - offset - SEAL_TAG_BYTES;
	secret_add(clear, bytes->data + offset, len);
	if (!secret_ok(clear))
		return false;
	text = (unsigned char *)clear->data;
	if (crypto_aead_xchacha20poly1305_ietf_decrypt_detached(text, NULL,
		text, len, bytes_of(bytes) + bytes->len - SEAL_TAG_BYTES,
		bytes_of(bytes), offset,
		bytes_of(bytes) + offset - SEAL_NONCE_BYTES,
		bytes_of(key)) == 0)
		return true;
	secret_reset(clear);
	return false;
}

void
seal_key_identify(struct seal_key *key)
{
	static const unsigned char purpose[] = "mailtoken store key id";

	crypto_generichash(key->id, sizeof(key->id), purpose,
	    sizeof(purpose) - 1, bytes_of(&key->bytes), key->bytes.len);
}

/* ---- the header ---- */

static void
add_number(struct secret *bytes, uint64_t number)
{
	unsigned char octets[8];

	for (size_t i = 0; i < sizeof(octets); i++)
		octets[i] = (unsigned char)(number >> (56 - 8 * i));
	secret_add(bytes, octets, sizeof(octets));
}

static void
add_text(struct secret *bytes, const char *text)
{
	const unsigned char len = (unsigned char)strlen(text);

	secret_add(bytes, &len, 1);
	secret_add(bytes, text, len);
}

static void
add_header(struct secret *bytes, const struct seal_key *key,
    const struct seal_header *header)
{
	const unsigned char version = VERSION;

	secret_add(bytes, magic, MAGIC_BYTES);
	secret_add(bytes, &version, 1);
	secret_add(bytes, key->id, sizeof(key->id));
	add_number(bytes, (uint64_t)header->serial);
	add_text(bytes, header->account);
	add_text(bytes, header->fingerprint);
	seal_add_random(bytes, SEAL_NONCE_BYTES);
}

/* Where reading has come to. */
struct cursor {
	const unsigned char *next;
	size_t left;
	bool failed;
};

static const unsigned char *
take(struct cursor *c, size_t len)
{
	const unsigned char *at = c->next;

	if (c->failed || len > c->left) {
		c->failed = true;
		return NULL;
	}
	c->next += len;
	c->left -= len;
	return at;
}

static int64_t
take_number(struct cursor *c)
{
	const unsigned char *octets = take(c, 8);
	uint64_t number = 0;

	for (size_t i = 0; octets && i < 8; i++)
		number = number << 8 | octets[i];
	return (int64_t)number;
}

static void
take_text(struct cursor *c, char *text, size_t size)
{
	const unsigned char *len = take(c, 1);
	const unsigned char *from = len ? take(c, *len) : NULL;

	text[0] = '\0';
	if (!from || *len >= size || memchr(from, '\0', *len)) {
		c->failed = true;
		return;
	}
	memcpy(text, from, *len);
	text[*len] = '\0';
}

static enum mt_status
read_header(struct cursor *c, const struct seal_key *key,
    struct seal_header *header, struct mt_error *err)
{
	const unsigned char *start = take(c, MAGIC_BYTES);
	const unsigned char *version = take(c, 1);
	const unsigned char *id = take(c, SEAL_ID_BYTES);

	if (!start || memcmp(start, magic, MAGIC_BYTES) != 0 || !version || !id)
		return mt_fail(err, MT_BAD_CONFIG, "is no sealed record");
	if (*version != VERSION)
		return mt_fail(err, MT_BAD_CONFIG,
		    "is of format %u, which this program does not know",
		    *version);
	if (memcmp(id, key->id, SEAL_ID_BYTES) != 0)
		return mt_fail(err, MT_BAD_CONFIG,
		    "was sealed with another store key than the one in "
		    "store.key");
	header->serial = take_number(c);
	take_text(c, header->account, sizeof(header->account));
	take_text(c, header->fingerprint, sizeof(header->fingerprint));
	take(c, SEAL_NONCE_BYTES);
	return c->failed ? mt_fail(err, MT_BAD_CONFIG, "is damaged") : MT_OK;
}

/* ---- both together ---- */

enum mt_status
seal_close(const struct seal_key *key, const struct seal_header *header,
    const struct secret *clear, struct secret *sealed, struct mt_error *err)
{
	size_t offset;

	secret_reset(sealed);
	add_header(sealed, key, header);
	offset = sealed->len;
	secret_add(sealed, secret_expose(clear), clear->len);
	if (seal_encrypt(sealed, offset, &key->bytes))
		return MT_OK;
	return mt_fail(err, MT_RETRY_LATER,
	    "the record of account %s does not fit into %d bytes",
	    header->account, SECRET_MAX);
}

bool
seal_is_sealed(const struct secret *bytes)
{
	return bytes->len >= MAGIC_BYTES &&
	       memcmp(secret_expose(bytes), magic, MAGIC_BYTES) == 0;
}

enum mt_status
seal_open(const struct seal_key *key, const char *account,
    const struct secret *sealed, struct seal_header *ret_header,
    struct secret *clear, struct mt_error *err)
{
	struct cursor cursor = {.next = bytes_of(sealed), .left = sealed->len};
	enum mt_status status = read_header(&cursor, key, ret_header, err);

	secret_reset(clear);
	if (status != MT_OK)
		return status;
	if (!seal_decrypt(
		sealed, sealed->len - cursor.left, &key->bytes, clear))
		return mt_fail(
		    err, MT_BAD_CONFIG, "was changed, or is damaged");
	if (strcmp(ret_header->account, account) == 0)
		return MT_OK;
	secret_reset(clear);
	return mt_fail(err, MT_BAD_CONFIG, "is the login of account %s",
	    ret_header->account);
}
