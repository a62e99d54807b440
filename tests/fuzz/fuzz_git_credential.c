/* SPDX-License-Identifier: ISC */
/* The input is what git writes. */
#include "fuzz.h"

#include "git_credential.h"

#include <stdlib.h>
#include <string.h>

static void
check_value(const char *value, const char *text, size_t len)
{
	if (!value)
		return;
	FUZZ_CHECK(value > text && value < text + len);
	FUZZ_CHECK(!strchr(value, '\n'));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = {data, size, false};
	size_t len, end;
	char *bytes = fuzz_bytes(&input, &len), *text;
	struct git_credential credential = {0};

	end = git_credential_end(bytes, len);
	FUZZ_CHECK(end <= len);
	/* what follows the end changes nothing */
	if (end)
		FUZZ_CHECK(git_credential_end(bytes, end) == end);
	text = malloc(end + 1);
	if (!text)
		abort();
	memcpy(text, bytes, end);
	text[end] = '\0';
	if (git_credential_parse(text, &credential)) {
		check_value(credential.protocol, text, end + 1);
		check_value(credential.host, text, end + 1);
		check_value(credential.username, text, end + 1);
		check_value(credential.password, text, end + 1);
		git_credential_service(&credential);
	}
	free(text);
	free(bytes);
	return 0;
}
