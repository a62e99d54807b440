/* SPDX-License-Identifier: ISC */
#include "mime/mime_name.h"

#include "unit/cmocka_headers.h"

#include <string.h>

#define TEN "0123456789"
#define NINETY TEN TEN TEN TEN TEN TEN TEN TEN TEN

static const struct {
	const char *original;
	const char *type;
	const char *wanted; /* after "attachment-1-" */
} cases[] = {
    {"report.pdf", "application/pdf", "report.pdf"},
    {"A-b_c.D.9", "text/plain", "A-b_c.D.9"},
    {"two words.txt", "text/plain", "two_words.txt"},
    {"", "image/png", "unnamed"},
    {"..", "text/plain", "__"},
    {".", "text/plain", "_"},
    {".bashrc", "text/plain", ".bashrc"},
    {"../../etc/passwd", "text/plain", ".._.._etc_passwd"},
    {"/etc/passwd", "text/plain", "_etc_passwd"},
    {"C:\\boot.ini", "text/plain", "C__boot.ini"},
    {"a\nb\x7f\x1b.txt", "text/plain", "a_b__.txt"},
    {"-rf", "text/plain", "-rf"},
    /* Windows drops dots and spaces at the end; its devices' names begin no
     * name here */
    {"a.exe.", "text/plain", "a.exe_"},
    {"a.exe. . ", "text/plain", "a.exe._._"},
    {"a.exe...", "text/plain", "a.exe___"},
    {"CON", "text/plain", "CON"},
    {"aux.txt:stream", "text/plain", "aux.txt_stream"},
    /* a name that would be shown as "photoexe.jpg" */
    {"photo\xe2\x80\xaegpj.exe", "text/plain", "photo_gpj.exe"},
    {"$(id);`id`|&<>*?'\".sh", "text/plain", "__id___id_________.sh"},
    /* one '_' for a character, however many bytes */
    {"r\xc3\xa9sum\xc3\xa9.doc", "text/plain", "r_sum_.doc"},
    {"\xe6\x97\xa5\xe6\x9c\xac\xf0\x9f\x98\x80.png", "image/png", "___.png"},
    {"\xc3\xa9", "image/png", "_"},
    /* 100 characters stay, of 101 the extension stays */
    {NINETY "abcdef.txt", "text/plain", NINETY "abcdef.txt"},
    {NINETY "abcdefg.txt", "text/plain", NINETY "abcdef.txt"},
    {NINETY "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9.txt",
	"text/plain", NINETY "______.txt"},
    {NINETY TEN TEN, "text/plain", NINETY TEN},
    {NINETY TEN ".tar.gz", "text/plain", NINETY "0123456.gz"},
    {"a." NINETY TEN, "text/plain", "a." NINETY "01234567"},
    {NINETY TEN ".", "text/plain", NINETY "012345678_"},
    {"." NINETY TEN, "text/plain", "." NINETY "012345678"},
    /* an embedded message is recognisable as one */
    {"", "message/rfc822", "unnamed.eml"},
    {"Re: hello", "message/rfc822", "Re__hello.eml"},
    {"a.eml", "message/rfc822", "a.eml"},
    {"a.EML", "message/rfc822", "a.EML"},
    {"a.exe", "message/rfc822", "a.exe.eml"},
    {NINETY TEN, "message/rfc822", NINETY "012345.eml"},
    {NINETY TEN ".eml", "message/rfc822", NINETY "012345.eml"},
    /* and a calendar is, unless it says what it is */
    {"", "text/calendar", "unnamed.ics"},
    {"meeting", "text/calendar", "meeting.ics"},
    {"meeting.vcs", "text/calendar", "meeting.vcs"},
};

static void
names_are_made_safe(void **state)
{
	char name[MIME_NAME_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		mime_name_make(1, cases[i].original, cases[i].type, name);
		assert_memory_equal(name, "attachment-1-", 13);
		if (strcmp(name + 13, cases[i].wanted) != 0)
			fail_msg("\"%s\" became \"%s\", not \"%s\"",
			    cases[i].original, name + 13, cases[i].wanted);
	}
}

static void
longest_name_and_number_fit(void **state)
{
	char name[MIME_NAME_SIZE];

	(void)state;
	mime_name_make((size_t)-1, NINETY TEN TEN, "text/plain", name);
	assert_string_equal(
	    name, "attachment-18446744073709551615-" NINETY TEN);
	assert_true(strlen(name) < sizeof(name));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(names_are_made_safe),
	    cmocka_unit_test(longest_name_and_number_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
