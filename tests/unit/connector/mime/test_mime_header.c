/* SPDX-License-Identifier: ISC */
#include "mime/mime_header.h"

#include "mime/mime_charset.h"

#include "unit/cmocka_headers.h"

#include <gmime/gmime.h>
#include <string.h>

#define R "\xef\xbf\xbd"

struct text_case {
	const char *raw;
	const char *wanted;
	unsigned issues;
};

static const struct text_case texts[] = {
    {"", "", 0},
    {"  plain  ", "plain", 0},
    {" one\r\n two\n\tthree\r\n", "one two three", 0},
    {"caf\xc3\xa9", "caf\xc3\xa9", 0},
    {"caf\xe9", "caf\xc3\xa9", MIME_HEADER_GUESSED},
    {"a\x1b[1m\x7f", "a" R "[1m" R, MIME_HEADER_CONTROL},
    {"a\xc2\x9b"
     "1m",
	"a" R "1m", MIME_HEADER_CONTROL},
    {"\xc2\xa0", "\xc2\xa0", 0},
    /* encoded words */
    {"=?utf-8?Q?caf=C3=A9?=", "caf\xc3\xa9", 0},
    {"=?UTF-8?b?Y2Fmw6k=?=", "caf\xc3\xa9", 0},
    {"=?iso-8859-1?q?=e9_x?= and =?us-ascii?Q?y?=", "\xc3\xa9 x and y", 0},
    {"=?utf-8*de?Q?=C3=BC?=", "\xc3\xbc", 0},
    {"=?utf-8?Q?a?= =?utf-8?Q?b?=\r\n =?iso-8859-1?Q?c?= d", "abc d", 0},
    {"a =?utf-8?Q?b?=c", "a bc", 0},
    {"=?utf-8?Q?"
     "?=",
	"", 0},
    {"=?utf-8?Q?=3D?=", "=", 0},
    /* a character split between words, in both encodings */
    {"=?utf-8?B?w6nD?= =?utf-8?B?qQ==?=", "\xc3\xa9\xc3\xa9", 0},
    {"=?utf-8?Q?=C3?= =?utf-8?B?qQ==?=", "\xc3\xa9", 0},
    /* broken, but read */
    {"=?utf-8?Q?a b?=", "a b", 0},
    {"=?utf-8?Q?=C3=A?=", R "=A", MIME_HEADER_BROKEN},
    {"=?utf-8?Q?=FF=FE?=", R R, MIME_HEADER_BROKEN},
    {"=?x-nope?Q?=E9a?=", R "a", MIME_HEADER_UNKNOWN},
    {"=?utf-8?B?####?=", "", 0},
    /* no encoded words at all */
    {"=?utf-8?X?abc?=", "=?utf-8?X?abc?=", 0},
    {"=?utf-8?Q?abc", "=?utf-8?Q?abc", 0},
    {"=?"
     "?Q?x?=",
	"=?"
	"?Q?x?=",
	0},
    {"=?", "=?", 0},
    {"=?utf-8?Q", "=?utf-8?Q", 0},
    {"=?=?utf-8?Q?x?=", "=?x", 0},
    /* nothing becomes a second line or a hidden character */
    {"=?utf-8?Q?a=0D=0ABcc:_x=00?=", "a Bcc: x" R, MIME_HEADER_CONTROL},
};

typedef char *(*text_function)(const char *raw, unsigned *issues);

static void
check_texts(const struct text_case *cases, size_t count, text_function function)
{
	for (size_t i = 0; i < count; i++) {
		unsigned issues = 0;
		char *text = function(cases[i].raw, &issues);

		if (strcmp(text, cases[i].wanted) != 0 ||
		    issues != cases[i].issues)
			fail_msg("\"%s\" became \"%s\", issues %u",
			    cases[i].raw, text, issues);
		g_free(text);
	}
}

static void
unstructured_fields_become_one_line(void **state)
{
	(void)state;
	check_texts(texts, G_N_ELEMENTS(texts), mime_header_text);
}

static void
plain_fields_keep_encoded_words(void **state)
{
	static const struct text_case plain[] = {
	    {" <a=?utf-8?Q?b?=@c>\r\n <d@e>", "<a=?utf-8?Q?b?=@c> <d@e>", 0},
	    {"\xff", "\xc3\xbf", MIME_HEADER_GUESSED},
	};

	(void)state;
	check_texts(plain, G_N_ELEMENTS(plain), mime_header_plain);
}

static void
fields_for_the_parser_are_utf8_words(void **state)
{
	static const struct text_case fields[] = {
	    {"a; b=\"=?iso-8859-1?Q?=E9/?=\"", "a; b=\"=?utf-8?Q?=C3=A9=2F?=\"",
		0},
	    {"a; b=\xe9", "a; b=\xc3\xa9", MIME_HEADER_GUESSED},
	    {"=?utf-8?Q?a?= =?utf-8?B?Yg==?=", "=?utf-8?Q?ab?=", 0},
	};

	(void)state;
	check_texts(fields, G_N_ELEMENTS(fields), mime_header_in_utf8);
}

static const struct {
	const char *raw;
	const char *wanted;
	const char *first;
	unsigned issues;
} lists[] = {
    {"", "", "", 0},
    {" \r\n ", "", "", 0},
    {"a@b.c", "a@b.c", "a@b.c", 0},
    {"<a@b.c>", "a@b.c", "a@b.c", 0},
    {"Ann <a@b.c>,\r\n Bob <d@e.f>", "Ann <a@b.c>, Bob <d@e.f>", "a@b.c", 0},
    {"J. Doe <a@b.c>", "\"J. Doe\" <a@b.c>", "a@b.c", 0},
    {"\"Plain\" <a@b.c>", "Plain <a@b.c>", "a@b.c", 0},
    {"a@b.c (Ann)", "Ann <a@b.c>", "a@b.c", 0},
    {"=?utf-8?Q?J=C3=B6?= <a@b.c>", "J\xc3\xb6 <a@b.c>", "a@b.c", 0},
    {"J\xf6 <a@b.c>", "J\xc3\xb6 <a@b.c>", "a@b.c", MIME_HEADER_GUESSED},
    {"MAILER-DAEMON", "MAILER-DAEMON", "MAILER-DAEMON", 0},
    {"\"a b\"@c.d", "\"a b\"@c.d", "\"a b\"@c.d", 0},
    {"a@[127.0.0.1]", "a@[127.0.0.1]", "a@[127.0.0.1]", 0},
    /* groups */
    {"g: Ann <a@b.c>, d@e.f; , x@y.z", "g: Ann <a@b.c>, d@e.f;, x@y.z", "a@b.c",
	0},
    {"undisclosed-recipients:;", "undisclosed-recipients:;", "", 0},
    /* Outlook's separator, but not where it means something else */
    {"a@b.c; d@e.f", "a@b.c, d@e.f", "a@b.c", 0},
    {"\"x;y\" <a@b.c>; g: d@e.f;; h@i.j", "\"x;y\" <a@b.c>, g: d@e.f;, h@i.j",
	"a@b.c", 0},
    /* a name cannot pass for an address */
    {"=?utf-8?Q?boss=40corp=3E=2C?= <evil@x.y>", "\"boss@corp>,\" <evil@x.y>",
	"evil@x.y", 0},
    {"=?utf-8?Q?a=22_=3Cboss=40corp=3E?= <evil@x.y>",
	"\"a\\\" <boss@corp>\" <evil@x.y>", "evil@x.y", 0},
    {"=?utf-8?Q?a=5C?= <evil@x.y>", "\"a\\\\\" <evil@x.y>", "evil@x.y", 0},
    /* the form that SMTP takes */
    {"a@b\xc3\xbc"
     "cher.example",
	"a@xn--bcher-kva.example", "a@xn--bcher-kva.example", 0},
    /* no lists */
    {"foo bar baz", "foo bar baz", "", MIME_HEADER_ADDRESSES},
    /* GMime would stop half-way */
    {"a@b.c) d@e.f", "a@b.c) d@e.f", "a@b.c", MIME_HEADER_ADDRESSES},
    {"a@b.c] d@e.f", "a@b.c] d@e.f", "a@b.c", MIME_HEADER_ADDRESSES},
    {"<>", "<>", "", MIME_HEADER_ADDRESSES},
    {"Foo foo@bar.com", "Foo foo@bar.com", "", MIME_HEADER_ADDRESSES},
};

static void
addresses_cannot_be_mistaken(void **state)
{
	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(lists); i++) {
		unsigned issues = 0;
		char *first = NULL;
		char *text =
		    mime_header_addresses(lists[i].raw, &first, &issues);

		if (strcmp(text, lists[i].wanted) != 0 ||
		    strcmp(first, lists[i].first) != 0 ||
		    issues != lists[i].issues)
			fail_msg("\"%s\" became \"%s\", first \"%s\", "
				 "issues %u",
			    lists[i].raw, text, first, issues);
		g_free(text);
		g_free(first);
	}
}

static void
nested_groups_do_not_reach_the_parser(void **state)
{
	GString *raw = g_string_new(NULL);
	unsigned issues = 0;
	char *first, *text;

	(void)state;
	for (int i = 0; i < 200000; i++)
		g_string_append(raw, "a:");
	text = mime_header_addresses(raw->str, &first, &issues);
	assert_int_equal(issues, MIME_HEADER_ADDRESSES);
	assert_string_equal(text, raw->str);
	assert_string_equal(first, "");
	g_free(text);
	g_free(first);
	g_string_free(raw, TRUE);
}

static const struct {
	const char *raw;
	const char *wanted;
} dates[] = {
    {"Tue, 17 Feb 2026 10:00:00 +0000", "2026-02-17T10:00:00Z"},
    {" Tue, 17 Feb 2026 01:30:00 +0530\r\n (IST)", "2026-02-16T20:00:00Z"},
    {"17 Feb 2026 22:00 -0800", "2026-02-18T06:00:00Z"},
    {"Tue, 17 Feb 2026 10:00:00 GMT", "2026-02-17T10:00:00Z"},
    {"Tue, 17 Feb 26 10:00:00 EST", "2026-02-17T15:00:00Z"},
    {"Tue, 17 Feb 2026 10:00:00 -0000", "2026-02-17T10:00:00Z"},
    {"Tue, 17 Feb 2026 10:00:00", "2026-02-17T10:00:00Z"},
    {"", NULL},
    {"hello", NULL},
    {"12:00:00", NULL},
    {"Tue, 31 Feb 2026 10:00:00 +0000", NULL},
    {"Tue, 17 Feb 2026 25:00:00 +0000", NULL},
    {"Mon, 1 Jan 99999 00:00:00 +0000", NULL},
};

static void
dates_become_utc(void **state)
{
	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(dates); i++) {
		char *date = mime_header_date(dates[i].raw);

		if (g_strcmp0(date, dates[i].wanted) != 0)
			fail_msg("\"%s\" became %s", dates[i].raw,
			    date ? date : "nothing");
		g_free(date);
	}
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
	    cmocka_unit_test(unstructured_fields_become_one_line),
	    cmocka_unit_test(plain_fields_keep_encoded_words),
	    cmocka_unit_test(fields_for_the_parser_are_utf8_words),
	    cmocka_unit_test(addresses_cannot_be_mistaken),
	    cmocka_unit_test(nested_groups_do_not_reach_the_parser),
	    cmocka_unit_test(dates_become_utc),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
