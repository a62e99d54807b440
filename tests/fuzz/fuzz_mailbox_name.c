/* SPDX-License-Identifier: ISC */
#include "fuzz.h"

#include "base/utf8.h"
#include "mail/mailbox_name.h"

#include <stdlib.h>
#include <string.h>

#define NAME_MAX_BYTES 100000

/* What is encoded can go on the wire, and says the same or is as it was. */
static void
check_encoded(const char *name, const struct buf *wire)
{
	struct buf back = BUF_INIT(NAME_MAX_BYTES);

	FUZZ_CHECK(buf_ok(wire) && fuzz_is_ascii(wire->data, wire->len));
	FUZZ_CHECK(mailbox_name_decode(&back, buf_text(wire)));
	FUZZ_CHECK(strcmp(buf_text(&back), name) == 0 ||
		   strcmp(buf_text(wire), name) == 0);
	buf_done(&back);
}

/* What is decoded is UTF-8, and goes back by one way only. */
static void
check_decoded(const char *wire, const struct buf *name)
{
	struct buf again = BUF_INIT(NAME_MAX_BYTES);

	FUZZ_CHECK(
	    buf_ok(name) && utf8_valid_len(name->data, name->len) == name->len);
	FUZZ_CHECK(strlen(buf_text(name)) == name->len);
	FUZZ_CHECK(mailbox_name_encode(&again, wire));
	FUZZ_CHECK(strcmp(buf_text(&again), wire) == 0);
	buf_done(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = {data, size, false};
	struct buf wire = BUF_INIT(NAME_MAX_BYTES),
		   name = BUF_INIT(NAME_MAX_BYTES);
	char *text;

	if (size > 4096)
		return 0;
	text = fuzz_text(&input);
	if (mailbox_name_encode(&wire, text) && wire.len)
		check_encoded(text, &wire);
	if (mailbox_name_decode(&name, text) && name.len)
		check_decoded(text, &name);
	buf_done(&wire);
	buf_done(&name);
	free(text);
	return 0;
}
