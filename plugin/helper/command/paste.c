/* SPDX-License-Identifier: ISC */
#include "paste.h"

#include "http_request.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* What the kernel keeps of a longer line on a terminal (termios(3)). */
#define TERMINAL_LINE_MAX 4095

void
paste_init(struct paste *paste, int fd)
{
	*paste = (struct paste){
	    .fd = fd, .terminal = isatty(fd), .pending = BUF_INIT(PASTE_MAX)};
}

void
paste_done(struct paste *paste)
{
	/* it may hold an authorization code */
	if (paste->pending.data)
		explicit_bzero(paste->pending.data, paste->pending.cap);
	buf_done(&paste->pending);
	paste->fd = -1;
}

void
paste_read(struct paste *paste)
{
	char chunk[4096];
	ssize_t n = read(paste->fd, chunk, sizeof(chunk));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n > 0) {
		/* too much at once: that was no address, start afresh */
		if (!buf_ok(&paste->pending))
			buf_reset(&paste->pending);
		buf_add(&paste->pending, chunk, (size_t)n);
	} else {
		buf_add_char(&paste->pending, '\n');
		paste->fd = -1;
	}
	explicit_bzero(chunk, sizeof(chunk));
}

/* Space, and what mail programs and shells put around an address. */
static bool
surrounds(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '"' || c == '\'' ||
	       c == '<' || c == '>';
}

static char *
trim(char *line)
{
	size_t len = strlen(line);

	while (len && surrounds(line[len - 1]))
		line[--len] = '\0';
	while (surrounds(*line))
		line++;
	return line;
}

char *
paste_line(struct paste *paste)
{
	struct buf *pending = &paste->pending;
	char *end, *line;

	buf_consume(pending, paste->used);
	paste->used = 0;
	while (pending->len && (end = memchr(pending->data + paste->used, '\n',
				    pending->len - paste->used))) {
		line = pending->data + paste->used;
		paste->used = (size_t)(end + 1 - pending->data);
		*end = '\0';
		line = trim(line);
		if (*line)
			return line;
	}
	return NULL;
}

const char *
paste_judge(const struct paste *paste, const char *line)
{
	size_t len = strlen(line);

	if (paste->terminal && len == TERMINAL_LINE_MAX)
		return "the terminal cut the address off after 4095 bytes; "
		       "run on this machine instead: curl 'ADDRESS'";
	if (!strchr(line, '?'))
		return "that is not a whole address; paste all of what the "
		       "browser's address bar shows after the login";
	if (!http_url_has(line, len, "code") &&
	    !http_url_has(line, len, "error"))
		return "that address has neither code= nor error= in it; "
		       "log in first, then paste the address that the browser "
		       "ends at";
	return NULL;
}
