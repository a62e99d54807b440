/* SPDX-License-Identifier: ISC */
#include "mail/imap_id.h"

#include "unit/cmocka_headers.h"
#include "unit/connector/mail/imap_peer.h"

#include <string.h>

#define NETEASE "imap.163.com"

static void
servers_of_a_domain_want_to_know(void **state)
{
	static const struct {
		const char *host;
		bool wanted;
	} hosts[] = {
	    {NETEASE, true},
	    {"163.com", true},
	    {"imap.YEAH.net", true},
	    {"imap.my163.com", false},
	    {"imap.163.com.example.test", false},
	    {"outlook.office365.com", false},
	    {"", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(hosts) / sizeof(*hosts); i++)
		assert_int_equal(
		    imap_id_is_wanted(hosts[i].host), hosts[i].wanted);
}

static void
answer_does_not_matter(void **state)
{
	static const struct {
		const char *answer;
		enum mt_status status;
	} answers[] = {
	    {"* ID (\"name\" {4}\r\n3 OK)\r\n3 OK\r\n", MT_OK},
	    {"* ID NIL\r\n3 OK\r\n", MT_OK},
	    {"3 NO\r\n", MT_OK},
	    {"3 BAD what?\r\n", MT_OK},
	    {"* BYE\r\n", MT_RETRY_LATER},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(answers) / sizeof(*answers); i++) {
		struct mt_error err;
		struct imap_peer p;
		imap_peer_open(&p, "IMAP4rev1 ID");
		imap_peer_say(&p, answers[i].answer);
		assert_int_equal(imap_id_introduce(p.conn, NETEASE, &err),
		    answers[i].status);
		imap_peer_expect(&p, "3 ID (\"name\" \"mailtoken-connector\")");
		imap_peer_close(&p);
	}
}

/* Nothing is sent, so nothing need be answered. */
static void
nobody_else_is_told(void **state)
{
	struct mt_error err;
	struct imap_peer p;

	(void)state;
	imap_peer_open(&p, "IMAP4rev1 IDLE");
	assert_int_equal(imap_id_introduce(p.conn, NETEASE, &err), MT_OK);
	imap_peer_close(&p);
	imap_peer_open(&p, "IMAP4rev1 ID");
	assert_int_equal(imap_id_introduce(p.conn, "localhost", &err), MT_OK);
	imap_peer_close(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(servers_of_a_domain_want_to_know),
	    cmocka_unit_test(answer_does_not_matter),
	    cmocka_unit_test(nobody_else_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
