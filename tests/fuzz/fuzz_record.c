/* SPDX-License-Identifier: ISC */
/* The input is a stored record. */
#include "fuzz.h"

#include "record.h"

#include <stdlib.h>
#include <string.h>

#define ACCOUNT "work"

static void
check_record(const struct record *record)
{
	FUZZ_CHECK(
	    strnlen(record->fingerprint, CRYPTO_HEX_SIZE) < CRYPTO_HEX_SIZE);
	FUZZ_CHECK(strnlen(record->candidate_fingerprint, CRYPTO_HEX_SIZE) <
		   CRYPTO_HEX_SIZE);
	FUZZ_CHECK(strnlen(record->dead.reason, MT_ERROR_TEXT_MAX) <
		   MT_ERROR_TEXT_MAX);
	FUZZ_CHECK(strnlen(record->refused.reason, MT_ERROR_TEXT_MAX) <
		   MT_ERROR_TEXT_MAX);
	FUZZ_CHECK(record->seed_count <= RECORD_SEEDS_MAX);
	for (size_t i = 0; i < record->seed_count; i++) {
		FUZZ_CHECK(strlen(record->seeds[i]) == CRYPTO_HEX_SIZE - 1);
		FUZZ_CHECK(record_has_seed(record, record->seeds[i]));
	}
}

static void
check_same_mark(const struct record_mark *a, const struct record_mark *b)
{
	FUZZ_CHECK(a->since_s == b->since_s);
	FUZZ_CHECK(!a->since_s || strcmp(a->reason, b->reason) == 0);
}

static void
check_same(const struct record *a, const struct record *b)
{
	FUZZ_CHECK(a->serial == b->serial);
	FUZZ_CHECK(a->refreshed_at == b->refreshed_at);
	FUZZ_CHECK(a->login_at == b->login_at);
	FUZZ_CHECK(secret_equal(&a->refresh_token, &b->refresh_token));
	FUZZ_CHECK(secret_equal(&a->candidate, &b->candidate));
	FUZZ_CHECK(strcmp(a->fingerprint, b->fingerprint) == 0);
	FUZZ_CHECK(
	    strcmp(a->candidate_fingerprint, b->candidate_fingerprint) == 0);
	check_same_mark(&a->dead, &b->dead);
	check_same_mark(&a->refused, &b->refused);
	FUZZ_CHECK(a->seed_count == b->seed_count);
	for (size_t i = 0; i < a->seed_count; i++)
		FUZZ_CHECK(strcmp(a->seeds[i], b->seeds[i]) == 0);
}

/* Written and read again, it is the same record. */
static void
check_again(const struct record *record)
{
	struct record *again = record_new(NULL);
	struct secret bytes = SECRET_INIT;
	struct mt_error err = {0};

	if (!again)
		abort();
	if (record_encode(record, ACCOUNT, &bytes, &err) == MT_OK) {
		FUZZ_CHECK(
		    record_decode(&bytes, ACCOUNT, again, &err) == MT_OK);
		check_same(record, again);
		FUZZ_CHECK(
		    record_decode(&bytes, "other", again, &err) != MT_OK);
	}
	secret_done(&bytes);
	record_free(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct secret bytes = SECRET_INIT;
	struct record *record = record_new(NULL);
	struct mt_error err = {0};

	if (!record)
		abort();
	secret_add(&bytes, data, size);
	if (record_decode(&bytes, ACCOUNT, record, &err) == MT_OK) {
		check_record(record);
		check_again(record);
	} else {
		FUZZ_CHECK(fuzz_is_sentence(&err));
	}
	secret_done(&bytes);
	record_free(&record);
	return 0;
}
