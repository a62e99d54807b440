/* SPDX-License-Identifier: ISC */
#include "outbound/encoding.h"

#include "unit/cmocka_headers.h"

#include <string.h>

struct encoding_case {
	const char *plain;
	const char *encoded;
};

static void
base64_is_that_of_rfc_4648(void **state)
{
	static const struct encoding_case cases[] = {
	    {"", ""},
	    {"f", "Zg=="},
	    {"fo", "Zm8="},
	    {"foo", "Zm9v"},
	    {"foob", "Zm9vYg=="},
	    {"fooba", "Zm9vYmE="},
	    {"foobar", "Zm9vYmFy"},
	    {"\xff\xfe\xfd", "//79"},
	    {"\xfb\xf0", "+/A="},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct buf b = BUF_INIT(100);

		encoding_add_base64(&b, cases[i].plain, strlen(cases[i].plain));
		assert_string_equal(buf_text(&b), cases[i].encoded);
		buf_done(&b);
	}
}

static void
base64_lines_end_at_76(void **state)
{
	struct buf b = BUF_INIT(1000);
	char zeros[58] = {0};

	(void)state;
	encoding_add_base64_lines(&b, zeros, sizeof(zeros));
	assert_int_equal(b.len, 76 + 2 + 4 + 2);
	assert_string_equal(b.data + 76, "\r\nAA==\r\n");
	buf_done(&b);
}

#define A70                                                                    \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
	"aa"

static void
quoted_printable_keeps_what_it_may(void **state)
{
	static const struct encoding_case cases[] = {
	    {"", ""},
	    {"\r\n", "\r\n"},
	    {"a\r\n\r\nb\r\n", "a\r\n\r\nb\r\n"},
	    {"no line end", "no line end\r\n"},
	    {"a = b\r\n", "a =3D b\r\n"},
	    {"~!\x7f\r\n", "~!=7F\r\n"},
	    {"\xc3\xbc\r\n", "=C3=BC\r\n"},
	    {"tab\tin \r\n", "tab\tin=20\r\n"},
	    {"end\t\r\nend ", "end=09\r\nend=20\r\n"},
	    {"\x01\r\x0b\r\n", "=01=0D=0B\r\n"},
	    {".\r\n..\r\n", ".\r\n..\r\n"},
	    /* 76 fit when the line ends there, else 75 and a soft end */
	    {A70 "123456\r\n", A70 "123456\r\n"},
	    {A70 "1234567\r\n", A70 "12345=\r\n67\r\n"},
	    {A70 "123=\r\n", A70 "123=3D\r\n"},
	    {A70 "1234=\r\n", A70 "1234=\r\n=3D\r\n"},
	    {A70 "12345 \r\n", A70 "12345=\r\n=20\r\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct buf b = BUF_INIT(1000);

		encoding_add_quoted_printable(
		    &b, cases[i].plain, strlen(cases[i].plain));
		assert_string_equal(buf_text(&b), cases[i].encoded);
		buf_done(&b);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(base64_is_that_of_rfc_4648),
	    cmocka_unit_test(base64_lines_end_at_76),
	    cmocka_unit_test(quoted_printable_keeps_what_it_may),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
