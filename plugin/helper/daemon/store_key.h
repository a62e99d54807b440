/* SPDX-License-Identifier: ISC */
/*
 * The key that all records of a store are sealed with: random, made once, and
 * kept in the file store.key of the state directory, encrypted for the one way
 * to get at it that the settings name.  Another way is taken over when the old
 * one still works, and the old one goes when the new one is durable and has
 * been tried.
 *
 *     store.key       key_slots.h
 *     key             32 random bytes, where the settings name nothing else
 */
#ifndef MT_DAEMON_STORE_KEY_H
#define MT_DAEMON_STORE_KEY_H

#include "key_slots.h"
#include "store.h"

struct store_key;

/*
 * Opens the key of the locked `store` and has the store use it.  `wanted` is
 * the slot that the settings ask for.  Where that takes a passphrase, the store
 * stays locked.  MT_BAD_CONFIG if no way leads to the key.
 */
enum mt_status store_key_open(struct store *store,
    const struct key_slot *wanted, struct secret_arena *arena,
    struct store_key **ret_key, struct mt_error *err) MT_MUST_CHECK;

/* Wipes it; after the store, or when nothing uses that any more. */
void store_key_free(struct store_key **key);

/* What a passphrase would do. */
enum store_key_need {
	STORE_KEY_NEEDS_NOTHING,
	STORE_KEY_NEEDS_PASSPHRASE,     /* the one that was set */
	STORE_KEY_NEEDS_NEW_PASSPHRASE, /* the first one is to be set */
};

enum store_key_need store_key_need(const struct store_key *key);

/* True if records can be read. */
bool store_key_is_open(const struct store_key *key);

/* The slot to stretch a passphrase for, see key_slot_stretch(). */
struct key_slot store_key_slot(const struct store_key *key);

/*
 * Takes what came of that, `own`, with the slot that it was made for.
 * MT_BAD_INPUT if it is not that of the right passphrase.
 */
enum mt_status store_key_take(struct store_key *key, struct key_slot *slot,
    const struct secret *own, struct mt_error *err) MT_MUST_CHECK;

/* Records in clear are not read any more: there are none. */
enum mt_status store_key_end_clear(
    struct store_key *key, struct mt_error *err) MT_MUST_CHECK;

/* True until then. */
bool store_key_takes_clear(const struct store_key *key);

/* What was changed about the slots, for the log, or "". */
const char *store_key_news(const struct store_key *key);

#endif
