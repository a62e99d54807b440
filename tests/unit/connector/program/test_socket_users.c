/* SPDX-License-Identifier: ISC */
#include "socket_users.h"

#include "base/buf.h"

#include "unit/cmocka_headers.h"

#include <string.h>

static void
users_are_read_by_name_and_number(void **state)
{
	static const struct {
		const char *text;
		size_t count;
		uid_t users[3];
	} cases[] = {
	    {NULL, 0, {0}},
	    {" , ", 0, {0}},
	    {"1000", 1, {1000}},
	    {"root", 1, {0}},
	    {"7,root, 4294967294", 3, {7, 0, 4294967294}},
	    {"7 8\t9", 3, {7, 8, 9}},
	};
	struct socket_users users;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_int_equal(
		    socket_users_read(&users, cases[i].text, NULL), MT_OK);
		assert_int_equal(users.count, cases[i].count);
		assert_memory_equal(
		    users.list, cases[i].users, cases[i].count * sizeof(uid_t));
	}
}

static void
what_is_no_user_is_named(void **state)
{
	static const char *const texts[] = {"nobody-has-this-name", "-1",
	    "4294967295", "4294967296", "1000;1001", "*", "root,all",
	    /* whom a container cannot map */
	    "65534", "nobody"};
	struct socket_users users;
	struct mt_error err;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		assert_int_equal(
		    socket_users_read(&users, texts[i], &err), MT_BAD_CONFIG);
		assert_non_null(
		    strstr(err.text, "TRI_ONYX_EMAIL_SOCKET_ALLOW"));
	}
}

static void
number_of_users_is_bounded(void **state)
{
	struct buf text = BUF_INIT(1000);
	struct socket_users users;

	(void)state;
	for (int i = 0; i < SOCKET_USERS_MAX; i++)
		buf_add_format(&text, "%d,", i);
	assert_int_equal(
	    socket_users_read(&users, buf_text(&text), NULL), MT_OK);
	buf_add_text(&text, "5");
	assert_int_equal(
	    socket_users_read(&users, buf_text(&text), NULL), MT_BAD_CONFIG);
	buf_done(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(users_are_read_by_name_and_number),
	    cmocka_unit_test(what_is_no_user_is_named),
	    cmocka_unit_test(number_of_users_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
