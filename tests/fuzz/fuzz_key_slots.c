/* SPDX-License-Identifier: ISC */
/* The input is a file store.key. */
#include "fuzz.h"

#include "key_slots.h"

#include <stdlib.h>
#include <string.h>

static void
check_slot(const struct key_slots *slots, const struct key_slot *slot)
{
	struct seal_key key = {0};
	struct secret own = SECRET_INIT;
	char text[64];

	FUZZ_CHECK(slot->kind < KEY_SLOT_KINDS);
	FUZZ_CHECK(
	    strnlen(slot->name, sizeof(slot->name)) < sizeof(slot->name));
	if (slot->kind == KEY_SLOT_PASSPHRASE)
		FUZZ_CHECK(slot->passes > 0 && slot->memory > 0);
	key_slot_describe(slot, text, sizeof(text));
	FUZZ_CHECK(strlen(text) > 0);
	for (size_t i = 0; i < SEAL_KEY_BYTES; i++)
		secret_add(&own, "k", 1);
	FUZZ_CHECK(!key_slot_unwrap(slots, slot, &own, &key));
	FUZZ_CHECK(key.bytes.len == 0);
	secret_done(&own);
	secret_done(&key.bytes);
}

/* Written and read again, it is the same. */
static void
check_again(const struct key_slots *slots)
{
	struct secret one = SECRET_INIT, two = SECRET_INIT;
	struct key_slots *again = calloc(1, sizeof(*again));

	if (!again)
		abort();
	FUZZ_CHECK(key_slots_encode(slots, &one, NULL) == MT_OK);
	FUZZ_CHECK(key_slots_decode(&one, again, NULL) == MT_OK);
	FUZZ_CHECK(key_slots_encode(again, &two, NULL) == MT_OK);
	FUZZ_CHECK(secret_equal(&one, &two));
	secret_done(&one);
	secret_done(&two);
	free(again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct key_slots *slots = calloc(1, sizeof(*slots));
	struct secret bytes = SECRET_INIT;
	struct mt_error err = {0};

	if (!slots)
		abort();
	secret_add(&bytes, data, size);
	if (key_slots_decode(&bytes, slots, &err) == MT_OK) {
		FUZZ_CHECK(slots->count && slots->count <= KEY_SLOTS_MAX);
		for (size_t i = 0; i < slots->count; i++)
			check_slot(slots, &slots->slot[i]);
		check_again(slots);
	} else {
		FUZZ_CHECK(fuzz_is_sentence(&err));
	}
	secret_done(&bytes);
	free(slots);
	return 0;
}
