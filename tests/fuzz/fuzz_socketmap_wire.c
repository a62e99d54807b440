/* SPDX-License-Identifier: ISC */
/* Parts: after how many bytes the stream is cut, what Postfix sends. */
#include "fuzz.h"

#include "socketmap_wire.h"

#include <stdlib.h>
#include <string.h>

enum verdict {
	MORE,
	WHOLE,
	REFUSED, /* no netstring, or one that is too long */
};

static enum verdict
take(struct secret *begun, const char *data, size_t len)
{
	bool whole = false;
	size_t used = socketmap_wire_cut(begun, data, len, &whole);

	FUZZ_CHECK(used <= len);
	if (len && !used)
		return REFUSED;
	secret_add(begun, data, used);
	return whole ? WHOLE : MORE;
}

static void
check_query(const struct secret *frame)
{
	char *copy = malloc(frame->len);
	struct socketmap_query query = {0};

	if (!copy)
		abort();
	memcpy(copy, frame->data, frame->len);
	if (socketmap_wire_parse(copy, frame->len, &query)) {
		FUZZ_CHECK(frame->len <= SOCKETMAP_REQUEST_MAX + 16);
		FUZZ_CHECK(query.map && !query.host == !!query.user);
		FUZZ_CHECK(strlen(query.map) < frame->len);
	}
	free(copy);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = {data, size, false};
	size_t cut = fuzz_number(&input), len;
	char *stream = fuzz_bytes(&input, &len);
	struct secret once = SECRET_INIT, twice = SECRET_INIT;
	enum verdict late = take(&once, stream, len), early;

	/* in two pieces it is the same as in one */
	cut = cut > len ? len : cut;
	early = take(&twice, stream, cut);
	FUZZ_CHECK(early == MORE || early == late);
	if (early == MORE)
		FUZZ_CHECK(take(&twice, stream + cut, len - cut) == late);
	if (late == WHOLE) {
		FUZZ_CHECK(secret_equal(&once, &twice));
		check_query(&once);
	}
	secret_done(&once);
	secret_done(&twice);
	free(stream);
	return 0;
}
