/* SPDX-License-Identifier: ISC */
#include "mime_block.h"

#include <stdbool.h>
#include <string.h>
#include <unistd.h>

/* A mailbox's separator line is not longer. */
#define FROM_LINE_MAX 1000

off_t
mime_block_start(struct mime_report *report, int fd)
{
	char line[FROM_LINE_MAX];
	ssize_t n = pread(fd, line, sizeof(line), 0);
	const char *end;

	if (n < 6 ||
	    (memcmp(line, "From ", 5) != 0 && memcmp(line, ">From ", 6) != 0))
		return 0;
	end = memchr(line, '\n', (size_t)n);
	if (!end)
		return 0;
	mime_report_defect(
	    report, "the message begins with the From line of a mailbox file");
	return end + 1 - line;
}

/* Where in a line the scan is. */
enum state {
	LINE_START,
	NAME,       /* RFC 5322 section 3.6.8: printable, no ':' */
	NAME_SPACE, /* obsolete, but allowed (section 4.5) before the ':' */
	VALUE,      /* whatever follows it, or continues it */
	BAD,        /* the rest of a line that is no field */
};

struct scan {
	enum state state;
	size_t bad_lines;
	bool has_nul;
};

static bool
is_space(char c)
{
	return c == ' ' || c == '\t';
}

static bool
is_name_char(char c)
{
	return c > ' ' && c < 0x7f && c != ':';
}

/* The state after `c`, which is no line end. */
static enum state
next_state(enum state state, char c)
{
	switch (state) {
	case LINE_START:
		if (is_space(c) || c == '\r')
			return VALUE;
		return is_name_char(c) ? NAME : BAD;
	case NAME:
		if (is_name_char(c))
			return NAME;
		/* fall through */
	case NAME_SPACE:
		if (c == ':')
			return VALUE;
		return is_space(c) ? NAME_SPACE : BAD;
	case VALUE:
	case BAD:
		break;
	}
	return state;
}

static void
scan_bytes(struct scan *scan, const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (bytes[i] == '\0')
			scan->has_nul = true;
		if (bytes[i] != '\n') {
			scan->state = next_state(scan->state, bytes[i]);
			continue;
		}
		if (scan->state != VALUE && scan->state != LINE_START)
			scan->bad_lines++;
		scan->state = LINE_START;
	}
}

static void
scan_file(struct scan *scan, int fd, off_t start, off_t end)
{
	char chunk[16384];

	while (end < 0 || start < end) {
		size_t len = sizeof(chunk);
		ssize_t n;

		if (end >= 0 && end - start < (off_t)len)
			len = (size_t)(end - start);
		n = pread(fd, chunk, len, start);
		if (n <= 0)
			break;
		scan_bytes(scan, chunk, (size_t)n);
		start += n;
	}
	if (scan->state != VALUE && scan->state != LINE_START)
		scan->bad_lines++;
}

void
mime_block_check(struct mime_report *report, int fd, off_t start, off_t end)
{
	struct scan scan = {.state = LINE_START};

	scan_file(&scan, fd, start, end);
	if (scan.bad_lines)
		mime_report_defect(report,
		    "the header has lines that are no fields (%zu); they were "
		    "left out",
		    scan.bad_lines);
	if (scan.has_nul)
		mime_report_defect(report,
		    "the header has NUL characters; what follows one in its "
		    "field was left out");
}
