/* SPDX-License-Identifier: ISC */
/*
 * What the fuzzers share.  Each fuzz_UNIT.c defines LLVMFuzzerTestOneInput()
 * and aborts where a promise of the unit is broken.
 *
 * An input is cut into parts at each byte 0xff, so that seeds can be written
 * and read by hand.  A part is a copy with exactly its own size, so that
 * AddressSanitizer sees a read behind its end.
 */
#ifndef MT_FUZZ_H
#define MT_FUZZ_H

#include "base/secret.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Aborts, and says what was promised. */
#define FUZZ_CHECK(promise)                                                    \
	do {                                                                   \
		if (!(promise))                                                \
			fuzz_broken(#promise, __FILE__, __LINE__);             \
	} while (0)

void fuzz_broken(const char *promise, const char *file, int line)
    __attribute__((noreturn));

struct fuzz_input {
	const uint8_t *next;
	size_t left;
	bool over; /* the last part was taken */
};

/* The next part, without a NUL behind it; empty when there is none.  Caller:
 * free(). */
char *fuzz_bytes(struct fuzz_input *input, size_t *ret_len);

/* The next part as text, up to its first NUL.  Caller: free(). */
char *fuzz_text(struct fuzz_input *input);

/* The next part as a secret.  Caller: secret_done(). */
struct secret fuzz_secret(struct fuzz_input *input);

/* A part that is one number: the sum of its bytes, so that digits and letters
 * will do. */
unsigned fuzz_number(struct fuzz_input *input);

/* The `len` bytes are printable ASCII. */
bool fuzz_is_ascii(const char *text, size_t len);

/* The text of an error: it ends, and holds no control characters. */
bool fuzz_is_sentence(const struct mt_error *err);

#endif
