/* SPDX-License-Identifier: ISC */
/* Each part is what one read finds. */
#include "fuzz.h"

#include "http_request.h"
#include "paste.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void
check_line(const struct paste *paste, const char *line)
{
	static const char around[] = " \t\r\"'<>";
	size_t len = strlen(line);

	FUZZ_CHECK(len && len <= PASTE_MAX && !strchr(line, '\n'));
	FUZZ_CHECK(!strchr(around, line[0]) && !strchr(around, line[len - 1]));
	if (!paste_judge(paste, line))
		FUZZ_CHECK(http_url_has(line, len, "code") ||
			   http_url_has(line, len, "error"));
}

static void
take_lines(struct paste *paste)
{
	const char *line;

	while ((line = paste_line(paste)))
		check_line(paste, line);
	FUZZ_CHECK(paste->pending.len <= PASTE_MAX);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = {data, size, false};
	struct paste paste;
	int fds[2];

	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK))
		abort();
	paste_init(&paste, fds[0]);
	while (!input.over) {
		size_t len;
		char *part = fuzz_bytes(&input, &len);
		if (len && write(fds[1], part, len) < 0)
			abort();
		free(part);
		paste_read(&paste);
		take_lines(&paste);
	}
	close(fds[1]);
	while (paste.fd >= 0)
		paste_read(&paste);
	take_lines(&paste);
	FUZZ_CHECK(!paste_line(&paste));
	paste_done(&paste);
	close(fds[0]);
	return 0;
}
