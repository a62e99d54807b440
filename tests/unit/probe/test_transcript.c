/* SPDX-License-Identifier: ISC */
#include "helper/probe/transcript.h"

#include "unit/cmocka_headers.h"

#include <string.h>

static void
server(struct transcript *t, const char *line)
{
	transcript_server(t, line, strlen(line));
}

static void
client(struct transcript *t, const char *line)
{
	transcript_client(t, line, strlen(line));
}

static void
imap_keeps_what_is_offered_before_the_login(void **state)
{
	struct transcript t = {0};

	(void)state;
	server(&t, "* OK [CAPABILITY IMAP4rev1 AUTH=NOT] ready\r\n");
	server(&t, "* CAPABILITY IMAP4rev1 STARTTLS AUTH=OLD\r\n");
	server(&t, "* CAPABILITY IMAP4rev1 auth=XOAUTH2 AUTH= AUTH=PLAIN\r\n");
	client(&t, "A002 AUTHENTICATE XOAUTH2 c2VjcmV0\r\n");
	server(&t, "* CAPABILITY IMAP4rev1 AUTH=LATE\r\n");
	assert_string_equal(t.mechanisms, "XOAUTH2 PLAIN");
	assert_string_equal(t.used, "XOAUTH2");
	assert_string_equal(t.refusal, "");
}

static void
imap_keeps_the_refusal(void **state)
{
	struct transcript t = {0};

	(void)state;
	server(&t, "+ eyJzdGF0dXMiOiI0MDAifQ==\r\n");
	server(&t, "* NO not this one\r\n");
	assert_string_equal(t.refusal, "");
	server(&t, "A3 NO AUTHENTICATE failed.\r\n");
	server(&t, "* BYE and go\r\n");
	assert_string_equal(t.refusal, "NO AUTHENTICATE failed.");
}

static void
smtp_keeps_the_last_list_and_the_refusal(void **state)
{
	struct transcript t = {.smtp = true};

	(void)state;
	server(&t, "250-AUTH PLAIN\r\n");
	server(&t, "250 AUTH LOGIN XOAUTH2\r\n");
	client(&t, "AUTH XOAUTH2\r\n");
	server(&t, "334 \r\n");
	assert_string_equal(t.mechanisms, "LOGIN XOAUTH2");
	assert_string_equal(t.refusal, "");
	server(&t, "535 5.7.3 no\x1b[2J\r\n");
	assert_string_equal(t.refusal, "535 5.7.3 no?[2J");
}

static void
long_and_broken_lines_are_cut(void **state)
{
	struct transcript imap = {0}, smtp = {.smtp = true};
	char line[5000];

	(void)state;
	memset(line, 'A', sizeof(line));
	transcript_server(&imap, line, sizeof(line));
	transcript_client(&imap, line, sizeof(line));
	memcpy(line, "* CAPABILITY AUTH=", 18);
	transcript_server(&imap, line, sizeof(line));
	memcpy(line, "550 ", 4);
	transcript_server(&smtp, line, sizeof(line));
	assert_int_equal(strlen(smtp.refusal), TRANSCRIPT_LINE_MAX - 1);
	assert_string_equal(imap.mechanisms, "");
	for (size_t i = 0; i < 40; i++) {
		transcript_server(&imap, "* CAPABILITY  AUTH=", i);
		transcript_server(&smtp, "250-AUTH  \0 ", i < 12 ? i : 12);
		transcript_client(&smtp, "AUTH  X", i < 7 ? i : 7);
	}
}

/* Whatever we send, no part of a token stays. */
static void
nothing_that_was_sent_is_kept(void **state)
{
	struct transcript imap = {0}, smtp = {.smtp = true};
	const char *bytes = (const char *)&smtp;

	(void)state;
	client(&smtp, "AUTH XOAUTH2 c2VjcmV0\r\n");
	client(&smtp, "c2VjcmV0\r\n");
	client(&imap, "A1 AUTHENTICATE OAUTHBEARER c2VjcmV0\r\n");
	for (size_t i = 0; i + 8 <= sizeof(smtp); i++)
		assert_memory_not_equal(bytes + i, "c2VjcmV0", 8);
	bytes = (const char *)&imap;
	for (size_t i = 0; i + 8 <= sizeof(imap); i++)
		assert_memory_not_equal(bytes + i, "c2VjcmV0", 8);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(imap_keeps_what_is_offered_before_the_login),
	    cmocka_unit_test(imap_keeps_the_refusal),
	    cmocka_unit_test(smtp_keeps_the_last_list_and_the_refusal),
	    cmocka_unit_test(long_and_broken_lines_are_cut),
	    cmocka_unit_test(nothing_that_was_sent_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
