/* SPDX-License-Identifier: ISC */
#include "crypto.h"

#include "unit/cmocka_headers.h"

#include <string.h>

static void
challenge_is_that_of_rfc_7636_appendix_b(void **state)
{
	static const char verifier[] =
	    "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
	struct secret text, hash;

	(void)state;
	secret_init(&text, NULL);
	secret_init(&hash, NULL);
	secret_add(&text, verifier, strlen(verifier));
	assert_true(crypto_sha256_base64url(&text, &hash));
	assert_string_equal(secret_expose(&hash),
	    "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
	secret_done(&text);
	secret_done(&hash);
}

static void
hash_is_sha256(void **state)
{
	char hex[CRYPTO_HEX_SIZE];

	(void)state;
	assert_true(crypto_sha256_hex("abc", 3, hex));
	assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223"
				 "b00361a396177a9cb410ff61f20015ad");
}

static void
random_text_is_unreserved_and_never_the_same(void **state)
{
	struct secret a, b;

	(void)state;
	secret_init(&a, NULL);
	secret_init(&b, NULL);
	assert_true(crypto_random_text(&a, 32));
	assert_true(crypto_random_text(&b, 32));
	assert_int_equal(a.len, 43);
	assert_int_equal(strspn(a.data, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
					"abcdefghijklmnopqrstuvwxyz"
					"0123456789-_"),
	    43);
	assert_false(secret_equal(&a, &b));
	assert_false(crypto_random_text(&a, 65));
	secret_done(&a);
	secret_done(&b);
}

static void
random_numbers_stay_below_the_limit(void **state)
{
	bool seen[3] = {false};

	(void)state;
	assert_int_equal(crypto_random_below(0), 0);
	assert_int_equal(crypto_random_below(1), 0);
	for (int i = 0; i < 1000; i++) {
		uint32_t n = crypto_random_below(3);
		assert_in_range(n, 0, 2);
		seen[n] = true;
	}
	assert_true(seen[0] && seen[1] && seen[2]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(challenge_is_that_of_rfc_7636_appendix_b),
	    cmocka_unit_test(hash_is_sha256),
	    cmocka_unit_test(random_text_is_unreserved_and_never_the_same),
	    cmocka_unit_test(random_numbers_stay_below_the_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
