/* SPDX-License-Identifier: ISC */
/* Parts: body, the issuer that is wanted. */
#include "fuzz.h"

#include "discovery.h"
#include "url.h"

#include <stdlib.h>
#include <string.h>

static void
check_endpoint(const char *endpoint)
{
	struct url url;

	if (!endpoint || strchr(endpoint, '{'))
		return;
	FUZZ_CHECK(url_parse(endpoint, &url));
	FUZZ_CHECK(url.tls || url_is_loopback(&url));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = {data, size, false};
	struct http_reply reply = {
	    .http_status = 200,
	    .body = fuzz_secret(&input),
	    .retry_after_s = -1,
	};
	char *wanted = fuzz_text(&input);
	struct provider found = {0};
	struct mt_error err = {0};

	if (discovery_read(&reply, wanted, &found, &err) == MT_OK) {
		FUZZ_CHECK(found.token_endpoint);
		FUZZ_CHECK(!found.issuer || strcmp(found.issuer, wanted) == 0);
		check_endpoint(found.authorization_endpoint);
		check_endpoint(found.device_authorization_endpoint);
		check_endpoint(found.token_endpoint);
		check_endpoint(found.revocation_endpoint);
	} else {
		FUZZ_CHECK(fuzz_is_sentence(&err));
		FUZZ_CHECK(!found.token_endpoint);
	}
	provider_done(&found);
	secret_done(&reply.body);
	free(wanted);
	return 0;
}
