/* SPDX-License-Identifier: ISC */
#include "mime/mime_charset.h"

#include "unit/cmocka_headers.h"

#include <gmime/gmime.h>
#include <string.h>

#define R "\xef\xbf\xbd"

static const struct {
	const char *charset;
	const char *bytes;
	const char *wanted;
	enum mime_charset_issue issue;
} cases[] = {
    /* no charset, or none to speak of */
    {NULL, "plain", "plain", MIME_CHARSET_FINE},
    {NULL, "caf\xc3\xa9", "caf\xc3\xa9", MIME_CHARSET_FINE},
    {NULL, "caf\xe9 \x80", "caf\xc3\xa9 \xe2\x82\xac", MIME_CHARSET_GUESSED},
    {"", "caf\xe9", "caf\xc3\xa9", MIME_CHARSET_GUESSED},
    {"US-ASCII", "caf\xe9", "caf\xc3\xa9", MIME_CHARSET_GUESSED},
    {"unknown-8bit", "caf\xc3\xa9", "caf\xc3\xa9", MIME_CHARSET_FINE},
    /* UTF-8, in parts */
    {"UTF-8", "caf\xc3\xa9", "caf\xc3\xa9", MIME_CHARSET_FINE},
    {"utf8",
	"a\xff"
	"b\xe2\x82",
	"a" R "b" R R, MIME_CHARSET_BROKEN},
    {"utf-8", "\xed\xa0\x80", R R R, MIME_CHARSET_BROKEN},
    /* single bytes; supersets of what is named */
    {"ISO-8859-1", "\xe9\x80", "\xc3\xa9\xe2\x82\xac", MIME_CHARSET_FINE},
    {"windows-1252", "\x80\x81", "\xe2\x82\xac" R, MIME_CHARSET_BROKEN},
    {"iso-8859-15", "\xa4", "\xe2\x82\xac", MIME_CHARSET_FINE},
    {"iso-8859-9", "\xfd", "\xc4\xb1", MIME_CHARSET_FINE},
    {"KOI8-R", "\xcd\xc9\xd2", "\xd0\xbc\xd0\xb8\xd1\x80", MIME_CHARSET_FINE},
    {"cp1251", "\xec\xe8\xf0", "\xd0\xbc\xd0\xb8\xd1\x80", MIME_CHARSET_FINE},
    {"windows-874", "\xa1", "\xe0\xb8\x81", MIME_CHARSET_FINE},
    {"tis-620", "\xa1", "\xe0\xb8\x81", MIME_CHARSET_FINE},
    /* glibc holds a letter of these back until it sees the next */
    {"windows-1255", "\xe0\xe1", "\xd7\x90\xd7\x91", MIME_CHARSET_FINE},
    {"windows-1258", "a\xec", "\xc3\xa1", MIME_CHARSET_FINE},
    /* East Asia */
    {"gb2312", "\xba\xba\xd7\xd6", "\xe6\xb1\x89\xe5\xad\x97",
	MIME_CHARSET_FINE},
    {"GBK", "\x80\xba\xba", R "\xe6\xb1\x89", MIME_CHARSET_BROKEN},
    {"big5", "\xba\x7e\xa6\x72", "\xe6\xbc\xa2\xe5\xad\x97", MIME_CHARSET_FINE},
    {"Shift_JIS", "\x93\xfa\x87\x40", "\xe6\x97\xa5\xe2\x91\xa0",
	MIME_CHARSET_FINE},
    {"shift_jis", "a\x93", "a" R, MIME_CHARSET_BROKEN},
    {"iso-2022-jp", "\x1b$BF|\x1b(B!", "\xe6\x97\xa5!", MIME_CHARSET_FINE},
    {"euc-jp", "\xc6\xfc", "\xe6\x97\xa5", MIME_CHARSET_FINE},
    {"ks_c_5601-1987", "\xc7\xd1\x94\xee", "\xed\x95\x9c\xeb\xb7\x81",
	MIME_CHARSET_FINE},
    /* Unicode in other forms */
    {"utf-7", "a+AOk-b",
	"a\xc3\xa9"
	"b",
	MIME_CHARSET_FINE},
    /* nobody's: ASCII is kept, and UTF-8 if it happens to be that */
    {"x-nope", "a\xc3\xa9\xff", "a\xc3\xa9" R, MIME_CHARSET_UNKNOWN},
    {"../../tmp/x", "a\xff", "a" R, MIME_CHARSET_UNKNOWN},
    /* no way to have glibc drop bytes in silence */
    {"utf-8//IGNORE",
	"a\xff"
	"b",
	"a" R "b", MIME_CHARSET_BROKEN},
};

static void
any_bytes_become_valid_utf8(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		GString *out = g_string_new("<");
		enum mime_charset_issue issue = mime_charset_decode(out,
		    cases[i].charset, cases[i].bytes, strlen(cases[i].bytes));

		if (strcmp(out->str + 1, cases[i].wanted) != 0 ||
		    issue != cases[i].issue)
			fail_msg("case %zu (%s): \"%s\", issue %d", i,
			    cases[i].charset ? cases[i].charset : "none",
			    out->str + 1, (int)issue);
		g_string_free(out, TRUE);
	}
}

static void
utf16_has_zero_bytes(void **state)
{
	static const char bytes[] = "\xff\xfe\xe9\0\0\0x";
	GString *out = g_string_new(NULL);

	(void)state;
	assert_int_equal(
	    mime_charset_decode(out, "utf-16", bytes, sizeof(bytes)),
	    MIME_CHARSET_FINE);
	assert_int_equal(out->len, 4);
	assert_memory_equal(out->str, "\xc3\xa9\0x", 4);
	g_string_free(out, TRUE);
}

static int
setup(void **state)
{
	static struct mime_charsets charsets;

	g_mime_init();
	mime_charset_load(&charsets);
	*state = &charsets;
	return 0;
}

static int
teardown(void **state)
{
	mime_charset_unload(*state);
	g_mime_shutdown();
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(any_bytes_become_valid_utf8),
	    cmocka_unit_test(utf16_has_zero_bytes),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
