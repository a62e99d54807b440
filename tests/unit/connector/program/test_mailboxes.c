/* SPDX-License-Identifier: ISC */
#include "mailboxes.h"

#include "base/buf.h"
#include "unit/cmocka_headers.h"

#include <string.h>

static void
mailboxes_become_folders(void **state)
{
	static const struct {
		const char *text;
		const char *expected; /* or what is wrong */
		bool wrong;
	} cases[] = {
	    {"INBOX", "INBOX:inbox ", false},
	    {"inbox", "INBOX:inbox ", false},
	    {"INBOX=mail", "INBOX:mail ", false},
	    {"INBOX,Lists,a_b-9", "INBOX:inbox Lists:Lists a_b-9:a_b-9 ",
		false},
	    {" Lists , Work/Clients = clients ",
		"Lists:Lists Work/Clients:clients ", false},
	    {"a=b=c", "a=b:c ", false},
	    {"Entw&APw-rfe=entwuerfe", "Entw&APw-rfe:entwuerfe ", false},
	    {"Work/Clients", "write it as NAME=FOLDER", true},
	    {"..", "write it as NAME=FOLDER", true},
	    {"x=../y", "allowed are letters", true},
	    {"x=", "allowed are letters", true},
	    {"x=\xc3\xa4", "allowed are letters", true},
	    {"INBOX,", "an entry without a name", true},
	    {"=x", "an entry without a name", true},
	    {"state", "another purpose", true},
	    {"x=Drafts", "another purpose", true},
	    {"x,x", "has x twice", true},
	    {"INBOX,inbox=y", "has INBOX twice", true},
	    {"x,y=X", "x and y would both be the folder X", true},
	    {"y=inbox,INBOX", "would both be the folder inbox", true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct mailboxes m = {0};
		struct mt_error err = {0};
		struct buf got = BUF_INIT(1024);
		enum mt_status status = mailboxes_read(&m, cases[i].text, &err);

		for (size_t j = 0; j < m.count; j++)
			buf_add_format(
			    &got, "%s:%s ", m.list[j].name, m.list[j].folder);
		if (cases[i].wrong
			? status != MT_BAD_CONFIG ||
			      !strstr(err.text, cases[i].expected)
			: status != MT_OK ||
			      strcmp(buf_text(&got), cases[i].expected) != 0)
			fail_msg("'%s': '%s' %s", cases[i].text, buf_text(&got),
			    err.text);
		buf_done(&got);
		mailboxes_done(&m);
	}
}

static void
mailboxes_have_a_maximum(void **state)
{
	struct buf text = BUF_INIT(4096);
	struct mailboxes m;
	struct mt_error err;

	(void)state;
	for (int i = 0; i < MAILBOXES_MAX; i++)
		buf_add_format(&text, "%sb%d", i ? "," : "", i);
	assert_int_equal(mailboxes_read(&m, buf_text(&text), &err), MT_OK);
	assert_int_equal(m.count, MAILBOXES_MAX);
	mailboxes_done(&m);
	buf_add_text(&text, ",c");
	assert_int_equal(
	    mailboxes_read(&m, buf_text(&text), &err), MT_BAD_CONFIG);
	assert_non_null(strstr(err.text, "more than 100"));
	buf_done(&text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(mailboxes_become_folders),
	    cmocka_unit_test(mailboxes_have_a_maximum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
