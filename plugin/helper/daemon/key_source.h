/* SPDX-License-Identifier: ISC */
/* Where the key of a slot comes from, unless it is a passphrase: a file of
 * exactly 32 random bytes. */
#ifndef MT_DAEMON_KEY_SOURCE_H
#define MT_DAEMON_KEY_SOURCE_H

#include "key_slots.h"
#include "store.h"

/* In the state directory, of a slot without a name. */
#define KEY_SOURCE_DEFAULT "key"

/* Reads it into `own`.  MT_BAD_CONFIG, and what to do about it. */
enum mt_status key_source_read(const struct store *store,
    const struct key_slot *slot, struct secret *own,
    struct mt_error *err) MT_MUST_CHECK;

/* As key_source_read; makes the file in the state directory if it is that one
 * and is not there. */
enum mt_status key_source_make(const struct store *store,
    const struct key_slot *slot, struct secret *own,
    struct mt_error *err) MT_MUST_CHECK;

/* Removes the file in the state directory, if `slot` does not need it. */
void key_source_remove_others(
    const struct store *store, const struct key_slot *slot);

#endif
