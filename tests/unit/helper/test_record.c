/* SPDX-License-Identifier: ISC */
#include "record.h"

#include "unit/cmocka_headers.h"

#include <stdio.h>
#include <string.h>

static struct record *
make_record(void)
{
	struct record *r = record_new(NULL);
	char hash[CRYPTO_HEX_SIZE];

	assert_non_null(r);
	r->serial = 7;
	r->refreshed_at = 1700000000;
	r->login_at = 1600000000;
	secret_add(&r->refresh_token, "a\"\\/token", 9);
	memset(r->fingerprint, 'f', CRYPTO_HEX_SIZE - 1);
	r->dead.since_s = 1700000001;
	snprintf(r->dead.reason, sizeof(r->dead.reason), "why\nnot");
	secret_add(&r->candidate, "candidate", 9);
	memset(r->candidate_fingerprint, 'c', CRYPTO_HEX_SIZE - 1);
	assert_true(crypto_sha256_hex("x", 1, hash));
	record_add_seed(r, hash);
	return r;
}

static void
encode(const struct record *r, struct secret *bytes)
{
	struct mt_error err = {0};

	if (record_encode(r, "alice", bytes, &err) != MT_OK)
		fail_msg("%s", err.text);
}

static void
record_survives_its_encoding(void **state)
{
	struct record *r = make_record(), *again = record_new(NULL);
	struct mt_error err = {0};
	struct secret bytes;

	(void)state;
	secret_init(&bytes, NULL);
	encode(r, &bytes);
	assert_int_equal(record_decode(&bytes, "alice", again, &err), MT_OK);
	assert_int_equal(again->serial, 7);
	assert_int_equal(again->refreshed_at, 1700000000);
	assert_int_equal(again->login_at, 1600000000);
	assert_true(secret_equal(&again->refresh_token, &r->refresh_token));
	assert_string_equal(again->fingerprint, r->fingerprint);
	assert_int_equal(again->dead.since_s, 1700000001);
	assert_string_equal(again->dead.reason, "why\nnot");
	assert_true(secret_equal(&again->candidate, &r->candidate));
	assert_string_equal(
	    again->candidate_fingerprint, r->candidate_fingerprint);
	assert_int_equal(again->refused.since_s, 0);
	assert_int_equal(again->seed_count, 1);
	assert_true(record_has_seed(again, r->seeds[0]));
	secret_done(&bytes);
	record_free(&r);
	record_free(&again);
	assert_null(again);
}

static void
every_truncation_is_seen(void **state)
{
	struct record *r = make_record();
	struct secret bytes, part;

	(void)state;
	secret_init(&bytes, NULL);
	secret_init(&part, NULL);
	encode(r, &bytes);
	/* the last byte is a line end, without which it is whole */
	for (size_t len = 0; len + 1 < bytes.len; len++) {
		struct record *again = record_new(NULL);
		secret_reset(&part);
		secret_add(&part, bytes.data, len);
		assert_int_not_equal(
		    record_decode(&part, "alice", again, NULL), MT_OK);
		record_free(&again);
	}
	secret_done(&bytes);
	secret_done(&part);
	record_free(&r);
}

static void
record_of_another_account_is_refused(void **state)
{
	struct record *r = make_record(), *again = record_new(NULL);
	struct mt_error err = {0};
	struct secret bytes;

	(void)state;
	secret_init(&bytes, NULL);
	encode(r, &bytes);
	assert_int_equal(
	    record_decode(&bytes, "bob", again, &err), MT_BAD_CONFIG);
	assert_int_equal(again->refresh_token.len, 0);
	secret_done(&bytes);
	record_free(&r);
	record_free(&again);
}

/* Replaces the first `old`, which is there, by `new`, of any length. */
static void
replace(struct secret *bytes, const char *old, const char *new)
{
	char text[8192];
	const char *at;

	assert_true(bytes->len < sizeof(text));
	memcpy(text, bytes->data, bytes->len);
	text[bytes->len] = '\0';
	at = strstr(text, old);
	assert_non_null(at);
	secret_reset(bytes);
	secret_add(bytes, text, (size_t)(at - text));
	secret_add(bytes, new, strlen(new));
	secret_add(bytes, at + strlen(old), strlen(at + strlen(old)));
}

/* What would be cut where C ends a string. */
static void
nul_inside_of_a_string_is_damage(void **state)
{
	static const struct {
		const char *name, *old, *new;
		enum mt_status status;
	} cases[] = {
	    {"seed", "\"2d71", "\"2d7\\u0000", MT_BAD_CONFIG},
	    {"candidate", ":\"candidate\"", ":\"candi\\u0000date\"",
		MT_BAD_CONFIG},
	    {"refresh token", "/token\"", "/\\u0000token\"", MT_BAD_CONFIG},
	    {"account", "alice\"", "alice\\u0000\"", MT_BAD_CONFIG},
	    {"short seed", "\"2d71", "\"", MT_BAD_CONFIG},
	    {"no string", ":\"candidate\"", ":7", MT_BAD_CONFIG},
	    {"text that looks so", "why", "\\\\u0000", MT_OK},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct record *r = make_record(), *again = record_new(NULL);
		struct secret bytes;

		secret_init(&bytes, NULL);
		encode(r, &bytes);
		replace(&bytes, cases[i].old, cases[i].new);
		if (record_decode(&bytes, "alice", again, NULL) !=
		    cases[i].status)
			fail_msg("%s", cases[i].name);
		secret_done(&bytes);
		record_free(&r);
		record_free(&again);
	}
}

static void
oldest_seed_gives_way(void **state)
{
	struct record *r = record_new(NULL);
	char hash[CRYPTO_HEX_SIZE], first[CRYPTO_HEX_SIZE];
	struct secret bytes;

	(void)state;
	for (int i = 0; i <= RECORD_SEEDS_MAX; i++) {
		assert_true(crypto_sha256_hex(&i, sizeof(i), hash));
		if (i == 0)
			memcpy(first, hash, sizeof(first));
		record_add_seed(r, hash);
	}
	assert_int_equal(r->seed_count, RECORD_SEEDS_MAX);
	assert_true(record_has_seed(r, hash));
	assert_false(record_has_seed(r, first));
	secret_init(&bytes, NULL);
	encode(r, &bytes);
	assert_true(bytes.len < SECRET_MAX / 2);
	secret_done(&bytes);
	record_free(&r);
}

static void
record_that_does_not_fit_is_an_error(void **state)
{
	struct record *r = record_new(NULL);
	struct mt_error err = {0};
	struct secret bytes;
	char big[SECRET_MAX];

	(void)state;
	memset(big, 'x', sizeof(big));
	secret_add(&r->refresh_token, big, sizeof(big));
	secret_init(&bytes, NULL);
	assert_int_equal(
	    record_encode(r, "alice", &bytes, &err), MT_RETRY_LATER);
	secret_done(&bytes);
	record_free(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(record_survives_its_encoding),
	    cmocka_unit_test(every_truncation_is_seen),
	    cmocka_unit_test(record_of_another_account_is_refused),
	    cmocka_unit_test(nul_inside_of_a_string_is_damage),
	    cmocka_unit_test(oldest_seed_gives_way),
	    cmocka_unit_test(record_that_does_not_fit_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
