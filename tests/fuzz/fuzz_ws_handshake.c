/* SPDX-License-Identifier: ISC */
/* The input is what a server answers to the opening handshake. */
#include "fuzz.h"

#include "handon/ws_handshake.h"

#include <stdlib.h>
#include <string.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mt_error err = {0};
	char *text = malloc(size + !size);
	size_t len;

	if (!text)
		abort();
	if (size)
		memcpy(text, data, size);
	len = ws_handshake_answer_len(text, size);
	FUZZ_CHECK(len <= size);
	FUZZ_CHECK(!len || memcmp(text + len - 4, "\r\n\r\n", 4) == 0);
	if (len && ws_handshake_check(
		       text, len, "dGhlIHNhbXBsZSBub25jZQ==", &err) == MT_OK)
		FUZZ_CHECK(
		    memmem(text, len, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", 28));
	else
		FUZZ_CHECK(!len || fuzz_is_sentence(&err));
	free(text);
	return 0;
}
