/* SPDX-License-Identifier: ISC */
#include "key_slots.h"

#include "unit/cmocka_headers.h"
#include "unit/connector/scratch.h"

#include <stdlib.h>
#include <string.h>

static void
set(struct secret *s, const char *text)
{
	secret_reset(s);
	secret_add(s, text, strlen(text));
}

static struct seal_key
new_key(void)
{
	struct seal_key key = {0};

	seal_add_random(&key.bytes, SEAL_KEY_BYTES);
	seal_key_identify(&key);
	return key;
}

/* A passphrase that costs little. */
static struct key_slot
cheap_slot(void)
{
	struct key_slot slot = key_slot_new(KEY_SLOT_PASSPHRASE, "");

	slot.passes = 1;
	slot.memory = 8192;
	return slot;
}

/* One slot of each kind, all with the same key of their own. */
static struct key_slots
slots_of(struct seal_key *key, const struct secret *own)
{
	struct key_slots slots = {.count = 4};

	memcpy(slots.id, key->id, sizeof(slots.id));
	key_slots_mark_clear(&slots, key, true);
	slots.slot[0] = key_slot_new(KEY_SLOT_FILE, "");
	slots.slot[1] = key_slot_new(KEY_SLOT_FILE, "/etc/a \"key\"\\");
	slots.slot[2] = key_slot_new(KEY_SLOT_CREDENTIAL, "name");
	slots.slot[3] = cheap_slot();
	for (size_t i = 0; i < slots.count; i++)
		OK(key_slot_wrap(&slots.slot[i], key, own, &err));
	return slots;
}

struct fixture {
	struct seal_key key;
	struct secret own;
	struct key_slots slots;
};

static int
set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	if (!f)
		return -1;
	f->key = new_key();
	set(&f->own, "0123456789abcdef0123456789abcdef");
	f->slots = slots_of(&f->key, &f->own);
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	secret_done(&f->key.bytes);
	secret_done(&f->own);
	free(f);
	return 0;
}

/* Whether the slot opens, to the right key. */
static bool
opens(const struct fixture *f, const struct key_slots *slots,
    const struct key_slot *slot, const struct secret *own)
{
	struct seal_key key = {0};
	bool ok = key_slot_unwrap(slots, slot, own, &key);

	if (ok) {
		assert_true(secret_equal(&key.bytes, &f->key.bytes));
		assert_memory_equal(key.id, f->key.id, sizeof(key.id));
	} else {
		assert_int_equal(key.bytes.len, 0);
	}
	secret_done(&key.bytes);
	return ok;
}

static void
each_kind_is_written_and_read_and_opens(void **state)
{
	struct fixture *f = *state;
	struct secret bytes = SECRET_INIT;
	struct key_slots read;

	OK(key_slots_encode(&f->slots, &bytes, &err));
	assert_null(memmem(bytes.data, bytes.len, f->key.bytes.data, 8));
	OK(key_slots_decode(&bytes, &read, &err));
	assert_int_equal(read.count, 4);
	assert_true(read.takes_clear);
	for (size_t i = 0; i < read.count; i++) {
		assert_true(key_slot_same(&read.slot[i], &f->slots.slot[i]));
		assert_true(opens(f, &read, &read.slot[i], &f->own));
	}
	secret_done(&bytes);
}

static void
wrong_key_does_not_open(void **state)
{
	struct fixture *f = *state;
	struct secret wrong = SECRET_INIT;

	set(&wrong, "0123456789abcdef0123456789abcdeX");
	for (size_t i = 0; i < f->slots.count; i++)
		assert_false(opens(f, &f->slots, &f->slots.slot[i], &wrong));
	set(&wrong, "short");
	assert_false(opens(f, &f->slots, &f->slots.slot[0], &wrong));
	secret_done(&wrong);
}

static void
changed_slot_does_not_open(void **state)
{
	struct fixture *f = *state;
	struct key_slots slots = f->slots;
	struct key_slot slot;

	for (size_t i = 0; i < sizeof(slot.wrapped); i++) {
		slot = slots.slot[1];
		slot.wrapped[i] ^= 1;
		assert_false(opens(f, &slots, &slot, &f->own));
	}
#define CHANGED(change)                                                        \
	slot = slots.slot[3];                                                  \
	change;                                                                \
	assert_false(opens(f, &slots, &slot, &f->own))
	CHANGED(slot.kind = KEY_SLOT_FILE);
	CHANGED(slot.name[0] = 'x');
	CHANGED(slot.salt[15] ^= 1);
	CHANGED(slot.passes++);
	CHANGED(slot.memory++);
	CHANGED(slot.nonce[0] ^= 1);
	CHANGED(slots.id[0] ^= 1);
}

static void
passphrase_opens_and_another_does_not(void **state)
{
	struct fixture *f = *state;
	struct key_slot slot = cheap_slot();
	struct secret passphrase = SECRET_INIT, own = SECRET_INIT;

	set(&passphrase, "correct horse");
	assert_false(key_slot_stretch(&slot, &passphrase, &own)); /* no room */
	set(&own, "filled with exactly 32 bytes ...");
	assert_true(key_slot_stretch(&slot, &passphrase, &own));
	OK(key_slot_wrap(&slot, &f->key, &own, &err));
	set(&own, "filled with exactly 32 bytes ...");
	assert_true(key_slot_stretch(&slot, &passphrase, &own));
	assert_true(opens(f, &f->slots, &slot, &own));
	set(&passphrase, "correct horsf");
	assert_true(key_slot_stretch(&slot, &passphrase, &own));
	assert_false(opens(f, &f->slots, &slot, &own));
	secret_done(&passphrase);
	secret_done(&own);
}

static void
only_who_has_the_key_can_say_that_clear_records_count(void **state)
{
	struct fixture *f = *state;
	struct seal_key key = {0};

	assert_true(
	    key_slot_unwrap(&f->slots, &f->slots.slot[0], &f->own, &key));
	assert_true(key.takes_clear);
	f->slots.clear_mark[7] ^= 1;
	assert_true(
	    key_slot_unwrap(&f->slots, &f->slots.slot[0], &f->own, &key));
	assert_false(key.takes_clear);
	secret_done(&key.bytes);
}

#define HEAD "{\"format\":1,\"key_id\":\"00112233445566778899aabbccddeeff\""
#define NONCE "\"nonce\":\"000000000000000000000000000000000000000000000000\""
#define HEX32 "0000000000000000000000000000000000000000000000000000000000000000"
#define WRAPPED "\"wrapped\":\"" HEX32 "00000000000000000000000000000000\""
#define SALT "\"salt\":\"00000000000000000000000000000000\""

static void
what_is_no_slot_file_is_refused(void **state)
{
	static const struct {
		const char *text;
		enum mt_status status;
	} cases[] = {
	    {HEAD ",\"slots\":[{\"kind\":\"keyfile\",\"name\":\"\"," NONCE
		  "," WRAPPED "}]}",
		MT_OK},
	    {HEAD ",\"slots\":[{\"kind\":\"passphrase\",\"kdf\":\"argon2id\","
		  "\"passes\":1,\"memory\":8192," SALT "," NONCE "," WRAPPED
		  "}]}",
		MT_OK},
	    {"", MT_BAD_CONFIG},
	    {"[]", MT_BAD_CONFIG},
	    {HEAD "}", MT_BAD_CONFIG},
	    {HEAD ",\"slots\":[]}", MT_BAD_CONFIG},
	    {HEAD ",\"slots\":[1,2,3,4,5]}", MT_BAD_CONFIG},
	    {HEAD ",\"slots\":[{\"kind\":\"magic\",\"name\":\"\"," NONCE
		  "," WRAPPED "}]}",
		MT_BAD_CONFIG},
	    {HEAD ",\"slots\":[{\"kind\":\"keyfile\"," NONCE "," WRAPPED "}]}",
		MT_BAD_CONFIG},
	    {HEAD ",\"slots\":[{\"kind\":\"keyfile\",\"name\":\"\"," NONCE
		  ",\"wrapped\":\"00\"}]}",
		MT_BAD_CONFIG},
	    /* would keep us busy, or take all memory */
	    {HEAD ",\"slots\":[{\"kind\":\"passphrase\",\"kdf\":\"argon2id\","
		  "\"passes\":1000000,\"memory\":8192," SALT "," NONCE
		  "," WRAPPED "}]}",
		MT_BAD_CONFIG},
	    {HEAD ",\"slots\":[{\"kind\":\"passphrase\",\"kdf\":\"argon2id\","
		  "\"passes\":1,\"memory\":99999999999," SALT "," NONCE
		  "," WRAPPED "}]}",
		MT_BAD_CONFIG},
	    {HEAD ",\"slots\":[{\"kind\":\"passphrase\",\"kdf\":\"argon2id\","
		  "\"passes\":-1,\"memory\":8192," SALT "," NONCE "," WRAPPED
		  "}]}",
		MT_BAD_CONFIG},
	};
	struct secret bytes = SECRET_INIT;
	struct mt_error err = {0};
	struct key_slots slots;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		set(&bytes, cases[i].text);
		if (key_slots_decode(&bytes, &slots, &err) != cases[i].status)
			fail_msg("%s", cases[i].text);
	}
	set(&bytes, "{\"format\":2}");
	assert_int_equal(key_slots_decode(&bytes, &slots, &err), MT_BAD_CONFIG);
	assert_non_null(strstr(err.text, "does not know"));
	secret_done(&bytes);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(each_kind_is_written_and_read_and_opens),
	    TEST(wrong_key_does_not_open),
	    TEST(changed_slot_does_not_open),
	    TEST(passphrase_opens_and_another_does_not),
	    TEST(only_who_has_the_key_can_say_that_clear_records_count),
	    TEST(what_is_no_slot_file_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
