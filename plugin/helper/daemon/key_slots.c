/* SPDX-License-Identifier: ISC */
#include "key_slots.h"

#include "strict_json.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define FORMAT 1
#define PASSES crypto_pwhash_OPSLIMIT_MODERATE
#define MEMORY crypto_pwhash_MEMLIMIT_MODERATE /* 256 MiB */
/* A file that somebody changed must not keep us busy for hours. */
#define PASSES_MAX 64
#define MEMORY_MAX ((size_t)2 * 1024 * 1024 * 1024)

#define HEX_MAX (2 * (SEAL_KEY_BYTES + SEAL_TAG_BYTES) + 1)

_Static_assert(KEY_SALT_BYTES == crypto_pwhash_SALTBYTES, "as Argon2 has it");

static const char *const kind_words[KEY_SLOT_KINDS] = {
    [KEY_SLOT_FILE] = "keyfile",
    [KEY_SLOT_CREDENTIAL] = "credential",
    [KEY_SLOT_PASSPHRASE] = "passphrase",
};

/* ---- writing ---- */

static bool
add(struct json_object *object, const char *name, struct json_object *value)
{
	return value && json_object_object_add(object, name, value) == 0;
}

static bool
add_hex(struct json_object *object, const char *name, const unsigned char *data,
    size_t len)
{
	char hex[HEX_MAX];

	sodium_bin2hex(hex, sizeof(hex), data, len);
	return add(object, name, json_object_new_string(hex));
}

static bool
fill_slot(struct json_object *o, const struct key_slot *slot)
{
	bool ok =
	    add(o, "kind", json_object_new_string(kind_words[slot->kind]));

	if (slot->kind == KEY_SLOT_PASSPHRASE)
		ok = ok && add(o, "kdf", json_object_new_string("argon2id")) &&
		     add_hex(o, "salt", slot->salt, sizeof(slot->salt)) &&
		     add(o, "passes",
			 json_object_new_int64((int64_t)slot->passes)) &&
		     add(o, "memory",
			 json_object_new_int64((int64_t)slot->memory));
	else
		ok = ok && add(o, "name", json_object_new_string(slot->name));
	return ok && add_hex(o, "nonce", slot->nonce, sizeof(slot->nonce)) &&
	       add_hex(o, "wrapped", slot->wrapped, sizeof(slot->wrapped));
}

static bool
fill_slots(struct json_object *object, const struct key_slots *slots)
{
	struct json_object *list = json_object_new_array();

	if (!add(object, "slots", list))
		return false;
	for (size_t i = 0; i < slots->count; i++) {
		struct json_object *o = json_object_new_object();
		if (!o || json_object_array_add(list, o) ||
		    !fill_slot(o, &slots->slot[i]))
			return false;
	}
	return true;
}

static bool
fill(struct json_object *object, const struct key_slots *slots)
{
	return add(object, "format", json_object_new_int(FORMAT)) &&
	       add_hex(object, "key_id", slots->id, sizeof(slots->id)) &&
	       (!slots->takes_clear ||
		   add_hex(object, "takes_clear", slots->clear_mark,
		       sizeof(slots->clear_mark))) &&
	       fill_slots(object, slots);
}

enum mt_status
key_slots_encode(
    const struct key_slots *slots, struct secret *bytes, struct mt_error *err)
{
	struct json_object *object = json_object_new_object();
	const char *text = NULL;

	secret_reset(bytes);
	if (object && fill(object, slots))
		text = json_object_to_json_string_ext(object,
		    JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE);
	if (text) {
		secret_add(bytes, text, strlen(text));
		secret_add(bytes, "\n", 1);
	}
	json_object_put(object);
	return text && secret_ok(bytes)
		   ? MT_OK
		   : mt_fail(err, MT_NO_MEMORY, "no memory");
}

/* ---- reading ---- */

static bool
get_text(struct json_object *o, const char *name, char *text, size_t size)
{
	struct json_object *value = json_object_object_get(o, name);
	const char *from = json_object_is_type(value, json_type_string)
			       ? json_object_get_string(value)
			       : NULL;

	if (!from || strlen(from) >= size ||
	    strlen(from) != (size_t)json_object_get_string_len(value))
		return false;
	memcpy(text, from, strlen(from) + 1);
	return true;
}

/* Exactly `len` bytes. */
static bool
get_hex(
    struct json_object *o, const char *name, unsigned char *data, size_t len)
{
	char hex[HEX_MAX];
	size_t n = 0;

	return get_text(o, name, hex, sizeof(hex)) && strlen(hex) == 2 * len &&
	       sodium_hex2bin(data, len, hex, strlen(hex), NULL, &n, NULL) ==
		   0 &&
	       n == len;
}

/* A number from `min` to `max`. */
static bool
get_number(struct json_object *o, const char *name, uint64_t min, uint64_t max,
    uint64_t *ret_number)
{
	struct json_object *value = json_object_object_get(o, name);
	int64_t number;

	if (!json_object_is_type(value, json_type_int))
		return false;
	number = json_object_get_int64(value);
	*ret_number = (uint64_t)number;
	return number >= 0 && *ret_number >= min && *ret_number <= max;
}

static bool
get_kind(struct json_object *o, enum key_slot_kind *ret_kind)
{
	char word[16];

	if (!get_text(o, "kind", word, sizeof(word)))
		return false;
	for (int kind = 0; kind < KEY_SLOT_KINDS; kind++) {
		if (strcmp(word, kind_words[kind]) != 0)
			continue;
		*ret_kind = (enum key_slot_kind)kind;
		return true;
	}
	return false;
}

static bool
get_passphrase(struct json_object *o, struct key_slot *slot)
{
	char kdf[16];
	uint64_t memory;
	bool good = get_text(o, "kdf", kdf, sizeof(kdf)) &&
		    strcmp(kdf, "argon2id") == 0 &&
		    get_hex(o, "salt", slot->salt, sizeof(slot->salt)) &&
		    get_number(o, "passes", crypto_pwhash_OPSLIMIT_MIN,
			PASSES_MAX, &slot->passes) &&
		    get_number(o, "memory", crypto_pwhash_MEMLIMIT_MIN,
			MEMORY_MAX, &memory);

	if (good)
		slot->memory = (size_t)memory;
	return good;
}

static bool
get_slot(struct json_object *o, struct key_slot *slot)
{
	bool good = json_object_is_type(o, json_type_object) &&
		    get_kind(o, &slot->kind);

	if (good && slot->kind == KEY_SLOT_PASSPHRASE)
		good = get_passphrase(o, slot);
	else if (good)
		good = get_text(o, "name", slot->name, sizeof(slot->name));
	return good && get_hex(o, "nonce", slot->nonce, sizeof(slot->nonce)) &&
	       get_hex(o, "wrapped", slot->wrapped, sizeof(slot->wrapped));
}

static bool
get_slots(struct json_object *object, struct key_slots *slots)
{
	struct json_object *list = json_object_object_get(object, "slots");

	if (!json_object_is_type(list, json_type_array) ||
	    json_object_array_length(list) > KEY_SLOTS_MAX)
		return false;
	slots->count = json_object_array_length(list);
	for (size_t i = 0; i < slots->count; i++)
		if (!get_slot(
			json_object_array_get_idx(list, i), &slots->slot[i]))
			return false;
	return slots->count > 0;
}

enum mt_status
key_slots_decode(const struct secret *bytes, struct key_slots *ret_slots,
    struct mt_error *err)
{
	struct json_object *object = strict_json_parse(bytes);
	uint64_t format = 0;
	bool known =
	    object && get_number(object, "format", 1, UINT32_MAX, &format);
	bool good;

	*ret_slots = (struct key_slots){0};
	good =
	    known && format == FORMAT &&
	    get_hex(object, "key_id", ret_slots->id, sizeof(ret_slots->id)) &&
	    get_slots(object, ret_slots);
	if (good && json_object_object_get(object, "takes_clear"))
		good = ret_slots->takes_clear = get_hex(object, "takes_clear",
		    ret_slots->clear_mark, sizeof(ret_slots->clear_mark));
	json_object_put(object);
	if (good)
		return MT_OK;
	if (known && format != FORMAT)
		return mt_fail(err, MT_BAD_CONFIG,
		    "is of a format that this program does not know");
	return mt_fail(err, MT_BAD_CONFIG, "is damaged");
}

/* ---- slots ---- */

struct key_slot
key_slot_new(enum key_slot_kind kind, const char *name)
{
	struct key_slot slot = {.kind = kind};

	snprintf(slot.name, sizeof(slot.name), "%s", name);
	if (kind == KEY_SLOT_PASSPHRASE) {
		randombytes_buf(slot.salt, sizeof(slot.salt));
		slot.passes = PASSES;
		slot.memory = MEMORY;
	}
	return slot;
}

bool
key_slot_same(const struct key_slot *a, const struct key_slot *b)
{
	return a->kind == b->kind && strcmp(a->name, b->name) == 0;
}

void
key_slot_describe(const struct key_slot *slot, char *text, size_t size)
{
	switch (slot->kind) {
	case KEY_SLOT_FILE:
		snprintf(text, size, "the key file%s%s", *slot->name ? " " : "",
		    slot->name);
		return;
	case KEY_SLOT_CREDENTIAL:
		snprintf(text, size, "the credential %s", slot->name);
		return;
	case KEY_SLOT_PASSPHRASE:
	case KEY_SLOT_KINDS:
		snprintf(text, size, "the passphrase");
		return;
	}
}

/* All that must not change about a slot, to the nonce. */
static void
add_associated(struct secret *bytes, const struct key_slot *slot,
    const unsigned char id[SEAL_ID_BYTES])
{
	char numbers[64];

	secret_add(bytes, "mtkeyslot1", sizeof("mtkeyslot1"));
	secret_add(bytes, id, SEAL_ID_BYTES);
	secret_add(
	    bytes, kind_words[slot->kind], strlen(kind_words[slot->kind]) + 1);
	secret_add(bytes, slot->name, strlen(slot->name) + 1);
	secret_add(bytes, slot->salt, sizeof(slot->salt));
	snprintf(numbers, sizeof(numbers), "%llu %zu",
	    (unsigned long long)slot->passes, slot->memory);
	secret_add(bytes, numbers, strlen(numbers) + 1);
	secret_add(bytes, slot->nonce, sizeof(slot->nonce));
}

enum mt_status
key_slot_wrap(struct key_slot *slot, const struct seal_key *key,
    const struct secret *own, struct mt_error *err)
{
	struct secret bytes;
	size_t offset;
	bool ok;

	randombytes_buf(slot->nonce, sizeof(slot->nonce));
	secret_init(&bytes, key->bytes.arena);
	add_associated(&bytes, slot, key->id);
	offset = bytes.len;
	secret_add(&bytes, secret_expose(&key->bytes), key->bytes.len);
	ok = seal_encrypt(&bytes, offset, own) &&
	     bytes.len - offset == sizeof(slot->wrapped);
	if (ok)
		memcpy(slot->wrapped, secret_expose(&bytes) + offset,
		    sizeof(slot->wrapped));
	secret_done(&bytes);
	return ok ? MT_OK : mt_fail(err, MT_NO_MEMORY, "no memory");
}

static void
compute_mark(const struct seal_key *key, unsigned char mark[KEY_MARK_BYTES])
{
	static const unsigned char purpose[] = "mailtoken takes clear records";

	crypto_generichash(mark, KEY_MARK_BYTES, purpose, sizeof(purpose) - 1,
	    (const unsigned char *)secret_expose(&key->bytes), key->bytes.len);
}

bool
key_slot_unwrap(const struct key_slots *slots, const struct key_slot *slot,
    const struct secret *own, struct seal_key *key)
{
	unsigned char mark[KEY_MARK_BYTES];
	struct secret bytes;
	size_t offset;
	bool ok;

	secret_init(&bytes, key->bytes.arena);
	add_associated(&bytes, slot, slots->id);
	offset = bytes.len;
	secret_add(&bytes, slot->wrapped, sizeof(slot->wrapped));
	ok = seal_decrypt(&bytes, offset, own, &key->bytes);
	secret_done(&bytes);
	if (!ok)
		return false;
	seal_key_identify(key);
	compute_mark(key, mark);
	key->takes_clear =
	    slots->takes_clear &&
	    sodium_memcmp(mark, slots->clear_mark, sizeof(mark)) == 0;
	return true;
}

void
key_slots_mark_clear(
    struct key_slots *slots, struct seal_key *key, bool takes_clear)
{
	key->takes_clear = slots->takes_clear = takes_clear;
	if (takes_clear)
		compute_mark(key, slots->clear_mark);
}

bool
key_slot_stretch(const struct key_slot *slot, const struct secret *passphrase,
    struct secret *own)
{
	return own->len == SEAL_KEY_BYTES &&
	       crypto_pwhash((unsigned char *)own->data, own->len,
		   secret_expose(passphrase), passphrase->len, slot->salt,
		   slot->passes, slot->memory,
		   crypto_pwhash_ALG_ARGON2ID13) == 0;
}
