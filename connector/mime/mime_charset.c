/* SPDX-License-Identifier: ISC */
#include "mime_charset.h"

#include "base/utf8.h"

#include <assert.h>
#include <errno.h>
#include <gmime/gmime.h>
#include <iconv.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* A charset that has a superset is always read as that (the Encoding Standard
 * of WHATWG, section 4.2). */
static const struct {
	const char *name;
	const char *read_as;
} supersets[] = {
    {"iso-8859-1", "cp1252"},
    {"iso-8859-9", "cp1254"},
    {"iso-8859-11", "cp874"},
    {"tis-620", "cp874"},
    {"gb2312", "gb18030"},
    {"gbk", "gb18030"},
    {"x-gbk", "gb18030"},
    {"euc-cn", "gb18030"},
    {"big5", "big5-hkscs"},
    {"shift_jis", "cp932"},
    {"shift-jis", "cp932"},
    {"x-sjis", "cp932"},
    {"euc-kr", "cp949"},
    {"ks_c_5601-1987", "cp949"},
};

static const char *const loaded[] = {"iso-8859-1", "iso-8859-2", "iso-8859-3",
    "iso-8859-4", "iso-8859-5", "iso-8859-6", "iso-8859-7", "iso-8859-8",
    "iso-8859-9", "iso-8859-10", "iso-8859-11", "iso-8859-13", "iso-8859-14",
    "iso-8859-15", "iso-8859-16", "koi8-r", "koi8-u", "cp1250", "cp1251",
    "cp1252", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp1258",
    "cp437", "cp850", "cp852", "cp866", "cp874", "macintosh", "mac-cyrillic",
    "viscii", "gb18030", "gbk", "gb2312", "iso-2022-cn", "big5", "big5-hkscs",
    "euc-tw", "euc-jp", "shift_jis", "cp932", "iso-2022-jp", "iso-2022-jp-2",
    "iso-2022-jp-3", "euc-kr", "cp949", "johab", "iso-2022-kr", "utf-7",
    "utf-16", "utf-16le", "utf-16be", "utf-32"};

static_assert(G_N_ELEMENTS(loaded) <= MIME_CHARSETS_MAX, "too many charsets");

void
mime_charset_load(struct mime_charsets *ret_charsets)
{
	ret_charsets->count = 0;
	for (size_t i = 0; i < G_N_ELEMENTS(loaded); i++) {
		iconv_t cd = g_mime_iconv_open("utf-8", loaded[i]);

		/* one that this system does not have is unknown, and said so
		 * with the mail */
		if (cd != (iconv_t)-1)
			ret_charsets->open[ret_charsets->count++] = cd;
	}
}

void
mime_charset_unload(struct mime_charsets *charsets)
{
	while (charsets->count)
		g_mime_iconv_close(charsets->open[--charsets->count]);
}

static bool
is_ascii_name(const char *charset)
{
	static const char *const names[] = {"us-ascii", "ascii", "us_ascii",
	    "ansi_x3.4-1968", "unknown-8bit", "x-unknown", "8bit", "binary"};

	for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
		if (g_ascii_strcasecmp(charset, names[i]) == 0)
			return true;
	return false;
}

static bool
is_utf8_name(const char *charset)
{
	return g_ascii_strcasecmp(charset, "utf-8") == 0 ||
	       g_ascii_strcasecmp(charset, "utf8") == 0;
}

static enum mime_charset_issue
add_utf8(GString *out, const char *bytes, size_t len)
{
	enum mime_charset_issue issue = MIME_CHARSET_FINE;

	for (;;) {
		size_t good = utf8_valid_len(bytes, len);

		g_string_append_len(out, bytes, (gssize)good);
		if (good == len)
			return issue;
		g_string_append(out, UTF8_REPLACEMENT);
		issue = MIME_CHARSET_BROKEN;
		bytes += good + 1;
		len -= good + 1;
	}
}

/* One call of iconv(3), its output appended; errno if it stopped, else 0. */
static int
convert_some(GString *out, iconv_t cd, char **in, size_t *len)
{
	char chunk[4096];
	char *end = chunk;
	size_t room = sizeof(chunk);
	int error = iconv(cd, in, len, &end, &room) == (size_t)-1 ? errno : 0;

	g_string_append_len(out, chunk, end - chunk);
	return error;
}

/* Converts what `cd` can, with a replacement for each byte that it cannot. */
static enum mime_charset_issue
add_converted(GString *out, iconv_t cd, const char *bytes, size_t len)
{
	enum mime_charset_issue issue = MIME_CHARSET_FINE;
	char *in = (char *)(uintptr_t)bytes; /* iconv(3) only reads */

	while (len) {
		int error = convert_some(out, cd, &in, &len);

		if (error == 0 || error == E2BIG)
			continue;
		g_string_append(out, UTF8_REPLACEMENT);
		issue = MIME_CHARSET_BROKEN;
		/* an incomplete sequence at the end is one character */
		len = error == EINVAL ? 0 : len - 1;
		in++;
	}
	convert_some(out, cd, NULL, NULL); /* what it has held back */
	return issue;
}

static iconv_t
open_charset(const char *charset)
{
	for (size_t i = 0; i < G_N_ELEMENTS(supersets); i++)
		if (g_ascii_strcasecmp(charset, supersets[i].name) == 0)
			charset = supersets[i].read_as;
	return g_mime_iconv_open("utf-8", charset);
}

static enum mime_charset_issue
add_guessed(GString *out, const char *bytes, size_t len)
{
	iconv_t cd;

	if (utf8_valid_len(bytes, len) == len)
		return add_utf8(out, bytes, len);
	cd = open_charset("cp1252");
	if (cd == (iconv_t)-1) {
		add_utf8(out, bytes, len);
	} else {
		add_converted(out, cd, bytes, len);
		g_mime_iconv_close(cd);
	}
	return MIME_CHARSET_GUESSED;
}

enum mime_charset_issue
mime_charset_decode(
    GString *out, const char *charset, const char *bytes, size_t len)
{
	enum mime_charset_issue issue;
	iconv_t cd;

	if (!charset || !*charset || is_ascii_name(charset))
		return add_guessed(out, bytes, len);
	if (is_utf8_name(charset))
		return add_utf8(out, bytes, len);
	cd = open_charset(charset);
	if (cd == (iconv_t)-1) {
		add_utf8(out, bytes, len);
		return MIME_CHARSET_UNKNOWN;
	}
	issue = add_converted(out, cd, bytes, len);
	g_mime_iconv_close(cd);
	return issue;
}
