/* SPDX-License-Identifier: ISC */
/*
 * The store key on a real directory, with a disk that fails at any step.  The
 * system calls that change it are wrapped, as in test_store.c.
 */
#include "records.h"
#include "store_key.h"

#include "unit/cmocka_headers.h"
#include "unit/connector/scratch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int steps_left = -1; /* until all fails; -1: nothing does */

static bool
step(void)
{
	if (steps_left < 0 || steps_left-- > 0)
		return false;
	steps_left = 0;
	errno = ENOSPC;
	return true;
}

ssize_t
write(int fd, const void *data, size_t len)
{
	if (fd > STDERR_FILENO && step())
		return -1;
	return syscall(SYS_write, fd, data, len);
}

int
fsync(int fd)
{
	return step() ? -1 : (int)syscall(SYS_fsync, fd);
}

int
renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	return step()
		   ? -1
		   : (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, 0);
}

struct opened {
	struct store *store;
	struct store_key *key;
};

static enum mt_status
try_open(const char *dir, const struct key_slot *slot, struct opened *o,
    struct mt_error *why)
{
	enum mt_status status;
	int steps = steps_left;

	*o = (struct opened){0};
	/* the store is not what is tried here */
	steps_left = -1;
	OK(store_open(scratch_path(dir, "state"), &o->store, &err));
	steps_left = steps;
	status = store_key_open(o->store, slot, NULL, &o->key, why);
	if (status != MT_OK)
		store_free(&o->store);
	return status;
}

static void
close_all(struct opened *o)
{
	store_free(&o->store);
	store_key_free(&o->key);
}

static struct opened
open_by(const char *dir, const struct key_slot *slot)
{
	struct opened o;

	OK(try_open(dir, slot, &o, &err));
	return o;
}

static void
save_token(const struct opened *o, const char *token)
{
	struct record *record = record_new(NULL);

	assert_non_null(record);
	record->serial = 1;
	secret_add(&record->refresh_token, token, strlen(token));
	OK(records_save(o->store, "a", record, &err));
	record_free(&record);
}

static void
assert_token(const struct opened *o, const char *token)
{
	struct record *record = NULL;

	assert_true(store_key_is_open(o->key));
	OK(records_load(o->store, "a", NULL, &record, &err));
	assert_string_equal(secret_expose(&record->refresh_token), token);
	record_free(&record);
}

static struct key_slot
file_slot(const char *dir, const char *name)
{
	if (!scratch_exists(dir, name)) {
		scratch_write(dir, name, "0123456789abcdef0123456789abcdef");
		chmod(scratch_path(dir, name), 0400);
	}
	return key_slot_new(KEY_SLOT_FILE, scratch_path(dir, name));
}

static void
key_is_made_once(void **state)
{
	const struct key_slot slot = key_slot_new(KEY_SLOT_FILE, "");
	struct opened o = open_by(*state, &slot);

	save_token(&o, "t");
	assert_int_equal(store_key_need(o.key), STORE_KEY_NEEDS_NOTHING);
	assert_false(store_key_takes_clear(o.key));
	close_all(&o);
	o = open_by(*state, &slot);
	assert_token(&o, "t");
	close_all(&o);
	assert_int_equal(scratch_mode(*state, "state/key") & 0777, 0600);
	assert_int_equal(scratch_mode(*state, "state/store.key") & 0777, 0600);
}

/* Moves the key to a file, with a disk that fails from the n-th step on. */
static enum mt_status
move_failing(const char *dir, const struct key_slot *to, int n)
{
	struct mt_error err = {0};
	struct opened o;
	enum mt_status status;

	steps_left = n;
	status = try_open(dir, to, &o, &err);
	steps_left = -1;
	if (status == MT_OK)
		close_all(&o);
	else
		assert_int_equal(status, MT_RETRY_LATER);
	return status;
}

static void
full_disk_while_it_moves_loses_nothing(void **state)
{
	const struct key_slot from = key_slot_new(KEY_SLOT_FILE, "");
	const struct key_slot to = file_slot(*state, "other");
	bool moved = false;

	for (int n = 0; !moved; n++) {
		struct opened o;

		o = open_by(*state, &from);
		save_token(&o, "t");
		close_all(&o);
		moved = move_failing(*state, &to, n) == MT_OK;
		/* by either way, whatever was reached */
		o = open_by(*state, n % 2 ? &to : &from);
		assert_token(&o, "t");
		close_all(&o);
		o = open_by(*state, &to);
		assert_token(&o, "t");
		close_all(&o);
		assert_false(scratch_exists(*state, "state/key"));
		assert_true(n < 20);
	}
}

static void
full_disk_while_it_is_made_leaves_none_or_a_whole_one(void **state)
{
	const struct key_slot slot = key_slot_new(KEY_SLOT_FILE, "");
	bool made = false;

	for (int n = 0; !made; n++) {
		struct opened o;

		made = move_failing(*state, &slot, n) == MT_OK;
		o = open_by(*state, &slot);
		save_token(&o, "t");
		assert_token(&o, "t");
		close_all(&o);
		scratch_remove(*state, "state");
		assert_true(n < 20);
	}
}

/* What comes of a passphrase, without its cost. */
static struct secret
stretched(const char *passphrase)
{
	struct secret own = SECRET_INIT;

	while (own.len < SEAL_KEY_BYTES)
		secret_add(&own, passphrase, 1);
	return own;
}

static enum mt_status
take(struct opened *o, const char *passphrase, struct mt_error *err)
{
	struct key_slot slot = store_key_slot(o->key);
	struct secret own = stretched(passphrase);
	enum mt_status status = store_key_take(o->key, &slot, &own, err);

	secret_done(&own);
	return status;
}

static void
passphrase_locks_until_it_is_given(void **state)
{
	const struct key_slot slot = key_slot_new(KEY_SLOT_PASSPHRASE, "");
	struct opened o = open_by(*state, &slot);
	struct mt_error why = {0};

	assert_false(store_key_is_open(o.key));
	assert_int_equal(store_key_need(o.key), STORE_KEY_NEEDS_NEW_PASSPHRASE);
	assert_int_equal(records_ready(o.store, &why), MT_NEEDS_ADMIN);
	assert_non_null(strstr(why.text, "mailtoken unlock"));
	OK(take(&o, "right", &err));
	assert_int_equal(store_key_need(o.key), STORE_KEY_NEEDS_NOTHING);
	save_token(&o, "t");
	close_all(&o);

	o = open_by(*state, &slot);
	assert_int_equal(store_key_need(o.key), STORE_KEY_NEEDS_PASSPHRASE);
	assert_int_equal(take(&o, "wrong", &why), MT_BAD_INPUT);
	assert_false(store_key_is_open(o.key));
	OK(take(&o, "right", &err));
	assert_token(&o, "t");
	close_all(&o);
}

/* With a disk that fails from the n-th step on; true if none did. */
static bool
set_failing(const char *dir, int n)
{
	const struct key_slot slot = key_slot_new(KEY_SLOT_PASSPHRASE, "");
	struct opened o = open_by(dir, &slot);
	struct mt_error why = {0};
	enum mt_status status;

	assert_token(&o, "t");
	steps_left = n;
	status = take(&o, "right", &why);
	steps_left = -1;
	assert_token(&o, "t"); /* serves on, whatever came of it */
	close_all(&o);
	return status == MT_OK;
}

static void
full_disk_on_the_way_to_a_passphrase_loses_nothing(void **state)
{
	const struct key_slot file = key_slot_new(KEY_SLOT_FILE, "");
	const struct key_slot slot = key_slot_new(KEY_SLOT_PASSPHRASE, "");
	struct mt_error why = {0};
	bool done = false;
	int half_way = 0;

	for (int n = 0; !done; n++) {
		struct opened o = open_by(*state, &file);

		save_token(&o, "t");
		close_all(&o);
		done = set_failing(*state, n);
		o = open_by(*state, &slot);
		if (store_key_need(o.key) == STORE_KEY_NEEDS_PASSPHRASE) {
			half_way += store_key_is_open(o.key);
			assert_int_equal(take(&o, "wrong", &why), MT_BAD_INPUT);
		}
		OK(take(&o, "right", &err));
		assert_token(&o, "t");
		assert_int_equal(
		    store_key_need(o.key), STORE_KEY_NEEDS_NOTHING);
		close_all(&o);
		assert_false(scratch_exists(*state, "state/key"));
		scratch_remove(*state, "state");
		assert_true(n < 20);
	}
	assert_true(half_way >= 2);
}

int
main(void)
{
#define TEST(f)                                                                \
	cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)
	const struct CMUnitTest tests[] = {
	    TEST(key_is_made_once),
	    TEST(full_disk_while_it_moves_loses_nothing),
	    TEST(full_disk_while_it_is_made_leaves_none_or_a_whole_one),
	    TEST(passphrase_locks_until_it_is_given),
	    TEST(full_disk_on_the_way_to_a_passphrase_loses_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
