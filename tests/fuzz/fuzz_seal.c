/* SPDX-License-Identifier: ISC */
/* The input is a sealed record; and a text to be sealed, with a number that
 * says which of its bytes is changed then. */
#include "fuzz.h"

#include "seal.h"

#include <stdlib.h>
#include <string.h>

#define ACCOUNT "work"

static struct seal_key
fixed_key(void)
{
	struct seal_key key = {0};

	for (size_t i = 0; i < SEAL_KEY_BYTES; i++)
		secret_add(&key.bytes, "k", 1);
	seal_key_identify(&key);
	return key;
}

/* What opens is for this account, and anything else gives nothing away. */
static void
check_file(const struct seal_key *key, const struct secret *bytes)
{
	struct secret clear = SECRET_INIT;
	struct seal_header header;
	struct mt_error err = {0};

	if (seal_open(key, ACCOUNT, bytes, &header, &clear, &err) == MT_OK) {
		FUZZ_CHECK(strcmp(header.account, ACCOUNT) == 0);
		FUZZ_CHECK(seal_is_sealed(bytes));
	} else {
		FUZZ_CHECK(fuzz_is_sentence(&err));
		FUZZ_CHECK(clear.len == 0);
	}
	secret_done(&clear);
}

static void
check_text(const struct seal_key *key, const struct secret *text, unsigned at)
{
	const struct seal_header header = {.account = ACCOUNT, .serial = 7};
	struct secret sealed = SECRET_INIT, clear = SECRET_INIT;
	struct seal_header found;

	if (seal_close(key, &header, text, &sealed, NULL) == MT_OK) {
		FUZZ_CHECK(seal_open(key, ACCOUNT, &sealed, &found, &clear,
			       NULL) == MT_OK);
		FUZZ_CHECK(secret_equal(&clear, text));
		sealed.data[at % sealed.len] ^= 1;
		FUZZ_CHECK(seal_open(key, ACCOUNT, &sealed, &found, &clear,
			       NULL) == MT_BAD_CONFIG);
	}
	secret_done(&sealed);
	secret_done(&clear);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = {data, size, false};
	struct seal_key key = fixed_key();
	struct secret bytes = SECRET_INIT, text;

	secret_add(&bytes, data, size);
	check_file(&key, &bytes);
	text = fuzz_secret(&input);
	check_text(&key, &text, fuzz_number(&input));
	secret_done(&text);
	secret_done(&bytes);
	secret_done(&key.bytes);
	return 0;
}
