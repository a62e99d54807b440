/* SPDX-License-Identifier: ISC */
/* Each part is a line: the server's, ours, the server's, ... of IMAP, and then
 * the same of SMTP. */
#include "fuzz.h"

#include "helper/probe/transcript.h"

#include <stdlib.h>
#include <string.h>

static void
check_text(const char *text, size_t size)
{
	FUZZ_CHECK(memchr(text, '\0', size));
	FUZZ_CHECK(fuzz_is_ascii(text, strlen(text)));
}

static void
follow(struct fuzz_input input, bool smtp)
{
	struct transcript t = {.smtp = smtp};
	bool ours = false;

	while (!input.over) {
		size_t len;
		char *line = fuzz_bytes(&input, &len);

		if (ours)
			transcript_client(&t, line, len);
		else
			transcript_server(&t, line, len);
		free(line);
		ours = !ours;
		check_text(t.mechanisms, sizeof(t.mechanisms));
		check_text(t.used, sizeof(t.used));
		check_text(t.refusal, sizeof(t.refusal));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = {data, size, false};

	follow(input, false);
	follow(input, true);
	return 0;
}
