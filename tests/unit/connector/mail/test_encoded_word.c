/* SPDX-License-Identifier: ISC */
#include "mail/encoded_word.h"

#include "unit/cmocka_headers.h"

#include <string.h>

static const struct {
	const char *text, *decoded;
} cases[] = {
    {"", ""},
    {"plain  text", "plain  text"},
    {"Gr\u00fc\u00dfe", "Gr\u00fc\u00dfe"}, /* RFC 6532 */
    {"=?utf-8?q?Gr=C3=BC=c3=9fe_dich?=", "Gr\u00fc\u00dfe dich"},
    {"=?UTF-8?B?R3LDvMOfZQ==?=", "Gr\u00fc\u00dfe"},
    {"=?iso-8859-1?Q?Gr=FC=DFe?=", "Gr\u00fc\u00dfe"},
    {"=?windows-1252*de-DE?Q?=80?=", "\u20ac"},
    {"=?ISO-2022-JP?B?GyRCRnxLXBsoQg==?=", "\u65e5\u672c"},
    {"=?koi8-r?B?8NLJ18XU?=", "\u041f\u0440\u0438\u0432\u0435\u0442"},
    {"a =?utf-8?q?=C3=A9?= b", "a \u00e9 b"},
    {"=?utf-8?q?a?= =?utf-8?q?b?=", "ab"},
    {"=?utf-8?q?a?=\t  =?iso-8859-1?b?6Q==?= c", "a\u00e9 c"},
    {"=?utf-8?q?a?= b =?utf-8?q?c?=", "a b c"},
    {"=?utf-8?q?a?= ", "a "},
    /* a character in two words */
    {"=?utf-8?q?=C3?= =?utf-8?q?=A9?=", "\u00e9"},
    {"=?utf-8?b?8J+Y?= =?utf-8?b?gA==?=", "\U0001f600"},
    /* without meaning in its charset */
    {"=?utf-8?q?=C3?= =?iso-8859-1?q?=A9?=", "?\u00a9"},
    {"=?utf-8?q?=FFa=C3?=", "?a?"},
    {"=?utf-8?q?a=0?=", "a=0"},
    {"=?utf-8?q?a=xy=?=", "a=xy="},
    {"=?utf-8?b?\?\?\?=", "=?utf-8?b?\?\?\?="},
    {"=?utf-8?b?!?=", "!"},
    {"=?utf-8?q?\?=", ""},
    {"=?utf-8?b?\?=", ""},
    /* what is no encoded word, or in a charset that is not read */
    {"=?x-unknown?q?a?=", "=?x-unknown?q?a?="},
    {"=?../../x?q?a?=", "=?../../x?q?a?="},
    {"=?UTF-8//IGNORE?q?a?=", "=?UTF-8//IGNORE?q?a?="},
    {"=?utf-8?x?a?=", "=?utf-8?x?a?="},
    {"=?utf-8?q?a?", "=?utf-8?q?a?"},
    {"=?utf-8?q?a", "=?utf-8?q?a"},
    {"=?utf-8?q", "=?utf-8?q"},
    {"=?utf-8", "=?utf-8"},
    {"=?", "=?"},
    {"=", "="},
    {"=?\?q?a?=", "=?\?q?a?="},
    {"a =? b ?= c", "a =? b ?= c"},
};

static void
words_become_text(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct buf out = BUF_INIT(1000);
		encoded_word_decode(&out, cases[i].text, strlen(cases[i].text));
		if (strcmp(buf_text(&out), cases[i].decoded) != 0)
			fail_msg("%s: '%s'", cases[i].text, buf_text(&out));
		buf_done(&out);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(words_become_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
