/* SPDX-License-Identifier: ISC */
#include "buf.h"

#include "utf8.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
buf_done(struct buf *b)
{
	free(b->data);
	*b = (struct buf)BUF_INIT(b->max);
}

void
buf_reset(struct buf *b)
{
	b->len = 0;
	b->failed = false;
	if (b->data)
		b->data[0] = '\0';
}

const char *
buf_text(const struct buf *b)
{
	return b->data && !b->failed ? b->data : "";
}

static void
fail(struct buf *b)
{
	buf_reset(b);
	b->failed = true;
}

/* Makes room for `more` bytes and a NUL; false (and sticky) if impossible. */
static bool
reserve(struct buf *b, size_t more)
{
	size_t need, cap = b->cap ? b->cap : 64;
	char *data;

	if (b->failed)
		return false;
	if (more > b->max || b->len > b->max - more) {
		fail(b);
		return false;
	}
	need = b->len + more + 1;
	if (need <= b->cap)
		return true;
	while (cap < need)
		cap = cap > SIZE_MAX / 2 ? need : cap * 2;
	data = realloc(b->data, cap);
	if (!data) {
		fail(b);
		return false;
	}
	b->data = data;
	b->cap = cap;
	return true;
}

void
buf_add(struct buf *b, const void *data, size_t len)
{
	if (!reserve(b, len))
		return;
	if (len)
		memcpy(b->data + b->len, data, len);
	b->len += len;
	b->data[b->len] = '\0';
}

void
buf_add_text(struct buf *b, const char *text)
{
	buf_add(b, text, strlen(text));
}

void
buf_add_char(struct buf *b, char c)
{
	buf_add(b, &c, 1);
}

void
buf_add_format(struct buf *b, const char *format, ...)
{
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (len < 0) {
		fail(b);
		return;
	}
	if (!reserve(b, (size_t)len))
		return;
	va_start(args, format);
	vsnprintf(b->data + b->len, (size_t)len + 1, format, args);
	va_end(args);
	b->len += (size_t)len;
}

void
buf_add_printable(struct buf *b, const char *text, size_t len, size_t max_len)
{
	size_t end = utf8_cut_len(text, len, max_len);

	for (size_t i = 0, good = 0; i < end; i++) {
		unsigned char c = (unsigned char)text[i];
		bool invalid = false;

		if (i >= good) {
			good = i + utf8_valid_len(text + i, end - i);
			invalid = i >= good;
		}
		buf_add_char(
		    b, invalid || c < 0x20 || c == 0x7f ? '?' : text[i]);
	}
}

void
buf_consume(struct buf *b, size_t len)
{
	if (len > b->len)
		len = b->len;
	if (!len)
		return;
	memmove(b->data, b->data + len, b->len - len + 1);
	b->len -= len;
}

char *
buf_take(struct buf *b)
{
	char *data;

	buf_add(b, "", 0); /* an empty buffer is taken as "" */
	if (b->failed)
		return NULL;
	data = b->data;
	*b = (struct buf)BUF_INIT(b->max);
	return data;
}
