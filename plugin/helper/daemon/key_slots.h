/* SPDX-License-Identifier: ISC */
/*
 * The contents of the file store.key, JSON: the store key, encrypted once for
 * each way to get at it.  A slot can change without a change of the records.
 * Knows nothing of files.
 */
#ifndef MT_DAEMON_KEY_SLOTS_H
#define MT_DAEMON_KEY_SLOTS_H

#include "seal.h"

#include <limits.h>
#include <stddef.h>
#include <stdint.h>

#define KEY_SLOTS_MAX 4
#define KEY_SALT_BYTES 16
#define KEY_MARK_BYTES 32
#define KEY_PASSPHRASE_MAX 1024 /* bytes */

enum key_slot_kind {
	KEY_SLOT_FILE,       /* by a file of 32 random bytes */
	KEY_SLOT_CREDENTIAL, /* the same, from the service manager */
	KEY_SLOT_PASSPHRASE, /* Argon2id */
	KEY_SLOT_KINDS
};

struct key_slot {
	enum key_slot_kind kind;
	/* Path of the file, "" for the one beside store.key; name of the
	 * credential. */
	char name[PATH_MAX];
	/* of a passphrase */
	unsigned char salt[KEY_SALT_BYTES];
	uint64_t passes;
	size_t memory; /* bytes */

	unsigned char nonce[SEAL_NONCE_BYTES];
	unsigned char wrapped[SEAL_KEY_BYTES + SEAL_TAG_BYTES];
};

struct key_slots {
	unsigned char id[SEAL_ID_BYTES]; /* of the store key */
	/* Only who has the store key can say that records in clear are read. */
	bool takes_clear;
	unsigned char clear_mark[KEY_MARK_BYTES];
	struct key_slot slot[KEY_SLOTS_MAX];
	size_t count;
};

/* Reads the file; MT_BAD_CONFIG, with what goes on "FILE ", if it is none. */
enum mt_status key_slots_decode(const struct secret *bytes,
    struct key_slots *ret_slots, struct mt_error *err) MT_MUST_CHECK;

enum mt_status key_slots_encode(const struct key_slots *slots,
    struct secret *bytes, struct mt_error *err) MT_MUST_CHECK;

/* A slot of this kind, for `name`; chooses salt and cost of a passphrase. */
struct key_slot key_slot_new(enum key_slot_kind kind, const char *name);

/* Same way to get at the key. */
bool key_slot_same(const struct key_slot *a, const struct key_slot *b);

/* Encrypts the store key for `slot`, whose key `own` is. */
enum mt_status key_slot_wrap(struct key_slot *slot, const struct seal_key *key,
    const struct secret *own, struct mt_error *err) MT_MUST_CHECK;

/* The store key of `slots` by way of `slot`; false if `own` is not its key. */
bool key_slot_unwrap(const struct key_slots *slots, const struct key_slot *slot,
    const struct secret *own, struct seal_key *key) MT_MUST_CHECK;

/* Says that records in clear are read with this key, or that they are not. */
void key_slots_mark_clear(
    struct key_slots *slots, struct seal_key *key, bool takes_clear);

/*
 * Makes the slot's key out of the passphrase, in `own`, which must have been
 * filled with SEAL_KEY_BYTES bytes before: no secret is allocated here, so that
 * it can run beside the thread that does.  Takes a second or two and the
 * slot's memory; false if there is none.
 */
bool key_slot_stretch(const struct key_slot *slot,
    const struct secret *passphrase, struct secret *own) MT_MUST_CHECK;

/* For sentences: "the key file /path", "the passphrase". */
void key_slot_describe(const struct key_slot *slot, char *text, size_t size);

#endif
