/* SPDX-License-Identifier: ISC */
#include "mail/imap_conn.h"

#include "unit/cmocka_headers.h"
#include "unit/connector/mail/imap_peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CALL_MS 10000

static void
mailbox_is_divided_by_numbers_of_messages(void **state)
{
	static const struct {
		const char *name;
		struct imap_mailbox mailbox;
		uint32_t first_uid;
		const char *command; /* NULL: none */
		const char *answer;
		const char *last;
	} cases[] = {
	    {"empty", {7, 1, 0}, 1, NULL, "", ""},
	    {"small", {7, 4000000000, 20000}, 1, NULL, "", ""},
	    {"few are new", {7, 1020001, 1000000}, 1000001, NULL, "", ""},
	    {"nothing is new", {7, 1000001, 1000000}, 1000001, NULL, "", ""},
	    {"sparse UIDs", {7, 4000000000, 50000}, 1,
		"FETCH 20000,40000 (UID)",
		"* 20000 FETCH (UID 1500000000)\r\n"
		"* 40000 FETCH (UID 3000000000)\r\n",
		"1500000000 3000000000"},
	    {"what is below does not matter", {7, 4000000000, 50000}, 2000,
		"FETCH 20000,40000 (UID)",
		"* 40000 FETCH (UID 3000)\r\n* 20000 FETCH (UID 1999)\r\n",
		"3000"},
	    {"no UIDNEXT", {7, 0, 20001}, 30000, "FETCH 20000 (UID)",
		"* 20000 FETCH (FLAGS () UID 30000)\r\n", "30000"},
	    {"gone meanwhile", {7, 0, 60001}, 1,
		"FETCH 20000,40000,60000 (UID)",
		"* 40000 FETCH (UID 50000)\r\n", "50000"},
	    {"refused", {7, 0, 20001}, 1, "FETCH 20000 (UID)", NULL, ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct imap_peer peer;
		struct mt_error err;
		uint32_t *last = NULL;
		size_t count = 0, len = 0;
		char text[1000] = "";

		imap_peer_open(&peer, "IMAP4rev1");
		snprintf(text, sizeof(text), "%s3 %s done\r\n",
		    cases[i].answer ? cases[i].answer : "",
		    cases[i].answer ? "OK" : "NO");
		imap_peer_say(&peer, text);
		*text = '\0';
		assert_int_equal(imap_conn_divide(peer.conn, &cases[i].mailbox,
				     cases[i].first_uid, &last, &count,
				     deadline_in_ms(CALL_MS), &err),
		    MT_OK);
		for (size_t j = 0; j < count; j++)
			len += (size_t)snprintf(text + len, sizeof(text) - len,
			    "%s%u", j ? " " : "", last[j]);
		if (strcmp(text, cases[i].last) != 0)
			fail_msg("%s: %s", cases[i].name, text);
		free(last);
		if (cases[i].command) {
			snprintf(text, sizeof(text), "3 %s", cases[i].command);
			imap_peer_expect(&peer, text);
		}
		imap_peer_close(&peer);
	}
}

static void
marks_are_so_few_that_one_command_holds_them(void **state)
{
	const struct imap_mailbox mailbox = {7, 0, UINT32_MAX};
	struct imap_peer peer;
	struct mt_error err;
	uint32_t *last = NULL;
	size_t count = 0;

	(void)state;
	imap_peer_open(&peer, "IMAP4rev1");
	imap_peer_say(&peer, "3 OK done\r\n");
	assert_int_equal(imap_conn_divide(peer.conn, &mailbox, 1, &last, &count,
			     deadline_in_ms(CALL_MS), &err),
	    MT_OK);
	assert_int_equal(count, 0);
	free(last);
	imap_peer_close(&peer);
}

static void
only_what_was_asked_for_is_listed(void **state)
{
	struct imap_summary *list = NULL;
	uint32_t *uids = NULL;
	struct imap_peer peer;
	struct mt_error err;
	size_t count = 0;
	time_t newest = 0;

	(void)state;
	imap_peer_open(&peer, "IMAP4rev1");
	imap_peer_say(&peer, "* 1 FETCH (UID 9 RFC822.SIZE 1)\r\n"
			     "* 2 FETCH (UID 12 RFC822.SIZE 2)\r\n"
			     "* 3 FETCH (UID 11 RFC822.SIZE 3)\r\n"
			     "* 4 FETCH (UID 13 RFC822.SIZE 4)\r\n"
			     "3 OK done\r\n");
	assert_int_equal(imap_conn_list(peer.conn, 10, 12, &list, &count,
			     deadline_in_ms(CALL_MS), &err),
	    MT_OK);
	assert_int_equal(count, 2);
	assert_int_equal(list[0].uid, 11);
	assert_int_equal(list[1].uid, 12);
	free(list);
	imap_peer_expect(&peer, "3 UID FETCH 10:12 (UID RFC822.SIZE)");

	imap_peer_say(&peer, "* 1 FETCH (UID 9 INTERNALDATE "
			     "\"02-Nov-2026 10:00:00 +0000\")\r\n"
			     "* 2 FETCH (UID 10 INTERNALDATE "
			     "\"01-Jan-1970 00:00:01 +0000\")\r\n"
			     "4 OK done\r\n");
	assert_int_equal(imap_conn_uids(peer.conn, 10, UINT32_MAX, &uids,
			     &count, &newest, deadline_in_ms(CALL_MS), &err),
	    MT_OK);
	assert_int_equal(count, 1);
	assert_int_equal(uids[0], 10);
	assert_int_equal(newest, 1);
	free(uids);
	imap_peer_expect(&peer, "4 UID FETCH 10:* (UID INTERNALDATE)");
	imap_peer_close(&peer);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(mailbox_is_divided_by_numbers_of_messages),
	    cmocka_unit_test(marks_are_so_few_that_one_command_holds_them),
	    cmocka_unit_test(only_what_was_asked_for_is_listed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
