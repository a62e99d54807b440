/* SPDX-License-Identifier: ISC */
#include "mail/encoded_word.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <iconv.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#define CHARSET_MAX 32
#define WORD_MAX 4096 /* RFC 2047: 75; not everybody heeds it */

/* Names go to iconv(3), which loads code by them. */
static const char *const charsets[] = {"utf-8", "us-ascii", "iso-8859-1",
    "iso-8859-2", "iso-8859-3", "iso-8859-4", "iso-8859-5", "iso-8859-7",
    "iso-8859-9", "iso-8859-10", "iso-8859-13", "iso-8859-14", "iso-8859-15",
    "iso-8859-16", "windows-1250", "windows-1251", "windows-1252",
    "windows-1253", "windows-1254", "windows-1257", "koi8-r", "koi8-u",
    "gb2312", "gbk", "gb18030", "big5", "euc-jp", "shift_jis", "iso-2022-jp",
    "euc-kr"};

struct word {
	char charset[CHARSET_MAX];
	char encoding; /* 'b', 'q' */
	const char *text;
	size_t len;
	size_t total; /* bytes, with all around the text */
};

/* The bytes of neighbouring words in one charset. */
struct run {
	char charset[CHARSET_MAX]; /* "": there is none */
	struct buf bytes;
};

/* Reads "charset*language?"; false: it is nothing that is read here. */
static bool
read_charset(const char **at, const char *end, char ret_charset[CHARSET_MAX])
{
	const char *mark = memchr(*at, '?', (size_t)(end - *at));
	size_t len = mark ? (size_t)(mark - *at) : 0;
	const char *star = mark ? memchr(*at, '*', len) : NULL;

	if (star)
		len = (size_t)(star - *at);
	if (!len || len >= CHARSET_MAX)
		return false;
	memcpy(ret_charset, *at, len);
	ret_charset[len] = '\0';
	*at = mark + 1;
	for (size_t i = 0; i < sizeof(charsets) / sizeof(*charsets); i++)
		if (strcasecmp(ret_charset, charsets[i]) == 0)
			return true;
	return false;
}

/* "=?charset?encoding?text?=" at `text`? */
static bool
read_word(const char *text, size_t len, struct word *ret_word)
{
	const char *at = text + 2,
		   *end = text + (len < WORD_MAX ? len : WORD_MAX);
	struct word word;

	if (len < 2 || memcmp(text, "=?", 2) != 0 ||
	    !read_charset(&at, end, word.charset))
		return false;
	if (end - at < 4 || at[1] != '?')
		return false;
	word.encoding = (char)(*at | 0x20);
	word.text = at + 2;
	at = memchr(word.text, '?', (size_t)(end - word.text));
	if (!at || end - at < 2 || at[1] != '=' ||
	    (word.encoding != 'b' && word.encoding != 'q'))
		return false;
	word.len = (size_t)(at - word.text);
	word.total = (size_t)(at + 2 - text);
	*ret_word = word;
	return true;
}

static int
hex_digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *digit = c ? strchr(digits, c | 0x20) : NULL;

	return digit ? (int)(digit - digits) : -1;
}

static void
add_q(struct buf *out, const struct word *word)
{
	int high, low;

	for (size_t i = 0; i < word->len; i++) {
		char c = word->text[i];
		if (c == '=' && i + 2 < word->len &&
		    (high = hex_digit(word->text[i + 1])) >= 0 &&
		    (low = hex_digit(word->text[i + 2])) >= 0) {
			c = (char)(high << 4 | low);
			i += 2;
		} else if (c == '_') {
			c = ' ';
		}
		buf_add_char(out, c);
	}
}

static void
add_b(struct buf *out, const struct word *word)
{
	const gnutls_datum_t text = {
	    (unsigned char *)(uintptr_t)word->text, (unsigned)word->len};
	gnutls_datum_t bytes;

	if (!word->len)
		return;
	if (gnutls_base64_decode2(&text, &bytes) != GNUTLS_E_SUCCESS) {
		buf_add(out, word->text, word->len);
		return;
	}
	buf_add(out, bytes.data, bytes.size);
	gnutls_free(bytes.data);
}

static void
convert(struct buf *out, iconv_t cd, char *in, size_t left)
{
	char piece[256];

	while (left) {
		char *end = piece;
		size_t room = sizeof(piece);
		size_t n = iconv(cd, &in, &left, &end, &room);
		buf_add(out, piece, (size_t)(end - piece));
		if (n != (size_t)-1 || errno == E2BIG)
			continue;
		buf_add_char(out, '?');
		if (!left)
			return;
		in++;
		left--;
	}
}

/* Ends a run: its bytes go out as UTF-8. */
static void
end_run(struct buf *out, struct run *run)
{
	iconv_t cd;

	if (run->charset[0] && buf_ok(&run->bytes) && run->bytes.len) {
		cd = iconv_open("UTF-8", run->charset);
		if (cd != (iconv_t)-1) {
			convert(out, cd, run->bytes.data, run->bytes.len);
			iconv_close(cd);
		} else {
			buf_add(out, run->bytes.data, run->bytes.len);
		}
	}
	run->charset[0] = '\0';
	buf_done(&run->bytes);
}

static void
add_to_run(struct buf *out, struct run *run, const struct word *word)
{
	if (strcasecmp(run->charset, word->charset) != 0)
		end_run(out, run);
	memcpy(run->charset, word->charset, sizeof(run->charset));
	if (word->encoding == 'q')
		add_q(&run->bytes, word);
	else
		add_b(&run->bytes, word);
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* The white space from `at` on. */
static size_t
spaces(const char *text, size_t len, size_t at)
{
	size_t n = 0;

	while (at + n < len && is_space(text[at + n]))
		n++;
	return n;
}

void
encoded_word_decode(struct buf *out, const char *text, size_t len)
{
	struct run run = {.bytes = BUF_INIT(len)};
	struct word word;
	size_t gap;

	for (size_t i = 0; i < len;) {
		if (read_word(text + i, len - i, &word)) {
			add_to_run(out, &run, &word);
			i += word.total;
			continue;
		}
		gap = spaces(text, len, i);
		/* what is between two words does not count */
		if (!run.charset[0] ||
		    !read_word(text + i + gap, len - i - gap, &word)) {
			end_run(out, &run);
			if (gap)
				buf_add(out, text + i, gap);
			else
				buf_add_char(out, text[i]);
		}
		i += gap ? gap : 1;
	}
	end_run(out, &run);
}
