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
#define PARAM_BYTES_MAX 60 /* of a parameter in one piece, with its quotes */
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
	w->empty = true;
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

/* Never in front of the first word: what follows the colon on the next line
 * only is read with a space in front of it by some, and as nothing by others. */
static void
separate(struct header_writer *w, bool fold)
{
	fold = fold && !w->empty;
	w->empty = false;
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

static bool
is_alphanumeric(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
	       (c >= 'a' && c <= 'z');
}

/* What stands in a quoted string as it is, and is read back by programs that
 * look for quotes, semicolons and percent signs without care. */
static bool
is_plain_value(const char *value)
{
	size_t len = strlen(value);

	for (size_t i = 0; i < len; i++)
		if (!is_alphanumeric(value[i]) &&
		    !strchr(" !#$&()+,-.=@^_{}~", value[i]))
			return false;
	return len && len <= PARAM_BYTES_MAX && value[0] != ' ' &&
	       value[len - 1] != ' ' && is_plain(value);
}

/* RFC 2231 7: attribute-char */
static bool
is_attribute_char(char c)
{
	return is_alphanumeric(c) || (c && strchr("!#$&+-.^_`{|}~", c));
}

static size_t
percent_len(const char *text, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += is_attribute_char(text[i]) ? 1 : 3;
	return n;
}

static void
add_percent(struct header_writer *w, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (is_attribute_char(text[i]))
			buf_add_char(w->out, text[i]);
		else
			buf_add_format(
			    w->out, "%%%02X", (unsigned char)text[i]);
	}
}

/* How many bytes, whole characters, become at most `max` when encoded. */
static size_t
piece_len(const char *text, size_t max)
{
	size_t len = whole_characters(text, max);

	while (percent_len(text, len) > max)
		len = whole_characters(text, len - 1);
	return len;
}

/* One line each: name*0*=utf-8''..., name*1*=... */
static void
add_pieces(struct header_writer *w, const char *name, const char *value)
{
	bool whole = percent_len(value, strlen(value)) <= PARAM_BYTES_MAX - 9;
	unsigned number = 0;

	do {
		size_t len = whole ? strlen(value)
				   : piece_len(value, PARAM_BYTES_MAX - 9);

		buf_add_char(w->out, ';');
		separate(w, true);
		if (whole)
			buf_add_format(w->out, "%s*=", name);
		else
			buf_add_format(w->out, "%s*%u*=", name, number);
		if (!number++)
			buf_add_text(w->out, "utf-8''");
		add_percent(w, value, len);
		value += len;
	} while (*value);
	w->column = LINE_MAX_BYTES; /* whatever comes begins a new line */
}

void
header_add_param(struct header_writer *w, const char *name, const char *value)
{
	size_t len = strlen(name) + strlen(value) + 3;

	if (!is_plain_value(value)) {
		add_pieces(w, name, value);
		return;
	}
	buf_add_char(w->out, ';');
	separate(w, w->column + 2 + len > LINE_MAX_BYTES);
	buf_add_format(w->out, "%s=\"%s\"", name, value);
	w->column += len;
}

void
header_add_old_param(
    struct header_writer *w, const char *name, const char *value)
{
	if (is_plain_value(value))
		return;
	buf_add_format(w->out, ";\r\n %s=\"", name);
	for (bool first = true; *value; first = false) {
		size_t len = whole_characters(value, WORD_BYTES_MAX - 9);

		buf_add_format(w->out, "%s" WORD_OPEN, first ? "" : "\r\n ");
		encoding_add_base64(w->out, value, len);
		buf_add_text(w->out, WORD_CLOSE);
		value += len;
	}
	buf_add_char(w->out, '"');
	w->column = LINE_MAX_BYTES;
}
