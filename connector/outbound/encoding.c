/* SPDX-License-Identifier: ISC */
#include "encoding.h"

#include <stdbool.h>

#define LINE_MAX_BYTES 76
#define BYTES_PER_LINE 57 /* 76 digits of base64 */

/* The four digits of one group of up to three bytes. */
static void
encode_group(const unsigned char *p, size_t len, char *ret_digits)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789+/";
	unsigned long group = (unsigned long)p[0] << 16;

	if (len > 1)
		group |= (unsigned long)p[1] << 8;
	if (len > 2)
		group |= p[2];
	ret_digits[0] = digits[group >> 18];
	ret_digits[1] = digits[group >> 12 & 63];
	ret_digits[2] = len > 1 ? digits[group >> 6 & 63] : '=';
	ret_digits[3] = len > 2 ? digits[group & 63] : '=';
}

/* Appends the base64 of up to BYTES_PER_LINE bytes, and `end`. */
static void
add_piece(struct buf *out, const unsigned char *p, size_t len, const char *end)
{
	char line[LINE_MAX_BYTES + 2];
	size_t n = 0;

	for (size_t i = 0; i < len; i += 3, n += 4)
		encode_group(p + i, len - i, line + n);
	for (; *end; end++)
		line[n++] = *end;
	buf_add(out, line, n);
}

static void
add_pieces(struct buf *out, const void *bytes, size_t len, const char *end)
{
	const unsigned char *p = bytes;

	while (len) {
		size_t n = len < BYTES_PER_LINE ? len : BYTES_PER_LINE;

		add_piece(out, p, n, end);
		p += n;
		len -= n;
	}
}

void
encoding_add_base64(struct buf *out, const void *bytes, size_t len)
{
	add_pieces(out, bytes, len, "");
}

void
encoding_add_base64_lines(struct buf *out, const void *bytes, size_t len)
{
	add_pieces(out, bytes, len, "\r\n");
}

size_t
encoding_base64_lines_len(size_t len)
{
	return (len + 2) / 3 * 4 +
	       (len + BYTES_PER_LINE - 1) / BYTES_PER_LINE * 2;
}

/* Whether CRLF, or the end, comes `at` this place. */
static bool
is_line_end(const char *text, size_t len, size_t at)
{
	return at == len ||
	       (at + 1 < len && text[at] == '\r' && text[at + 1] == '\n');
}

static bool
needs_escape(char c, bool last_on_line)
{
	if (c == ' ' || c == '\t')
		return last_on_line; /* servers and programs drop it there */
	return c < '!' || c > '~' || c == '=';
}

void
encoding_add_quoted_printable(struct buf *out, const void *text, size_t len)
{
	const char *p = text;
	size_t column = 0;

	for (size_t i = 0; i < len; i++) {
		bool last, escape;
		size_t width, limit;

		if (is_line_end(p, len, i)) {
			buf_add_text(out, "\r\n");
			column = 0;
			i++;
			continue;
		}
		last = is_line_end(p, len, i + 1);
		escape = needs_escape(p[i], last);
		width = escape ? 3 : 1;
		/* the "=" of a soft line end needs a place too */
		limit = last ? LINE_MAX_BYTES : LINE_MAX_BYTES - 1;
		if (column + width > limit) {
			buf_add_text(out, "=\r\n");
			column = 0;
		}
		if (escape)
			buf_add_format(out, "=%02X", (unsigned char)p[i]);
		else
			buf_add_char(out, p[i]);
		column += width;
	}
	if (column)
		buf_add_text(out, "\r\n");
}
