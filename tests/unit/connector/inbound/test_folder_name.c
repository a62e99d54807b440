/* SPDX-License-Identifier: ISC */
#include "inbound/folder_name.h"

#include "unit/cmocka_headers.h"

#include <stddef.h>
#include <string.h>

#define TEN "0123456789"

static void
folder_names(void **state)
{
	static const char traversal[] =
	    "folder name must not contain path traversal: ";
	static const char separators[] =
	    "folder name must not contain path separators: ";
	static const char letters[] =
	    "folder name must be alphanumeric with hyphens/underscores: ";
	static const char purpose[] = "folder name must not be that of a "
				      "directory with another purpose: ";
	static const char length[] =
	    "folder name must not be longer than 64 characters: ";
	static const struct {
		const char *name;
		const char *wrong; /* NULL: nothing */
	} cases[] = {
	    {"inbox", NULL},
	    {"INBOX", NULL},
	    {"a", NULL},
	    {"Archive_2024-x", NULL},
	    {TEN TEN TEN TEN TEN TEN "0123", NULL},
	    {TEN TEN TEN TEN TEN TEN "01234", length},
	    {"..", traversal},
	    {"a..b", traversal},
	    {"../x", traversal},
	    {"a/b", separators},
	    {"/", separators},
	    {"", letters},
	    {".", letters},
	    {".tri-onyx", letters},
	    {"x y", letters},
	    {"x\n", letters},
	    {"x\r\nX1 DELETE INBOX", letters},
	    {"a\\b", letters},
	    {"*", letters},
	    {"%", letters},
	    {"\"", letters},
	    {"{3}", letters},
	    {"B\xc3\xbc"
	     "ro",
		letters},
	    {"drafts", purpose},
	    {"Drafts", purpose},
	    {"state", purpose},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct mt_error err = {0};
		enum mt_status status = folder_name_check(cases[i].name, &err);

		if ((status == MT_OK) != (cases[i].wrong == NULL) ||
		    (status != MT_OK && status != MT_BAD_INPUT))
			fail_msg("'%s': %s", cases[i].name, err.text);
		if (cases[i].wrong &&
		    strncmp(err.text, cases[i].wrong, strlen(cases[i].wrong)))
			fail_msg("'%s': %s", cases[i].name, err.text);
	}
}

static void
handles(void **state)
{
	static const struct {
		const char *handle;
		bool good;
	} cases[] = {
	    {"1", true},
	    {"4294967295", true},
	    {"7-1", true},
	    {"4294967295-4294967295-4294967295", true},
	    {"", false},
	    {"-", false},
	    {"1-", false},
	    {"-1", false},
	    {"1--2", false},
	    {"1-2-", false},
	    {"1-2-3-", false},
	    {"1-2-3-4", false},
	    {"1:*", false},
	    {"*", false},
	    {"1,2", false},
	    {"1 2", false},
	    {" 1", false},
	    {"1\n", false},
	    {"1\r\nX1 DELETE INBOX", false},
	    {"1/", false},
	    {"../1", false},
	    {"+1", false},
	    {"0x1", false},
	    {"1a", false},
	    {"\xd9\xa1", false},
	    {TEN TEN TEN "012345678", true},
	    {TEN TEN TEN TEN, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct mt_error err = {0};
		enum mt_status status =
		    folder_name_check_handle(cases[i].handle, &err);

		if (status != (cases[i].good ? MT_OK : MT_BAD_INPUT))
			fail_msg("'%s': %s", cases[i].handle, err.text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(folder_names),
	    cmocka_unit_test(handles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
