/* SPDX-License-Identifier: ISC */
/* Parts: an ID token. */
#include "fuzz.h"

#include "oauth_identity.h"

#include <string.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = {data, size, false};
	struct secret token = fuzz_secret(&input);
	struct oauth_identity identity;
	const char *name;

	if (oauth_identity_read(&token, "client", &identity)) {
		FUZZ_CHECK(strnlen(identity.issuer, sizeof(identity.issuer)) <
			   sizeof(identity.issuer));
		name = oauth_identity_name(&identity);
		FUZZ_CHECK(!name || (*name && !strpbrk(name, " \t\n\x7f")));
		FUZZ_CHECK(!name || strnlen(name, sizeof(identity.name[0])) <
					sizeof(identity.name[0]));
	}
	secret_done(&token);
	return 0;
}
