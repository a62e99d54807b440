/* SPDX-License-Identifier: ISC */
#include "store_key.h"

#include "key_source.h"

#include <stdlib.h>
#include <string.h>

#define FILE_NAME "store.key"

struct store_key {
	struct store *store;
	struct seal_key seal;
	struct key_slots slots; /* as on disk; none: there is no file yet */
	struct key_slot wanted;
	char news[MT_ERROR_TEXT_MAX];
};

/* ---- the file ---- */

static enum mt_status
fail_file(const struct store_key *key, const char *why, struct mt_error *err)
{
	return mt_fail(err, MT_BAD_CONFIG,
	    "%s/" FILE_NAME " %s; put back the file that belongs to the "
	    "logins beside it (*.token), or move all of them away and log in "
	    "again",
	    store_path(key->store), why);
}

static enum mt_status
read_slots(const struct store_key *key, struct key_slots *ret_slots,
    bool *ret_found, struct mt_error *err)
{
	struct secret bytes;
	struct mt_error why = {0};
	enum mt_status status;

	secret_init(&bytes, key->seal.bytes.arena);
	status = store_read_file(key->store, FILE_NAME, &bytes, ret_found, err);
	if (status == MT_OK && *ret_found &&
	    key_slots_decode(&bytes, ret_slots, &why) != MT_OK)
		status = fail_file(key, why.text, err);
	secret_done(&bytes);
	return status;
}

static enum mt_status
write_slots(
    struct store_key *key, const struct key_slots *slots, struct mt_error *err)
{
	struct secret bytes;
	enum mt_status status;

	secret_init(&bytes, key->seal.bytes.arena);
	status = key_slots_encode(slots, &bytes, err);
	if (status == MT_OK)
		status = store_write_file(key->store, FILE_NAME, &bytes, err);
	if (status == MT_OK)
		key->slots = *slots;
	secret_done(&bytes);
	return status;
}

static const struct key_slot *
find_slot(const struct key_slots *slots, const struct key_slot *like)
{
	for (size_t i = 0; i < slots->count; i++)
		if (key_slot_same(&slots->slot[i], like))
			return &slots->slot[i];
	return NULL;
}

/* Opens what is on disk by the slot, once more. */
static enum mt_status
try_slot(const struct store_key *key, const struct key_slot *slot,
    const struct secret *own, struct mt_error *err)
{
	struct key_slots slots;
	struct seal_key again = {0};
	const struct key_slot *found;
	bool is_there, ok;
	enum mt_status status = read_slots(key, &slots, &is_there, err);

	if (status != MT_OK)
		return status;
	secret_init(&again.bytes, key->seal.bytes.arena);
	found = is_there ? find_slot(&slots, slot) : NULL;
	ok = found && key_slot_unwrap(&slots, found, own, &again) &&
	     secret_equal(&again.bytes, &key->seal.bytes);
	secret_done(&again.bytes);
	return ok ? MT_OK : fail_file(key, "does not open any more", err);
}

/* ---- the wanted slot ---- */

static void
tell_change(struct store_key *key, const struct key_slot *slot)
{
	char text[MT_ERROR_TEXT_MAX - 64];

	key_slot_describe(slot, text, sizeof(text));
	snprintf(key->news, sizeof(key->news),
	    "from now on the logins are opened with %s alone", text);
}

/* Drops all slots but this one, which has opened the key, and a file that opens
 * nothing any more. */
static enum mt_status
keep_only(
    struct store_key *key, const struct key_slot *slot, struct mt_error *err)
{
	struct key_slots slots = key->slots;
	enum mt_status status = MT_OK;

	if (slots.count > 1) {
		slots.slot[0] = *slot;
		slots.count = 1;
		status = write_slots(key, &slots, err);
		tell_change(key, slot);
	}
	if (status == MT_OK)
		key_source_remove_others(key->store, slot);
	return status;
}

/* Puts `slot` beside the others, or in the place of its like. */
static enum mt_status
add_slot(struct store_key *key, struct key_slot *slot, const struct secret *own,
    struct mt_error *err)
{
	struct key_slots slots = key->slots;
	size_t i = 0;
	enum mt_status status = key_slot_wrap(slot, &key->seal, own, err);

	if (status != MT_OK)
		return status;
	while (i < slots.count && !key_slot_same(&slots.slot[i], slot))
		i++;
	if (i == KEY_SLOTS_MAX)
		return fail_file(key, "has no room for another slot", err);
	slots.slot[i] = *slot;
	if (i == slots.count)
		slots.count++;
	memcpy(slots.id, key->seal.id, sizeof(slots.id));
	slots.takes_clear = key->seal.takes_clear;
	status = write_slots(key, &slots, err);
	return status == MT_OK ? try_slot(key, slot, own, err) : status;
}

static enum mt_status
replace_slots(struct store_key *key, struct key_slot *slot,
    const struct secret *own, struct mt_error *err)
{
	enum mt_status status = add_slot(key, slot, own, err);

	return status == MT_OK ? keep_only(key, slot, err) : status;
}

/* ---- a new key ---- */

static enum mt_status
refuse_sealed(void *context, const char *account, struct mt_error *err)
{
	struct store_key *key = context;
	enum mt_status status = MT_OK;
	struct secret bytes;
	bool found;

	secret_init(&bytes, key->seal.bytes.arena);
	if (store_read(key->store, account, STORE_TOKEN, &bytes, &found,
		NULL) == MT_OK &&
	    found) {
		if (seal_is_sealed(&bytes))
			status = fail_file(key, "is missing", err);
		key->seal.takes_clear = true;
	}
	secret_done(&bytes);
	return status;
}

/* Looks what is in the directory, before a key is made for it. */
static enum mt_status
look_around(struct store_key *key, struct mt_error *err)
{
	return store_each_account(key->store, refuse_sealed, key, err);
}

static enum mt_status
make_key(struct store_key *key, struct key_slot *slot, const struct secret *own,
    struct mt_error *err)
{
	struct key_slots slots = {0};
	enum mt_status status;

	seal_add_random(&key->seal.bytes, SEAL_KEY_BYTES);
	if (!secret_ok(&key->seal.bytes))
		return mt_fail(err, MT_NO_MEMORY, "no memory");
	seal_key_identify(&key->seal);
	key_slots_mark_clear(&slots, &key->seal, key->seal.takes_clear);
	key->slots = slots;
	status = add_slot(key, slot, own, err);
	if (status != MT_OK)
		secret_reset(&key->seal.bytes);
	return status;
}

/* ---- opening ---- */

/* Tries to open by one slot; `why` says why it did not. */
static bool
open_by(
    struct store_key *key, const struct key_slot *slot, struct mt_error *why)
{
	char text[MT_ERROR_TEXT_MAX / 2];
	struct secret own;
	bool ok = false;

	secret_init(&own, key->seal.bytes.arena);
	if (key_source_read(key->store, slot, &own, why) == MT_OK) {
		ok = key_slot_unwrap(&key->slots, slot, &own, &key->seal);
		key_slot_describe(slot, text, sizeof(text));
		if (!ok)
			mt_fail(why, MT_BAD_CONFIG,
			    "%s is not the one that it was made with", text);
	}
	secret_done(&own);
	return ok;
}

/* The slot that opened, or NULL with `why` of the first that did not. */
static const struct key_slot *
open_by_any(struct store_key *key, struct mt_error *why)
{
	const struct key_slot *wanted = find_slot(&key->slots, &key->wanted);
	struct mt_error ignored;

	if (wanted && wanted->kind != KEY_SLOT_PASSPHRASE &&
	    open_by(key, wanted, why))
		return wanted;
	for (size_t i = 0; i < key->slots.count; i++) {
		const struct key_slot *slot = &key->slots.slot[i];
		if (slot != wanted && slot->kind != KEY_SLOT_PASSPHRASE &&
		    open_by(key, slot, why->text[0] ? &ignored : why))
			return slot;
	}
	return NULL;
}

/* The key is open, by `slot`: makes the wanted one of it, if it is another and
 * does not take a passphrase. */
static enum mt_status
settle(
    struct store_key *key, const struct key_slot *opened, struct mt_error *err)
{
	struct key_slot slot = key->wanted;
	enum mt_status status;
	struct secret own;

	if (key_slot_same(opened, &key->wanted))
		return keep_only(key, opened, err);
	if (key->wanted.kind == KEY_SLOT_PASSPHRASE)
		return MT_OK;
	secret_init(&own, key->seal.bytes.arena);
	status = key_source_make(key->store, &slot, &own, err);
	if (status == MT_OK)
		status = replace_slots(key, &slot, &own, err);
	secret_done(&own);
	return status;
}

static enum mt_status
open_existing(struct store_key *key, struct mt_error *err)
{
	const struct key_slot passphrase = {.kind = KEY_SLOT_PASSPHRASE};
	struct mt_error why = {0};
	const struct key_slot *opened = open_by_any(key, &why);
	struct key_slot copy;

	if (opened) {
		copy = *opened;
		return settle(key, &copy, err);
	}
	if (find_slot(&key->slots, &passphrase))
		return MT_OK;
	return mt_fail(err, MT_BAD_CONFIG, "%s/" FILE_NAME " does not open: %s",
	    store_path(key->store), why.text);
}

static enum mt_status
open_new(struct store_key *key, struct mt_error *err)
{
	struct key_slot slot = key->wanted;
	enum mt_status status = look_around(key, err);
	struct secret own;

	if (status != MT_OK || key->wanted.kind == KEY_SLOT_PASSPHRASE)
		return status;
	secret_init(&own, key->seal.bytes.arena);
	status = key_source_make(key->store, &slot, &own, err);
	if (status == MT_OK)
		status = make_key(key, &slot, &own, err);
	secret_done(&own);
	return status;
}

enum mt_status
store_key_open(struct store *store, const struct key_slot *wanted,
    struct secret_arena *arena, struct store_key **ret_key,
    struct mt_error *err)
{
	struct store_key *key = calloc(1, sizeof(*key));
	enum mt_status status;
	bool found = false;

	if (!key)
		return mt_fail(err, MT_NO_MEMORY, "no memory");
	key->store = store;
	key->wanted = *wanted;
	secret_init(&key->seal.bytes, arena);
	status = read_slots(key, &key->slots, &found, err);
	if (status == MT_OK)
		status = found ? open_existing(key, err) : open_new(key, err);
	if (status != MT_OK) {
		store_key_free(&key);
		return status;
	}
	store_use_key(store, &key->seal);
	*ret_key = key;
	return MT_OK;
}

void
store_key_free(struct store_key **key)
{
	if (!*key)
		return;
	secret_done(&(*key)->seal.bytes);
	free(*key);
	*key = NULL;
}

/* ---- passphrases ---- */

bool
store_key_is_open(const struct store_key *key)
{
	return key->seal.bytes.len > 0;
}

static const struct key_slot *
passphrase_slot(const struct store_key *key)
{
	const struct key_slot like = {.kind = KEY_SLOT_PASSPHRASE};

	return find_slot(&key->slots, &like);
}

enum store_key_need
store_key_need(const struct store_key *key)
{
	const struct key_slot *slot = passphrase_slot(key);

	if (slot && (!store_key_is_open(key) || key->slots.count > 1))
		return STORE_KEY_NEEDS_PASSPHRASE;
	if (!slot && key->wanted.kind == KEY_SLOT_PASSPHRASE)
		return STORE_KEY_NEEDS_NEW_PASSPHRASE;
	return STORE_KEY_NEEDS_NOTHING;
}

struct key_slot
store_key_slot(const struct store_key *key)
{
	const struct key_slot *slot = passphrase_slot(key);

	return slot ? *slot : key_slot_new(KEY_SLOT_PASSPHRASE, "");
}

/* The passphrase was set before. */
static enum mt_status
open_by_passphrase(struct store_key *key, const struct key_slot *slot,
    const struct secret *own, struct mt_error *err)
{
	struct seal_key opened = {0};

	secret_init(&opened.bytes, key->seal.bytes.arena);
	if (!key_slot_unwrap(&key->slots, slot, own, &opened)) {
		secret_done(&opened.bytes);
		return mt_fail(err, MT_BAD_INPUT, "this is not the passphrase");
	}
	if (store_key_is_open(key))
		secret_done(&opened.bytes);
	else
		key->seal = opened;
	return settle(key, slot, err);
}

enum mt_status
store_key_take(struct store_key *key, struct key_slot *slot,
    const struct secret *own, struct mt_error *err)
{
	key->news[0] = '\0';
	switch (store_key_need(key)) {
	case STORE_KEY_NEEDS_PASSPHRASE:
		return open_by_passphrase(key, slot, own, err);
	case STORE_KEY_NEEDS_NEW_PASSPHRASE:
		return store_key_is_open(key)
			   ? replace_slots(key, slot, own, err)
			   : make_key(key, slot, own, err);
	case STORE_KEY_NEEDS_NOTHING:
		break;
	}
	return MT_OK;
}

/* ---- records in clear ---- */

bool
store_key_takes_clear(const struct store_key *key)
{
	return key->seal.takes_clear;
}

enum mt_status
store_key_end_clear(struct store_key *key, struct mt_error *err)
{
	struct key_slots slots = key->slots;
	enum mt_status status;

	slots.takes_clear = false;
	status = write_slots(key, &slots, err);
	if (status == MT_OK)
		key->seal.takes_clear = false;
	return status;
}

const char *
store_key_news(const struct store_key *key)
{
	return key->news;
}
