/* SPDX-License-Identifier: ISC */
#include "header.h"

#include <string.h>

#include "encoding.h"

#define LINE_MAX_BYTES 76 /* RFC 2047 2: a line with an encoded word */
#define WORD_OPEN "=?utf-8?B?"
#define WORD_CLOSE "?="
#define WORD_OVERHEAD (sizeof(WORD_OPEN) + sizeof(WORD_CLOSE) - 2)
#define WORD_BYTES_MAX 45  /* encoded: 72 of the 75 that RFC 2047 allows */
#define WORD_BYTES_MIN 12  /* less room than this: begin a new line */
#define PLAIN_WORD_MAX 200 /* longer ASCII is encoded, which can be folded */

bool
header_text_is_clean(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c < 0x20 || c == 0x7f)
			return false;
		/* C1 controls, U+0080 to U+009F */
		if (c == 0xc2 && i + 1 < len &&
		    (unsigned char)text[i + 1] < 0xa0)
			return false;
	}
	return true;
}

void
header_begin(struct header_writer *w, struct buf *out, const char *name)
{
	w->out = out;
	w->column = strlen(name) + 1;
	buf_add_text(out, name);
	buf_add_char(out, ':');
}

void
header_end(struct header_writer *w)
{
	buf_add_text(w->out, "\r\n");
	w->column = 0;
}

static void
separate(struct header_writer *w, bool fold)
{
	buf_add_text(w->out, fold ? "\r\n " : " ");
	w->column = fold ? 1 : w->column + 1;
}

void
header_add_word(struct header_writer *w, const char *word, size_t len)
{
	separate(w, w->column + 1 + len > LINE_MAX_BYTES);
	buf_add(w->out, word, len);
	w->column += len;
}

/* How many of the first `max` bytes are whole characters (RFC 2047 5: none may
 * be divided between words). */
static size_t
whole_characters(const char *text, size_t max)
{
	size_t len = strnlen(text, max + 1);

	if (len <= max)
		return len;
	for (len = max; len && (text[len] & 0xc0) == 0x80; len--)
		;
	return len ? len : max;
}

static void
add_encoded(struct header_writer *w, const char *text)
{
	while (*text) {
		size_t used = w->column + 1 + WORD_OVERHEAD, room = 0, len;

		if (used < LINE_MAX_BYTES)
			room = (LINE_MAX_BYTES - used) / 4 * 3;
		separate(w, room < WORD_BYTES_MIN);
		if (room < WORD_BYTES_MIN || room > WORD_BYTES_MAX)
			room = WORD_BYTES_MAX;
		len = whole_characters(text, room);
		buf_add_text(w->out, WORD_OPEN);
		encoding_add_base64(w->out, text, len);
		buf_add_text(w->out, WORD_CLOSE);
		w->column += WORD_OVERHEAD + (len + 2) / 3 * 4;
		text += len;
	}
}

/* ASCII with nothing that looks like an encoded word. */
static bool
is_plain(const char *text)
{
	for (const char *p = text; *p; p++)
		if ((unsigned char)*p >= 0x80)
			return false;
	return !strstr(text, "=?");
}

/* Words that are not too long, with single spaces between them only: what is
 * the same again after folding and unfolding. */
static bool
survives_folding(const char *text)
{
	size_t word = 0;

	for (const char *p = text; *p; p++) {
		if (*p != ' ')
			word++;
		else if (!word)
			return false;
		else
			word = 0;
		if (word > PLAIN_WORD_MAX)
			return false;
	}
	return word > 0;
}

void
header_add_text(struct header_writer *w, const char *text)
{
	if (!is_plain(text) || !survives_folding(text)) {
		add_encoded(w, text);
		return;
	}
	while (*text) {
		size_t len = strcspn(text, " ");

		header_add_word(w, text, len);
		text += len + (text[len] == ' ');
	}
}

static bool
is_phrase(const char *name)
{
	for (const char *p = name; *p; p++)
		if (strchr("()<>[]:;@\\,.\"", *p))
			return false;
	return survives_folding(name);
}

static void
add_quoted(struct header_writer *w, const char *text)
{
	size_t len = 2;

	for (const char *p = text; *p; p++)
		len += *p == '"' || *p == '\\' ? 2 : 1;
	separate(w, w->column + 1 + len > LINE_MAX_BYTES);
	buf_add_char(w->out, '"');
	for (const char *p = text; *p; p++) {
		if (*p == '"' || *p == '\\')
			buf_add_char(w->out, '\\');
		buf_add_char(w->out, *p);
	}
	buf_add_char(w->out, '"');
	w->column += len;
}

void
header_add_name(struct header_writer *w, const char *name)
{
	if (!is_plain(name) || is_phrase(name))
		header_add_text(w, name);
	else
		add_quoted(w, name);
}
