/* SPDX-License-Identifier: ISC */
#include "seal.h"

#include "unit/cmocka_headers.h"
#include "unit/connector/scratch.h"

#include <stdlib.h>
#include <string.h>

static const char token[] = "{\"refresh_token\":\"a secret\"}\n";

static const struct seal_header header = {
    .account = "alice@example.test",
    .fingerprint =
	"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
    .serial = 0x0123456789abcdef,
};

static void
set(struct secret *s, const void *data, size_t len)
{
	secret_reset(s);
	secret_add(s, data, len);
}

static struct seal_key
key_of(char c)
{
	struct seal_key key = {0};

	for (size_t i = 0; i < SEAL_KEY_BYTES; i++)
		secret_add(&key.bytes, &c, 1);
	seal_key_identify(&key);
	return key;
}

static void
seal(struct secret *sealed, const char *text)
{
	struct seal_key key = key_of('k');
	struct secret clear = SECRET_INIT;

	set(&clear, text, strlen(text));
	OK(seal_close(&key, &header, &clear, sealed, &err));
	secret_done(&clear);
	secret_done(&key.bytes);
}

static enum mt_status
open_with(char c, const char *account, const struct secret *sealed,
    struct secret *clear, struct seal_header *ret_header, struct mt_error *err)
{
	struct seal_key key = key_of(c);
	enum mt_status status =
	    seal_open(&key, account, sealed, ret_header, clear, err);

	secret_done(&key.bytes);
	return status;
}

/* It does not, and gives nothing away. */
static void
assert_closed(
    char c, const char *account, const struct secret *sealed, const char *why)
{
	struct secret clear = SECRET_INIT;
	struct seal_header found;
	struct mt_error err = {0};

	assert_int_equal(
	    open_with(c, account, sealed, &clear, &found, &err), MT_BAD_CONFIG);
	assert_int_equal(clear.len, 0);
	if (!strstr(err.text, why))
		fail_msg("%s", err.text);
	secret_done(&clear);
}

static void
what_was_sealed_opens(void **state)
{
	struct secret sealed = SECRET_INIT, clear = SECRET_INIT;
	struct seal_header found;

	(void)state;
	seal(&sealed, token);
	assert_true(seal_is_sealed(&sealed));
	assert_null(memmem(sealed.data, sealed.len, "refresh", 7));
	OK(open_with('k', header.account, &sealed, &clear, &found, &err));
	assert_string_equal(secret_expose(&clear), token);
	assert_string_equal(found.account, header.account);
	assert_string_equal(found.fingerprint, header.fingerprint);
	assert_int_equal(found.serial, header.serial);
	seal(&sealed, "");
	OK(open_with('k', header.account, &sealed, &clear, &found, &err));
	assert_int_equal(clear.len, 0);
	secret_done(&sealed);
	secret_done(&clear);
}

static void
no_two_seals_are_alike(void **state)
{
	struct secret one = SECRET_INIT, two = SECRET_INIT;

	(void)state;
	seal(&one, token);
	seal(&two, token);
	assert_int_equal(one.len, two.len);
	assert_memory_not_equal(
	    one.data + one.len - 40, two.data + one.len - 40, 40);
	secret_done(&one);
	secret_done(&two);
}

static void
any_changed_bit_is_noticed(void **state)
{
	struct secret sealed = SECRET_INIT;

	(void)state;
	seal(&sealed, token);
	for (size_t i = 0; i < sealed.len; i++) {
		for (int bit = 0; bit < 8; bit++) {
			sealed.data[i] = (char)(sealed.data[i] ^ 1 << bit);
			assert_closed('k', header.account, &sealed, "");
			sealed.data[i] = (char)(sealed.data[i] ^ 1 << bit);
		}
	}
	secret_done(&sealed);
}

static void
any_missing_or_added_end_is_noticed(void **state)
{
	struct secret sealed = SECRET_INIT, part = SECRET_INIT;

	(void)state;
	seal(&sealed, token);
	for (size_t len = 0; len < sealed.len; len++) {
		set(&part, sealed.data, len);
		assert_closed('k', header.account, &part, "");
	}
	secret_add(&sealed, "", 1);
	assert_closed('k', header.account, &sealed, "was changed");
	secret_done(&sealed);
	secret_done(&part);
}

static void
reason_is_named(void **state)
{
	struct secret sealed = SECRET_INIT, clear = SECRET_INIT;

	(void)state;
	seal(&sealed, token);
	assert_closed('x', header.account, &sealed, "another store key");
	assert_closed(
	    'k', "bob", &sealed, "is the login of account alice@example.test");
	sealed.data[8]++;
	assert_closed('k', header.account, &sealed, "is of format 2");
	set(&clear, token, sizeof(token) - 1);
	assert_false(seal_is_sealed(&clear));
	assert_closed('k', header.account, &clear, "is no sealed record");
	secret_done(&sealed);
	secret_done(&clear);
}

static void
longest_record_fits(void **state)
{
	struct seal_key key = key_of('k');
	struct seal_header longest = {.serial = 1};
	struct secret clear = SECRET_INIT, sealed = SECRET_INIT;
	struct mt_error why = {0};

	(void)state;
	memset(longest.account, 'a', sizeof(longest.account) - 1);
	memset(longest.fingerprint, 'f', sizeof(longest.fingerprint) - 1);
	while (clear.len < SECRET_MAX - SEAL_OVERHEAD_MAX)
		secret_add(&clear, "x", 1);
	OK(seal_close(&key, &longest, &clear, &sealed, &err));
	assert_int_equal(sealed.len, SECRET_MAX);
	secret_add(&clear, "x", 1);
	assert_int_equal(
	    seal_close(&key, &longest, &clear, &sealed, &why), MT_RETRY_LATER);
	assert_non_null(strstr(why.text, "does not fit"));
	secret_done(&clear);
	secret_done(&sealed);
	secret_done(&key.bytes);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_was_sealed_opens),
	    cmocka_unit_test(no_two_seals_are_alike),
	    cmocka_unit_test(any_changed_bit_is_noticed),
	    cmocka_unit_test(any_missing_or_added_end_is_noticed),
	    cmocka_unit_test(reason_is_named),
	    cmocka_unit_test(longest_record_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
