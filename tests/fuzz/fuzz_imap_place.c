/* SPDX-License-Identifier: ISC */
/* The parts are lines of a server: where it has put a message, what it has
 * found. */
#include "fuzz.h"

#include "mail/imap_place.h"
#include "mail/imap_search_line.h"

#include <stdlib.h>
#include <string.h>

static bool
check_number(void *context, uint32_t number)
{
	size_t *count = context;

	FUZZ_CHECK(number);
	return ++*count < 100;
}

static void
check_place(const struct imap_reply *reply, const char *line)
{
	const struct imap_place none = {0};
	struct imap_place place = none;

	if (imap_place_appended(reply, &place) ||
	    imap_place_copied(reply, 304, &place)) {
		FUZZ_CHECK(place.uid && place.uidvalidity);
		FUZZ_CHECK(strchr(line, ']'));
	} else {
		FUZZ_CHECK(memcmp(&place, &none, sizeof(none)) == 0);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = {data, size, false};
	struct imap_reply reply;
	size_t count = 0;

	while (!input.over) {
		char *line = fuzz_text(&input);
		if (imap_reply_parse(line, "3", &reply))
			check_place(&reply, line);
		if (imap_search_line_begins(line) &&
		    imap_search_line_read(line, check_number, &count))
			FUZZ_CHECK(count < 100);
		free(line);
		count = 0;
	}
	return 0;
}
